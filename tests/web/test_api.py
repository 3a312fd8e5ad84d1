"""The API beside the pages: documented, typed, and the same facts."""

from __future__ import annotations

import io
import json

import pyarrow.parquet as pq
import pytest

from gamelake.model.runs import RunState, SliceState
from gamelake.model.slices import Slice
from gamelake.web.catalogue import detail, summaries
from web.web_world import toy_project

SELECT = "SELECT player, best FROM toy.gold.ranks ORDER BY best DESC"


def test_the_description_names_a_model_for_every_answer(client):
    description = client.get("/api/v1/openapi.json").json()

    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"], path
            assert operation["tags"], path
            answers = operation["responses"]
            content = next(answers[code] for code in ("200", "201", "202") if code in answers).get(
                "content", {}
            )
            kinds = set(content) - {"application/json"}
            schema = content.get("application/json", {}).get("schema", {})
            assert kinds or schema, f"{method} {path} says nothing about its answer"


def test_answers_fit_the_description(client, runs):
    description = client.get("/api/v1/openapi.json").json()
    content = description["paths"]["/api/v1/runs/{run_id}"]["get"]["responses"]["200"]["content"]
    name = content["application/json"]["schema"]["$ref"].rpartition("/")[2]
    described = description["components"]["schemas"][name]["properties"]

    assert set(client.get(f"/api/v1/runs/{runs['built']}").json()) == set(described)


def test_home_holds_what_the_page_shows(client):
    home = client.get("/api/v1/home").json()

    assert home["project"] == "Toy arena"
    health = {row["name"]: row["health"] for row in home["datasets"]}
    assert health == {
        "toy.bronze.matches": "fresh",
        "toy.silver.scores": "warning",
        "toy.gold.ranks": "fresh",
    }
    assert {run["state"] for run in home["runs"]} == {"succeeded", "failed", "running"}


def test_a_dataset_knows_its_neighbours_and_versions(client):
    found = client.get("/api/v1/datasets/toy.silver.scores").json()

    assert found["upstream"] == ["toy.bronze.matches"]
    assert found["downstream"] == ["toy.gold.ranks"]
    assert {version["slice"] for version in found["versions"]} == {"day=2026-11-21", "day=2026-11-20"}
    assert [column["name"] for column in found["columns"] if column["key"]] == ["day", "player"]


def test_rows_are_limited_and_say_so(client):
    found = client.get("/api/v1/datasets/toy.bronze.matches/rows?limit=5").json()

    assert len(found["rows"]) == 5
    assert found["truncated"]
    assert client.get("/api/v1/datasets/toy.bronze.matches/rows?limit=100000").status_code == 422


def test_a_run_has_tasks_checks_and_no_traceback(client, runs, filled):
    found = client.get(f"/api/v1/runs/{runs['failed']}").json()

    assert found["run"]["state"] == "failed"
    assert found["error"]["code"] == "check_failed"
    assert found["checks"][0]["outcome"] == "failed"
    assert "traceback" not in json.dumps(found).lower()


def test_a_query_returns_rows(client):
    found = client.post("/api/v1/query", json={"sql": SELECT, "limit": 2}).json()

    assert found["rows"] == [["player 6", 78], ["player 5", 65]]
    assert found["truncated"]
    assert [column["name"] for column in found["columns"]] == ["player", "best"]


@pytest.mark.parametrize(
    ("sql", "status", "says"),
    [
        ("", 400, "empty"),
        ("DROP TABLE toy.gold.ranks", 400, "expected `SELECT`"),
        ("SELECT 1; SELECT 2", 400, "2 statements"),
        ("COPY (SELECT 1) TO '/tmp/x.csv'", 400, "`copy`"),
        ("SELECT * FROM read_csv('/etc/passwd')", 400, "`read_csv` is not allowed"),
        ("SELECT (SELECT count(*) FROM read_text('/etc/passwd'))", 400, "`read_text` is not allowed"),
        ("SELECT * FROM '/etc/passwd'", 404, "no dataset `/etc/passwd`"),
        ("SELECT * FROM glob('/*')", 400, "`glob` is not allowed"),
        ("SELECT * FROM duckdb_settings()", 400, "not allowed"),
        ("SELECT * FROM information_schema.tables", 404, "no dataset"),
        ("SELECT current_setting('home_directory')", 400, "not allowed"),
        ("SELECT * FROM project", 404, "no dataset `project`"),
        ("SET threads = 1", 400, "expected `SELECT`"),
        ("ATTACH '/tmp/x.db'", 400, "expected `SELECT`"),
        ("SELECT * FROM toy.gold.rank", 404, "toy.gold.ranks"),
        ("SELECT nope FROM toy.gold.ranks", 422, "nope"),
        ("SELEC 1", 422, "syntax error"),
        ("SELECT " + "1," * 20_000 + "1", 400, "max_statement_chars"),
    ],
)
def test_only_a_select_over_datasets_is_run(client, sql, status, says):
    answer = client.post("/api/v1/query", json={"sql": sql})

    assert answer.status_code == status, answer.text
    assert says in json.dumps(answer.json(), ensure_ascii=False)


