"""When schedules are due, on an injected clock."""

from __future__ import annotations

import json
import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gamelake import failpoints
from gamelake.clock import FixedClock, SystemClock
from gamelake.errors import LayoutError, StoreError
from gamelake.jobs.schedules import Ticker, latest_due, next_due, outlook, tick
from gamelake.model.runs import RunState
from gamelake.pipeline.project import Project
from gamelake.settings import Schedule, Settings
from lake_world import finish, start
from sample_project import create, members

BERLIN = "Europe/Berlin"
START = datetime(2026, 3, 28, 12, tzinfo=UTC)


def opened(root, clock, toml: str = "") -> Project:
    if not root.exists():
        create(root)
    (root / "gamelake.toml").write_text(f'name = "toy"\npacks = []\n{toml}')
    return Project.open(Settings.load(root), members(root), clock=clock)


NIGHTLY = '[[schedules]]\nname = "nightly"\ncron = "30 2 * * *"\nzone = "Europe/Berlin"\ntargets = ["toy.gold.daily"]\n'


class Runs:
    """Stands for the executor: remembers what was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    def __call__(self, request, run_id: str) -> None:
        self.asked.append(request.targets)


def test_a_schedule_runs_once_for_each_due_time_and_once_for_all_that_were_missed(tmp_path) -> None:
    clock, runs = FixedClock(START), Runs()
    with opened(tmp_path / "toy", clock, NIGHTLY) as project:
        assert tick(project, runs) == []  # first seen: due from now on
        clock.advance(12 * 3600)
        assert tick(project, runs) == []
        clock.advance(2 * 3600)

        first = tick(project, runs)
        again = tick(project, runs)
        clock.advance(10 * 86_400)
        later = tick(project, runs)

        # 02:30 does not exist on the day the clocks go forward: it is due when the gap ends
        assert [each.due for each in first] == [datetime(2026, 3, 29, 1, 0, tzinfo=UTC)]
        assert again == []
        assert [each.due for each in later] == [datetime(2026, 4, 8, 0, 30, tzinfo=UTC)]
        assert runs.asked == [("toy.gold.daily",)] * 2


def test_the_hour_that_comes_twice_is_due_once() -> None:
    schedule = Schedule(name="n", cron="30 2 * * *", zone=BERLIN)

    first = next_due(schedule, datetime(2026, 10, 24, 12, tzinfo=UTC), "UTC")
    second = next_due(schedule, first, "UTC")

    assert (first, second) == (
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        datetime(2026, 10, 26, 1, 30, tzinfo=UTC),
    )


@settings(max_examples=60, deadline=None)
@given(
    cron=st.sampled_from(
        ["*/7 * * * *", "15 */6 * * *", "30 2 * * *", "0 0 1 * *", "0 12 * * 1", "0 0 29 2 *"]
    ),
    hours=st.integers(0, 24 * 500),
    begin=st.integers(0, 24 * 365),
)
def test_the_latest_due_time_is_the_last_a_forward_walk_meets(cron, hours, begin) -> None:
    schedule = Schedule(name="n", cron=cron, zone=BERLIN)
    after = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=begin)
    now = after + timedelta(hours=hours if cron[0] != "*" else hours % 48)
    walked, due = None, next_due(schedule, after, "UTC")
    while due <= now:
        walked, due = due, next_due(schedule, due, "UTC")

    assert latest_due(schedule, after, now, "UTC") == walked


def test_an_interval_keeps_its_rhythm(tmp_path) -> None:
    clock, runs = FixedClock(START), Runs()
    with opened(tmp_path / "toy", clock, '[[schedules]]\nname = "often"\nevery = "15m"\n') as project:
        tick(project, runs)
        clock.advance(50 * 60)

        due = [each.due for each in tick(project, runs)]
        coming = outlook(project)[0]

        assert due == [START + timedelta(minutes=45)]
        assert (coming.last, coming.next) == (due[0], START + timedelta(minutes=60))


def test_without_catch_up_a_missed_time_stays_missed(tmp_path) -> None:
    clock, runs = FixedClock(START), Runs()
    with opened(tmp_path / "toy", clock, f"{NIGHTLY}catch_up = false\n") as project:
        tick(project, runs)
        clock.advance(20 * 3600)
        assert tick(project, runs) == []

        clock.advance(16 * 3600 + 30 * 60)
        assert len(tick(project, runs)) == 1


def test_two_processes_at_once_start_one_run(tmp_path) -> None:
    clock, runs = FixedClock(START), Runs()
    with opened(tmp_path / "toy", clock, NIGHTLY) as one, opened(tmp_path / "toy", clock, NIGHTLY) as other:
        tick(one, runs)
        clock.advance(86_400)
        threads = [Thread(target=tick, args=(project, runs)) for project in (one, other) * 4]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(runs.asked) == 1


def test_a_target_that_is_gone_is_told_and_stops_no_other(tmp_path) -> None:
    clock = FixedClock(START)
    toml = NIGHTLY.replace("toy.gold.daily", "toy.gold.gone") + NIGHTLY.replace("nightly", "second")
    with opened(tmp_path / "toy", clock, toml) as project:
        tick(project)
        clock.advance(86_400)

        started = tick(project, lambda request, _: project.graph.select(request.targets))

        assert [each.error is not None for each in started] == [True, False]
        assert project.ledger.run(started[0].run_id).state is RunState.FAILED
        assert (
            "toy.gold.gone" in project.ledger.last_event_of(("schedule.failed",), "nightly").data["problem"]
        )


def die_before_the_run_begins(root: str, moment: datetime) -> None:
    """Child: look at the schedules, and be killed when one is due."""
    os.environ[failpoints.VARIABLE] = "schedules.after_due"
    with opened(Path(root), FixedClock(moment), NIGHTLY) as project:
        tick(project)


def test_a_run_whose_starter_was_killed_is_begun_by_the_next_who_looks(tmp_path) -> None:
    root, clock, runs = tmp_path / "toy", FixedClock(START), Runs()
    with opened(root, clock, NIGHTLY) as project:
        tick(project, runs)
        clock.advance(86_400)
        due = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
        for _ in range(2):  # the second one picks it up, and dies too
            child = start(die_before_the_run_begins, str(root), clock.now())
            assert finish(child) == -signal.SIGKILL

        third = tick(project, runs)
        again = tick(project, runs)

        assert [(each.due, runs.asked) for each in third] == [(due, [("toy.gold.daily",)])]
        assert again == []
        states = [project.ledger.run(run.id).state for run in project.ledger.runs()]
        assert states == [RunState.QUEUED, RunState.FAILED, RunState.FAILED]
        assert project.ledger.run(third[0].run_id).request["schedule"] == "nightly"


def test_what_kills_every_starter_is_given_up(tmp_path) -> None:
    root, clock = tmp_path / "toy", FixedClock(START)
    with opened(root, clock, NIGHTLY) as project:
        tick(project)
        clock.advance(86_400)
        for _ in range(3):
            finish(start(die_before_the_run_begins, str(root), clock.now()))

        assert tick(project) == []
        assert len(project.ledger.runs()) == 3
        clock.advance(86_400)
        assert len(tick(project, Runs())) == 1  # the next night is another chance


@pytest.mark.parametrize(
    ("toml", "problem"),
    [
        ('name = "x"\n', "schedule `x` has either `cron` or `every`"),
        ('name = "x"\ncron = "99 * * * *"\n', "`99 * * * *` is not a time that comes"),
        ('name = "x"\ncron = "* * * * * *"\n', "is not a time that comes"),
        ('name = "x"\nevery = "15"\n', "`15` is not an interval"),
        ('name = "x"\nevery = "1h"\nzone = "Europe/Berln"\n', "unknown time zone `Europe/Berln`; did you mean `Europe/Berlin`?"),
        ('name = "x"\nevery = "1h"\ntarget = "a"\n', "schedules.0.target"),
        ('name = "x"\nevery = "1h"\n[[schedules]]\nname = "x"\nevery = "2h"\n', "two schedules are called `x`"),
    ],
)  # fmt: skip
def test_a_wrong_schedule_is_the_authors_mistake(tmp_path, toml, problem) -> None:
    (tmp_path / "gamelake.toml").write_text(f"packs = []\n[[schedules]]\n{toml}")

    with pytest.raises(LayoutError) as caught:
        Settings.load(tmp_path)

    assert problem in str(caught.value)
    assert "gamelake.toml:2" in str(caught.value)


def test_outlook_is_json(tmp_path) -> None:
    with opened(tmp_path / "toy", FixedClock(START), NIGHTLY) as project:
        told = outlook(project)[0].to_json()

    assert json.loads(json.dumps(told, default=str))["next_due"] == "2026-03-29 01:00:00+00:00"


def test_a_server_looks_again_after_a_look_that_failed(tmp_path, monkeypatch) -> None:
    """Also when the ledger, which should note the failure, is what failed."""
    looks: list[int] = []
    third = Event()

    def look(*_: object, **__: object) -> list[object]:
        looks.append(len(looks))
        if len(looks) == 3:
            third.set()
        raise (StoreError("the ledger is locked") if len(looks) == 1 else OSError("no space left"))

    monkeypatch.setattr("gamelake.jobs.schedules.tick", look)
    monkeypatch.setattr("gamelake.jobs.schedules._LOOK_EVERY", 0.01)
    with opened(tmp_path / "toy", SystemClock(), NIGHTLY) as project:
        monkeypatch.setattr(project.ledger, "append_event", look)
        with Ticker(project):
            assert third.wait(10)
