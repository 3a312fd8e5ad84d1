"""Ledgers as earlier versions left them, dumped once and never again, open in this one with all they hold."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gamelake.ledger import migrations
from gamelake.model.runs import RunState, SliceState
from gamelake.model.slices import Slice
from lake_world import open_ledger

FROZEN = Path(__file__).parent / "frozen"
NIGHT = Slice.of(raid_date="2026-02-16", team="a")


def test_every_version_is_frozen():
    assert {file.stem for file in FROZEN.glob("*.sql")} == {
        f"version_{number}" for number in range(1, migrations.NEWEST + 1)
    }


@pytest.mark.parametrize("file", sorted(FROZEN.glob("*.sql")), ids=lambda file: file.stem)
def test_a_frozen_ledger_opens_with_all_it_holds(tmp_path, file):
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        connection.executescript(file.read_text(encoding="utf-8"))

    with open_ledger(tmp_path) as ledger:
        (run,) = ledger.runs()
        assert (run.state, run.title, run.request) == (
            RunState.SUCCEEDED,
            "silver",
            {"targets": ["wow.silver.events"]},
        )
        (task,) = ledger.tasks(run.id)
        assert (task.step, task.rows, task.seconds, task.sql) == ("events", 10, 0.5, "SELECT 1")
        newest, oldest = ledger.versions("wow.silver.events", NIGHT)
        assert (newest.version, newest.files, newest.inputs) == (
            2,
            ("/lake/2.parquet",),
            {"wow.bronze.combatlog": {"all": 2}},
        )
        assert oldest.published_at == datetime(2026, 2, 16, 20, tzinfo=UTC)
        (check,) = ledger.checks()
        assert (check.name, check.value, check.sample) == ("known", 3.0, ({"n": 1},))
        (state,) = ledger.slice_states()
        assert state.state is SliceState.PUBLISHED
        last = ledger.last_event()
        assert ledger.append_event("after") == last + 1
        with ledger.lease("table:wow.silver.events", "me", ttl=30, wait=0) as lease:
            assert lease.token == 2
