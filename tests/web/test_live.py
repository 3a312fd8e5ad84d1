"""What one process does, a browser of another sees; and runs that a browser starts."""

from __future__ import annotations

import subprocess
import sys
import time

import httpx
import pytest

from gamelake.clock import SystemClock
from gamelake.model.runs import RunState
from gamelake.model.slices import Slice
from gamelake.web.app import create_app
from web.web_server import client_of
from web.web_world import MATCHES, matches_sql, publish, toy_project

OTHER = """
import sys
from pathlib import Path
from gamelake.clock import SystemClock, SystemIds
from gamelake.ledger.ledger import Ledger
from gamelake.model.runs import RunState
with Ledger.open(Path(sys.argv[1]), clock=SystemClock(), ids=SystemIds()) as ledger:
    run = ledger.create_run("run", "From a terminal", {})
    ledger.move_run(run, RunState.RUNNING)
    ledger.append_event("step.progress", run_id=run, data={"step": "toy.scores", "done": 1, "total": 2})
    ledger.move_run(run, RunState.SUCCEEDED)
    print(run)
"""


@pytest.fixture
def project(tmp_path):
    with toy_project(tmp_path / "toy", clock=SystemClock()) as made:
        yield made


@pytest.fixture
def browser(project):
    with client_of(create_app(project, packs=[])) as client:
        yield client


def events(client, path, count, **headers):
    """The first events of a stream as (id, data)."""
    found, current = [], {}
    with client.stream("GET", path, headers=headers, timeout=15) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            if name in {"id", "event", "data"}:
                current[name] = value
            elif not line and "id" in current:
                found.append(
                    (
                        int(current["id"]),
                        current.get("event", ""),
                        httpx.Response(200, text=current["data"]).json(),
                    )
                )
                current = {}
                if len(found) == count:
                    break
    return found


def test_a_run_of_another_process_is_told_and_replayed(project, browser):
    done = subprocess.run(
        [sys.executable, "-c", OTHER, str(project.settings.ledger_file)],
        capture_output=True,
        text=True,
        check=True,
    )
    run = done.stdout.strip()

    told = events(browser, f"/api/v1/runs/{run}/events", 5)
    kinds = [data.get("kind") for _, _, data in told]
    again = events(browser, f"/api/v1/runs/{run}/events", 3, **{"Last-Event-ID": str(told[1][0])})

    assert kinds[0] == "run.queued"
    assert "step.progress" in kinds
    assert told[-1][1] == "end"
    assert [seq for seq, _, _ in again] == [seq for seq, _, _ in told[2:]]


def test_a_live_event_arrives_within_half_a_second(project, browser):
    run = project.ledger.create_run("run", "Slow", {})
    with browser.stream("GET", f"/api/v1/runs/{run}/events", timeout=15) as answer:
        lines = answer.iter_lines()
        while not next(lines).startswith("data:"):
            pass
        start = time.monotonic()
        project.ledger.move_run(run, RunState.RUNNING)
        while not next(lines).startswith("data:"):
            pass
        waited = time.monotonic() - start

    assert waited < 0.5


def test_an_unknown_run_has_no_stream(browser):
    assert browser.get("/api/v1/runs/run_nope/events").status_code == 404


def test_a_run_started_from_a_page_runs_in_a_process_of_its_own(project, browser):
    imported = project.ledger.create_run("import", "Import", {})
    publish(project, imported, "toy.import", MATCHES, {Slice.of(day="2026-11-20"): matches_sql("2026-11-20")})

    answer = browser.post(
        "/runs", data={"targets": "toy.gold.ranks"}, headers={"sec-fetch-site": "same-origin"}
    )
    page = answer.headers["location"]
    run = page.rpartition("/")[2]
    deadline = time.monotonic() + 60
    while not project.ledger.run(run).state.ended and time.monotonic() < deadline:
        time.sleep(0.1)

    log = project.settings.state / "logs" / f"{run}.log"
    assert answer.status_code == 303
    assert project.ledger.run(run).state is RunState.SUCCEEDED, log.read_text(encoding="utf-8")
    assert browser.get(page).status_code == 200
    rows = browser.post("/api/v1/query", json={"sql": "SELECT count(*) FROM toy.gold.ranks"}).json()["rows"]
    assert rows == [[7]]


def test_a_run_can_be_asked_to_stop(project, browser):
    run = project.ledger.create_run("run", "Slow", {})
    project.ledger.move_run(run, RunState.RUNNING)

    answer = browser.post(f"/api/v1/runs/{run}/cancel")

    assert answer.status_code == 202
    assert project.ledger.cancel_requested(run)
    assert "Stopping" in browser.get(f"/runs/{run}", headers={"accept": "text/html"}).text


def test_a_run_that_ended_cannot_be_stopped(project, browser):
    run = project.ledger.create_run("run", "Done", {})
    project.ledger.move_run(run, RunState.CANCELLED)

    assert browser.post(f"/api/v1/runs/{run}/cancel").status_code == 409
