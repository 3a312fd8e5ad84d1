"""Reading tables that others write with Iceberg: snapshots as versions, projection, types, changed schemas, deletes."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.manifest import DataFileContent
from pyiceberg.table import DataScan

from gamelake.clock import SystemClock
from gamelake.connections import IcebergConnection
from gamelake.errors import LayoutError, OperatorError, StoreError
from gamelake.model.schema import Column, ColumnType, Schema
from gamelake.model.slices import Slice
from gamelake.model.steps import SourceInput, TableInput
from gamelake.stores.iceberg_source import IcebergSource
from gamelake.stores.remote import Remote


@pytest.fixture
def theirs(tmp_path) -> SqlCatalog:
    """A catalogue of somebody else, written by pyiceberg alone."""
    catalog = SqlCatalog("theirs", uri=f"sqlite:///{tmp_path}/catalog.db", warehouse=str(tmp_path))
    catalog.create_namespace("l2m")
    yield catalog
    catalog.close()


@pytest.fixture
def source(theirs, tmp_path) -> IcebergSource:
    uri = f"sqlite:///{tmp_path}/catalog.db"
    known = IcebergConnection(name="game", kind="iceberg", catalog="sql", catalog_name="theirs", uri=uri)
    return IcebergSource(known, Remote("game", tmp_path / "health.json", clock=SystemClock(), pause=0.01))


def wanted(*sliced: str, table: str = "l2m.players", **columns: str) -> SourceInput:
    schema = Schema(tuple(Column(name, ColumnType(kind)) for name, kind in columns.items()))
    return SourceInput(TableInput("game", table), schema, sliced=sliced)


def ignore(rows):
    """Nobody asks how far it is."""


def rows_of(source, what, folder, *slices) -> list[dict]:
    (path,) = source.read(what, folder, ignore, slices)
    return pq.read_table(path).to_pylist()


def players(catalog, **more):
    rows = pa.table({"id": [1, 2, 3], "name": ["a", "b", None], **more})
    table = catalog.create_table("l2m.players", rows.schema)
    table.append(rows)
    return table


def test_only_the_columns_of_the_layout_are_read(theirs, source, tmp_path):
    players(theirs, secret=["x", "y", "z"])

    assert rows_of(source, wanted(id="bigint", name="text"), tmp_path) == [
        {"id": 1, "name": "a"},
        {"id": 2, "name": "b"},
        {"id": 3, "name": None},
    ]


def test_the_version_is_the_snapshot(theirs, source, monkeypatch):
    table, what = players(theirs), wanted(id="bigint")
    monkeypatch.setattr(DataScan, "to_arrow_batch_reader", None)  # nothing is scanned for it
    first = source.version(what)
    assert first == source.version(what) == f"{table.current_snapshot().snapshot_id}/0"

    table.append(pa.table({"id": [4], "name": ["d"]}))
    second = source.version(what)
    with table.update_schema() as change:
        change.rename_column("name", "nick")

    assert len({first, second, source.version(what)}) == 3


def test_a_renamed_column_keeps_its_rows_under_its_new_name(theirs, source, tmp_path):
    table = players(theirs)
    with table.update_schema() as change:
        change.rename_column("name", "nick")
    table.append(pa.table({"id": [4], "nick": ["d"]}))

    found = rows_of(source, wanted(id="bigint", nick="text"), tmp_path)
    with pytest.raises(LayoutError, match="the table has no column `name`"):
        source.read(wanted(name="text"), tmp_path, ignore)

    assert sorted((row["id"], row["nick"]) for row in found if row["nick"]) == [(1, "a"), (2, "b"), (4, "d")]


def test_deleted_rows_are_gone(theirs, source, tmp_path):
    table = players(theirs)
    table.delete("id = 2")

    assert [row["id"] for row in rows_of(source, wanted(id="bigint"), tmp_path)] == [1, 3]


def test_equality_deletes_are_refused_in_words(theirs, source, tmp_path, monkeypatch):
    players(theirs)
    content = (
        DataFileContent.EQUALITY_DELETES
    )  # pyiceberg cannot write any: the manifest says so of a data file
    from pyiceberg.manifest import DataFile

    monkeypatch.setattr(DataFile, "content", property(lambda _: content))

    with pytest.raises(
        OperatorError, match=r"`l2m.players` has equality deletes, which cannot be read"
    ) as caught:
        source.read(wanted(id="bigint"), tmp_path, ignore)

    assert "must compact it" in str(caught.value)


def test_values_arrive_as_the_declared_types(theirs, source, tmp_path):
    rows = pa.table(
        {
            "id": pa.array([1], pa.int32()),
            "money": pa.array([Decimal("12345678.1250")], pa.decimal128(18, 4)),
            "exact": pa.array([Decimal("0.1000")], pa.decimal128(18, 4)),
            "born": pa.array([date(2026, 2, 16)]),
            "seen_at": pa.array([datetime(2026, 2, 16, 12, tzinfo=UTC)], pa.timestamp("us", "UTC")),
            "local": pa.array([datetime(2026, 2, 16, 12)], pa.timestamp("us")),  # noqa: DTZ001 – it has none
            "tags": pa.array([["a", None]], pa.list_(pa.string())),
            "raw": pa.array([b"\x00\xff"]),
            "ds": pa.array(["2026-02-17"]),
            "ok": pa.array([True]),
        }
    )
    theirs.create_table("l2m.players", rows.schema).append(rows)
    what = wanted(
        id="bigint", money="decimal(18,4)", exact="text", born="date", seen_at="timestamp", local="timestamp",
        tags="text", raw="blob", ds="date", ok="bool",
    )  # fmt: skip

    (row,) = rows_of(source, what, tmp_path)

    noon = datetime(2026, 2, 16, 12, tzinfo=UTC)
    assert json.loads(row.pop("tags")) == ["a", None]
    assert row == {
        "id": 1, "money": Decimal("12345678.1250"), "exact": "0.1000", "born": date(2026, 2, 16), "seen_at": noon,
        "local": noon, "raw": b"\x00\xff", "ds": date(2026, 2, 17), "ok": True,
    }  # fmt: skip
    with pytest.raises(LayoutError) as caught:
        source.read(wanted(money="bigint", seen_at="date"), tmp_path, ignore)
    assert "`money` is decimal(18, 4) in the table, which cannot be read as bigint" in str(caught.value)
    assert "`seen_at` is timestamptz in the table, which cannot be read as date" in str(caught.value)


def test_a_value_that_does_not_fit_names_its_column(theirs, source, tmp_path):
    players(theirs, big=[1, 2, 5_000_000_000])

    with pytest.raises(LayoutError, match=r"schema.big: a value does not fit"):
        source.read(wanted(big="int"), tmp_path, ignore)


DAYS = [date(2026, 3, 1), date(2026, 3, 2)]


def logins(catalog, partitioned_by):
    moments = [datetime(2026, 3, 1, 23, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)]
    rows = pa.table(
        {
            "ds": DAYS,
            "at": pa.array([m.replace(tzinfo=None) for m in moments], pa.timestamp("us")),
            "id": [1, 2],
        }
    )
    table = catalog.create_table("l2m.logins", rows.schema)
    if partitioned_by is not None:
        with table.update_spec() as spec:
            spec.add_identity(partitioned_by)
    table.append(rows)
    return table


@pytest.mark.parametrize("partitioned_by", ["ds", "id", None])
def test_slices_are_listed_and_only_theirs_is_read(theirs, source, tmp_path, partitioned_by):
    table, what = logins(theirs, partitioned_by), wanted("ds", table="l2m.logins", ds="date", id="bigint")
    first = source.listing(what)

    table.append(pa.table({"ds": [DAYS[1]], "at": [None], "id": [3]}, schema=table.scan().to_arrow().schema))
    second = source.listing(what)

    days = [Slice.of(ds=day.isoformat()) for day in DAYS]
    assert sorted(first) == sorted(second) == days
    stale = [part for part in days if first[part] != second[part]]
    assert stale == (days[1:] if partitioned_by == "ds" else days)
    assert [row["id"] for row in rows_of(source, what, tmp_path, days[0])] == [1]
    assert sorted(row["id"] for row in rows_of(source, what, tmp_path, *days)) == [1, 2, 3]


def test_a_moment_may_be_read_by_day(theirs, source, tmp_path):
    logins(theirs, None)
    what = wanted("at", table="l2m.logins", at="date", id="bigint")

    assert sorted(source.listing(what)) == [Slice.of(at=day.isoformat()) for day in DAYS]
    assert [row["id"] for row in rows_of(source, what, tmp_path, Slice.of(at="2026-03-01"))] == [1]


def test_a_slice_column_that_is_null_is_told(theirs, source):
    table = logins(theirs, "ds")
    table.append(pa.table({"ds": [None], "at": [None], "id": [3]}, schema=table.scan().to_arrow().schema))

    with pytest.raises(
        LayoutError, match=r"`ds` is null in some rows of `l2m.logins`, which belong to no slice"
    ):
        source.listing(wanted("ds", table="l2m.logins", ds="date"))


def test_what_is_not_there_is_told(theirs, source, tmp_path):
    players(theirs)

    with pytest.raises(LayoutError, match=r"the catalogue has no table `l2m.player`") as caught:
        source.version(wanted(table="l2m.player", id="bigint"))
    assert "did you mean `l2m.players`?" in str(caught.value)

    nowhere = IcebergConnection(name="game", kind="iceberg", catalog="sql", uri=f"sqlite:///{tmp_path}/no.db")
    away = IcebergConnection(name="game", kind="iceberg", uri="http://127.0.0.1:9/catalog")
    remote = Remote("game", tmp_path / "other.json", clock=SystemClock(), pause=0.01, tries=1)
    with pytest.raises(OperatorError, match=r"there is no catalogue `.*no.db`"):
        IcebergSource(nowhere, remote).version(wanted(id="bigint"))
    assert not (tmp_path / "no.db").exists()
    with pytest.raises(StoreError, match=r"the rest catalogue http://127.0.0.1:9/catalog failed"):
        IcebergSource(away, remote).version(wanted(id="bigint"))


def test_files_that_are_gone_are_tried_again_and_told(theirs, source, tmp_path):
    table = players(theirs)
    for task in table.scan().plan_files():
        Path(task.file.file_path.removeprefix("file://")).unlink()

    with pytest.raises(StoreError, match="failed: FileNotFoundError"):
        source.read(wanted(id="bigint"), tmp_path, ignore)
