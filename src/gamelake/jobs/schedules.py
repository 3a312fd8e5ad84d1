"""When schedules are due, and starting what is: the ledger notes each due time together with its run."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Self
from zoneinfo import ZoneInfo

from gamelake import failpoints
from gamelake.errors import ConflictError, GamelakeError
from gamelake.jobs.local import start_detached
from gamelake.ledger.runs import NOT_STARTED
from gamelake.model.runs import RunState
from gamelake.pipeline.afterwards import tell_others
from gamelake.pipeline.execute import RunRequest
from gamelake.pipeline.lifecycle import end

if TYPE_CHECKING:
    from collections.abc import Callable

    from gamelake.ledger.rows import EventRow
    from gamelake.pipeline.project import Project
    from gamelake.settings import Schedule

    Start = Callable[[RunRequest, str], object]

SEEN, DUE, FAILED = "schedule.seen", "schedule.due", "schedule.failed"
_LATE = timedelta(minutes=5)  # without `catch_up`, a due time seen later than this has been missed
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_TRIES = 3  # of one due time, when the process that is to start it dies again and again
_LOOK_EVERY = 10.0  # seconds between two looks of a server


@dataclass(frozen=True)
class Outlook:
    """One schedule as `status` shows it; `last` is None before the first due time."""

    schedule: Schedule
    last: datetime | None
    next: datetime

    def to_json(self) -> dict[str, Any]:
        """The schedule's part of `status --json`."""
        schedule = self.schedule
        rhythm = schedule.cron or f"every {schedule.every}"
        return {
            "schedule": schedule.name,
            "when": rhythm,
            "targets": list(schedule.targets),
            "last_due": self.last,
            "next_due": self.next,
        }


@dataclass(frozen=True)
class Started:
    """A schedule whose time had come, and its run; with an error when it could not be started."""

    schedule: str
    due: datetime
    run_id: str
    error: GamelakeError | None = None


def tick(project: Project, start: Start | None = None, like: RunRequest | None = None) -> list[Started]:
    """Start a run for every schedule that is due; times missed meanwhile count as one.

    `start` takes a request and the id of its queued run and begins it; by default in a process of its own.
    Several processes may call at once: each due time is taken by one of them, and by another one when that one
    dies before its run begins. A schedule never seen before is due from now on. `like` holds whatever else the
    requests say.
    """
    begin = start or (lambda request, run_id: start_detached(project, request, run_id))
    for dead in project.ledger.interrupt_dead_runs() if project.settings.schedules else []:
        tell_others(project, dead)
    started = [_tick_one(project, schedule, begin, like) for schedule in project.settings.schedules]
    return [each for each in started if each is not None]


def outlook(project: Project) -> list[Outlook]:
    """Every schedule with its last and its next due time. Changes nothing."""
    now = project.settings.moment(project.clock)
    found = []
    for schedule in project.settings.schedules:
        seen = _last(project, schedule.name)
        base = seen[0] if seen else now
        last = base if seen and seen[1] == DUE else None
        coming = next_due(schedule, base, project.settings.zone)
        missed = latest_due(schedule, base, now, project.settings.zone)
        if missed is not None and (not schedule.catch_up and now - missed > _LATE):
            coming = next_due(schedule, missed, project.settings.zone)
        found.append(Outlook(schedule, last, coming))
    return found


def next_due(schedule: Schedule, after: datetime, zone: str) -> datetime:
    """The first due time later than `after`, in UTC."""
    if schedule.cron is None:
        return after + _interval(schedule)
    from cronsim import CronSim

    local = after.astimezone(ZoneInfo(schedule.zone or zone))
    return next(CronSim(schedule.cron, local)).astimezone(UTC)


