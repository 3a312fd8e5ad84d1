"""Checks that did not pass, until a later run of the slice says otherwise."""

from __future__ import annotations

from gamelake.model.checks import CheckKind, CheckResult, Severity
from gamelake.model.slices import Slice

ONE, TWO = Slice.of(day="2026-01-01"), Slice.of(day="2026-01-02")


def result(name: str, *, passed: bool) -> CheckResult:
    return CheckResult(name, CheckKind.SQL, Severity.WARN, 0 if passed else 3, "0", passed)


def save(ledger, run: str, part: Slice, **results: bool) -> None:
    found = [result(name, passed=passed) for name, passed in results.items()]
    ledger.save_checks(run, "s", "a.gold.x", part, found)


def test_a_trouble_lasts_until_the_slice_is_built_again(ledger) -> None:
    save(ledger, "run_1", ONE, a=False, b=False)
    save(ledger, "run_1", TWO, a=False)
    assert [(str(t.slice), t.name) for t in ledger.open_troubles()] == [
        ("day=2026-01-02", "a"),
        ("day=2026-01-01", "b"),
        ("day=2026-01-01", "a"),
    ]

    save(ledger, "run_2", ONE, a=True)

    assert [(str(t.slice), t.name) for t in ledger.open_troubles("a.gold.x")] == [("day=2026-01-02", "a")]
    assert ledger.open_troubles("a.gold.y") == []


def test_a_slice_audited_twice_in_a_run_counts_once(ledger) -> None:
    save(ledger, "run_1", ONE, a=False)
    save(ledger, "run_1", ONE, a=False)

    assert len(ledger.open_troubles()) == 1
