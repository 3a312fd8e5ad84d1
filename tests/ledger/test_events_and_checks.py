"""Events in the order of their commits; checks with all they found."""

from datetime import date
from uuid import UUID

from gamelake.clock import SystemClock, SystemIds
from gamelake.ledger import Ledger
from gamelake.model.checks import CheckKind, CheckResult, Severity
from gamelake.model.slices import Slice
from lake_world import append_events, finish, start

NIGHT = Slice.of(day="2026-02-16")


def test_events_are_numbered_and_followed(ledger, clock):
    assert ledger.last_event() == 0
    first = ledger.append_event("a", run_id="run_1", data={"x": 1})
    second = ledger.append_event("b")

    assert (first, second, ledger.last_event()) == (1, 2, 2)
    (a, b) = ledger.events()
    assert (a.seq, a.kind, a.run_id, a.data, a.at) == (1, "a", "run_1", {"x": 1}, clock.now())
    assert (b.run_id, b.data) == (None, {})
    assert ledger.events(after=1) == [b]
    assert ledger.events(run_id="run_1") == [a]
    assert ledger.events(limit=1) == [a]
    assert ledger.events(after=2) == []


def test_a_follower_of_several_writers_misses_nothing(tmp_path):
    """What it has seen never changes behind its back: numbers appear in order, without gaps."""
    with Ledger.open(tmp_path / "ledger.db", clock=SystemClock(), ids=SystemIds()) as ledger:
        writers = [start(append_events, str(tmp_path), f"writer{number}", 60) for number in range(3)]
        seen = []
        while len(seen) < 180:
            seen += ledger.events(after=seen[-1].seq if seen else 0, limit=7)
            assert [event.seq for event in seen] == list(range(1, len(seen) + 1))
        assert [finish(writer) for writer in writers] == [0, 0, 0]

        assert ledger.last_event() == 180
        for number in range(3):
            mine = [event.data["n"] for event in seen if event.kind == f"writer{number}"]
            assert mine == list(range(60))


def result(name="positive", *, passed=True, sample=()):
    return CheckResult(name, CheckKind.SQL, Severity.ERROR, 0 if passed else 3, "= 0", passed, sample)


def test_checks_are_kept_with_their_samples(ledger, clock):
    day, some = date(2026, 2, 16), UUID(int=7)
    bad = result("known", passed=False, sample=({"day": day, "id": some, "n": 1, "x": None, "raw": b"a"},))

    ledger.save_checks("run_1", "events", "wow.silver.events", NIGHT, [result(), bad])
    ledger.save_checks("run_2", "pulls", "wow.silver.pulls", NIGHT, [result()])

    pulls, known, positive = ledger.checks()
    assert (known.name, known.kind, known.severity, known.value) == (
        "known",
        CheckKind.SQL,
        Severity.ERROR,
        3.0,
    )
    assert (known.passed, known.threshold, known.slice, known.checked_at) == (
        False,
        "= 0",
        NIGHT,
        clock.now(),
    )
    assert known.sample == ({"day": "2026-02-16", "id": str(some), "n": 1, "x": None, "raw": "b'a'"},)
    assert ledger.checks(dataset="wow.silver.events") == [known, positive]
    assert ledger.checks(run_id="run_2") == [pulls]
    assert ledger.checks(limit=1) == [pulls]


def test_failing_checks_are_an_event(ledger):
    ledger.save_checks("run_1", "events", "wow.silver.events", NIGHT, [])
    ledger.save_checks("run_1", "events", "wow.silver.events", NIGHT, [result()])
    ledger.save_checks("run_1", "events", "wow.silver.events", NIGHT, [result("known", passed=False)])

    (event,) = ledger.events()
    assert event.kind == "check.failed"
    assert event.data["checks"] == ["known"]
