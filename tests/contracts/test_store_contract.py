"""The sentences of `TableStore`, held against every implementation."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pytest

from gamelake.clock import FixedClock
from gamelake.engines.arrow import arrow_type
from gamelake.errors import LayoutError, LeaseLostError, NotFoundError, StoreError
from gamelake.ledger.rows import SliceVersion
from gamelake.model.names import DatasetName
from gamelake.model.publish import StagedFile, StagedSlice
from gamelake.model.schema import Column, ColumnType, Schema
from gamelake.model.slices import Slice
from gamelake.model.steps import Output
from gamelake.stores.lake import Lake
from gamelake.stores.memory import MemoryStore
from gamelake.stores.postgres import PostgresStore
from gamelake.stores.remote import Remote
from lake_world import ARROW, DATASET, NIGHT, OTHER, OUTPUT, night, rows_of, write_rows

NOW = datetime(2026, 2, 17, 12, tzinfo=UTC)


class OurLease:
    """A lease nobody disputes, or one that is lost."""

    def __init__(self, *, lost=False):
        self.name, self.token, self.lost = "table", 1, lost

    def check(self):
        if self.lost:
            raise LeaseLostError("lost")


@pytest.fixture(params=["memory", "lake", "postgres"])
def store(request, tmp_path):
    clock = FixedClock(NOW)
    if request.param == "postgres":
        server, name = request.getfixturevalue("postgres_server"), request.getfixturevalue("database")
        remote = Remote("warehouse", tmp_path / "health.json", clock=clock)
        made = PostgresStore(server.connection(name), tmp_path, project="p1", clock=clock, remote=remote)
    elif request.param == "memory":
        made = MemoryStore(tmp_path, clock=clock)
    else:
        made = Lake(tmp_path, clock=clock)
    made.ensure_table(OUTPUT)
    yield made
    if request.param == "lake":
        made.close()


def stage(store, part, numbers):
    folder = store.staging_folder(DATASET, "run")
    file = write_rows(folder / f"{uuid4()}.parquet", rows_of(part, numbers))
    return StagedSlice(
        part, (file,), len(numbers), f"hash-{numbers}", "fingerprint", {"wow.silver.events": {"all": 3}}
    )


def commit(store, *staged, receipt_id=None, output=OUTPUT, lease=None):
    return store.commit(
        output,
        staged,
        receipt_id=receipt_id or str(uuid4()),
        run_id="run",
        step="step",
        lease=lease or OurLease(),
    )


def test_a_new_table_holds_nothing(store):
    assert store.datasets() == [DATASET]
    assert store.files(DATASET) == {}
    assert store.current(DATASET) == {}
    assert store.receipts(DATASET) == []
    assert store.schema(DATASET) == OUTPUT.schema


def test_a_missing_table_reads_as_empty_and_refuses_commits(store):
    other = Output(DatasetName.parse("wow.gold.factt"), OUTPUT.schema, slice_columns=OUTPUT.slice_columns)
    assert store.files("wow.gold.factt") == {}
    assert store.find_receipt("wow.gold.factt", "r1") is None

    with pytest.raises(NotFoundError) as caught:
        commit(store, stage(store, NIGHT, [1]), output=other)

    assert str(caught.value).endswith("has no table `wow.gold.factt`\n\nhint: did you mean `wow.gold.fact`?")


def test_ensuring_a_table_again_changes_nothing(store):
    commit(store, stage(store, NIGHT, [1]))

    store.ensure_table(OUTPUT)

    assert list(store.files(DATASET)) == [NIGHT]


def test_every_drift_of_a_schema_is_named_at_once(store):
    columns = (
        Column("raid_date", ColumnType.DATE, nullable=False),
        Column("team", ColumnType.TEXT, nullable=False),
        Column("n", ColumnType.INT, nullable=False),
        Column("notes", ColumnType.TEXT),
    )
    changed = Output(OUTPUT.dataset, Schema(columns), slice_columns=("raid_date",))

    with pytest.raises(LayoutError) as caught:
        store.ensure_table(changed)

    text = str(caught.value)
    assert "wow.gold.fact.schema.n: the table has bigint not null, declared is int not null" in text
    assert "wow.gold.fact.schema.notes: the table has no such column\n\nhint: did you mean `note`?" in text
    assert "wow.gold.fact.schema.note: a column of the table is no longer declared" in text
    assert (
        "wow.gold.fact.slice: the table's slice columns are raid_date, team, declared are raid_date" in text
    )


def test_a_slice_column_must_be_able_to_name_slices(store):
    schema = Schema((Column("x", ColumnType.DOUBLE),))
    bad = Output(DatasetName.parse("wow.gold.bad"), schema, slice_columns=("x", "y"))

    with pytest.raises(LayoutError) as caught:
        store.ensure_table(bad)

    assert "a double column cannot name slices, expected one of: bigint, bool, date, int, text" in str(
        caught.value
    )
    assert "slice column `y` is not in the schema" in str(caught.value)


def test_staged_files_are_invisible_until_committed(store):
    staged = stage(store, NIGHT, [1, 2])
    assert store.files(DATASET) == {}

    commit(store, staged)

    assert store.files(DATASET) == {NIGHT: [staged.files[0].path]}


def test_a_commit_replaces_its_slices_and_no_others(store):
    commit(store, stage(store, NIGHT, [1]), stage(store, OTHER, [2]))
    newer = stage(store, NIGHT, [3])

    receipt = commit(store, newer)

    current = store.current(DATASET)
    assert current[NIGHT].files == (newer.files[0].path,)
    assert current[NIGHT].version == 2
    assert current[OTHER].version == 1
    assert receipt.slices == (current[NIGHT],)


def test_a_receipt_says_what_was_committed_and_can_be_found(store):
    staged = stage(store, NIGHT, [1, 2])

    receipt = commit(store, staged, receipt_id="r1")

    assert store.find_receipt(DATASET, "r1") == receipt
    assert store.find_receipt(DATASET, "r2") is None
    assert store.receipts(DATASET) == [receipt]
    assert (receipt.id, receipt.run_id, receipt.step, receipt.dataset) == ("r1", "run", "step", DATASET)
    assert receipt.published_at == NOW
    (part,) = receipt.slices
    assert (part.slice, part.version, part.rows, part.bytes) == (NIGHT, 1, 2, staged.files[0].bytes)
    assert (part.content_hash, part.fingerprint) == ("hash-[1, 2]", "fingerprint")
    assert part.inputs == {"wow.silver.events": {"all": 3}}


def test_a_repeated_receipt_id_commits_nothing(store):
    first = commit(store, stage(store, NIGHT, [1]), receipt_id="r1")

    again = commit(store, stage(store, NIGHT, [2]), receipt_id="r1")

    assert again == first
    assert store.current(DATASET)[NIGHT].version == 1


@pytest.mark.parametrize("before", [True, False])
def test_an_emptied_slice_is_a_version_without_files(store, before):
    if before:
        commit(store, stage(store, NIGHT, [1]))

    receipt = commit(store, StagedSlice(NIGHT, (), 0, "none", "fingerprint", {}), receipt_id="r2")

    assert store.files(DATASET) == {}
    assert store.current(DATASET)[NIGHT].version == (2 if before else 1)
    assert store.find_receipt(DATASET, "r2") == receipt


def test_a_commit_of_nothing_or_of_a_slice_twice_is_a_mistake_of_ours(store):
    with pytest.raises(ValueError, match="at least one slice"):
        commit(store)
    with pytest.raises(ValueError, match=r"slices named twice in one commit: raid_date=2026-02-16"):
        commit(store, stage(store, NIGHT, [1]), stage(store, NIGHT, [2]))


def test_a_lost_lease_changes_nothing(store):
    with pytest.raises(LeaseLostError):
        commit(store, stage(store, NIGHT, [1]), lease=OurLease(lost=True))

    assert store.current(DATASET) == {}


def test_a_bad_file_stops_the_whole_commit(store):
    good = stage(store, NIGHT, [1])
    wrong = write_rows(store.staging_folder(DATASET, "run") / "wrong.parquet", rows_of(NIGHT, [1]))

    with pytest.raises(LayoutError, match="in the slice of `2026-02-17`"):
        commit(store, good, StagedSlice(OTHER, (wrong,), 1, "hash", "fingerprint", {}))

    assert store.current(DATASET) == {}


def test_a_missing_file_is_the_stores_problem(store):
    gone = StagedFile("/nowhere/x.parquet", 1, 1)

    with pytest.raises(StoreError, match="a staged file is gone"):
        store.verify(OUTPUT, NIGHT, [gone])


def test_an_earlier_version_can_be_committed_again(store):
    first = commit(store, stage(store, NIGHT, [1]))
    commit(store, stage(store, NIGHT, [2]))

    receipt = commit(store, store.restage(as_version(first)))

    (part,) = receipt.slices
    assert part.version == 3
    assert part.files == first.slices[0].files
    assert part.content_hash == first.slices[0].content_hash
    assert store.files(DATASET)[NIGHT] == list(first.slices[0].files)


def test_committing_the_current_files_again_is_a_new_version(store):
    first = commit(store, stage(store, NIGHT, [1]))

    receipt = commit(store, store.restage(as_version(first)))

    assert receipt.slices[0].version == 2
    assert store.files(DATASET)[NIGHT] == list(first.slices[0].files)


def test_a_version_whose_files_are_gone_cannot_come_back(store, tmp_path):
    first = commit(store, stage(store, NIGHT, [1]))
    version = as_version(first)
    lost = SliceVersion(**{**version.__dict__, "files": (str(tmp_path / "gone.parquet"),)})

    with pytest.raises(NotFoundError, match=r"version 1 of `wow.gold.fact` raid_date=2026-02-16"):
        store.restage(lost)


def test_a_table_without_slice_columns_is_one_slice(store):
    money = ColumnType("decimal(18,4)")
    schema = Schema(tuple(Column(kind.value, kind) for kind in (*ColumnType, money)))
    output = Output(DatasetName.parse("wow.gold.dim"), schema)
    store.ensure_table(output)
    arrow = pa.schema([(kind.value, arrow_type(kind)) for kind in (*ColumnType, money)])
    folder = store.staging_folder("wow.gold.dim", "run")
    file = write_rows(folder / "dim.parquet", [{}, {money.value: Decimal("1.5")}], arrow)

    commit(store, StagedSlice(Slice(), (file,), 2, "hash", "fingerprint", {}), output=output)
    commit(store, StagedSlice(Slice(), (file,), 2, "hash", "fingerprint", {}), output=output)

    assert store.files("wow.gold.dim") == {Slice(): [file.path]}
    assert store.current("wow.gold.dim")[Slice()].version == 2
    assert store.schema("wow.gold.dim") == schema


def test_slices_of_every_allowed_type_come_back_as_they_were(store):
    kinds = (ColumnType.TEXT, ColumnType.INT, ColumnType.BIGINT, ColumnType.BOOL, ColumnType.DATE)
    schema = Schema(tuple(Column(kind.value, kind, nullable=False) for kind in kinds))
    output = Output(DatasetName.parse("wow.gold.kinds"), schema, slice_columns=schema.names)
    store.ensure_table(output)
    part = Slice.of(text="", int="-5", bigint=str(2**40), bool="true", date="2026-02-16")
    row = {
        "text": "",
        "int": -5,
        "bigint": 2**40,
        "bool": True,
        "date": datetime(2026, 2, 16, tzinfo=UTC).date(),
    }
    arrow = pa.schema([(kind.value, ARROW[kind]) for kind in kinds])
    file = write_rows(store.staging_folder("wow.gold.kinds", "run") / "k.parquet", [row], arrow)

    commit(store, StagedSlice(part, (file,), 1, "hash", "fingerprint", {}), output=output)
    commit(store, StagedSlice(part, (), 0, "hash", "fingerprint", {}), output=output)

    assert store.current("wow.gold.kinds")[part].version == 2


def test_a_slice_must_have_exactly_the_tables_slice_columns(store):
    with pytest.raises(
        LayoutError, match=r"does not have the slice columns of `wow.gold.fact`: raid_date, team"
    ):
        store.verify(OUTPUT, Slice.of(raid_date="2026-02-16"), [])
    with pytest.raises(LayoutError, match="slice value `yesterday` is no date"):
        store.verify(OUTPUT, night("yesterday"), [])


def as_version(receipt):
    part = receipt.slices[0]
    return SliceVersion(
        dataset=receipt.dataset,
        slice=part.slice,
        version=part.version,
        files=part.files,
        rows=part.rows,
        bytes=part.bytes,
        content_hash=part.content_hash,
        fingerprint=part.fingerprint,
        inputs=part.inputs,
        receipt_id=receipt.id,
        run_id=receipt.run_id,
        step=receipt.step,
        published_at=receipt.published_at,
    )


def test_an_output_that_evolves_changes_the_table_with_its_commit_and_takes_older_files(store):
    first = commit(store, stage(store, NIGHT, [1, 2])).slices[0]
    wider = Schema((*OUTPUT.schema.columns, Column("extra", ColumnType.INT)))
    evolving = replace(OUTPUT, schema=wider, evolve=True)
    store.ensure_table(evolving)
    assert store.schema(DATASET) == OUTPUT.schema

    folder = store.staging_folder(DATASET, "run")
    schema = pa.schema([(column.name, ARROW[column.type]) for column in wider.columns])
    rows = [{**row, "extra": 7} for row in rows_of(OTHER, [3])]
    file = write_rows(folder / f"{uuid4()}.parquet", rows, schema)
    commit(store, StagedSlice(OTHER, (file,), 1, "hash", "fingerprint", {}), output=evolving)
    assert store.schema(DATASET) == wider

    files = tuple(StagedFile(path, 2, Path(path).stat().st_size) for path in first.files)
    commit(store, StagedSlice(NIGHT, files, 2, "hash", "fingerprint", {}), output=evolving)
    assert store.current(DATASET)[NIGHT].version == 2
    with pytest.raises(LayoutError, match="no longer declared"):
        store.ensure_table(OUTPUT)


@pytest.mark.parametrize(
    "column",
    [Column("extra", ColumnType.INT, nullable=False), Column("note", ColumnType.BIGINT)],
    ids=["required", "another type"],
)
def test_what_is_no_evolution_is_drift_all_the_same(store, column):
    columns = {known.name: known for known in OUTPUT.schema.columns} | {column.name: column}
    changed = replace(OUTPUT, schema=Schema(tuple(columns.values())), evolve=True)

    with pytest.raises(LayoutError, match=column.name):
        store.ensure_table(changed)
