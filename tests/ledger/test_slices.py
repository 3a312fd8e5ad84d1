"""Slices: what was published when, from what, and how it was at another time."""

from datetime import timedelta

import pytest

from gamelake.errors import NotFoundError, OperatorError
from gamelake.model.publish import PublishedSlice, Receipt
from gamelake.model.runs import RunState, SliceState
from gamelake.model.slices import Slice

EVENTS = "wow.silver.events"
MONDAY, TUESDAY = Slice.of(raid_date="2026-02-16", team="a"), Slice.of(raid_date="2026-02-17", team="a")


def receipt(clock, *parts, receipt_id="r1", run_id="run_1", dataset=EVENTS):
    published = tuple(
        PublishedSlice(
            part,
            version,
            (f"/lake/{part}-{version}.parquet",),
            10,
            100,
            f"hash{version}",
            "print",
            {"b": {"all": 2}},
        )
        for part, version in parts
    )
    return Receipt(receipt_id, run_id, "events", dataset, published, clock.now())


def test_a_receipt_is_entered_once(ledger, clock):
    given = receipt(clock, (MONDAY, 1), (TUESDAY, 1))

    ledger.record_publish(given)
    last = ledger.last_event()
    ledger.record_publish(given)

    assert ledger.has_receipt("r1")
    assert not ledger.has_receipt("r2")
    assert ledger.last_event() == last
    assert len(ledger.versions(EVENTS)) == 2


def test_what_comes_back_is_what_was_published(ledger, clock):
    ledger.record_publish(receipt(clock, (MONDAY, 1)))

    (version,) = ledger.versions(EVENTS)

    assert (version.dataset, version.slice, version.version) == (EVENTS, MONDAY, 1)
    assert version.files == (f"/lake/{MONDAY}-1.parquet",)
    assert (version.rows, version.bytes, version.content_hash, version.fingerprint) == (
        10,
        100,
        "hash1",
        "print",
    )
    assert version.inputs == {"b": {"all": 2}}
    assert (version.receipt_id, version.run_id, version.step) == ("r1", "run_1", "events")
    assert version.published_at == clock.now()


def test_current_is_the_newest_version_of_each_slice(ledger, clock):
    ledger.record_publish(receipt(clock, (MONDAY, 1), (TUESDAY, 1), receipt_id="r1"))
    ledger.record_publish(receipt(clock, (MONDAY, 2), receipt_id="r2"))

    current = ledger.current(EVENTS)

    assert {part: row.version for part, row in current.items()} == {MONDAY: 2, TUESDAY: 1}
    assert ledger.current("wow.silver.pulls") == {}


def test_receipts_found_late_do_not_hide_newer_versions(ledger, clock):
    ledger.record_publish(receipt(clock, (MONDAY, 2), receipt_id="r2"))
    ledger.record_publish(receipt(clock, (MONDAY, 1), receipt_id="r1"))

    assert ledger.current(EVENTS)[MONDAY].version == 2


def test_versions_come_newest_first(ledger, clock):
    for version in (1, 2, 3):
        ledger.record_publish(receipt(clock, (MONDAY, version), receipt_id=f"r{version}"))
        clock.advance(1)
    ledger.record_publish(receipt(clock, (TUESDAY, 1), receipt_id="r4"))

    assert [row.version for row in ledger.versions(EVENTS, MONDAY)] == [3, 2, 1]
    assert ledger.versions(EVENTS)[0].slice == TUESDAY
    assert ledger.versions(EVENTS, limit=2) == ledger.versions(EVENTS)[:2]


def test_as_of_a_time_and_a_run(ledger, clock):
    start = clock.now()
    for number in (1, 2, 3):
        clock.advance(60)
        ledger.record_publish(
            receipt(clock, (MONDAY, number), receipt_id=f"r{number}", run_id=f"run_{number}")
        )

    def at(**when):
        return {part: row.version for part, row in ledger.as_of(EVENTS, **when).items()}

    assert at(at=start) == {}
    assert at(at=start + timedelta(seconds=60)) == {MONDAY: 1}
    assert at(at=start + timedelta(seconds=179)) == {MONDAY: 2}
    assert at(run_id="run_2") == {MONDAY: 2}
    assert at() == {MONDAY: 3}


