"""Files that must not be registered, and what their writer is told."""

from datetime import date
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gamelake.errors import LayoutError, StoreError
from gamelake.model.publish import StagedFile
from gamelake.model.schema import Column, ColumnType
from gamelake.stores.footers import column_types, read_footer, slice_value, verify_files
from lake_world import ARROW, NIGHT, OUTPUT, rows_of, write_rows

ROWS = rows_of(NIGHT, [1, 2, 3])
BASE = [(column.name, ARROW[column.type]) for column in OUTPUT.schema.columns]


def refusal(tmp_path, rows=ROWS, fields=BASE, claimed=None):
    file = write_rows(tmp_path / f"{uuid4()}.parquet", rows, pa.schema(fields))
    if claimed is not None:
        file = StagedFile(file.path, claimed, file.bytes)
    with pytest.raises(LayoutError) as caught:
        verify_files(OUTPUT, NIGHT, [file])
    return str(caught.value).replace(file.path, "FILE")


def replaced(name, kind):
    return [(column, kind if column == name else known) for column, known in BASE]


def test_a_good_file_passes(tmp_path):
    file = write_rows(tmp_path / "good.parquet", ROWS)

    assert list(verify_files(OUTPUT, NIGHT, [file])) == [file.path]


def test_no_files_pass():
    assert verify_files(OUTPUT, NIGHT, []) == {}


def test_a_missing_column(tmp_path):
    fields = [field for field in BASE if field[0] != "note"]

    assert refusal(tmp_path, fields=fields) == (
        "FILE (note): column `note` of `wow.gold.fact` is missing\n\n"
        "hint: select it in the SQL, also when it is constant in the slice"
    )


def test_a_missing_slice_column(tmp_path):
    fields = [field for field in BASE if field[0] != "team"]

    assert "FILE (team): column `team` of `wow.gold.fact` is missing" in refusal(tmp_path, fields=fields)


def test_a_column_nobody_declared(tmp_path):
    text = refusal(tmp_path, fields=[*BASE, ("nota", pa.string())])

    assert text == "FILE (nota): `wow.gold.fact` has no column `nota`\n\nhint: did you mean `note`?"


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        (pa.uint64(), "`INT64 Int(bitWidth=64, isSigned=false)`"),
        (pa.int32(), "int"),
        (pa.float64(), "double"),
        (pa.int16(), "`INT32 Int(bitWidth=16, isSigned=true)`"),
        (pa.decimal128(18, 0), "decimal(18,0)"),
        (pa.string(), "text"),
        (pa.list_(pa.int64()), "`INT64 nested`"),
    ],
)
def test_another_type(tmp_path, kind, shown):
    rows = [{**row, "n": None} for row in ROWS]

    text = refusal(tmp_path, rows=rows, fields=replaced("n", kind))

    assert text == f"FILE (n): type is {shown}, declared bigint\n\nhint: cast it: `CAST(n AS BIGINT)`"


def test_a_timestamp_without_zone_or_in_nanoseconds_is_another_type(tmp_path):
    for kind in (pa.timestamp("us"), pa.timestamp("ns", tz="UTC"), pa.timestamp("ms", tz="UTC")):
        path = tmp_path / "t.parquet"
        pq.write_table(pa.table({"t": pa.array([None], kind)}), path)
        assert column_types(read_footer(str(path)))["t"] != ColumnType.TIMESTAMP


def test_nulls_in_a_required_column(tmp_path):
    text = refusal(tmp_path, rows=[*ROWS, {**ROWS[0], "n": None}])

    assert text == (
        "FILE (n): 1 nulls in a column that is not nullable\n\n"
        "hint: drop such rows in the SQL, or declare the column nullable"
    )


def test_rows_of_another_slice(tmp_path):
    text = refusal(tmp_path, rows=[*ROWS, {**ROWS[0], "raid_date": date(2026, 2, 17)}])

    assert text == (
        "FILE (raid_date): rows with raid_date `2026-02-17` in the slice of `2026-02-16`\n\n"
        "hint: every row of a slice must hold the slice's own values"
    )


def test_a_null_slice_column(tmp_path):
    assert "rows with team `None` in the slice of" in refusal(
        tmp_path, rows=[*ROWS, {**ROWS[0], "team": None}]
    )


def test_a_value_that_differs_far_behind_its_start_is_noticed(tmp_path):
    """Statistics of long text may be cut; equality is then proven by reading."""
    long = "x" * 5000
    part = type(NIGHT).of(raid_date="2026-02-16", team=long)
    good = write_rows(tmp_path / "good.parquet", rows_of(part, [1, 2]))
    bad = write_rows(
        tmp_path / "bad.parquet", [*rows_of(part, [1]), {**rows_of(part, [2])[0], "team": long + "y"}]
    )

    verify_files(OUTPUT, part, [good])
    with pytest.raises(LayoutError, match="rows with team"):
        verify_files(OUTPUT, part, [bad])


def test_a_file_without_statistics_is_read(tmp_path):
    schema = pa.schema(BASE)
    for rows, fine in (
        (ROWS, True),
        ([*ROWS, {**ROWS[0], "team": "else"}], False),
        ([{**ROWS[0], "n": None}], False),
    ):
        path = tmp_path / f"{uuid4()}.parquet"
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), path, write_statistics=False)
        file = StagedFile(str(path), len(rows), 1)
        if fine:
            verify_files(OUTPUT, NIGHT, [file])
        else:
            with pytest.raises(LayoutError):
                verify_files(OUTPUT, NIGHT, [file])


def test_a_miscounted_file(tmp_path):
    assert "FILE: holds 3 rows, its writer counted 4" in refusal(tmp_path, claimed=4)


def test_the_same_file_twice(tmp_path):
    file = write_rows(tmp_path / "x.parquet", ROWS)

    with pytest.raises(LayoutError, match="the same file is staged twice"):
        verify_files(OUTPUT, NIGHT, [file, file])


def test_everything_wrong_is_said_at_once(tmp_path):
    fields = [("raid_date", pa.string()), ("n", pa.uint64()), ("extra", pa.string())]

    text = refusal(tmp_path, rows=[{"raid_date": "2026-02-16", "n": 1}], fields=fields)

    assert all(f"({name})" in text for name in ("raid_date", "team", "n", "note", "extra"))


def test_a_file_that_is_no_parquet(tmp_path):
    path = tmp_path / "x.parquet"
    path.write_bytes(b"PAR1 nothing of the kind")

    with pytest.raises(StoreError, match="a staged file is not readable Parquet"):
        read_footer(str(path))


@settings(deadline=None)
@given(st.dates(), st.integers(-(2**31), 2**31 - 1), st.text(max_size=20))
def test_slice_values_read_what_slices_say(day, number, text):
    assert slice_value(Column("d", ColumnType.DATE), day.isoformat()) == day
    assert slice_value(Column("i", ColumnType.INT), str(number)) == number
    assert slice_value(Column("t", ColumnType.TEXT), text) == text
