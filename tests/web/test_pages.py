"""Core pages with the real app: what is there, what is escaped, what is refused."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

HTML = {"accept": "text/html"}


class Tags(HTMLParser):
    """Every start tag with its attributes."""

    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def attributes(self, name):
        return [attributes[name] for _, attributes in self.tags if attributes.get(name)]


def page(client, path, status=200):
    answer = client.get(path, headers=HTML)
    assert answer.status_code == status, f"{path}: {answer.status_code}\n{answer.text[:500]}"
    return answer.text


def test_home_shows_datasets_by_layer_and_the_last_runs(client):
    text = page(client, "/")

    assert text.index("ranks") < text.index("scores") < text.index("matches")
    assert "Import two days of matches" in text
    assert "failed" in text
    assert 'data-live-events="/api/v1/events?after=' in text


def test_a_dataset_shows_schema_slices_checks_and_lineage(client):
    text = page(client, "/datasets/toy.silver.scores")

    assert "day the match was played" in text
    assert "day=2026-11-21" in text
    assert "few_players" in text
    assert "at most 0 rows" in text
    assert 'href="/datasets/toy.bronze.matches"' in text
    assert 'href="/datasets/toy.gold.ranks"' in text


def test_sample_rows_come_from_the_lake(client):
    assert "player 6" in page(client, "/datasets/toy.silver.scores/sample")


def test_a_layer_may_be_written_in_either_vocabulary(client):
    assert "toy.gold.ranks" in page(client, "/datasets?layer=cons")
    assert "expected one of" in page(client, "/datasets?layer=copper", 400)


def test_a_run_shows_its_steps_checks_and_publications(client, runs):
    text = page(client, f"/runs/{runs['built']}")

    assert text.count('class="node good') == 2
    assert "2 of 4" in text
    assert "Published (3 slices)" in text
    assert "data-live-events" not in text


def test_a_live_run_names_its_stream_and_can_be_stopped(client, runs):
    text = page(client, f"/runs/{runs['running']}")

    assert f'data-live-events="/api/v1/runs/{runs["running"]}/events?after=' in text
    assert 'class="node busy' in text
    assert "data-since=" in text
    assert f'action="/runs/{runs["running"]}/cancel"' in text


def test_a_failed_run_says_why_and_what_to_do(client, runs):
    text = page(client, f"/runs/{runs['failed']}")

    assert "check <code>score_not_negative</code> of toy.silver.scores failed: 3 rows" in text
    assert "look at the failing rows below" in text
    assert "player &lt;b&gt;eve&lt;/b&gt;, score -4" in text
    assert "0 of 1" in text


def test_a_task_shows_the_sql_as_it_ran(client, runs):
    text = page(client, f"/runs/{runs['built']}/tasks/t0")

    assert '<span class="k">SELECT</span>' in text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/datasets/toy.silver.score", "toy.silver.scores"),
        ("/datasets/nonsense", "pack"),
        ("/runs/run_nope", ""),
        ("/nowhere", ""),
        ("/datasets/%3Cscript%3E", ""),
    ],
)
def test_what_is_not_there_is_a_page_with_a_hint(client, path, hint):
    answer = client.get(path, headers=HTML)

    assert answer.status_code in {400, 404}
    assert "Code <code>" in answer.text
    assert hint in answer.text
    assert "<script>" not in answer.text


def test_htmx_gets_only_the_part(client):
    answer = client.get("/query?sql=select+1+as+one", headers=HTML | {"hx-request": "true"})

    assert "<html" not in answer.text
    assert ">one<" in answer.text


def test_an_error_of_a_part_is_a_part(client):
    answer = client.get("/query?sql=drop+table+x", headers=HTML | {"hx-request": "true"})

    assert answer.status_code == 400
    assert "<html" not in answer.text
    assert "expected <code>SELECT</code>" in answer.text


def test_a_wrong_statement_stays_in_the_editor(client):
    answer = client.get("/query?sql=select+1+from+nowhere", headers=HTML)

    assert answer.status_code == 404
    assert ">select 1 from nowhere</textarea>" in answer.text
    assert "there is no dataset <code>nowhere</code>" in answer.text


def test_pages_obey_their_own_policy(client, runs):
    for path in (
        "/",
        "/datasets",
        "/datasets/toy.silver.scores",
        f"/runs/{runs['failed']}",
        "/query",
        "/api",
    ):
        answer = client.get(path, headers=HTML)
        tags = Tags(answer.text).tags
        assert "unsafe" not in answer.headers["content-security-policy"]
        for tag, attributes in tags:
            assert "style" not in attributes, path
            assert not [name for name in attributes if name.startswith("on")], path
            if tag == "script":
                assert attributes["src"].startswith("/static/"), path


def test_every_page_can_be_read_by_a_screen_reader(client, runs):
    for path in (
        "/",
        "/datasets",
        "/datasets/toy.silver.scores",
        f"/runs/{runs['built']}",
        "/runs",
        "/query",
    ):
        text = page(client, path)
        tags = Tags(text).tags
        assert [tag for tag, _ in tags].count("h1") == 1, path
        assert 'href="#main"' in text
        assert '<html lang="en">' in text
        ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
        assert len(ids) == len(set(ids)), path
        for tag, attributes in tags:
            if tag == "svg":
                assert "aria-hidden" in attributes or "role" in attributes, path
            if tag == "th":
                assert "scope" in attributes, path


def test_static_files_are_kept_for_ever_only_under_their_mark(client):
    (address, *_) = re.findall(r'href="(/static/css/base.css\?v=[0-9a-f]+)"', page(client, "/"))

    assert "immutable" in client.get(address).headers["cache-control"]
    assert client.get("/static/css/base.css").headers["cache-control"] == "no-cache"
    assert client.get("/static/../pages.py").status_code == 404
    assert client.get("/static/%2e%2e/pages.py").status_code == 404


def test_no_link_is_broken(client):
    """Follows every link, form-free part and static file from the home page on."""
    waiting, seen = ["/"], set()
    while waiting:
        path = waiting.pop()
        if path in seen or len(seen) > 400:
            continue
        seen.add(path)
        if "/events" in path:
            continue
        answer = client.get(path, headers=HTML)
        assert answer.status_code == 200, f"{path}: {answer.status_code}"
        if "text/html" not in answer.headers["content-type"]:
            continue
        found = Tags(answer.text)
        links = [
            link for name in ("href", "src", "hx-get", "data-live-part") for link in found.attributes(name)
        ]
        waiting += [link.partition("#")[0] for link in links if link.startswith("/")]

    assert "/datasets/toy.gold.ranks" in seen
    assert any(path.startswith("/api/v1/query.parquet") for path in seen) or "/query" in seen
    assert len(seen) > 30
