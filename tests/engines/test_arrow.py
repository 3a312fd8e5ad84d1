"""Arrow rows into Parquet files."""

from __future__ import annotations

from uuid import UUID

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gamelake.engines.arrow import write_rows
from gamelake.errors import LayoutError, OperatorError
from gamelake.model.schema import Column, ColumnType, Schema

SCHEMA = Schema(
    (Column("day", ColumnType.DATE), Column("name", ColumnType.TEXT), Column("n", ColumnType.BIGINT))
)


def rows(count=3, start=0):
    names = pa.array([f"n{at % 2}" for at in range(count)]).dictionary_encode()
    return pa.table(
        {"n": pa.array(range(start, start + count)), "name": names, "day": ["2026-01-07"] * count}
    )


def read(path):
    return duckdb.sql(f"SELECT * FROM read_parquet('{path}')").to_arrow_table()


def test_columns_take_the_order_and_types_of_the_schema(tmp_path) -> None:
    written = write_rows([rows()], SCHEMA, tmp_path / "a.parquet")

    table = read(tmp_path / "a.parquet")
    assert written is not None
    assert table.schema == pa.schema([("day", pa.date32()), ("name", pa.string()), ("n", pa.int64())])
    assert (written.file.rows, written.file.bytes) == (3, (tmp_path / "a.parquet").stat().st_size)
    assert (written.facts["day"].least, written.facts["day"].nulls) == ("2026-01-07", 0)


def test_every_storage_type_comes_back(tmp_path) -> None:
    uid = UUID("5b0f3b5e-6b3a-5c1c-9f0e-1f2a3b4c5d6e")
    given_values = {
        "text": ["a"], "int": pa.array([1], pa.int64()), "bigint": [2**40], "double": [0.1], "bool": [True],
        "date": ["2026-01-07"], "timestamp": pa.array([1_000], pa.timestamp("ms")), "uuid": [str(uid)], "blob": [b"\xff"],
    }  # fmt: skip
    schema = Schema(tuple(Column(kind.value, kind) for kind in ColumnType))

    write_rows([pa.table(given_values)], schema, tmp_path / "a.parquet")

    found = duckdb.sql(
        f"SELECT * REPLACE (timestamp::VARCHAR AS timestamp) FROM '{tmp_path / 'a.parquet'}'"
    ).fetchall()
    assert [column[1] for column in duckdb.sql(f"DESCRIBE FROM '{tmp_path / 'a.parquet'}'").fetchall()] == [
        kind.sql if kind is not ColumnType.TIMESTAMP else "TIMESTAMP WITH TIME ZONE" for kind in ColumnType
    ]
    assert found[0][:5] == ("a", 1, 2**40, 0.1, True)
    assert found[0][7:] == (uid, b"\xff")


@pytest.mark.parametrize("tables", [[], [rows(0)], [rows(0), rows(0)]])
def test_no_rows_leave_no_file(tmp_path, tables) -> None:
    assert write_rows(tables, SCHEMA, tmp_path / "a.parquet") is None
    assert not (tmp_path / "a.parquet").exists()


def test_the_same_rows_give_the_same_digest_and_others_another(tmp_path) -> None:
    first, again, other = (
        write_rows([rows(5, start)], SCHEMA, tmp_path / name)
        for name, start in (("a", 0), ("b", 0), ("c", 1))
    )

    assert first
    assert again
    assert other
    assert first.digest == again.digest != other.digest


@pytest.mark.parametrize(
    ("column", "values", "told"),
    [
        ("n", ["many"] * 3, "many"),
        ("n", [1.5] * 3, "truncated"),
        ("n", pa.array([2**63] * 3, pa.uint64()), "not in range"),
        ("day", ["yesterday"] * 3, "yesterday"),
    ],
)
def test_a_value_that_does_not_fit_names_its_column_and_leaves_no_file(
    tmp_path, column, values, told
) -> None:
    table = rows().drop_columns([column]).append_column(column, pa.array(values))

    with pytest.raises(LayoutError, match=told) as caught:
        write_rows([rows(), table], SCHEMA, tmp_path / "a.parquet")

    assert caught.value.at is not None
    assert caught.value.at.key == column
    assert not (tmp_path / "a.parquet").exists()


def test_a_folder_that_cannot_be_written_is_the_operators_matter(tmp_path) -> None:
    with pytest.raises(OperatorError, match="staged rows cannot be written"):
        write_rows([rows()], SCHEMA, tmp_path / "no" / "folder" / "a.parquet")


@given(
    st.lists(
        st.lists(st.one_of(st.none(), st.sampled_from(["", "x", "é", "Kel'Thuzad"])), max_size=6),
        min_size=1,
        max_size=5,
    )
)
def test_chunks_with_dictionaries_of_their_own_keep_their_texts(tmp_path_factory, chunks) -> None:
    path = tmp_path_factory.mktemp("chunks") / "a.parquet"
    schema = Schema((Column("name", ColumnType.TEXT),))
    chunked = pa.chunked_array([pa.array(chunk, pa.string()).dictionary_encode() for chunk in chunks])

    write_rows([pa.table({"name": chunked})], schema, path)

    flat = [text for chunk in chunks for text in chunk]
    assert (read(path)["name"].to_pylist() if flat else []) == flat
