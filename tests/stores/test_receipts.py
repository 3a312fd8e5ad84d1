"""Receipts survive being written and read, and add up to the state of the table."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gamelake.errors import StoreError
from gamelake.model.publish import PublishedSlice, Receipt
from gamelake.model.slices import Slice
from gamelake.stores.receipts import TableState, fold, index_text, parse_index, parse_receipt, receipt_text

ROOT = "/data/lake/wow/gold/fact"
slices = st.builds(
    Slice,
    st.lists(
        st.tuples(st.sampled_from(["day", "team"]), st.text(max_size=8)), max_size=2, unique_by=lambda k: k[0]
    ).map(tuple),
)
published = st.builds(
    PublishedSlice,
    slice=slices,
    version=st.integers(1, 99),
    files=st.lists(
        st.sampled_from([f"{ROOT}/data/run/a.parquet", f"{ROOT}/data/b.parquet", "/else/c.parquet"])
    ).map(tuple),
    rows=st.integers(0, 2**40),
    bytes=st.integers(0, 2**40),
    content_hash=st.text(max_size=5),
    fingerprint=st.text(max_size=5),
    inputs=st.dictionaries(st.text(max_size=3), st.dictionaries(st.text(max_size=3), st.integers(1, 9))),
)
receipts = st.builds(
    Receipt,
    id=st.text(min_size=1, max_size=5),
    run_id=st.text(max_size=5),
    step=st.text(max_size=5),
    dataset=st.just("wow.gold.fact"),
    slices=st.lists(published, max_size=3, unique_by=lambda part: part.slice).map(tuple),
    published_at=st.datetimes(timezones=st.just(UTC)),
)


@settings(max_examples=40, deadline=None)
@given(receipts)
def test_a_receipt_comes_back_as_it_was(receipt):
    assert parse_receipt(receipt_text(receipt, ROOT), ROOT, "here") == receipt


@settings(max_examples=40, deadline=None)
@given(st.lists(receipts, max_size=4), st.integers(0, 4))
def test_folding_some_receipts_into_an_index_changes_nothing(history, cut):
    commits = list(enumerate(history, start=1))
    whole = fold(TableState(), commits)

    index = parse_index(index_text(fold(TableState(), commits[:cut]), ROOT), ROOT, "here")
    again = fold(index, commits)  # old snapshots may still be held: they count once

    def facts(state):
        return {
            part: (now.version, now.files, now.rows, now.content_hash) for part, now in state.slices.items()
        }

    assert facts(again) == facts(whole)
    assert again.sequence == whole.sequence


def test_paths_are_kept_relative_to_the_table():
    part = PublishedSlice(Slice(), 1, (f"{ROOT}/data/run/a.parquet",), 1, 1, "", "")
    receipt = Receipt("r", "run", "step", "wow.gold.fact", (part,), datetime(2026, 2, 17, tzinfo=UTC))

    assert json.loads(receipt_text(receipt, ROOT))["slices"][0]["files"] == ["data/run/a.parquet"]


def test_an_unreadable_receipt_names_its_place():
    with pytest.raises(StoreError, match=r"snap.json: this receipt cannot be read"):
        parse_receipt('{"id": 1}', ROOT, "snap.json")
    with pytest.raises(StoreError, match=r"index.json: the table's slice index cannot be read"):
        parse_index("[]", ROOT, "index.json")
