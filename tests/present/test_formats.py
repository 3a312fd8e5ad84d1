"""Numbers, times and sizes as people read them; the docstrings hold the everyday cases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gamelake.present import formats

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (-1, "-1"),
        (999, "999"),
        (9_999, "9,999"),
        (10_000, "10.0 k"),
        (999_600, "1.00 M"),
        (1_000_000, "1.00 M"),
        (1_234_567_890, "1.23 B"),
        (-24_789_146, "-24.8 M"),
        (float("nan"), "–"),
        (float("inf"), "–"),
    ],
)
def test_numbers_keep_three_digits(value, text):
    assert formats.number(value) == text


@given(st.floats(allow_nan=True, allow_infinity=True) | st.integers(-(10**18), 10**18))
def test_every_number_has_a_short_form(value):
    assert len(formats.number(value)) < 20 or abs(value) >= 1e16


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 ms"), (0.9999, "1.0 s"), (59.94, "59.9 s"), (59.96, "1 min"), (3600, "1 h"), (3661, "1 h 1 min")],
)
def test_durations_never_show_sixty(seconds, text):
    assert formats.duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (59, "59 seconds ago"),
        (60, "1 minute ago"),
        (7200, "2 hours ago"),
        (86_400 * 400, "1 year ago"),
        (-600, "in 10 minutes"),
    ],
)
def test_ages_use_the_largest_unit(seconds, text):
    assert formats.ago(NOW - timedelta(seconds=seconds), NOW) == text


def test_a_time_without_zone_is_utc():
    assert formats.ago(datetime(2026, 11, 22, 11, 59), NOW) == "1 minute ago"  # noqa: DTZ001


@pytest.mark.parametrize(("value", "text"), [(999.4, "999 B"), (1_500, "1.5 kB"), (2_147_483_648, "2.15 GB")])
def test_sizes(value, text):
    assert formats.size(value) == text
