"""`run --due` and the schedules in `status`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gamelake.clock import SystemClock, SystemIds
from gamelake.ledger.ledger import Ledger


@pytest.fixture
def project(gamelake):
    gamelake.ok("init", "project", "--pack", "toy", "--name", "Toys")
    gamelake.folder /= "project"
    file = Path(gamelake.folder) / "gamelake.toml"
    file.write_text(file.read_text() + '\n[[schedules]]\nname = "often"\nevery = "1m"\ntargets = ["best"]\n')
    gamelake.ok("toy", "load", "2026-01-01", "ann=1")
    return gamelake


def overdue(project) -> None:
    file = Path(project.folder) / ".gamelake" / "ledger.db"
    with Ledger.open(file, clock=SystemClock(), ids=SystemIds()) as ledger:
        ledger.append_event("schedule.due", data={"name": "often", "due": "2026-01-01T00:00:00+00:00"})


def test_what_is_due_runs_once(project) -> None:
    assert project("run", "--due").err.strip() == "nothing is due"
    overdue(project)
    assert "now" in next(line for line in project.ok("status").splitlines() if line.startswith("often"))

    told = json.loads(project.ok("run", "--due", "--engine", "duckdb", "--json", GAMELAKE_ENGINE="spark"))

    assert [(each["schedule"], each["run"]["state"]) for each in told["due"]] == [("often", "succeeded")]
    assert json.loads(project.ok("run", "--due", "--json")) == {"due": []}
    schedule = json.loads(project.ok("status", "--json"))["schedules"][0]
    assert (schedule["when"], schedule["targets"]) == ("every 1m", ["best"])
    assert schedule["next_due"] > schedule["last_due"]


def test_due_names_no_targets(project) -> None:
    done = project("run", "best", "--due")

    assert done.code == 2
    assert "`--due` runs what the schedules name" in done.err
