"""What a plan asks of many slices at once is what it would hear of each alone."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from gamelake.model.slices import Slice
from gamelake.model.steps import OnMissing, Reading
from gamelake.pipeline.reach import Reach

DAYS = [f"2026-02-{day:02}" for day in range(26, 29)] + ["2026-03-01", "2026-03-02"]
PARTS = st.builds(
    lambda day, team: Slice.of(day=day, team=team), st.sampled_from(DAYS), st.sampled_from("ab")
)
REACHES = st.builds(
    lambda columns, back, missing, same: Reach(
        "a",
        "toy.silver.a",
        tuple((name, name) for name in columns),
        "day" if back else None,
        Reading(back, missing),
        same=same and columns == ("day", "team"),
    ),
    st.sampled_from([("day",), ("day", "team")]),
    st.integers(0, 2),
    st.sampled_from(OnMissing),
    st.booleans(),
)


@settings(max_examples=50, deadline=None)
@given(REACHES, st.lists(PARTS, unique=True), st.sets(PARTS))
def test_many_slices_at_once_miss_and_read_what_each_does_alone(
    reach: Reach, parts: list[Slice], there: set[Slice]
) -> None:
    plain = replace(reach, same=False)
    cut = {plain.cut(part) for part in there}
    first = plain.first_days(cut)
    alone = {part: plain.missing(part, cut, first) for part in parts}
    read = {part: [key for key in plain.keys(part) if key in cut] for part in parts}

    assert reach.gaps(parts, cut, first) == {part: gap for part, gap in alone.items() if gap is not None}
    assert dict(reach.touched(parts, cut)) == {part: keys[0] for part, keys in read.items() if keys}