def test_as_of_a_run_that_published_nothing_is_as_of_its_end(ledger, clock):
    ledger.record_publish(receipt(clock, (MONDAY, 1)))
    run_id = ledger.create_run("run", "nothing to do", {})
    ledger.move_run(run_id, RunState.RUNNING)
    clock.advance(10)
    ledger.move_run(run_id, RunState.SUCCEEDED)
    clock.advance(10)
    ledger.record_publish(receipt(clock, (MONDAY, 2), receipt_id="r2"))

    assert ledger.as_of(EVENTS, run_id=run_id)[MONDAY].version == 1


def test_as_of_an_unknown_run_is_not_found(ledger):
    with pytest.raises(NotFoundError, match="there is no run `run_x`"):
        ledger.as_of(EVENTS, run_id="run_x")


def test_what_a_run_published_is_what_a_resume_need_not_do(ledger, clock):
    ledger.record_publish(receipt(clock, (MONDAY, 1), receipt_id="r1", run_id="run_1"))
    ledger.record_publish(
        receipt(clock, (MONDAY, 1), receipt_id="r2", run_id="run_1", dataset="wow.silver.pulls")
    )
    ledger.record_publish(receipt(clock, (MONDAY, 2), receipt_id="r3", run_id="run_2"))

    assert [row.dataset for row in ledger.published_by("run_1")] == [EVENTS, "wow.silver.pulls"]
    assert ledger.datasets() == [EVENTS, "wow.silver.pulls"]


def test_a_ledger_and_a_lake_of_different_projects_are_told_apart(ledger, clock):
    ledger.record_publish(receipt(clock, (MONDAY, 1), receipt_id="r1"))

    with pytest.raises(OperatorError) as caught:
        ledger.record_publish(receipt(clock, (TUESDAY, 1), (MONDAY, 1), receipt_id="r2"))

    assert str(caught.value) == (
        "version 1 of `wow.silver.events` raid_date=2026-02-16/team=a has receipt `r1` in the ledger "
        "and `r2` in the lake\n\nhint: the lake folder was removed or replaced: remove ledger.db too, and import again"
    )
    assert list(ledger.current(EVENTS)) == [MONDAY]


def test_states_of_attempts_follow_each_other(ledger, clock):
    ledger.mark_slice(EVENTS, MONDAY, SliceState.RUNNING, "run_1")
    ledger.mark_slice(EVENTS, MONDAY, SliceState.FAILED, "run_1", "no rows")
    ledger.mark_slices(EVENTS, [TUESDAY, Slice()], SliceState.STAGED, "run_1")
    ledger.mark_slices(EVENTS, [], SliceState.STAGED, "run_1")

    states = {row.slice: (row.state, row.detail) for row in ledger.slice_states(EVENTS)}

    assert states == {
        MONDAY: (SliceState.FAILED, "no rows"),
        TUESDAY: (SliceState.STAGED, ""),
        Slice(): (SliceState.STAGED, ""),
    }
    assert ledger.slice_states("wow.silver.pulls") == []
    ledger.record_publish(receipt(clock, (MONDAY, 1)))
    assert {row.slice: row.state for row in ledger.slice_states()}[MONDAY] is SliceState.PUBLISHED
    assert [event.kind for event in ledger.events()] == [
        "slice.running",
        "slice.failed",
        "slice.staged",
        "slice.published",
    ]


def test_thousands_of_slices_in_one_receipt(ledger, clock):
    parts = [(Slice.of(day=str(number)), 1) for number in range(3000)]

    ledger.record_publish(receipt(clock, *parts))

    assert len(ledger.current(EVENTS)) == 3000
    assert len(ledger.slice_states(EVENTS)) == 3000
    (event,) = ledger.events()
    assert (event.data["count"], len(event.data["slices"]), event.data["rows"]) == (3000, 20, 30_000)
