"""Every answer has the headers, every error one shape, every limit a name."""

from __future__ import annotations

import anyio
import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel
from starlette.requests import Request

from gamelake.errors import CheckFailedError, ConflictError, LayoutError, NotFoundError, Place, StoreError
from gamelake.http.border import install_border
from gamelake.http.limits import HttpLimits
from gamelake.http.problems import PROBLEM_JSON


class Body(BaseModel):
    number: int


ERRORS = {
    "missing": NotFoundError("there is no dataset `x`", hint="did you mean `y`?"),
    "conflict": ConflictError("the run has ended"),
    "layout": LayoutError.all_of(
        [
            LayoutError("unknown key `a`", Place("/home/someone/project/layouts/a.sql", 3, "outputs")),
            LayoutError("unknown key `b`", Place("/home/someone/project/layouts/b.sql", 4)),
        ]
    ),
    "check": CheckFailedError("check `unique` failed"),
    "store": StoreError("the lake did not answer"),
    "bug": ZeroDivisionError("secret detail"),
}


def make_app(**options):
    app = FastAPI()

    @app.get("/fail/{kind}")
    def fail(kind: str) -> None:
        raise ERRORS[kind]

    @app.post("/body")
    async def body(request: Request, wanted: Body) -> dict[str, int]:
        return {"number": wanted.number}

    install_border(app, limits=HttpLimits(max_body_bytes=100, max_url_bytes=200), **options)
    return app


def ask(method, path, *, app=None, **options):
    async def run():
        transport = httpx.ASGITransport(app or make_app())
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.request(method, path, **options)

    return anyio.run(run)


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("missing", 404, "not_found"),
        ("conflict", 409, "conflict"),
        ("layout", 422, "layout_error"),
        ("check", 422, "check_failed"),
        ("store", 503, "store_error"),
        ("bug", 500, "internal_error"),
    ],
)
def test_every_error_is_a_problem(kind, status, code):
    answer = ask("GET", f"/fail/{kind}")

    problem = answer.json()
    assert answer.status_code == status == problem["status"]
    assert answer.headers["content-type"] == PROBLEM_JSON
    assert problem["code"] == code
    assert problem["title"]
    assert problem["detail"]


def test_a_hint_and_a_place_are_told_without_folders_of_this_machine():
    problem = ask("GET", "/fail/layout").json()

    assert problem["at"] == "a.sql:3 (outputs)"
    assert [other["at"] for other in problem["others"]] == ["b.sql:4"]
    assert "someone" not in str(problem)
    assert ask("GET", "/fail/missing").json()["hint"] == "did you mean `y`?"


def test_our_mistakes_are_logged_and_not_told(caplog):
    answer = ask("GET", "/fail/bug")

    assert "secret" not in answer.text
    assert "secret detail" in caplog.text


def test_what_may_be_tried_again_says_when():
    assert ask("GET", "/fail/store").headers["retry-after"] == "1"


def test_a_malformed_body_names_the_field_and_what_was_seen():
    problem = ask("POST", "/body", json={"number": "many"}).json()

    assert problem["code"] == "invalid_request"
    assert problem["at"] == "body.number"
    assert "seen `many`" in problem["detail"]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b'{"number": NaN}'])
def test_no_bytes_make_a_server_error(content):
    answer = ask("POST", "/body", content=content, headers={"content-type": "application/json"})

    assert 400 <= answer.status_code < 500


@pytest.mark.parametrize("path", ["/fail/bug", "/fail/missing", "/nowhere", "/body"])
def test_every_answer_has_the_security_headers(path):
    answer = ask("GET", path)

    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_large_body_is_refused_by_the_name_of_the_limit():
    answer = ask("POST", "/body", content=b"x" * 101)

    assert answer.status_code == 413
    assert "`max_body_bytes` = 100" in answer.json()["detail"]


def test_a_body_without_a_length_is_counted_while_it_arrives():
    async def chunks():
        for _ in range(20):
            yield b"x" * 10

    answer = ask("POST", "/body", content=chunks(), headers={"content-type": "application/json"})

    assert answer.status_code == 413


def test_a_long_address_is_refused():
    answer = ask("GET", "/fail/missing?" + "x" * 300)

    assert answer.status_code == 414
    assert "max_url_bytes" in answer.json()["detail"]


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": "http://127.0.0.1"},
    ],
)
def test_another_site_may_not_change_anything(headers):
    answer = ask("POST", "/body", json={"number": 1}, headers=headers)

    assert answer.status_code == 403
    assert answer.json()["code"] == "cross_origin"


@pytest.mark.parametrize(
    "headers",
    [{}, {"origin": "http://127.0.0.1"}, {"sec-fetch-site": "same-origin", "origin": "http://127.0.0.1"}],
)
def test_our_own_pages_and_programs_may(headers):
    assert ask("POST", "/body", json={"number": 1}, headers=headers).json() == {"number": 1}


def test_a_loopback_server_answers_only_for_its_own_names():
    refused = ask("GET", "/fail/missing", headers={"host": "rebound.example:8787"})
    public = ask("GET", "/fail/missing", app=make_app(hosts=None), headers={"host": "lake.example"})

    assert refused.status_code == 421
    assert refused.json()["code"] == "wrong_host"
    assert public.status_code == 404


@pytest.mark.parametrize("host", ["localhost:8787", "127.0.0.1:1", "[::1]:8787", "LOCALHOST"])
def test_all_loopback_names_are_its_own(host):
    assert ask("GET", "/fail/missing", headers={"host": host}).status_code == 404
