"""With pseudonyms on, no raw row leaves the server."""

from dataclasses import replace

import pytest

from gamelake.web.app import create_app
from web.web_server import client_of


@pytest.fixture(scope="module")
def hidden(filled):
    settings = filled.settings.model_copy(update={"pseudonyms": True})
    shown = replace(filled, settings=settings)
    with client_of(create_app(shown, packs=[])) as made:
        yield made


@pytest.mark.parametrize(
    "path",
    [
        "/query?sql=SELECT%201",
        "/api/v1/query.csv?sql=SELECT%201",
        "/datasets/toy.silver.scores/sample",
        "/api/v1/datasets/toy.silver.scores/rows",
    ],
)
def test_raw_rows_are_refused(hidden, path):
    answer = hidden.get(path)

    assert answer.status_code == 403
    assert answer.json()["code"] == "names_hidden"


def test_a_posted_query_is_refused(hidden):
    assert hidden.post("/api/v1/query", json={"sql": "SELECT 1"}).status_code == 403


def test_a_dataset_page_says_so_and_shows_the_rest(hidden, client):
    shown, plain = (c.get("/datasets/toy.silver.scores").text for c in (hidden, client))

    assert "which this server hides" in shown
    assert 'hx-get="/datasets/toy.silver.scores/sample"' not in shown
    assert 'hx-get="/datasets/toy.silver.scores/sample"' in plain


def test_failing_rows_of_checks_are_left_out(hidden, client, runs):
    def samples(made):
        checks = made.get("/api/v1/datasets/toy.silver.scores").json()["checks"]
        return [check["sample"] for check in checks if check["sample"]]

    assert samples(client)
    assert not samples(hidden)
