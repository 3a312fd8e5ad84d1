"""Leases: one holder, growing tokens, and nobody waits for the dead."""

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gamelake.clock import CountingIds, FixedClock
from gamelake.errors import ConflictError, LeaseLostError
from gamelake.ledger import Ledger
from lake_world import count_under_lease, finish, hold_lease, open_ledger, start, wait_until


def test_a_lease_is_held_for_its_block_only(ledger):
    with ledger.lease("t", "me", ttl=30, wait=0) as lease:
        assert (lease.name, lease.token) == ("t", 1)
        assert ledger.lease_holder("t") == "me"
        lease.check()

    assert ledger.lease_holder("t") is None


def test_tokens_of_a_name_only_grow(ledger):
    tokens = []
    for _ in range(3):
        with ledger.lease("t", "me", ttl=30, wait=0) as lease:
            tokens.append(lease.token)
    with ledger.lease("u", "me", ttl=30, wait=0) as other:
        tokens.append(other.token)

    assert tokens == [1, 2, 3, 1]


def test_a_held_lease_is_waited_for_and_then_refused(ledger):
    with (
        ledger.lease("t", "run_1", ttl=30, wait=0),
        pytest.raises(ConflictError) as caught,
        ledger.lease("t", "run_2", ttl=30, wait=0.05),
    ):
        pass

    assert str(caught.value) == (
        "`t` is in use by `run_1`, waited 0.05 seconds\n\nhint: try again when that run has ended"
    )


def test_a_waiter_gets_the_lease_when_it_is_given_back(ledger):
    taken = []

    def wait():
        with ledger.lease("t", "second", ttl=30, wait=10) as lease:
            taken.append(lease.token)

    with ledger.lease("t", "first", ttl=30, wait=0):
        waiter = threading.Thread(target=wait)
        waiter.start()
        time.sleep(0.05)
        assert taken == []
    waiter.join(5)

    assert taken == [2]


def test_an_expired_lease_is_taken_over_and_its_holder_fenced(ledger, clock):
    with ledger.lease("t", "slow", ttl=30, wait=0) as slow:
        clock.advance(31)
        slow.check()  # late, but nobody took it: still ours, and renewed
        clock.advance(31)
        with ledger.lease("t", "quick", ttl=30, wait=0) as quick:
            assert quick.token == slow.token + 1
            with pytest.raises(
                LeaseLostError, match=r"the lease `t` \(token 1\) belongs to somebody else now"
            ):
                slow.check()
            quick.check()

    assert ledger.lease_holder("t") is None


def test_the_fenced_holder_gives_nothing_back_that_is_not_its_own(ledger, clock):
    slow = ledger.lease("t", "slow", ttl=30, wait=0)
    slow.__enter__()
    clock.advance(31)
    with ledger.lease("t", "quick", ttl=30, wait=0) as quick:
        slow.__exit__(None, None, None)

        assert ledger.lease_holder("t") == "quick"
        quick.check()


def test_a_lease_is_renewed_in_the_background(tmp_path):
    with open_ledger(tmp_path) as ledger, ledger.lease("t", "me", ttl=0.3, wait=0) as lease:
        time.sleep(0.8)

        assert ledger.lease_holder("t") == "me"
        assert lease.token == 1


def test_the_lease_of_a_killed_process_is_free_at_once(tmp_path):
    with open_ledger(tmp_path) as ledger:
        child = start(hold_lease, str(tmp_path), "t", 60)
        wait_until((tmp_path / "held").exists)
        with pytest.raises(ConflictError), ledger.lease("t", "me", ttl=30, wait=0.05):
            pass

        child.kill()
        assert finish(child) == -signal.SIGKILL

        with ledger.lease("t", "me", ttl=30, wait=0) as lease:
            assert lease.token == 2


def test_processes_and_threads_never_hold_a_lease_together(tmp_path):
    """Each holder reads a number, waits, and writes it back plus one; a second holder would lose counts."""
    (tmp_path / "number").write_text("0")
    children = [start(count_under_lease, str(tmp_path), 15) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(count_under_lease, [str(tmp_path)] * 2, [10] * 2))
    assert [finish(child) for child in children] == [0, 0]

    assert (tmp_path / "number").read_text() == "50"
    with open_ledger(tmp_path) as ledger, ledger.lease("number", "me", ttl=30, wait=0) as lease:
        assert lease.token == 51


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["take", "drop", "check", "wait"])), max_size=20)
)
def test_at_any_time_one_holder_at_most_passes_its_check(tmp_path_factory, steps):
    clock = FixedClock(datetime(2026, 2, 16, tzinfo=UTC))
    path = tmp_path_factory.mktemp("ledger") / "ledger.db"
    with Ledger.open(path, clock=clock, ids=CountingIds()) as ledger:
        held, tokens = {}, []
        for who, action in steps:
            if action == "wait":
                clock.advance(20)
            elif action == "take" and who not in held:
                manager = ledger.lease("t", str(who), ttl=30, wait=0)
                try:
                    held[who] = (manager, manager.__enter__())
                    tokens.append(held[who][1].token)
                except ConflictError:
                    assert held
            elif action == "drop" and who in held:
                held.pop(who)[0].__exit__(None, None, None)
            elif action == "check" and who in held:
                passing = [lease for _, lease in held.values() if _passes(lease)]
                assert len(passing) <= 1
                assert all(lease.token == max(tokens) for lease in passing)
        assert tokens == sorted(set(tokens))
        for manager, _ in held.values():
            manager.__exit__(None, None, None)


def _passes(lease):
    try:
        lease.check()
    except LeaseLostError:
        return False
    return True
