"""The story of a project, told by the commands: build, look, break, mend, go back."""

from __future__ import annotations

import csv
import io
import json

import pytest


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_init_writes_a_project_that_status_can_read(gamelake) -> None:
    gamelake.ok("init", "new", "--pack", "toy")

    found = json.loads(gamelake.ok("status", "--json", "-C", "new"))

    assert found["project"] == "new"
    assert [each["state"] for each in found["datasets"]] == ["empty"] * 3
    assert (gamelake.folder / "new" / ".gitignore").read_text(encoding="utf-8").endswith(".gamelake/\n")


def test_status_says_how_fresh_everything_is(toy) -> None:
    found = json.loads(toy.ok("status", "--json"))

    facts = {each["dataset"]: (each["state"], each["slices"], each["rows"]) for each in found["datasets"]}
    assert facts == {
        "toy.bronze.scores": ("fresh", 2, 3),
        "toy.gold.best": ("fresh", 2, 3),
        "toy.gold.ladder": ("fresh", 1, 2),
    }
    assert [run["state"] for run in found["runs"]] == ["succeeded"] * 3
    assert "toy.gold.ladder" in toy.ok("status")


def test_status_of_a_dataset_lists_its_slices(toy) -> None:
    found = json.loads(toy.ok("status", "toy.gold.best", "--json"))

    assert [(each["slice"], each["version"], each["rows"]) for each in found["slices"]] == [
        ("day=2026-01-01", 1, 2),
        ("day=2026-01-02", 1, 1),
    ]
    assert "day=2026-01-01" in toy.ok("status", "toy.gold.best")


def test_a_second_run_does_nothing(toy) -> None:
    assert json.loads(toy.ok("plan", "--json"))["counts"] == {"fresh": 3}

    done = json.loads(toy.ok("run", "--json"))

    assert (done["state"], done["slices"], done["rows"], done["error"]) == ("succeeded", 0, 0, None)


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("csv", "player,best,days\nann,7,2\nbob,5,1\n"),
        (
            "json",
            (
                '{"columns": [{"name": "player", "type": "string"}, {"name": "best", "type": "int64"}, '
                '{"name": "days", "type": "int64"}], "rows": [\n'
                '{"player": "ann", "best": 7, "days": 2},\n{"player": "bob", "best": 5, "days": 1}\n]}\n'
            ),
        ),
        ("table", "player  best  days\nann        7     2\nbob        5     1\n"),
    ],
)
def test_query_writes_each_form(toy, form: str, expected: str) -> None:
    out = toy.ok("query", "SELECT * FROM toy.gold.ladder ORDER BY player", "--format", form)

    assert "\n".join(line.rstrip() for line in out.splitlines()) + "\n" == expected


def test_query_writes_files_by_their_ending(toy, tmp_path) -> None:
    sql = "SELECT * FROM toy.gold.best ORDER BY day, player"
    for name in ("rows.csv", "rows.json", "rows.parquet"):
        toy.ok("query", sql, "--out", tmp_path / name)

    import pyarrow.parquet as pq

    assert pq.read_table(tmp_path / "rows.parquet").num_rows == 3
    assert len(json.loads((tmp_path / "rows.json").read_text(encoding="utf-8"))["rows"]) == 3
    assert len(rows((tmp_path / "rows.csv").read_text(encoding="utf-8"))) == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.csv", "rows.json", "rows.parquet"]


def test_query_reads_sql_from_a_file(toy, tmp_path) -> None:
    (tmp_path / "q.sql").write_text("SELECT count(*) AS n FROM toy.bronze.scores", encoding="utf-8")

    assert toy.ok("query", "--file", tmp_path / "q.sql", "--format", "csv") == "n\n3\n"


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["SELECT * FROM toy.gold.bset"], "does not exist"),
        (["DROP TABLE x"], "`query` reads only"),
        (["EXPLAIN ANALYZE COPY (SELECT 1) TO 'x.csv'"], "`query` reads only"),
        (
            ["SELECT CAST(CASE WHEN range = 90000 THEN 'x' ELSE '1' END AS INT) AS a FROM range(100000)"],
            "Could not convert string 'x'",
        ),
        (["SELECT INTERVAL 1 MONTH AS i", "--out", "x.parquet"], "do not fit into parquet"),
        (["SELECT 1; SELECT 2"], "expected one statement, got 2"),
        ([], "expected a SELECT, or `--file` with one"),
        (["SELECT 1", "--format", "parquet"], "parquet is not for a terminal"),
        (["SELECT 1", "--out", "x.xlsx"], "`x.xlsx` does not say which form"),
        (["SELECT 1", "--out", "no/x.csv"], "there is no folder no"),
        (["SELECT 1", "--as-of", "yesterday"], "`yesterday` is neither a run id nor a time"),
        (["SELECT * FROM read_csv('/etc/passwd')"], "disabled by configuration"),
    ],
)
def test_query_refuses_with_a_reason(toy, arguments: list[str], part: str) -> None:
    done = toy("query", *arguments)

    assert done.code == 2, done.err
    assert part in done.err
    assert "hint: " in done.err or "read_csv" in str(arguments)


