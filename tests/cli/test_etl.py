"""`gamelake etl`: one layout by its file, with whatever it needs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from command_line import InProcess
from etl_project import JOBS, call, create
from lake_world import finish, start


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Five days of scores, nothing built. Each test takes layouts or days of its own."""
    line = InProcess(create(tmp_path_factory.mktemp("etl") / "project"))
    for day in range(1, 6):
        line.ok("toy", "load", f"2026-01-0{day}", f"ann={day}", f"bob={day * 2}")
    return line


def built(project, dataset: str) -> dict[str, int]:
    """Day → version."""
    told = json.loads(project.ok("status", dataset, "--json"))
    return {row["slice"].removeprefix("day="): row["version"] for row in told["slices"]}


def layout(name: str) -> str:
    return f"layouts/ours/gold/{name}"


def test_what_carries_state_gets_its_past_and_no_more(project) -> None:
    told = json.loads(
        project.ok("etl", "--layout", layout("total.yaml"), "--vars", "logDate=2026-01-02", "--json")
    )

    assert told.keys() == json.loads(project.ok("run", "best", "--json")).keys()
    assert list(built(project, "ours.gold.total")) == ["2026-01-01", "2026-01-02"]
    assert list(built(project, "ours.silver.clean")) == ["2026-01-01", "2026-01-02"]
    rows = json.loads(
        project.ok(
            "query", "SELECT * FROM ours.gold.total WHERE day = '2026-01-02' ORDER BY ALL", "--format", "json"
        )
    )
    assert [row["total"] for row in rows["rows"]] == [3, 6]


def test_seven_calls_at_once_build_their_input_once(project) -> None:
    arguments = [["etl", "--layout", layout(f"{job}.sql"), "--vars", "logDate=2026-01-04"] for job in JOBS]
    children = [start(call, str(project.folder), each) for each in arguments]

    assert [finish(child, 120) for child in children] == [0] * 7
    assert built(project, "ours.silver.clean")["2026-01-04"] == 1
    assert [built(project, f"ours.gold.{job}") for job in JOBS] == [{"2026-01-04": 1}] * 7
    tried = [
        task["step"]
        for run in json.loads(project.ok("jobs", "list", "--json"))["runs"]
        for task in json.loads(project.ok("jobs", "show", run["run"], "--json"))["tasks"]
        if task["slices"] == ["day=2026-01-04"]
    ]
    assert tried.count("ours.silver.clean") == 1

    again = project(*arguments[0])

    assert again.code == 0
    assert "nothing to do, everything is fresh" in again.err


def test_a_window_gets_all_of_its_days(project) -> None:
    project.ok("etl", "--layout", layout("window.sql"), "--var", "logDate=2026-01-05")

    assert {"2026-01-03", "2026-01-04", "2026-01-05"} <= built(project, "ours.silver.clean").keys()
    assert list(built(project, "ours.gold.window")) == ["2026-01-05"]


def test_a_folded_table_takes_what_that_day_says(project) -> None:
    project.ok("etl", "--layout", layout("latest.sql"), "--vars", "logDate=2026-01-04")

    assert list(built(project, "ours.gold.latest__delta")) == ["2026-01-04"]
    rows = json.loads(project.ok("query", "SELECT * FROM ours.gold.latest ORDER BY ALL", "--format", "json"))[
        "rows"
    ]
    assert [(row["player"], row["score"]) for row in rows] == [("ann", 4), ("bob", 8)]
    alone = json.loads(project.ok("run", "ours.gold.latest", "--only", "--json"))
    assert [step["step"] for step in alone["steps"]] == ["ours.gold.latest"]  # without its deltas


