"""Notifications to a real HTTP server, with answers of every kind."""

from __future__ import annotations

import json
import time

import pytest

from gamelake.jobs.announce import Announcer
from gamelake.jobs.delivery import deliver, secret_of, signature
from gamelake.jobs.local import run_now
from gamelake.pipeline.execute import RunRequest
from gamelake.pipeline.project import Project
from gamelake.settings import Settings
from http_receiver import Receiver
from sample_project import create, import_days, members


def send(receiver: Receiver, **more):
    pauses: list[float] = []
    done = deliver(receiver.url, b"{}", {}, **{"timeout": 5.0, "tries": 3, "sleep": pauses.append, **more})
    return done, pauses


def test_what_may_pass_is_tried_again_after_longer_pauses() -> None:
    with Receiver(500, 429, 204) as receiver:
        done, pauses = send(receiver)

    assert (done.status, done.tries, done.problem) == (204, 3, "")
    assert 1 <= pauses[0] <= 2 <= pauses[1] <= 3


@pytest.mark.parametrize(
    ("status", "tries", "problem"),
    [
        (503, 3, "answered 503"),
        (404, 1, "answered 404: refused"),
        (302, 1, "answered 302: a redirect, which is not followed"),
        (308, 1, "answered 308: a redirect, which is not followed"),
    ],
)
def test_what_does_not_pass_is_told(status, tries, problem) -> None:
    with Receiver(status) as receiver:
        done, _ = send(receiver)

    assert (done.tries, done.problem, len(receiver.got)) == (tries, problem, tries)
    assert {path for path, _, _ in receiver.got} == {"/hook"}


def test_a_receiver_that_does_not_answer_in_time_and_one_that_is_not_there() -> None:
    with Receiver(0) as receiver:
        slow, _ = send(receiver, timeout=0.2, tries=2)
    gone, _ = send(receiver, tries=2)

    assert (slow.tries, slow.problem.startswith("no answer: ReadTimeout")) == (2, True)
    assert (gone.tries, gone.problem.startswith("no answer: ConnectError")) == (2, True)


def test_secrets_come_from_the_environment_or_a_file(monkeypatch, tmp_path) -> None:
    (tmp_path / "secret").write_text("hidden\n")
    monkeypatch.setenv("OUR_SECRET_FILE", str(tmp_path / "secret"))

    assert secret_of("OUR_SECRET") == "hidden"
    monkeypatch.setenv("OUR_SECRET", "plain")
    assert secret_of("OUR_SECRET") == "plain"
    assert secret_of("OTHER") is None


def opened(root, url: str, more: str = "") -> Project:
    if not root.exists():
        create(root)
        layout = root / "layouts" / "gold" / "daily.sql"
        layout.write_text(layout.read_text().replace("max: 1000000, severity: warn", "max: 100"))
    table = f'[notifications]\nurl = "{url}"\n{more}'
    (root / "gamelake.toml").write_text(f'name = "toy"\npacks = []\n{table}')
    return Project.open(Settings.load(root), members(root))


def bodies(receiver: Receiver) -> dict[str, dict]:
    return {headers["x-gamelake-event"]: json.loads(body) for _, headers, body in receiver.got}


def announce(project: Project, run_id: str) -> None:
    Announcer(project.settings, project.ledger, project.clock, project.ids, pause=0).run_ended(run_id)


@pytest.fixture
def silent(monkeypatch):
    """Runs tell nobody by themselves: the test does."""
    monkeypatch.setattr("gamelake.pipeline.lifecycle.tell_others", lambda *_: None)


def test_a_failed_check_and_the_recovery_are_told_and_signed(tmp_path, monkeypatch, silent) -> None:
    monkeypatch.setenv("GAMELAKE_NOTIFICATIONS_SECRET", "s3cret")
    with Receiver(500, 200) as receiver, opened(tmp_path / "toy", receiver.url) as project:
        import_days(project, {"2026-01-01": [("ann", 500)]})
        bad = run_now(project, RunRequest())
        announce(project, bad.run_id)
        import_days(project, {"2026-01-01": [("ann", 5)]})
        good = run_now(project, RunRequest())
        announce(project, good.run_id)
        announce(project, run_now(project, RunRequest()).run_id)  # well before, well now: nothing to say
        events = project.ledger.events(run_id=bad.run_id)

    told = bodies(receiver)
    assert list(told) == ["run.failed", "check.failed", "run.recovered"]
    assert told["check.failed"]["checks"] == [
        {
            "dataset": "toy.gold.daily",
            "slice": "day=2026-01-01",
            "check": "range(score)",
            "value": 1.0,
            "threshold": "0",
        }
    ]
    assert told["run.failed"]["run"]["error"]["code"] == "check_failed"
    assert (told["run.recovered"]["run"]["id"], told["run.recovered"]["run"]["state"]) == (
        good.run_id,
        "succeeded",
    )
    for _, headers, body in receiver.got:
        assert headers["x-gamelake-signature"] == signature("s3cret", headers["x-gamelake-timestamp"], body)
    delivered = [event.data for event in events if event.kind == "notification.delivered"]
    assert [(each["event"], each["tries"], each["status"]) for each in delivered] == [
        ("run.failed", 2, 200),
        ("check.failed", 1, 200),
    ]
    assert delivered[0]["to"] == receiver.url.removesuffix("/hook")


def test_a_run_ends_as_it_would_when_nobody_can_be_told(tmp_path, silent) -> None:
    with Receiver(500) as receiver:
        pass  # closed: nobody listens
    with opened(tmp_path / "toy", receiver.url, 'tries = 2\nevents = ["run.failed"]\n') as project:
        import_days(project, {"2026-01-01": [("ann", 500)]})
        result = run_now(project, RunRequest())
        announce(project, result.run_id)

        failed = [
            e.data for e in project.ledger.events(run_id=result.run_id) if e.kind == "notification.failed"
        ]

    assert result.exit_code == 1
    assert [(each["event"], each["tries"]) for each in failed] == [("run.failed", 2)]
    assert "no answer" in failed[0]["problem"]


def test_a_run_announces_itself_in_a_process_of_its_own(tmp_path) -> None:
    with Receiver(200) as receiver, opened(tmp_path / "toy", receiver.url) as project:
        import_days(project, {"2026-01-01": [("ann", 500)]})
        result = run_now(project, RunRequest())
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and len(receiver.got) < 2:
            time.sleep(0.1)

        assert {each["run"]["id"] for each in bodies(receiver).values()} == {result.run_id}
        while time.monotonic() < deadline and not _announced(project, result.run_id):
            time.sleep(0.1)
        assert _announced(project, result.run_id)


def _announced(project: Project, run_id: str) -> bool:
    kinds = [event.kind for event in project.ledger.events(run_id=run_id)]
    return kinds.count("notification.delivered") == 2
