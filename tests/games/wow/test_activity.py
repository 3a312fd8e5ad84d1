"""Time at work, against a slow twin."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gamelake.games.wow.activity import PAUSE, Activity

PLAYERS = np.array([False, True, False, True, True, False])
CODES = [1, 3, 4]
EVENTS = st.lists(st.tuples(st.integers(0, 3), st.sampled_from(CODES), st.integers(-50, 40_000)), max_size=60)


def slow(events, pull, player):
    times = sorted(ms for p, who, ms in events if (p, who) == (pull, player))
    return sum(b - a for a, b in itertools.pairwise(times) if b - a < PAUSE)


@given(EVENTS, st.integers(1, 7))
def test_it_adds_up_the_short_gaps_in_any_order_of_lines(events, pieces) -> None:
    activity = Activity(PLAYERS)
    for start in range(pieces):
        part = events[start::pieces]
        activity.note(*(np.array([event[at] for event in part], np.int64) for at in range(3)))

    for pull in range(4):
        for player in CODES:
            assert activity.active_ms(pull, player) == slow(events, pull, player)


def test_nobody_acted() -> None:
    assert Activity(PLAYERS).active_ms(0, 1) == 0
