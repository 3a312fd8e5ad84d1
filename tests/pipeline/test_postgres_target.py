"""Outputs that go to a Postgres as well: the same rows in both, whoever dies and when."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from gamelake import failpoints
from gamelake.errors import LayoutError
from gamelake.jobs.local import run_now
from gamelake.model.slices import Slice
from gamelake.pipeline.execute import RunRequest
from gamelake.pipeline.plan import plan
from gamelake.pipeline.rollback import rollback
from gamelake.stores import postgres_copy
from lake_world import finish, start
from postgres_server import USER, running_server
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

NAMES = sorted(name for name in failpoints.ALL if not name.startswith(("maintenance.", "schedules.")))
DAYS = {f"2026-01-0{day}": some_rows(day) for day in (1, 2, 3)}


def give_targets(root: Path, server, database: str) -> None:
    """Publish both gold datasets of the sample to Postgres."""
    (root / "gamelake.toml").write_text(
        f'name = "toy"\npacks = []\n[profiles.dev.connections.warehouse]\nkind = "postgres"\n'
        f'host = "{server.folder}"\ndatabase = "{database}"\nuser = "{USER}"\nconnect_timeout = 5\n'
    )
    for name, text in (("daily", DAILY), ("players", PLAYERS)):
        target = f"  - connection: warehouse\n    table: reporting.{name}\n    "
        (root / "layouts" / "gold" / f"{name}.sql").write_text(
            text.replace("outputs:\n  - ", f"outputs:\n{target}")
        )


@pytest.fixture
def toy(tmp_path, postgres_server, database):
    root = create(tmp_path / "toy")
    give_targets(root, postgres_server, database)
    return root


@pytest.fixture
def ask(postgres_server, database):
    return lambda query, *values: postgres_server.execute(query, *values, database=database)


def both(project, ask) -> tuple[dict, dict]:
    """Rows of the gold datasets, as the lake and as Postgres have them."""
    lake = {name: rows for name, rows in contents(project).items() if ".gold." in name}
    warehouse = {
        f"toy.gold.{table}": ask(f"SELECT {columns} FROM reporting.{table} ORDER BY 1, 2, 3")
        for table, columns in (("daily", "day, player, score, games"), ("players", "player, days, best"))
    }
    return lake, warehouse


def same(project, ask) -> bool:
    lake, warehouse = both(project, ask)
    return lake == warehouse


def test_what_is_published_is_in_both(toy, ask):
    with open_sample(toy) as project:
        import_days(project, DAYS)
        assert run_now(project, RunRequest()).error is None

        lake, warehouse = both(project, ask)
        receipts = {receipt.id for receipt in project.lake.receipts("toy.gold.daily")}

    assert lake == warehouse
    assert len(warehouse["toy.gold.daily"]) > 10
    found = ask("SELECT receipt FROM gamelake.receipts WHERE dataset = 'toy.gold.daily'")
    assert {receipt for (receipt,) in found} == receipts


def test_rows_that_fail_a_check_reach_neither(toy, ask):
    file = toy / "layouts" / "gold" / "daily.sql"
    file.write_text(file.read_text().replace("max: 1000000, severity: warn", "max: 1000"))
    with open_sample(toy) as project:
        import_days(project, DAYS)
        assert run_now(project, RunRequest()).error is None
        before = both(project, ask)
        import_scores(project, "2026-01-02", [("p1", 5_000)])

        result = run_now(project, RunRequest())

        assert result.exit_code == 1
        assert both(project, ask) == before


def test_a_repair_and_a_rollback_reach_both(toy, ask):
    with open_sample(toy) as project:
        import_days(project, DAYS)
        run_now(project, RunRequest())
        import_scores(project, "2026-01-02", [("p1", 5)])
        run_now(project, RunRequest())
        assert same(project, ask)
        assert (ask("SELECT count(*) FROM reporting.daily WHERE day = '2026-01-02'")) == [(1,)]

        rollback(project, "toy.gold.daily", Slice.of(day="2026-01-02"))

        assert ask("SELECT count(*) FROM reporting.daily WHERE day = '2026-01-02'")[0][0] > 1
        assert both(project, ask)[0]["toy.gold.daily"] == both(project, ask)[1]["toy.gold.daily"]


def test_a_target_given_later_is_filled_without_building_again(tmp_path, postgres_server, database, ask):
    root = create(tmp_path / "toy")
    with open_sample(root) as project:
        import_days(project, DAYS)
        run_now(project, RunRequest())
    give_targets(root, postgres_server, database)

    with open_sample(root) as project:
        assert plan(project).work == ()
        result = run_now(project, RunRequest())

        assert sum(len(step.built) for step in result.steps) == 0
        assert same(project, ask)
        ask("DROP TABLE reporting.daily")  # and one that somebody loses comes back
        run_now(project, RunRequest())
        assert same(project, ask)


def test_a_second_project_does_not_write_the_same_table(toy, tmp_path, postgres_server, database, ask):
    with open_sample(toy) as project:
        import_days(project, DAYS)
        run_now(project, RunRequest())
        before = postgres_rows(ask)
    other = create(tmp_path / "other")
    give_targets(other, postgres_server, database)

    with open_sample(other) as project:
        import_days(project, {"2026-01-01": some_rows(5)})
        result = run_now(project, RunRequest())

    assert "is written by another gamelake project" in str(result.error)
    assert [step.built for step in result.steps if step.step == "clean"] != [[]]  # the other steps go on
    assert postgres_rows(ask) == before


def test_a_connection_nobody_named_is_an_error_of_the_layout(toy):
    (toy / "gamelake.toml").write_text('name = "toy"\npacks = []\n')

    with pytest.raises(LayoutError, match="profile `dev` has no connection `warehouse`"), open_sample(toy):
        pass


def run_and_die(root: str, failpoint: str) -> None:
    """Child: build everything, and be killed at the failpoint."""
    with open_sample(Path(root)) as project:
        os.environ[failpoints.VARIABLE] = failpoint
        run_now(project, RunRequest())


@pytest.mark.parametrize("name", NAMES)
def test_a_run_killed_at_a_failpoint_resumes_to_the_same_rows_in_both(toy, ask, name) -> None:
    with open_sample(toy) as project:
        import_days(project, {day: rows for day, rows in DAYS.items() if day != "2026-01-03"})
        assert run_now(project, RunRequest()).error is None
        import_days(project, {"2026-01-02": some_rows(9), "2026-01-03": some_rows(3)})
    count = 9 if name == "ledger.before_commit" else 1
    before = postgres_rows(ask)
    assert finish(start(run_and_die, str(toy), f"{name}:{count}")) == -9
    if name in {"target.after_copy", "target.in_commit"}:
        assert postgres_rows(ask) == before  # nobody saw anything of it

    with open_sample(toy) as project:
        assert run_now(project, RunRequest()).error is None

        assert same(project, ask)
        assert plan(project).work == ()
        for dataset in ("toy.gold.daily", "toy.gold.players"):
            theirs = project.targets.store("warehouse").current(dataset)
            ours = project.lake.current(dataset)
            known = project.ledger.current(dataset)
            assert {part: (v.version, v.rows) for part, v in theirs.items()} == {
                part: (v.version, v.rows) for part, v in ours.items()
            }
            assert {p: v.version for p, v in known.items()} == {p: v.version for p, v in ours.items()}
        assert contents(project) == undisturbed(toy.parent / "calm")


def postgres_rows(ask) -> list:
    return ask("SELECT * FROM reporting.daily ORDER BY 1, 2")


def undisturbed(folder: Path) -> dict:
    """What a project without any Postgres and without any kill holds."""
    shutil.rmtree(folder, ignore_errors=True)
    with open_sample(create(folder)) as project:
        import_days(project, {**DAYS, "2026-01-02": some_rows(9)})
        assert run_now(project, RunRequest()).error is None
        return contents(project)


@pytest.mark.parametrize("moment", ["copy", "target.in_commit", "target.after_copy"])
def test_a_server_killed_while_publishing_is_made_good_by_the_next_run(tmp_path, monkeypatch, moment):
    with running_server() as server:
        root = create(tmp_path / "toy")
        give_targets(root, server, "postgres")

        def ask(query, *values):
            return server.execute(query, *values)

        with open_sample(root) as project:
            import_days(project, DAYS)
            assert run_now(project, RunRequest()).error is None
            before = postgres_rows(ask)
            import_scores(project, "2026-01-02", some_rows(9))
            die_at(monkeypatch, server, moment)

            result = run_now(project, RunRequest())

            assert result.exit_code == 1
            assert "Postgres" in str(result.error)
            assert [str(item.slice) for item in plan(project).work if item.step == "toy.gold.daily"] == [
                "day=2026-01-02"
            ]
            monkeypatch.undo()
            server.start()
            assert postgres_rows(ask) == before
            (root / ".gamelake" / "remotes" / "dev.warehouse.json").unlink(missing_ok=True)

            assert run_now(project, RunRequest()).error is None
            assert same(project, ask)
            assert plan(project).work == ()


def die_at(monkeypatch, server, moment: str) -> None:
    """Kill the server, once, at a moment of the publish."""
    alive = [True]

    def kill() -> None:
        if alive:
            alive.clear()
            server.kill()

    if moment == "copy":
        genuine = postgres_copy.wire_batches

        def dying(schema, files):
            for batch in genuine(schema, files):
                kill()
                yield batch

        monkeypatch.setattr(postgres_copy, "wire_batches", dying)
    else:
        monkeypatch.setattr(failpoints, "hit", lambda name: kill() if name == moment else None)