def test_lineage_render_and_explain(toy) -> None:
    found = json.loads(toy.ok("lineage", "toy.gold.best", "--json"))

    assert [edge["dataset"] for edge in found["upstream"]] == ["toy.bronze.scores"]
    assert [edge["reader"] for edge in found["downstream"]] == ["toy.gold.ladder"]
    assert "made from" in toy.ok("lineage", "toy.gold.ladder")
    traced = json.loads(toy.ok("lineage", "toy.gold.best", "--column", "best", "--json"))
    assert traced["from"] == [{"dataset": "toy.bronze.scores", "column": "score"}]
    assert toy.ok("render", "toy.gold.best").startswith("SELECT day, player, max(score)")
    assert "scores" in toy.ok("explain", "best") or "Read Parquet" in toy.ok("explain", "best")


def test_jobs_tell_what_ran(toy) -> None:
    listed = json.loads(toy.ok("jobs", "list", "--json"))["runs"]
    newest_run = next(run for run in listed if run["kind"] == "run" and run["title"] == "run everything")

    shown = json.loads(toy.ok("jobs", "show", newest_run["run"], "--json"))

    assert shown["state"] == "succeeded"
    assert toy("jobs", "cancel", newest_run["run"]).code == 2
    assert toy("jobs", "show", "run_nope").code == 2


def test_simulators_come_from_packs(toy) -> None:
    assert toy.ok("simulate", "toy", "--players", "2") == "p0=0\np1=10\n"


def test_maintenance_on_a_healthy_lake_finds_nothing(toy) -> None:
    assert json.loads(toy.ok("maintenance", "orphans", "--json"))["files"] == []
    assert json.loads(toy.ok("maintenance", "compact", "--dry-run", "--json"))["slices"] == []


def test_break_mend_and_go_back(gamelake, gamelake_process) -> None:
    gamelake.ok("init", "p", "--pack", "toy")
    gamelake.folder /= "p"
    gamelake_process.folder /= "p"  # what changes something is a process of its own, as for a person
    gamelake_process.ok("toy", "load", "2026-01-01", "ann=1")
    gamelake_process.ok("run")
    first = json.loads(gamelake.ok("status", "--json"))["runs"][0]["run"]

    gamelake_process.ok("toy", "load", "2026-01-01", "ann=-1")
    broken = gamelake_process("run")

    assert broken.code == 1
    assert "error: toy.gold.best day=2026-01-01: check `range(best)` found 1, expected 0" in broken.err
    assert rows(gamelake.ok("query", "SELECT best FROM toy.gold.best", "--format", "csv")) == [
        ["best"],
        ["1"],
    ]
    assert gamelake("check", "--failed").code == 1
    failed = json.loads(gamelake("check", "--failed", "--json").out)["checks"]
    assert [(each["check"], each["value"], each["passed"]) for each in failed] == [("range(best)", 1, False)]
    states = {
        each["dataset"]: each["state"] for each in json.loads(gamelake.ok("status", "--json"))["datasets"]
    }
    assert states["toy.gold.best"] == "failed"

    gamelake_process.ok("toy", "load", "2026-01-01", "ann=9")
    gamelake_process.ok("run")

    assert rows(gamelake.ok("query", "SELECT best FROM toy.gold.ladder", "--format", "csv")) == [
        ["best"],
        ["9"],
    ]
    before = gamelake.ok("query", "SELECT best FROM toy.gold.ladder", "--format", "csv", "--as-of", first)
    assert rows(before) == [["best"], ["1"]]

    back = json.loads(gamelake_process.ok("rollback", "toy.gold.best", "day=2026-01-01", "--json"))

    assert back["version"] == 3
    assert json.loads(gamelake_process.ok("run", "--json"))["slices"] == 1
    assert rows(gamelake.ok("query", "SELECT best FROM toy.gold.ladder", "--format", "csv")) == [
        ["best"],
        ["1"],
    ]


def test_a_project_has_layouts_of_its_own(gamelake) -> None:
    gamelake.ok("init", "p", "--pack", "toy")
    gamelake.folder /= "p"
    folder = gamelake.folder / "layouts" / "mine" / "gold"
    folder.mkdir(parents=True)
    (folder / "players.sql").write_text(
        "/* ---\ndescription: How many\ninputSources:\n  - {name: scores, dataset: toy.bronze.scores}\n"
        "outputs:\n  - mode: snapshot_replace\n    schema:\n      players: bigint not null\n--- */\n"
        "SELECT count(DISTINCT player) AS players FROM scores\n",
        encoding="utf-8",
    )
    gamelake.ok("toy", "load", "2026-01-01", "ann=1", "bob=2")
    gamelake.ok("run", "mine.gold")

    assert gamelake.ok("query", "SELECT * FROM mine.gold.players", "--format", "csv") == "players\n2\n"
