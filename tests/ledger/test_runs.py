"""Runs: what they may become, who keeps them alive, how they stop."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gamelake.clock import CountingIds, FixedClock
from gamelake.errors import ConflictError, NotFoundError
from gamelake.ledger import Ledger, TaskRow, processes
from gamelake.model.runs import RUN_MOVES, RunState


def running(ledger):
    run_id = ledger.create_run("run", "silver", {"targets": ["wow.silver.events"]})
    ledger.move_run(run_id, RunState.RUNNING)
    return run_id


def test_a_run_starts_queued_and_remembers_what_was_asked(ledger, clock):
    run_id = ledger.create_run("run", "silver", {"targets": ["wow.silver.events"]})

    row = ledger.run(run_id)

    assert (row.id, row.kind, row.title, row.state) == ("run_000001", "run", "silver", RunState.QUEUED)
    assert row.request == {"targets": ["wow.silver.events"]}
    assert row.created_at == clock.now()
    assert (row.started_at, row.ended_at, row.error, row.cancel_requested) == (None, None, None, False)


def test_a_run_that_ends_says_when_and_why(ledger, clock):
    run_id = running(ledger)
    clock.advance(5)

    ledger.move_run(run_id, RunState.FAILED, error={"code": "check_failed", "problem": "no rows"})

    row = ledger.run(run_id)
    assert row.state is RunState.FAILED
    assert row.error == {"code": "check_failed", "problem": "no rows"}
    assert (row.ended_at - row.started_at).total_seconds() == 5


def test_an_illegal_move_changes_nothing_and_says_so(ledger):
    run_id = running(ledger)
    ledger.move_run(run_id, RunState.SUCCEEDED)
    last = ledger.last_event()

    with pytest.raises(ConflictError) as caught:
        ledger.move_run(run_id, RunState.RUNNING)

    assert str(caught.value) == "run `run_000001` is succeeded and cannot become running"
    assert ledger.run(run_id).state is RunState.SUCCEEDED
    assert ledger.last_event() == last


def test_an_unknown_run_is_not_found(ledger):
    calls = (
        lambda: ledger.run("run_x"),
        lambda: ledger.move_run("run_x", RunState.RUNNING),
        lambda: ledger.request_cancel("run_x"),
        lambda: ledger.heartbeat("run_x"),
        lambda: ledger.cancel_requested("run_x"),
        lambda: ledger.save_task("run_x", TaskRow("t", "s", (), "running")),
    )
    for call in calls:
        with pytest.raises(NotFoundError, match="there is no run `run_x`"):
            call()


def test_every_move_is_an_event_of_the_same_transaction(ledger):
    run_id = running(ledger)
    ledger.move_run(run_id, RunState.FAILED, error={"problem": "x"})

    events = ledger.events(run_id=run_id)

    assert [event.kind for event in events] == ["run.queued", "run.running", "run.failed"]
    assert events[-1].data == {"error": {"problem": "x"}}


def test_runs_come_newest_first_and_by_state(ledger, clock):
    first = running(ledger)
    clock.advance(1)
    second = ledger.create_run("run", "gold", {})

    assert [row.id for row in ledger.runs()] == [second, first]
    assert [row.id for row in ledger.runs(limit=1)] == [second]
    assert [row.id for row in ledger.runs(state=RunState.RUNNING)] == [first]
    assert ledger.live_runs() == [first, second]


def test_a_queued_run_is_cancelled_at_once(ledger):
    run_id = ledger.create_run("run", "x", {})

    ledger.request_cancel(run_id)

    assert ledger.run(run_id).state is RunState.CANCELLED
    assert ledger.cancel_requested(run_id)


def test_a_running_run_is_asked_to_stop(ledger):
    run_id = running(ledger)
    assert not ledger.cancel_requested(run_id)

    ledger.request_cancel(run_id)

    assert ledger.cancel_requested(run_id)
    assert ledger.run(run_id).state is RunState.RUNNING
    assert ledger.events()[-1].kind == "run.cancel_requested"


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (RunState.SUCCEEDED, "succeeded"),
        (RunState.FAILED, "failed"),
        (RunState.CANCELLED, "been cancelled"),
        (RunState.INTERRUPTED, "been interrupted"),
    ],
)
def test_an_ended_run_cannot_be_cancelled(ledger, state, words):
    run_id = running(ledger)
    ledger.move_run(run_id, state)

    with pytest.raises(ConflictError, match=f"^run `{run_id}` has already {words}$"):
        ledger.request_cancel(run_id)


def test_a_silent_run_counts_as_dead_after_a_lease(ledger, clock, monkeypatch):
    silent, lively = running(ledger), running(ledger)
    clock.advance(29)
    ledger.heartbeat(lively)
    assert ledger.interrupt_dead_runs() == []

    clock.advance(2)
    assert ledger.interrupt_dead_runs() == [silent]

    assert ledger.run(silent).state is RunState.INTERRUPTED
    assert ledger.run(lively).state is RunState.RUNNING
    assert ledger.interrupt_dead_runs() == []


def test_a_run_whose_process_is_gone_is_dead_at_once(ledger, monkeypatch):
    run_id = running(ledger)
    monkeypatch.setattr(processes, "certainly_dead", lambda process: True)

    assert ledger.interrupt_dead_runs() == [run_id]


def test_a_heartbeat_of_a_run_that_was_interrupted_conflicts(ledger, clock):
    run_id = running(ledger)
    clock.advance(31)
    ledger.interrupt_dead_runs()

    with pytest.raises(ConflictError, match=f"run `{run_id}` is interrupted, not running"):
        ledger.heartbeat(run_id)


def test_tasks_are_saved_and_replaced(ledger):
    run_id = running(ledger)
    second = TaskRow("b", "gold", ("all",), "queued", position=2)
    first = TaskRow("a", "silver", ("day=1", "day=2"), "running", position=1, sql="SELECT 1", detail={"x": 1})
    ledger.save_task(run_id, second)
    ledger.save_task(run_id, first)
    done = TaskRow(
        "a", "silver", ("day=1", "day=2"), "failed", position=1, rows=7, seconds=0.5, error={"problem": "x"}
    )

    ledger.save_task(run_id, done)

    assert ledger.tasks(run_id) == [done, second]
    assert [event.kind for event in ledger.events()][-1] == "task.failed"
    assert ledger.tasks("run_x") == []


class RunMachine(RuleBasedStateMachine):
    """Any order of calls: the state is always one the moves allow, and the events tell the same story."""

    @initialize()
    def open(self):
        self.folder = TemporaryDirectory()
        self.clock = FixedClock(datetime(2026, 2, 16, 20, tzinfo=UTC))
        self.ledger = Ledger.open(Path(self.folder.name, "ledger.db"), clock=self.clock, ids=CountingIds())
        self.run = self.ledger.create_run("run", "x", {})
        self.state = RunState.QUEUED
        self.story = ["run.queued"]

    @rule(to=st.sampled_from(RunState))
    def move(self, to):
        if to in RUN_MOVES[self.state]:
            self.ledger.move_run(self.run, to)
            self._become(to)
        else:
            with pytest.raises(ConflictError):
                self.ledger.move_run(self.run, to)

    @rule()
    def cancel(self):
        if self.state.ended:
            with pytest.raises(ConflictError):
                self.ledger.request_cancel(self.run)
            return
        self.ledger.request_cancel(self.run)
        if self.state is RunState.QUEUED:
            self._become(RunState.CANCELLED)
        else:
            self.story.append("run.cancel_requested")

    @rule(seconds=st.sampled_from([1, 20, 40]))
    def wait(self, seconds):
        self.clock.advance(seconds)
        dead = self.ledger.interrupt_dead_runs()
        if dead:
            assert self.state is RunState.RUNNING
            self._become(RunState.INTERRUPTED)

    @rule()
    def beat(self):
        if self.state is RunState.RUNNING:
            self.ledger.heartbeat(self.run)
        else:
            with pytest.raises(ConflictError):
                self.ledger.heartbeat(self.run)

    @invariant()
    def same_story(self):
        if not hasattr(self, "run"):
            return
        row = self.ledger.run(self.run)
        assert row.state is self.state
        assert (row.ended_at is not None) == self.state.ended
        assert [event.kind for event in self.ledger.events()] == self.story

    def _become(self, state):
        self.state = state
        self.story.append(f"run.{state.value}")

    def teardown(self):
        if hasattr(self, "ledger"):
            self.ledger.close()
            self.folder.cleanup()


TestRunMachine = RunMachine.TestCase
TestRunMachine.settings = settings(max_examples=25, stateful_step_count=15, deadline=None)


def test_a_queued_run_without_a_process_waits_and_one_whose_process_is_gone_has_failed(ledger):
    waiting, dead, at_work = (ledger.create_run("run", "t", {}) for _ in range(3))
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    ledger.move_run(at_work, RunState.RUNNING)
    for run_id in (dead, at_work):
        ledger.hand_over(run_id, child.pid)

    assert ledger.interrupt_dead_runs() == [dead]

    assert [ledger.run(run_id).state for run_id in (waiting, dead, at_work)] == [
        RunState.QUEUED,
        RunState.FAILED,
        RunState.RUNNING,
    ]


def test_a_living_process_keeps_its_queued_run(ledger, clock):
    run_id = ledger.create_run("run", "t", {})
    ledger.hand_over(run_id, os.getpid())
    clock.advance(3_600)

    assert ledger.interrupt_dead_runs() == []
