"""A backfill of five days and six jobs, killed at every failpoint, ends as an undisturbed one: lake and Postgres."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from gamelake import failpoints
from gamelake.jobs.local import run_now
from gamelake.pipeline.execute import RunRequest
from gamelake.pipeline.plan import plan
from lake_world import finish, start
from modes_project import LAYOUTS, create, five_days, import_days, open_modes, tables, twin
from postgres_server import USER

NOT_MET = ("maintenance.", "schedules.", "target.mid_files")  # by a backfill into Postgres
NAMES = sorted(name for name in failpoints.ALL if not name.startswith(NOT_MET))
LAKE_NAMES = [name for name in NAMES if not name.startswith("target.")]
BACKFILL = RunRequest(("toy",), days=("2026-01-01", "2026-01-05"))
PUBLISHED = ("total", "window")  # sliced gold, one of them carried: what a target may hold


@pytest.fixture
def root(tmp_path):
    made = create(tmp_path / "toy")
    with open_modes(made) as project:
        import_days(project, five_days())
    return made


@pytest.fixture
def warehouse(tmp_path, postgres_server, database):
    """The same project, two of whose tables go to Postgres as well."""
    layouts = {
        name: text.replace(
            "outputs:\n  - ", f"outputs:\n  - connection: warehouse\n    table: gold.{table}\n    "
        )
        if (table := name.rpartition("/")[2]) in PUBLISHED
        else text
        for name, text in LAYOUTS.items()
    }
    made = create(tmp_path / "toy", layouts)
    with (made / "gamelake.toml").open("a") as file:
        file.write(
            f'[profiles.dev.connections.warehouse]\nkind = "postgres"\nhost = "{postgres_server.folder}"\n'
            f'database = "{database}"\nuser = "{USER}"\nconnect_timeout = 5\n'
        )
    with open_modes(made) as project:
        import_days(project, five_days())
    return made


@pytest.fixture
def ask(postgres_server, database):
    return lambda query: postgres_server.execute(query, database=database)


def backfill_and_die(root: str, failpoint: str) -> None:
    """Child: fill five days, and be killed at the failpoint."""
    with open_modes(Path(root)) as project:
        os.environ[failpoints.VARIABLE] = failpoint
        run_now(project, BACKFILL)


def check_whole(root: Path) -> None:
    """Go on; everything is there, ledger and lake agree, and nothing is left to do."""
    with open_modes(root) as project:
        assert run_now(project, BACKFILL).error is None
        assert tables(project) == twin(five_days())
        assert plan(project).work == ()
        for dataset in project.graph.outputs:
            lake = {part: (p.version, p.rows) for part, p in project.lake.current(dataset).items()}
            known = {part: (v.version, v.rows) for part, v in project.ledger.current(dataset).items()}
            assert lake == known


def check_warehouse(root: Path, ask) -> None:
    """The same for the tables of Postgres, which hold the lake's versions and nothing of dead runs."""
    check_whole(root)
    expected = twin(five_days())
    for table in PUBLISHED:
        assert sorted(ask(f"SELECT * FROM gold.{table}")) == expected[table]
    with open_modes(root) as project:
        for table in PUBLISHED:
            theirs = project.targets.store("warehouse").current(f"toy.gold.{table}")
            ours = project.lake.current(f"toy.gold.{table}")
            assert {part: (v.version, v.content_hash) for part, v in theirs.items()} == {
                part: (v.version, v.content_hash) for part, v in ours.items()
            }
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    assert ask(f"{sessions} AND pid != pg_backend_pid() AND xact_start IS NOT NULL") == [(0,)]


def nth(name: str, *, few: bool = False) -> int:
    """Which hit of a failpoint lies in the middle of the backfill."""
    return 40 if name.startswith("ledger.") else 2 if few else 4


@pytest.mark.parametrize("name", LAKE_NAMES)
def test_a_killed_backfill_goes_on_to_the_same_tables(root, name) -> None:
    child = start(backfill_and_die, str(root), f"{name}:{nth(name)}")
    assert finish(child) == -9

    check_whole(root)


@pytest.mark.parametrize("name", NAMES)
def test_a_killed_backfill_into_postgres_goes_on_to_the_same_tables(warehouse, ask, name) -> None:
    child = start(backfill_and_die, str(warehouse), f"{name}:{nth(name, few=name.startswith('target.'))}")
    assert finish(child) == -9

    check_warehouse(warehouse, ask)


def kill_again_and_again(root: Path, seed: int, names: list[str]) -> None:
    """Start the backfill up to six times and kill it at random places."""
    draw, kills = random.Random(seed), 0
    for _ in range(draw.randint(1, 6)):
        name = draw.choice(names)
        most = 150 if name.startswith("ledger.") else 12
        kills += finish(start(backfill_and_die, str(root), f"{name}:{draw.randint(1, most)}")) == -9
    print(f"seed {seed}: {kills} kills")  # noqa: T201


@pytest.mark.chaos
@pytest.mark.parametrize("seed", range(60))
def test_a_backfill_killed_again_and_again_ends_the_same(root, seed) -> None:
    kill_again_and_again(root, seed, LAKE_NAMES)

    check_whole(root)


@pytest.mark.chaos
@pytest.mark.parametrize("seed", range(60))
def test_a_backfill_into_postgres_killed_again_and_again_ends_the_same(warehouse, ask, seed) -> None:
    kill_again_and_again(warehouse, seed, NAMES)

    check_warehouse(warehouse, ask)
