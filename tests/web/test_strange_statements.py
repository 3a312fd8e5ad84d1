"""Statements that mean harm, ask for too much, or are no statements at all: never a file, never a 5xx."""

from __future__ import annotations

import json
from contextlib import ExitStack

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gamelake.http.limits import HttpLimits
from gamelake.web.app import create_app
from web.web_server import client_of

SELECT = "SELECT player, best FROM toy.gold.ranks"
LATE_ERROR = "SELECT CAST(CASE WHEN range = 90000 THEN 'x' ELSE '1' END AS INTEGER) AS a FROM range(100000)"
ENDLESS = "SELECT hash(a.range * b.range) AS h FROM range(100000) a, range(100000) b"


@pytest.fixture(scope="module")
def strict(filled):
    """The app with limits that a test reaches."""
    limits = HttpLimits(
        statement_seconds=1.0, max_answer_bytes=10_000, max_export_bytes=10_000, max_queries=2
    )
    app = create_app(filled, packs=[], limits=limits)
    with client_of(app) as made:
        made.app = app
        yield made


def ask(client, sql):
    return client.post("/api/v1/query", json={"sql": sql})


@pytest.fixture(scope="module")
def file(filled):
    return next(path for paths in filled.lake.files("toy.gold.ranks").values() for path in paths)


@pytest.mark.parametrize(
    "declared",
    [
        "SELECT s.* FROM (WITH {name} AS (SELECT 1 b) SELECT 1) t, {name} s",
        "WITH a AS (WITH {name} AS (SELECT 1) SELECT 1) SELECT * FROM {name}",
        "WITH {name} AS (SELECT * FROM {name}) SELECT * FROM {name}",
        "WITH b AS (SELECT * FROM {name}), {name} AS (SELECT 1) SELECT * FROM b",
        "WITH RECURSIVE {name} AS (SELECT * FROM {name} UNION ALL SELECT * FROM {name}) SELECT 1",
        "SELECT (WITH {name} AS (SELECT 1) SELECT 1) FROM {name}",
    ],
)
@pytest.mark.parametrize("name", ["file", "glob", "sqlite_master", "duckdb_tables", "players"])
def test_a_part_is_seen_only_where_it_is_declared(client, file, declared, name):
    names = {"file": f'"{file}"', "glob": f'"{file.rpartition("/")[0]}/*.parquet"'}

    answer = ask(client, declared.format(name=names.get(name, name)))

    assert answer.status_code in {400, 404}, answer.text


@pytest.mark.parametrize(
    "sql",
    [
        "WITH a AS (SELECT 1 AS x), b AS (FROM a) SELECT * FROM b WHERE x IN (SELECT x FROM a)",
        "WITH A AS (SELECT 1) SELECT * FROM (SELECT * FROM (FROM a))",
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT * FROM t",
        "WITH a AS (SELECT 1) SELECT * FROM a UNION SELECT * FROM a",
        "WITH a AS (SELECT 1) SELECT * FROM (WITH b AS (FROM a) FROM b)",
    ],
)
def test_parts_are_seen_below(client, sql):
    assert ask(client, sql).status_code == 200


@pytest.mark.parametrize("sql", ["SELECT " + "+".join("1" * 600), "SELECT " + "NOT " * 900 + "true"])
def test_deep_statements_are_refused_with_a_hint(client, sql):
    answer = ask(client, sql)

    assert answer.status_code == 422
    assert "nested too deeply" in answer.json()["detail"]
    assert answer.json()["hint"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("DATE '20000-01-01'", "20000-01-01"),
        ("'infinity'::TIMESTAMP", "infinity"),
        ("TIMESTAMP_NS '2020-01-01 00:00:00.123456789'", "2020-01-01 00:00:00.123456789"),
        ("[DATE '20000-01-01']", "[20000-01-01]"),
        ("TIMESTAMPTZ '20000-01-01 00:00:00+00'", "20000-01-01 00:00:00+00"),
    ],
)
def test_values_python_cannot_hold_are_text(client, value, shown):
    sql = f"SELECT {value} AS v UNION ALL SELECT NULL ORDER BY v NULLS LAST"

    assert ask(client, sql).json()["rows"] == [[shown], [None]]
    assert client.get("/api/v1/query.json", params={"sql": sql}).json() == [{"v": shown}, {"v": None}]
    assert shown in client.get("/api/v1/query.csv", params={"sql": sql}).text


