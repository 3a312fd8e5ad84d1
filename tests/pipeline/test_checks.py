"""Checks that compare with something else than their own row, and a slow twin of every kind that counts rows."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gamelake.engines.base import Written
from gamelake.engines.duckdb import DuckDBEngine
from gamelake.model.checks import Check, CheckKind, CheckResult, Severity, Tolerance
from gamelake.model.names import DatasetName
from gamelake.model.publish import StagedFile
from gamelake.model.schema import Column, ColumnType, Schema
from gamelake.model.slices import Slice
from gamelake.model.steps import OnEmpty, Output
from gamelake.pipeline.audit import audit
from gamelake.pipeline.evidence import Evidence, Part

NOW = datetime(2026, 2, 17, 12, tzinfo=UTC)
DAY = Slice.of(day="2026-02-16")
BEFORE = Slice.of(day="2026-02-14")
ARROW = {
    ColumnType.DATE: pa.date32(),
    ColumnType.TEXT: pa.string(),
    ColumnType.BIGINT: pa.int64(),
    ColumnType.DOUBLE: pa.float64(),
    ColumnType.TIMESTAMP: pa.timestamp("us", tz="UTC"),
}
COLUMNS = {
    "day": ColumnType.DATE,
    "k": ColumnType.TEXT,
    "n": ColumnType.BIGINT,
    "m": ColumnType.BIGINT,
    "x": ColumnType.DOUBLE,
    "at": ColumnType.TIMESTAMP,
}
SCHEMA = Schema(tuple(Column(name, kind) for name, kind in COLUMNS.items()))
OURS = Output(DatasetName.parse("toy.gold.x"), SCHEMA, slice_columns=("day",), on_empty=OnEmpty.CLEAR)
THEIRS = Output(DatasetName.parse("toy.silver.y"), SCHEMA, slice_columns=("day",))
WHOLE = Output(DatasetName.parse("toy.gold.dim"), SCHEMA)
OUTPUTS = {str(output.dataset): output for output in (OURS, THEIRS, WHOLE)}
Row = dict[str, Any]


class World:
    """Writes rows, and judges them."""

    def __init__(self, session: Any, folder: Path) -> None:
        self.session = session
        self.folder = folder
        self.files = 0

    def write(self, rows: list[Row], day: str = "2026-02-16") -> str:
        arrays = {
            name: pa.array(
                [row.get(name) if name != "day" else date.fromisoformat(day) for row in rows], ARROW[kind]
            )
            for name, kind in COLUMNS.items()
        }
        self.files += 1
        file = self.folder / f"{self.files}.parquet"
        pq.write_table(pa.table(arrays), file)
        return str(file)

    def judge(
        self, check: Check, rows: list[Row], *, output: Output = OURS, part: Slice = DAY, **parts
    ) -> CheckResult:
        """`parts`: `theirs`, `dim` and `own`, each slice → rows."""
        names = {"theirs": "toy.silver.y", "dim": "toy.gold.dim", "own": "toy.gold.x"}
        told = {
            names[name]: {
                s: Part(
                    len(found), (self.write(found, s.as_dict().get("day", "2026-02-16")),) if found else ()
                )
                for s, found in slices.items()
            }
            for name, slices in parts.items()
        }
        evidence = Evidence(NOW, OUTPUTS, told)
        written = [Written(StagedFile(self.write(rows), len(rows), 1))] if rows else []
        checked = replace(output, checks=(check,))
        found = audit(self.session, checked, part, written, evidence=evidence)
        return next(result for result in found.results if result.name == "c")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    engine = DuckDBEngine(tmp_path_factory.mktemp("spill"), memory="500MB")
    with engine.session() as opened:
        yield World(opened, tmp_path_factory.mktemp("rows"))
    engine.close()


def check(kind: str, tolerance: Tolerance | None = None, **spec: Any) -> Check:
    return Check("c", CheckKind(kind), spec, tolerance=tolerance or Tolerance())


def names(*values: str | None) -> list[Row]:
    return [{"k": value} for value in values]


RELATED = check("relationship", columns=["k"], dataset="toy.gold.dim")


@pytest.mark.parametrize(
    ("rows", "there", "missing"),
    [
        (names("a", "b", "b", None), names("a", None), 2),
        (names("a", None), names("a", "b"), 0),
        (names("a"), [], 1),
        (names(None), [], 0),
        ([], names("a"), 0),
    ],
)
def test_values_without_a_partner_are_counted_and_nulls_are_not_asked(world, rows, there, missing) -> None:
    found = world.judge(RELATED, rows, dim={Slice(): there})

    assert (found.value, found.passed) == (missing, missing == 0)
    assert len(found.sample) == missing


def test_several_columns_are_compared_together(world) -> None:
    together = check("relationship", columns=["k", "n"], to=["k", "m"], dataset="toy.gold.dim")
    rows = [{"k": "a", "n": 1}, {"k": "a", "n": 2}, {"k": "a"}]

    found = world.judge(together, rows, dim={Slice(): [{"k": "a", "m": 1}, {"k": "b", "m": 2}]})

    assert found.value == 1
    assert found.sample[0]["n"] == 2


def test_a_relationship_over_the_slice_column_reads_the_agreeing_slices_only(world) -> None:
    both = check("relationship", columns=["day", "k"], dataset="toy.silver.y")
    parts = {DAY: names("a"), BEFORE: names("b")}

    found = world.judge(both, names("a", "b"), theirs=parts)
    anywhere = world.judge(
        check("relationship", columns=["k"], dataset="toy.silver.y"), names("a", "b"), theirs=parts
    )

    assert (found.value, anywhere.value) == (1, 0)


@pytest.mark.parametrize(
    ("newest", "limit", "value", "passed"),
    [
        ("2026-02-17T11:00", "2h", 1.0, True),
        ("2026-02-17T10:00", "2h", 2.0, True),
        ("2026-02-17T09:59", "2h", 2.017, False),
        ("2026-02-18T00:00", "2h", 0.0, True),  # a clock that runs ahead is not old
        ("2026-02-15T12:00", "1.5d", 2.0, False),
    ],
)
def test_the_newest_timestamp_is_compared_with_the_clock(world, newest, limit, value, passed) -> None:
    at = datetime.fromisoformat(newest).replace(tzinfo=UTC)
    rows = [{"at": at}, {"at": datetime(2020, 1, 1, tzinfo=UTC)}, {"at": None}]

    found = world.judge(check("freshness", column="at", max_age=limit), rows)

    assert (found.value, found.passed) == (value, passed)
    assert found.threshold.startswith("at most ")


def test_a_day_is_as_new_as_its_end_and_no_value_is_never_fresh(world) -> None:
    by_day = world.judge(check("freshness", column="day", max_age="12h"), names("a"))
    nothing = world.judge(check("freshness", column="at", max_age="12h"), names("a"))
    empty = world.judge(check("freshness", column="at", max_age="12h"), [])

    assert (by_day.value, by_day.passed) == (12.0, True)
    assert not nothing.passed
    assert (empty.passed, empty.threshold) == (True, "no rows, so none is too old")


@pytest.mark.parametrize(
    ("here", "there", "difference"),
    [
        ([1, 2, 3], [6], 0),
        ([1, 2, 3], [7], 1),
        ([1, None], [1], 0),
        ([], [], 0),
        ([], [5], 5),
        ([5], [], 5),
        ([2**62, 2**62], [2**62, 2**62, 1], 1),
    ],
)
def test_sums_are_compared_exactly(world, here, there, difference) -> None:
    conserved = check("conservation", column="n", to="m", dataset="toy.silver.y")
    parts = {DAY: [{"m": value} for value in there], BEFORE: [{"m": 100}]}

    found = world.judge(conserved, [{"n": value} for value in here], theirs=parts)

    assert (found.value, found.passed, found.threshold) == (difference, difference == 0, "0")


def test_groups_are_compared_one_by_one(world) -> None:
    conserved = check("conservation", column="n", dataset="toy.silver.y", by=["k"])
    here = [{"k": "a", "n": 3}, {"k": "b", "n": 1}, {"k": None, "n": 1}]
    there = [{"k": "a", "n": 1}, {"k": "b", "n": 3}, {"k": None, "n": 1}]

    found = world.judge(conserved, here, theirs={DAY: there})

    assert (found.value, found.passed) == (2, False)
    assert sorted(found.sample, key=lambda row: row["k"]) == [
        {"k": "a", "here": 3, "there": 1, "difference": 2.0},
        {"k": "b", "here": 1, "there": 3, "difference": 2.0},
    ]


@pytest.mark.parametrize(
    ("tolerance", "passed", "threshold"),
    [
        (Tolerance(share=0.01), True, "at most 1 % of the sum"),
        (Tolerance(share=0.001), False, "at most 0.1 % of the sum"),
        (Tolerance(amount=1), True, "at most 1"),
        (Tolerance(amount=0.5), False, "at most 0.5"),
    ],
)
def test_a_conservation_has_a_tolerance_of_the_sum(world, tolerance, passed, threshold) -> None:
    conserved = check("conservation", tolerance, column="n", dataset="toy.silver.y")

    found = world.judge(conserved, [{"n": 99}, {"n": 100}], theirs={DAY: [{"n": 200}]})

    assert (found.passed, found.threshold) == (passed, threshold)


def test_sums_of_doubles_may_differ_in_their_last_digits(world) -> None:
    conserved = check("conservation", column="x", dataset="toy.silver.y")
    rows = [{"x": 0.1}] * 10

    same = world.judge(conserved, rows, theirs={DAY: [{"x": 1.0}]})
    other = world.judge(conserved, rows, theirs={DAY: [{"x": 1.0001}]})

    assert (same.passed, other.passed) == (True, False)


def moves(*rows: tuple[str, int, int | None, int | None, int | None]) -> list[Row]:
    return [
        {"k": k, "n": n, "m": m, "x": x, "at": at and datetime(2026, 2, 16, at, tzinfo=UTC)}
        for k, n, m, x, at in rows
    ]


LEDGER = check("balance", gain=["n"], spend=["m"], balance="x", key=["k"], order=["at"])


def test_a_balance_follows_from_the_row_before_of_its_key(world) -> None:
    rows = moves(
        ("a", 0, 0, 10, 1), ("a", 5, None, 15, 2), ("a", 0, 7, 9, 3), ("b", 0, 0, 3, 1), ("b", 1, 1, 3, 2)
    )

    found = world.judge(LEDGER, rows)

    assert found.value == 1
    assert (found.sample[0]["x"], found.sample[0]["balance_before"]) == (9, 15)


def test_the_first_row_of_a_key_follows_from_the_slice_before(world) -> None:
    own = {
        BEFORE: moves(("a", 0, 0, 10, 1), ("a", 0, 0, 12, 2), ("b", 0, 0, 1, 1)),
        Slice.of(day="2026-02-10"): moves(("a", 0, 0, 99, 1)),
        Slice.of(day="2026-02-17"): moves(("a", 0, 0, 99, 1)),
    }
    rows = moves(("a", 3, 0, 15, 1), ("b", 1, 0, 3, 1), ("new", 0, 0, 50, 1))

    found = world.judge(LEDGER, rows, own=own)
    daily = world.judge(
        check("balance", gain=["n"], spend=["m"], balance="x", key=["day", "k"]),
        rows,
        own={BEFORE: moves(("a", 0, 0, 12, 1))},
    )

    assert [row["k"] for row in found.sample] == ["b"]
    assert daily.value == 0


def test_an_unknown_balance_breaks_the_chain(world) -> None:
    rows = moves(("a", 0, 0, 10, 1), ("a", 0, 0, None, 2), ("a", 0, 0, 10, 3))

    assert world.judge(LEDGER, rows).value == 2


def test_a_balance_may_name_its_opening_and_how_far_it_may_be_off(world) -> None:
    spec = {"gain": ["n"], "spend": ["m"], "balance": "x", "opening": "n"}
    rows = [{"n": 2, "m": 1, "x": 3}, {"n": 2, "m": 1, "x": 3.4}, {"n": None, "m": 0, "x": 0}]

    assert world.judge(check("balance", **spec), rows).value == 2
    assert world.judge(check("balance", **spec, within=0.5), rows).value == 1
    assert world.judge(check("balance", **spec), []).value == 0


@pytest.mark.parametrize(
    ("rows", "own", "value", "passed"),
    [
        (5, {}, 5, True),
        (5, {"2026-02-14": 10, "2026-02-15": 10}, 0.5, True),
        (4, {"2026-02-14": 10, "2026-02-15": 10}, 0.4, False),
        (4, {"2026-02-14": 2, "2026-02-15": 10}, 0.6667, True),
        (31, {"2026-02-15": 10}, 3.1, False),
        (4, {"2026-02-14": 4, "2026-02-15": 4, "2026-02-01": 9999, "2026-02-17": 9999}, 1, True),
        (0, {"2026-02-15": 10}, 0, False),
        (3, {"2026-02-15": 0}, 3, True),
    ],
)
def test_a_row_count_may_be_compared_with_the_slices_before(world, rows, own, value, passed) -> None:
    counted = check("row_count", min_ratio=0.5, max_ratio=3, previous=2)
    parts = {Slice.of(day=day): names(*["a"] * count) for day, count in own.items()}

    found = world.judge(counted, names(*["a"] * rows), own=parts)

    assert (found.value, found.passed) == (value, passed)


def test_an_output_without_slices_is_compared_with_what_it_holds(world) -> None:
    whole = replace(OURS, slice_columns=())

    found = world.judge(
        check("row_count", min_ratio=0.5),
        names("a"),
        output=whole,
        part=Slice(),
        own={Slice(): names("a", "b", "c")},
    )

    assert (found.value, found.passed) == (0.3333, False)


@pytest.mark.parametrize(
    ("tolerance", "passed", "threshold"),
    [
        (None, False, "0"),
        (Tolerance(amount=1), True, "at most 1"),
        (Tolerance(share=0.25), True, "at most 25 % of the rows"),
        (Tolerance(share=0.2), False, "at most 20 % of the rows"),
    ],
)
def test_a_tolerance_lets_some_rows_pass_and_shows_them(world, tolerance, passed, threshold) -> None:
    found = world.judge(check("not_null", tolerance, columns=["k"]), names("a", "b", "c", None))

    assert (found.value, found.passed, found.threshold, len(found.sample)) == (1, passed, threshold, 1)


def test_a_range_may_be_of_dates(world) -> None:
    assert world.judge(check("range", column="day", max=date(2026, 2, 15)), names("a")).value == 1
    assert world.judge(check("range", column="at", min=date(2026, 2, 15)), [{"at": NOW}]).value == 0


def twin(kind: str, rows: list[Row], there: list[Row], before: list[Row]) -> float:
    """What each check of `ALL_KINDS` counts, said the slow way."""
    if kind == "not_null":
        return sum(row["k"] is None or row["n"] is None for row in rows)
    if kind == "unique":
        return sum(count - 1 for count in Counter((row["k"], row["n"]) for row in rows).values())
    if kind == "accepted_values":
        return sum(row["k"] not in (None, "a", "b") for row in rows)
    if kind == "range":
        return sum(row["n"] is not None and not -1 <= row["n"] <= 2 for row in rows)
    if kind == "sql":
        return sum(not ((row["n"] is not None and row["n"] > 0) or row["k"] == "a") for row in rows)
    if kind == "relationship":
        known = {(row["k"], row["m"]) for row in there}
        return sum(None not in (row["k"], row["n"]) and (row["k"], row["n"]) not in known for row in rows)
    if kind == "conservation":
        groups = {row["k"] for row in (*rows, *there)}
        return max((abs(total(rows, "n", g) - total(there, "m", g)) for g in groups), default=0)
    wrong = 0
    last: dict[str | None, Any] = {row["k"]: row["m"] for row in sorted(before, key=lambda r: r["at"])}
    for row in sorted(rows, key=lambda r: r["at"]):
        if row["k"] in last:
            known = None not in (row["m"], last[row["k"]])
            wrong += not (known and (row["n"] or 0) - 0 == row["m"] - last[row["k"]])
        last[row["k"]] = row["m"]
    return wrong


def total(rows: list[Row], column: str, group: str | None) -> int:
    return sum(row[column] or 0 for row in rows if row["k"] == group)


ALL_KINDS = [
    check("not_null", columns=["k", "n"]),
    check("unique", columns=["k", "n"]),
    check("accepted_values", column="k", values=["a", "b"]),
    check("range", column="n", min=-1, max=2),
    check("sql", predicate="n > 0 OR k = 'a'"),
    check("relationship", columns=["k", "n"], to=["k", "m"], dataset="toy.silver.y"),
    check("conservation", column="n", to="m", by=["k"], dataset="toy.silver.y"),
    check("balance", gain=["n"], spend=["x"], balance="m", key=["k"], order=["at"]),
]
VALUES = st.one_of(st.none(), st.integers(-2, 3))
ROWS = st.lists(st.tuples(st.sampled_from([None, "a", "b", "c", "it's"]), VALUES, VALUES), max_size=8).map(
    lambda found: [
        {"k": k, "n": n, "m": m, "at": datetime(2026, 2, 16, 1, minute, tzinfo=UTC)}
        for minute, (k, n, m) in enumerate(found)
    ]
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, there=ROWS, before=ROWS)
def test_every_check_counts_what_its_slow_twin_counts(world, rows, there, before) -> None:
    for each in ALL_KINDS:
        found = world.judge(each, rows, theirs={DAY: there}, own={BEFORE: before})

        assert found.value == twin(each.kind.value, rows, there, before), each.kind
        assert found.passed is (found.value == 0)
        assert bool(found.sample) is (found.value > 0)


def test_all_checks_of_an_output_are_one_query(world, monkeypatch) -> None:
    asked: list[str] = []
    ask = world.session.one_row
    monkeypatch.setattr(world.session, "one_row", lambda sql: asked.append(sql) or ask(sql))
    several = tuple(replace(each, name=each.kind.value, severity=Severity.WARN) for each in ALL_KINDS)
    rows = [{"k": "a", "n": 1, "m": 1, "at": NOW}]
    written = [Written(StagedFile(world.write(rows), 1, 1))]

    found = audit(
        world.session, replace(OURS, checks=several), DAY, written, evidence=Evidence(NOW, OUTPUTS, {})
    )

    assert len(asked) == 1
    assert len(found.results) == len(several) + 1  # and that the rows belong to the slice