@pytest.mark.parametrize(
    "sql",
    [
        "FROM toy.gold.ranks",
        "WITH best AS (SELECT max(best) AS b FROM toy.gold.ranks) SELECT * FROM best",
        "SELECT * FROM range(3)",
        "DESCRIBE toy.gold.ranks",
        "SUMMARIZE toy.gold.ranks",
        "SELECT 1 -- a comment at the end",
        "VALUES (1, 'a')",
        "SELECT now(), current_date, uuid(), TIME '12:00', 1e30::HUGEINT, MAP {'a': 1}",
        "SELECT DATE '2026-01-01', 1.5::DECIMAL(4,2), [1, 2], {'a': NULL}, 'x'::BLOB, 'nan'::DOUBLE, INTERVAL 1 DAY;",
    ],
)
def test_every_form_of_reading_is_run(client, sql):
    answer = client.post("/api/v1/query", json={"sql": sql})

    assert answer.status_code == 200, answer.text
    assert answer.json()["rows"]


def test_downloads_hold_the_same_rows(client):
    as_csv = client.get("/api/v1/query.csv", params={"sql": SELECT})
    as_json = client.get("/api/v1/query.json", params={"sql": SELECT})
    as_parquet = client.get("/api/v1/query.parquet", params={"sql": SELECT})

    rows = pq.read_table(io.BytesIO(as_parquet.content)).to_pylist()
    assert as_csv.text.splitlines()[:2] == ["player,best", "player 6,78"]
    assert as_json.json() == rows
    assert len(rows) == 7
    assert 'filename="gamelake.csv"' in as_csv.headers["content-disposition"]


def test_downloads_carry_every_type(client):
    sql = "SELECT TIMESTAMPTZ '2026-01-01 12:00:00+00' AS at, [1, 2] AS list, {'a': 'x'} AS record, 'é;\"' AS text"

    for form in ("csv", "json", "parquet"):
        answer = client.get(f"/api/v1/query.{form}", params={"sql": sql})
        assert answer.status_code == 200, answer.text
    assert client.get("/api/v1/query.json", params={"sql": sql}).json()[0]["list"] == [1, 2]


def test_downloads_leave_nothing_behind(client, filled):
    client.get("/api/v1/query.csv", params={"sql": SELECT})
    client.get("/api/v1/query.csv", params={"sql": "SELECT nope FROM toy.gold.ranks"})

    folder = filled.settings.cache_folder / "downloads"
    assert not list(folder.iterdir())


def test_another_site_cannot_start_a_run(client):
    for path, options in (
        ("/runs", {"data": {}}),
        ("/api/v1/runs", {"json": {}}),
    ):
        answer = client.post(path, headers={"origin": "http://evil.example"}, **options)
        assert answer.status_code == 403, path


def test_a_run_of_nothing_known_is_refused_before_it_is_made(client):
    before = len(client.get("/api/v1/runs").json())

    answer = client.post("/api/v1/runs", json={"targets": ["toy.gold.rankz"]})

    assert answer.status_code == 404
    assert "toy.gold.ranks" in answer.json()["hint"]
    assert len(client.get("/api/v1/runs").json()) == before


def test_a_typo_in_a_request_is_an_error(client):
    answer = client.post("/api/v1/runs", json={"target": ["toy.gold.ranks"]})

    assert answer.status_code == 422
    assert answer.json()["at"] == "body.target"


def test_lists_are_limited(client):
    assert len(client.get("/api/v1/runs?limit=2").json()) == 2
    assert client.get("/api/v1/runs?limit=0").status_code == 422
    assert [run["state"] for run in client.get("/api/v1/runs?state=failed").json()] == ["failed"]


def test_what_an_ended_run_left_half_done_is_not_at_work(tmp_path):
    with toy_project(tmp_path) as project:
        run_id = project.ledger.create_run("run", "t", {})
        project.ledger.move_run(run_id, RunState.RUNNING)
        project.ledger.mark_slice("toy.silver.scores", Slice.of(day="2026-11-20"), SliceState.RUNNING, run_id)
        during = {row.name: row.health.value for row in summaries(project)}
        project.ledger.move_run(run_id, RunState.INTERRUPTED)
        after = {row.name: row.health.value for row in summaries(project)}
        slices = detail(project, "toy.silver.scores").slices

    assert (during["toy.silver.scores"], after["toy.silver.scores"]) == ("running", "empty")
    assert slices == []