def test_without_a_date_it_is_yesterday_where_the_project_is(project) -> None:
    # half past six in the evening in UTC is the next day in Vietnam
    project.ok("etl", "--layout", layout("a.sql"), GAMELAKE_NOW="2026-01-05T18:30:00Z")
    assert "2026-01-05" in built(project, "ours.gold.a")

    project.ok("etl", "--layout", layout("a.sql"), GAMELAKE_NOW="2026-01-03T18:30:00")  # a time there
    assert "2026-01-02" in built(project, "ours.gold.a")

    wrong = project("etl", "--layout", layout("a.sql"), GAMELAKE_NOW="soon")
    assert (wrong.code, "`GAMELAKE_NOW`" in wrong.err) == (2, True)


def test_a_day_without_data_is_not_built_and_told(project) -> None:
    done = project("etl", "--layout", layout("b.sql"), "--vars", "logDate=2026-02-01")

    assert done.code == 1
    assert "! ours.gold.b day=2026-02-01: nothing it reads has such a slice" in done.err
    told = project("etl", "--layout", layout("b.sql"), "--vars", "logDate=2026-02-01", "--json")
    assert (told.code, json.loads(told.out)["slices"]) == (1, 0)


@pytest.mark.parametrize(
    ("file", "variables", "problem"),
    [
        (layout("a.sql"), "logdate=2026-01-01", "undefined variable `logdate`, "),
        (layout("a.sql"), "logDate=today-ish", "`today-ish` is not a value of the variable `logDate`"),
        (layout("none.sql"), "logDate=2026-01-01", f"there is no file `{layout('none.sql')}`"),
        ("gamelake.toml", "logDate=2026-01-01", "`gamelake.toml` is no layout of the project"),
        ("odd.json", "logDate=2026-01-01", "the file is no layout: it has no `inputSources` and `outputs`"),
        ("old/cons/z.json", "logDate=2026-01-01", "names no job of the project, looked for `old.gold.z`, `ours.gold.y`, the table `public.x`"),
    ],
)  # fmt: skip
def test_a_wrong_call_is_the_callers_mistake(project, file, variables, problem) -> None:
    (project.folder / "odd.json").write_text('{"a": 1}')
    (project.folder / "old/cons").mkdir(parents=True, exist_ok=True)
    outputs = [
        {"type": "file", "path": "{lake}/ours/cons/y/{logDate}"},
        {"type": "jdbc", "table": "public.x"},
    ]
    (project.folder / "old/cons/z.json").write_text(json.dumps({"inputSources": [], "outputs": outputs}))

    done = project("etl", "--layout", file, "--vars", variables)

    assert done.code == 2
    assert problem in done.err


def test_the_older_calls_go_on(project, tmp_path) -> None:
    """Exported, then called as the block of old stands there; also a file that was never ours."""
    project.ok("layout", "export", "--classic", tmp_path)
    jobs = tmp_path / "layouts/re-standardization/ours/cons"
    command = [sys.executable, "etl_engine.py", "--layout", str((jobs / "ours_c.json").relative_to(tmp_path))]
    done = subprocess.run(
        [*command, "--vars", "logDate=2026-01-01"],
        cwd=tmp_path,
        env=project.environment | {"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "ours.gold.c" in done.stdout) == (0, True), done.stderr

    template = tmp_path / "templates/re-standardization/ours/cons_d.sql.j2"
    template.write_text(template.read_text().replace("score AS", "score + 1 AS"))
    edited = project("etl", "--layout", jobs / "ours_d.json", "--vars", "logDate=2026-01-01")
    assert (edited.code, "differs from layouts/ours/gold/d.sql, which is what runs" in edited.err) == (
        0,
        True,
    )

    foreign = tmp_path / "kpi.json"
    outputs = [{"type": "file", "path": "{lake}/ours/cons/e/{logDate}", "mode": "append"}]
    foreign.write_text(json.dumps({"description": "x", "inputSources": [], "outputs": outputs}))
    project.ok("etl", "--layout", foreign, "--vars", "logDate=2026-01-01")
    assert "2026-01-01" in built(project, "ours.gold.e")