def test_values_nested_beyond_reason_are_refused(client):
    for depth in (60, 200):
        assert ask(client, f"SELECT {'[' * depth}1{']' * depth}").status_code == 422


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
@pytest.mark.parametrize(
    ("sql", "status", "says"),
    [(LATE_ERROR, 422, "Could not convert"), (ENDLESS, 408, "statement_seconds")],
)
def test_an_error_while_rows_are_written_is_told(strict, filled, form, sql, status, says):
    limits = HttpLimits(statement_seconds=1.0, max_export_rows=1_000_000_000)
    with client_of(create_app(filled, packs=[], limits=limits)) as client:
        answer = client.get(f"/api/v1/query.{form}", params={"sql": sql})

    assert answer.status_code == status, answer.text
    assert says in answer.json()["detail"]


def test_what_parquet_cannot_hold_is_the_callers(client):
    answer = client.get("/api/v1/query.parquet", params={"sql": "SELECT INTERVAL 1 MONTH AS i"})

    assert answer.status_code == 422, answer.text


def test_large_answers_are_refused_by_name(strict):
    sql = "SELECT repeat('x', 20000) AS text"
    shown, exported = ask(strict, sql), strict.get("/api/v1/query.csv", params={"sql": sql})

    assert shown.status_code == exported.status_code == 422
    assert "`max_answer_bytes` = 10,000" in shown.json()["detail"]
    assert "`max_export_bytes` = 10,000" in exported.json()["detail"]


def test_past_max_queries_one_is_refused_and_places_come_back(strict):
    with ExitStack() as running:
        for _ in range(2):
            running.enter_context(strict.app.state.queries.connection())
        answer = ask(strict, SELECT)

    assert answer.status_code == 503
    assert answer.json()["code"] == "too_busy"
    assert answer.headers["retry-after"]
    assert ask(strict, SELECT).status_code == 200


def test_queries_share_the_memory(filled, strict):
    read = "SELECT value FROM duckdb_settings() WHERE name = 'memory_limit'"
    with filled.connect() as whole, strict.app.state.queries.connection() as part:
        assert whole.sql(read).fetchall() != part.sql(read).fetchall()


@pytest.mark.parametrize("path", ["/query", "/api/v1/query.csv"])
def test_a_page_elsewhere_cannot_run_queries(client, path):
    for site, status in (("cross-site", 403), ("same-origin", 200), ("none", 200)):
        answer = client.get(path, params={"sql": SELECT}, headers={"sec-fetch-site": site})
        assert answer.status_code == status


@pytest.mark.parametrize("after", [10**20, 2**63, "9" * 6000])
def test_a_sequence_of_any_size_is_no_server_error(client, runs, after):
    for path in ("/api/v1/events", f"/api/v1/runs/{runs['built']}/events"):
        assert client.get(f"{path}?after={after}").status_code == 422
        assert client.get(path, headers={"last-event-id": str(after)}).status_code == 422


def test_half_a_character_is_no_server_error(client):
    content = '{"sql": "SELECT \'\\ud800\'"}'
    answer = client.post("/api/v1/query", content=content, headers={"content-type": "application/json"})

    assert answer.status_code == 422


WORDS = st.sampled_from(
    ["SELECT", "FROM", "WITH", "a", "AS", "(", ")", "'", '"', "1", "*", ",", "toy.gold.ranks", "DESCRIBE", "[", "]",
     "UNION", "::DATE", "'infinity'", "EXPLAIN", "$$", "--", "/*", ";", "?", "$1", ":x", "\x00", "{", "}", "\\"]
)  # fmt: skip
TEXT = st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=12).map(" ".join))


@given(text=TEXT, head=st.sampled_from(["", "SELECT "]))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_makes_a_server_error(client, text, head):
    content = json.dumps({"sql": head + text, "limit": 5})

    answer = client.post("/api/v1/query", content=content, headers={"content-type": "application/json"})

    assert answer.status_code < 500, answer.text
