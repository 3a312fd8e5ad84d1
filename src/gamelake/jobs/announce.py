"""`python -m gamelake.jobs.announce`: tells other systems how a run ended, after the run and apart from it.

A process of its own does it, so that a slow or dead receiver neither holds a run up nor fails it. How each delivery
went stands in the ledger's events.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gamelake.clock import SystemClock, SystemIds
from gamelake.errors import GamelakeError
from gamelake.jobs.delivery import Delivery, deliver, secret_of, shown_url, signature
from gamelake.ledger.ledger import Ledger
from gamelake.model.checks import Severity
from gamelake.model.runs import RunState
from gamelake.pipeline.openlineage import events_of
from gamelake.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gamelake.clock import Clock, Ids
    from gamelake.ledger.rows import CheckRow, RunRow

_BAD = {RunState.FAILED, RunState.INTERRUPTED}
_LOOK_BACK = 200  # runs among which the one before is looked for
_MOST_CHECKS = 20  # failing checks told in one message


@dataclass
class Announcer:
    """Sends what the settings ask for about one run."""

    settings: Settings
    ledger: Ledger
    clock: Clock
    ids: Ids
    pause: float = 1.0  # seconds before the second try

    def run_ended(self, run_id: str) -> None:
        """Send every message there is about a run that has ended."""
        run = self.ledger.run(run_id)
        for event in self._events(run):
            self._notify(event, run)
        if self.settings.openlineage.url is not None:
            self._send_lineage(self.settings.openlineage.url, run_id)

    def _send_lineage(self, url: str, run_id: str) -> None:
        """Send the run's lineage events in their order; the first that is not taken ends it."""
        target, sent, done = self.settings.openlineage, 0, Delivery(0)
        lines = events_of(self.settings, run_id)
        try:
            token = secret_of(target.token_env)
        except GamelakeError as err:
            token, done = None, Delivery(0, problem=err.problem)
        headers = {"Content-Type": "application/json", "User-Agent": "gamelake"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        for line in lines if not done.problem else []:
            done = deliver(
                url,
                line.encode(),
                headers,
                timeout=target.timeout_seconds,
                tries=target.tries,
                pause=self.pause,
            )
            if done.problem:
                break
            sent += 1
        if not lines and not done.problem:
            return  # a run without work has no lineage
        kind = "lineage.failed" if done.problem else "lineage.delivered"
        told = {"to": shown_url(url), "sent": sent, "events": len(lines), "problem": done.problem or None}
        self.ledger.append_event(kind, run_id=run_id, data=told)

    def _events(self, run: RunRow) -> list[str]:
        wanted = self.settings.notifications
        if wanted is None:
            return []
        found = ["run.failed"] if run.state in _BAD else []
        if self._failing(run.id):
            found.append("check.failed")
        if run.state is RunState.SUCCEEDED and self._failed_before(run):
            found.append("run.recovered")
        return [event for event in found if event in wanted.events]

    def _failing(self, run_id: str) -> list[CheckRow]:
        rows = self.ledger.checks(run_id=run_id, limit=100_000)
        return [row for row in rows if not row.passed and row.severity is Severity.ERROR]

    def _failed_before(self, run: RunRow) -> bool:
        """True when the last run of the same request before this one went wrong."""
        for other in self.ledger.runs(limit=_LOOK_BACK):
            same = (other.kind, other.request) == (run.kind, run.request) and other.id < run.id
            if same and other.state.ended and other.state is not RunState.CANCELLED:
                return other.state in _BAD
        return False

    def _notify(self, event: str, run: RunRow) -> None:
        settings = self.settings.notifications
        assert settings is not None
        delivery_id = self.ids.new("dlv")
        body = json.dumps(self._payload(event, run, delivery_id), ensure_ascii=False).encode()
        moment = str(int(self.clock.now().timestamp()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "gamelake",
            "X-Gamelake-Event": event,
            "X-Gamelake-Delivery": delivery_id,
            "X-Gamelake-Timestamp": moment,
        }
        try:
            secret = secret_of(settings.secret_env)
        except GamelakeError as err:  # unsigned is not what was asked for
            self._note(event, run.id, delivery_id, settings.url, Delivery(0, problem=err.problem))
            return
        if secret:
            headers["X-Gamelake-Signature"] = signature(secret, moment, body)
        done = deliver(
            settings.url,
            body,
            headers,
            timeout=settings.timeout_seconds,
            tries=settings.tries,
            pause=self.pause,
        )
        self._note(event, run.id, delivery_id, settings.url, done)

    def _note(self, event: str, run_id: str, delivery_id: str, url: str, done: Delivery) -> None:
        """Keep in the ledger how a delivery went."""
        told = {
            "event": event,
            "delivery": delivery_id,
            "to": shown_url(url),
            "status": done.status,
            "tries": done.tries,
        }
        kind = "notification.failed" if done.problem else "notification.delivered"
        self.ledger.append_event(kind, run_id=run_id, data={**told, "problem": done.problem or None})

    def _payload(self, event: str, run: RunRow, delivery_id: str) -> dict[str, Any]:
        failing = self._failing(run.id)
        return {
            "event": event,
            "delivery": delivery_id,
            "project": self.settings.name,
            "at": self.clock.now().isoformat(),
            "run": {
                "id": run.id,
                "kind": run.kind,
                "title": run.title,
                "state": run.state.value,
                "started_at": run.started_at.isoformat() if run.started_at else None,
                "ended_at": run.ended_at.isoformat() if run.ended_at else None,
                "error": run.error,
            },
            "checks": [_told(row) for row in failing[:_MOST_CHECKS]],
            "checks_failed": len(failing),
        }


def _told(row: CheckRow) -> dict[str, Any]:
    """A failing check without its rows: those may hold what must not leave the house."""
    return {
        "dataset": row.dataset,
        "slice": str(row.slice),
        "check": row.name,
        "value": row.value,
        "threshold": row.threshold,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Announce one run; returns the exit code."""
    parser = argparse.ArgumentParser(prog="gamelake.jobs.announce", description=__doc__)
    parser.add_argument("--project", type=Path, required=True, help="project folder")
    parser.add_argument("--run", required=True, help="id of a run that has ended")
    chosen = parser.parse_args(arguments)
    settings = Settings.load(chosen.project)
    clock, ids = SystemClock(), SystemIds()
    with Ledger.open(settings.ledger_file, clock=clock, ids=ids) as ledger:
        Announcer(settings, ledger, clock, ids).run_ended(chosen.run)
    return 0


if __name__ == "__main__":
    sys.exit(main())