def latest_due(schedule: Schedule, after: datetime, now: datetime, zone: str) -> datetime | None:
    """The newest due time later than `after` and not later than `now`, in UTC; None when there is none."""
    if schedule.cron is None:
        steps = (now - after) // _interval(schedule)
        return after + steps * _interval(schedule) if steps > 0 else None
    found = None
    # from shortly before now, and from further back until there is one: years of minutes are not walked through
    for days in (1 / 24, 1, 40, 400, 4000):
        begin = max(after, now - timedelta(days=days))
        due = next_due(schedule, begin, zone)
        while due <= now:
            found, due = due, next_due(schedule, due, zone)
        if found is not None or begin == after:
            return found
    return found


def _tick_one(project: Project, schedule: Schedule, start: Start, like: RunRequest | None) -> Started | None:
    request = replace(like or RunRequest(), targets=tuple(schedule.targets))
    try:
        with project.ledger.lease(
            f"schedule:{schedule.name}", "schedules", ttl=project.settings.lease_seconds, wait=0
        ):
            taken = _take(project, schedule, request)
    except ConflictError:
        return None  # another process looks at it now
    if taken is None:
        return None
    due, run_id = taken
    failpoints.hit("schedules.after_due")
    try:
        start(request, run_id)
    except GamelakeError as err:
        end(project, run_id, RunState.FAILED, err)
        tell_others(project, run_id)
        project.ledger.append_event(FAILED, data={"name": schedule.name, "problem": err.problem})
        return Started(schedule.name, due, run_id, err)
    return Started(schedule.name, due, run_id)


def _take(project: Project, schedule: Schedule, request: RunRequest) -> tuple[datetime, str] | None:
    """Queue a run for what is due, in one transaction with the note that it was: nothing lies between the two."""
    ledger, now = project.ledger, project.settings.moment(project.clock)
    last = ledger.last_event_of((SEEN, DUE), schedule.name)
    if last is None:
        ledger.append_event(SEEN, data={"name": schedule.name, "due": now.isoformat()})
        return None
    before = datetime.fromisoformat(last.data["due"])
    due, tries = latest_due(schedule, before, now, project.settings.zone), 1
    if due is None and _never_began(project, last):
        due, tries = before, last.data.get("tries", 1) + 1
    if due is None or tries > _TRIES:
        return None
    missed = not schedule.catch_up and now - due > _LATE
    told = {"name": schedule.name, "due": due.isoformat(), "missed": missed, "tries": tries}
    if missed:
        ledger.append_event(DUE, data=told)
        return None
    body = {**request.to_json(), "schedule": schedule.name}
    return due, ledger.create_run("run", request.title, body, ours=True, event=(DUE, told))


def _never_began(project: Project, last: EventRow) -> bool:
    """True when the run of a due time failed because the process that was to start it died."""
    if last.kind != DUE or last.run_id is None:
        return False
    error = project.ledger.run(last.run_id).error
    return error is not None and error.get("code") == NOT_STARTED


def _last(project: Project, name: str) -> tuple[datetime, str] | None:
    """The last due time that was taken, or when the schedule was first seen, and which of both it is."""
    found = project.ledger.last_event_of((SEEN, DUE), name)
    return None if found is None else (datetime.fromisoformat(found.data["due"]), found.kind)


def _interval(schedule: Schedule) -> timedelta:
    every = schedule.every or "1d"
    return timedelta(**{_UNITS[every[-1]]: int(every[:-1])})


class Ticker:
    """Looks at the schedules in the background, for a server; use it in a `with`."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._stop = Event()
        self._thread = Thread(target=self._loop, name="schedules", daemon=True)

    def __enter__(self) -> Self:
        if self._project.settings.schedules:
            self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=_LOOK_EVERY)

    def _loop(self) -> None:
        while True:
            try:
                tick(self._project)
            except (GamelakeError, OSError) as err:  # a locked ledger now may be free at the next look
                problem = err.problem if isinstance(err, GamelakeError) else str(err)
                with suppress(GamelakeError, OSError):  # the ledger may be what failed
                    self._project.ledger.append_event(FAILED, data={"name": "", "problem": problem})
            if self._stop.wait(_LOOK_EVERY):
                return
