"""Runs and their tasks: the state machine, the heartbeat, cancelling."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from gamelake.errors import ConflictError, NotFoundError
from gamelake.ledger import processes
from gamelake.ledger.part import LedgerPart
from gamelake.ledger.rows import RunRow, TaskRow
from gamelake.ledger.tables import runs, tasks
from gamelake.model.runs import RUN_MOVES, RunState

if TYPE_CHECKING:
    from collections.abc import Mapping


NOT_STARTED = "not_started"
"""Code of the error of a run whose process died before it began."""


class RunLog(LedgerPart):
    """Runs; every move is an event `run.<state>` in the same transaction."""

    def create_run(
        self,
        kind: str,
        title: str,
        request: Mapping[str, Any],
        *,
        ours: bool = False,
        event: tuple[str, Mapping[str, Any]] | None = None,
    ) -> str:
        """Add a queued run; returns its id.

        `ours`: this process is about to start it, so the run has failed when the process dies before.
        `event` is an event of the run, of that kind with those data, in the same transaction.
        """
        run_id = self._ids.new("run")
        values = {
            "id": run_id,
            "kind": kind,
            "title": title,
            "request": dict(request),
            "state": RunState.QUEUED.value,
            "created_at": self._clock.now(),
            "cancel_requested": False,
            "process": processes.this_process() if ours else None,
        }
        with self._database.write() as connection:
            connection.execute(runs.insert().values(values))
            self._event(connection, "run.queued", run_id, {"kind": kind, "title": title})
            if event is not None:
                self._event(connection, event[0], run_id, dict(event[1]))
        return run_id

    def move_run(self, run_id: str, to: RunState, *, error: Mapping[str, Any] | None = None) -> None:
        """Change the state. An illegal move, also a repeated one, raises ConflictError and changes nothing.

        Moving to running makes the calling process the one whose heartbeat keeps the run alive.
        """
        with self._database.write() as connection:
            self._move(connection, run_id, to, dict(error) if error else None)

    def hand_over(self, run_id: str, pid: int) -> None:
        """Say which process of this machine will start a queued run; nothing when it has started already."""
        queued = (runs.c.id == run_id, runs.c.state == RunState.QUEUED.value)
        with self._database.write() as connection:
            connection.execute(runs.update().where(*queued).values(process=processes.process_of(pid)))

    def heartbeat(self, run_id: str) -> None:
        """Say that the run is alive; raises ConflictError when it is not running (any more)."""
        change = (
            runs.update()
            .where(runs.c.id == run_id, runs.c.state == RunState.RUNNING.value)
            .values(heartbeat_at=self._clock.now(), process=processes.this_process())
        )
        with self._database.write() as connection:
            if connection.execute(change).rowcount == 0:
                state = _state(connection, run_id)
                problem = f"run `{run_id}` is {state.value}, not running"
                raise ConflictError(problem)

    def request_cancel(self, run_id: str) -> None:
        """Ask a run to stop: a queued one is cancelled now, a running one stops itself soon, an ended one conflicts."""
        with self._database.write() as connection:
            state = _state(connection, run_id)
            if state.ended:
                problem = f"run `{run_id}` has already {_ended(state)}"
                raise ConflictError(problem)
            connection.execute(runs.update().where(runs.c.id == run_id).values(cancel_requested=True))
            if state is RunState.QUEUED:
                self._move(connection, run_id, RunState.CANCELLED, None)
            else:
                self._event(connection, "run.cancel_requested", run_id, {})

    def cancel_requested(self, run_id: str) -> bool:
        """True once somebody has asked this run to stop."""
        return self.run(run_id).cancel_requested

    def run(self, run_id: str) -> RunRow:
        """One run; NotFoundError when there is none of that id."""
        with self._database.read() as connection:
            row = connection.execute(sa.select(runs).where(runs.c.id == run_id)).mappings().first()
        if row is None:
            raise _no_run(run_id)
        return _run_row(row)

    def runs(self, limit: int = 50, state: RunState | None = None) -> list[RunRow]:
        """Runs, newest first."""
        query = sa.select(runs).order_by(runs.c.created_at.desc(), runs.c.id.desc()).limit(limit)
        if state is not None:
            query = query.where(runs.c.state == state.value)
        with self._database.read() as connection:
            return [_run_row(row) for row in connection.execute(query).mappings()]

    def interrupt_dead_runs(self) -> list[str]:
        """Mark running runs whose process is gone or has been silent for a lease as interrupted; returns them.

        A queued run whose process (see `hand_over`) is gone has failed, and is returned too.
        """
        with self._database.read() as connection:  # mostly nobody has died, and no lock is needed to see that
            if not self._dead(connection):
                return []
        with self._database.write() as connection:
            dead = self._dead(connection)
            for run_id, state in dead.items():
                self._move(connection, run_id, *_end_of_the_dead(state))
        return list(dead)

    def live_runs(self) -> list[str]:
        """Runs that are queued or running, oldest first: what they staged must stay."""
        alive = [state.value for state in RunState if not state.ended]
        query = sa.select(runs.c.id).where(runs.c.state.in_(alive)).order_by(runs.c.created_at, runs.c.id)
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())

    def save_task(self, run_id: str, task: TaskRow) -> None:
        """Add the task, or replace the one with the same id; adds an event `task.<state>`."""
        values = {
            "run_id": run_id,
            "id": task.id,
            "position": task.position,
            "step": task.step,
            "slices": list(task.slices),
            "state": task.state,
            "rows": task.rows,
            "seconds": task.seconds,
            "sql": task.sql,
            "error": task.error,
            "detail": task.detail,
            "changed_at": self._clock.now(),
        }
        told = {key: values[key] for key in ("id", "step", "state", "rows", "seconds")}
        with self._database.write() as connection:
            _state(connection, run_id)
            key = (tasks.c.run_id == run_id, tasks.c.id == task.id)
            if connection.execute(tasks.update().where(*key).values(values)).rowcount == 0:
                connection.execute(tasks.insert().values(values))
            self._event(connection, f"task.{task.state}", run_id, {**told, "slices": len(task.slices)})

    def tasks(self, run_id: str) -> list[TaskRow]:
        """Tasks of a run by position; empty for a run without any."""
        query = sa.select(tasks).where(tasks.c.run_id == run_id).order_by(tasks.c.position, tasks.c.id)
        with self._database.read() as connection:
            return [_task_row(row) for row in connection.execute(query).mappings()]

    def _dead(self, connection: sa.Connection) -> dict[str, RunState]:
        silent_since = self._clock.now() - timedelta(seconds=self._lease_seconds)
        alive = [state.value for state in RunState if not state.ended]
        query = sa.select(*runs.c["id", "state", "heartbeat_at", "process"]).where(runs.c.state.in_(alive))
        return {
            row.id: RunState(row.state)
            for row in connection.execute(query)
            if (row.heartbeat_at is not None and row.heartbeat_at < silent_since)
            or processes.certainly_dead(row.process)
        }

    def _move(
        self, connection: sa.Connection, run_id: str, to: RunState, error: dict[str, Any] | None
    ) -> None:
        state = _state(connection, run_id)
        if to not in RUN_MOVES[state]:
            problem = f"run `{run_id}` is {state.value} and cannot become {to.value}"
            raise ConflictError(problem)
        now = self._clock.now()
        values: dict[str, Any] = {"state": to.value, "error": error}
        if to is RunState.RUNNING:
            values |= {"started_at": now, "heartbeat_at": now, "process": processes.this_process()}
        if to.ended:
            values["ended_at"] = now
        connection.execute(runs.update().where(runs.c.id == run_id).values(values))
        self._event(connection, f"run.{to.value}", run_id, {"error": error} if error else {})


def _state(connection: sa.Connection, run_id: str) -> RunState:
    state = connection.execute(sa.select(runs.c.state).where(runs.c.id == run_id)).scalar()
    if state is None:
        raise _no_run(run_id)
    return RunState(state)


def _end_of_the_dead(state: RunState) -> tuple[RunState, dict[str, Any]]:
    if state is RunState.QUEUED:
        problem = "the process of this run died before it started"
        return RunState.FAILED, {"code": NOT_STARTED, "problem": problem}
    return RunState.INTERRUPTED, {"code": "interrupted", "problem": "the process of this run died"}


def _no_run(run_id: str) -> NotFoundError:
    return NotFoundError(f"there is no run `{run_id}`", hint="`gamelake status` lists the last runs")


def _ended(state: RunState) -> str:
    return {"cancelled": "been cancelled", "interrupted": "been interrupted"}.get(state.value, state.value)


def _run_row(row: sa.RowMapping) -> RunRow:
    values = {key: row[key] for key in row if key != "process"}
    return RunRow(**{**values, "state": RunState(row["state"])})


def _task_row(row: sa.RowMapping) -> TaskRow:
    values = {key: row[key] for key in row if key not in {"run_id", "changed_at"}}
    return TaskRow(**{**values, "slices": tuple(row["slices"])})
