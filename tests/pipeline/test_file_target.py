"""Outputs that go to a folder as well: the same rows there as in the lake, whoever dies and when."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

import duckdb
import pytest
import yaml

from gamelake import failpoints
from gamelake.errors import LayoutError
from gamelake.jobs.local import run_now
from gamelake.layouts.cases import load_cases
from gamelake.model.slices import Slice
from gamelake.pipeline.cases import CaseRunner
from gamelake.pipeline.execute import RunRequest
from gamelake.pipeline.plan import plan
from gamelake.pipeline.rollback import rollback
from lake_world import finish, start
from lives import DiedError
from sample_project import (
    DAILY,
    PLAYERS,
    contents,
    create,
    import_days,
    import_scores,
    open_sample,
    some_rows,
)

DAYS = {f"2026-01-0{day}": some_rows(day) for day in (1, 2, 3)}
DAY = 'type: file\n    connection: reports\n    path: "kpi/daily/day={day}"\n    '
WHOLE = "type: file\n    connection: reports\n    path: kpi/players\n    format: csv\n    "


def give_targets(root: Path, daily: str = DAY, players: str = WHOLE, reports: str = "out") -> None:
    """Write both gold datasets of the sample as files."""
    connection = f'[profiles.dev.connections.reports]\nkind = "file"\nroot = "{reports}"\n'
    (root / "gamelake.toml").write_text(f'name = "toy"\npacks = []\n{connection}')
    for name, text, target in (("daily", DAILY, daily), ("players", PLAYERS, players)):
        file = root / "layouts" / "gold" / f"{name}.sql"
        file.write_text(text.replace("outputs:\n  - ", f"outputs:\n  - {target}"))


@pytest.fixture
def toy(tmp_path):
    root = create(tmp_path / "toy")
    give_targets(root)
    return root


def ours(project) -> dict:
    return {name: rows for name, rows in contents(project).items() if ".gold." in name}


def theirs(root: Path, daily: str = "read_parquet", suffix: str = "parquet") -> dict:
    kpi = root / "out" / "kpi"
    days = f"{daily}('{kpi}/daily/**/*.{suffix}', hive_partitioning = true)"
    with duckdb.connect() as others:
        return {
            "toy.gold.daily": others.execute(
                f"SELECT day::date, player, score, games FROM {days} ORDER BY ALL"
            ).fetchall(),
            "toy.gold.players": others.execute(
                f"FROM read_csv('{kpi}/players/*.csv') ORDER BY ALL"
            ).fetchall(),
        }


def files(root: Path) -> list[str]:
    out = root / "out"
    return sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())


def test_others_read_what_the_lake_holds(toy):
    with open_sample(toy) as project:
        import_days(project, DAYS)
        assert run_now(project, RunRequest()).error is None
        assert theirs(toy) == ours(project)
        assert len(theirs(toy)["toy.gold.daily"]) > 10
        assert files(toy) == [
            "_gamelake/toy.gold.daily.json",
            "_gamelake/toy.gold.players.json",
            *(f"kpi/daily/day=2026-01-0{day}/data.parquet" for day in (1, 2, 3)),
            "kpi/players/data.csv",
        ]
        before = {path: (toy / "out" / path).stat().st_ino for path in files(toy)}
        import_scores(project, "2026-01-02", [("p1", 5)])
        import_scores(project, "2026-01-03", [])
        assert run_now(project, RunRequest()).error is None
        assert theirs(toy) == ours(project)
        assert "kpi/daily/day=2026-01-03/data.parquet" not in files(toy)
        untouched = "kpi/daily/day=2026-01-01/data.parquet"
        assert (toy / "out" / untouched).stat().st_ino == before[untouched]
        rollback(project, "toy.gold.daily", Slice.of(day="2026-01-02"))
        assert theirs(toy)["toy.gold.daily"] == ours(project)["toy.gold.daily"]


def test_what_a_folder_lacks_comes_back_without_building_again(tmp_path):
    root = create(tmp_path / "toy")
    with open_sample(root) as project:
        import_days(project, DAYS)
        run_now(project, RunRequest())
    give_targets(root)

    def mended() -> dict:
        with open_sample(root) as project:
            assert plan(project).work == ()
            result = run_now(project, RunRequest())
            assert (result.error, [step.built for step in result.steps if step.built]) == (None, [])
            return ours(project)

    assert mended() == theirs(root)
    (root / "out" / "kpi" / "daily" / "day=2026-01-01" / "data.parquet").unlink()
    (root / "out" / "kpi" / "daily" / "day=2026-01-02" / "data.parquet").write_bytes(b"PAR1")
    assert mended() == theirs(root)
    shutil.rmtree(root / "out")
    assert mended() == theirs(root)
    give_targets(
        root, daily=DAY.replace("/day={day}", "") + "format: json\n    "
    )  # another format, same folders
    assert mended() == theirs(root, "read_json", "json")
    assert not list((root / "out").rglob("*.parquet"))
    give_targets(root, players=WHOLE.replace("kpi/players", "kpi/all"))
    rows = mended()["toy.gold.players"]
    assert (root / "out" / "kpi" / "all" / "data.csv").read_text().count("\n") == len(rows) + 1
    assert not (root / "out" / "kpi" / "players").exists()  # no two places with the rows of one dataset


def run_and_die(root: str, failpoint: str) -> None:
    """Child: build everything, and be killed at the failpoint."""
    with open_sample(Path(root)) as project:
        os.environ[failpoints.VARIABLE] = failpoint
        run_now(project, RunRequest())


def whole(root: Path) -> None:
    """What the next run makes of it: lake, folder, receipts and ledger agree."""
    with open_sample(root) as project:
        assert run_now(project, RunRequest()).error is None
        assert theirs(root) == ours(project)
        assert plan(project).work == ()
        for dataset in ("toy.gold.daily", "toy.gold.players"):
            output = project.graph.output(dataset)
            there = {part: p.version for part, p in project.targets.mirror(output).current(output).items()}
            assert there == {part: p.version for part, p in project.lake.current(dataset).items()}
            assert there == {part: v.version for part, v in project.ledger.current(dataset).items()}


def test_a_run_killed_between_a_file_and_its_receipt_resumes_to_the_same_files(toy):
    with open_sample(toy) as project:
        import_days(project, {"2026-01-01": some_rows(1), "2026-01-02": some_rows(2)})
        assert run_now(project, RunRequest()).error is None
        import_days(project, {"2026-01-02": some_rows(9), "2026-01-03": some_rows(3)})
    assert finish(start(run_and_die, str(toy), "target.mid_files")) == -9
    whole(toy)


def test_a_run_that_dies_anywhere_in_a_publish_resumes_to_the_same_files(toy, monkeypatch):
    with open_sample(toy) as project:
        import_days(project, DAYS)
        assert run_now(project, RunRequest()).error is None
    for seed, name in enumerate(("target.after_copy", "target.in_commit", "target.after_commit")):
        before = theirs(toy)

        def die(hit: str, name: str = name) -> None:
            if hit == name:
                raise DiedError

        with open_sample(toy) as project:
            import_days(project, {"2026-01-02": some_rows(20 + seed)})
            with monkeypatch.context() as patch, suppress(DiedError):
                patch.setattr(failpoints, "hit", die)
                run_now(project, RunRequest())
        assert (theirs(toy) == before) == (name != "target.after_commit")
        whole(toy)


def test_a_folder_of_others_is_left_alone(toy, tmp_path):
    thesis = toy / "out" / "kpi" / "players" / "thesis.txt"
    thesis.parent.mkdir(parents=True)
    thesis.write_text("mine")
    with open_sample(toy) as project:
        import_days(project, DAYS)
        result = run_now(project, RunRequest())
        assert "holds files that `toy.gold.players` did not write" in str(result.error)
        assert len(list((toy / "out" / "kpi" / "daily").iterdir())) == 3  # the other output goes on
    assert thesis.read_text() == "mine"
    other = create(tmp_path / "other")
    give_targets(other, reports=str(toy / "out"))
    with open_sample(other) as project:
        import_days(project, DAYS)
        assert "is written by another gamelake project" in str(run_now(project, RunRequest()).error)


def test_mistakes_of_connections_and_folders_are_told_together(toy):
    give_targets(toy, daily=DAY.replace("kpi/daily", "kpi"), players=WHOLE.replace("reports", "report"))
    with pytest.raises(LayoutError) as caught, open_sample(toy):
        pass
    text = str(caught.value)
    assert "profile `dev` has no connection `report`" in text
    give_targets(toy, daily=DAY.replace("kpi/daily", "kpi"))
    with (
        pytest.raises(LayoutError, match=r"`kpi/players/` is also the folder of `toy.gold.daily`"),
        open_sample(toy),
    ):
        pass
    give_targets(toy, reports="gs://bucket/x")
    with open_sample(toy) as project:
        import_days(project, DAYS)
        assert "files cannot be written to `gs://` yet" in str(run_now(project, RunRequest()).error)


def test_rows_of_tests_reach_no_folder(toy):
    case = {
        "name": "one game",
        "slice": {"day": "2026-01-01"},
        "inputs": {"clean": [{"player": "p1", "score": 3}]},
        "expect": {"rows": [{"player": "p1", "score": 3, "games": 1}]},
    }
    give_targets(toy, reports=str(toy / "out"))
    file = toy / "daily.yaml"
    file.write_text(yaml.safe_dump({"layout": "toy.gold.daily", "tests": [case]}))
    with open_sample(toy) as project, CaseRunner(project.graph, project.settings) as runner:
        found = runner.run(load_cases([file])[0])
    assert found.passed, found.problem
    assert not (toy / "out").exists()
