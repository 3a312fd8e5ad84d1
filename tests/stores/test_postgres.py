"""What only a Postgres can do wrong: keys, types, two sessions at once, and a server that dies."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime
from uuid import UUID, uuid4

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gamelake import failpoints
from gamelake.clock import FixedClock
from gamelake.errors import ConflictError, LayoutError, LeaseLostError, OperatorError, StoreError
from gamelake.model.names import DatasetName
from gamelake.model.publish import StagedSlice
from gamelake.model.schema import Column, ColumnType, Schema
from gamelake.model.slices import Slice
from gamelake.model.steps import Output, Target
from gamelake.stores import postgres_copy
from gamelake.stores.postgres import PostgresStore
from gamelake.stores.remote import BreakerState, Remote
from lake_world import ARROW, DATASET, NIGHT, OTHER, OUTPUT, finish, rows_of, start, wait_until, write_rows
from postgres_server import Server, running_server

NOW = datetime(2026, 2, 17, 12, tzinfo=UTC)


class OurLease:
    name = "table"

    def __init__(self, token=1):
        self.token = token

    def check(self):
        """Never lost."""


def store_at(server, database, folder, *, project="p1") -> PostgresStore:
    clock = FixedClock(NOW)
    remote = Remote("warehouse", folder / "health.json", clock=clock, pause=0.01)
    return PostgresStore(
        server.connection(database), folder / "staging", project=project, clock=clock, remote=remote
    )


def stage(store, part, numbers) -> StagedSlice:
    file = write_rows(store.staging_folder(DATASET, "run") / f"{uuid4()}.parquet", rows_of(part, numbers))
    return StagedSlice(part, (file,), len(numbers), f"hash-{numbers}", "fingerprint", {})


def commit(store, *staged, output=OUTPUT, token=1, receipt_id=None):
    return store.commit(
        output,
        staged,
        receipt_id=receipt_id or str(uuid4()),
        run_id="run",
        step="step",
        lease=OurLease(token),
    )


@pytest.fixture
def store(postgres_server, database, tmp_path):
    made = store_at(postgres_server, database, tmp_path)
    made.ensure_table(OUTPUT)
    return made


@pytest.fixture
def ask(postgres_server, database):
    return lambda query, *values: postgres_server.execute(query, *values, database=database)


def numbers(ask, part=NIGHT):
    day = date.fromisoformat(part.as_dict()["raid_date"])
    return [n for (n,) in ask("SELECT n FROM wow_gold.fact WHERE raid_date = %s ORDER BY n", day)]


def test_rows_are_replaced_slice_by_slice(store, ask):
    commit(store, stage(store, NIGHT, [1, 2]), stage(store, OTHER, [9]))
    commit(store, stage(store, NIGHT, [3]))

    assert (numbers(ask), numbers(ask, OTHER)) == ([3], [9])
    assert ask("SELECT version, rows FROM gamelake.slices ORDER BY slice") == [(2, 1), (1, 1)]


def test_a_table_is_made_with_keys_types_and_words(postgres_server, database, tmp_path, ask):
    columns = tuple(Column(kind.value, kind, doc=f"a {kind.value}") for kind in ColumnType)
    schema = Schema(
        (Column("day", ColumnType.DATE, nullable=False), Column("who", ColumnType.TEXT, False), *columns)
    )
    output = Output(
        DatasetName.parse("wow.gold.dim"),
        schema,
        slice_columns=("day",),
        grain=("who",),
        description="Everybody's things",
        target=Target("warehouse", "reporting.players"),
    )
    store = store_at(postgres_server, database, tmp_path)
    store.ensure_table(output)
    store.ensure_table(output)

    keys = ask("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'reporting.players'::regclass AND contype = 'p'")  # fmt: skip
    assert keys == [("PRIMARY KEY (day, who)",)]
    assert ask("SELECT obj_description('reporting.players'::regclass)") == [("Everybody's things",)]
    assert store.schema("wow.gold.dim") == schema


def test_an_output_without_grain_gets_an_index_on_its_slice(store, ask):
    indexes = ask("SELECT indexdef FROM pg_indexes WHERE tablename = 'fact'")

    assert [text.partition(" USING ")[2] for (text,) in indexes] == [
        "brin (raid_date, team) WITH (autosummarize='on')"
    ]


VALUES = {
    ColumnType.TEXT: st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    ColumnType.INT: st.integers(-(2**31), 2**31 - 1),
    ColumnType.BIGINT: st.integers(-(2**63), 2**63 - 1),
    ColumnType.DOUBLE: st.floats(allow_nan=False),
    ColumnType.BOOL: st.booleans(),
    ColumnType.DATE: st.dates(),
    ColumnType.TIMESTAMP: st.datetimes(timezones=st.just(UTC)),
    ColumnType.UUID: st.uuids(),
    ColumnType.BLOB: st.binary(max_size=50),
}
ROW = st.fixed_dictionaries({kind.value: st.none() | values for kind, values in VALUES.items()})


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROW, max_size=5))
def test_every_value_arrives_as_it_left(postgres_server, database, tmp_path, rows):
    schema = Schema(tuple(Column(kind.value, kind) for kind in ColumnType))
    output = Output(DatasetName.parse("wow.gold.kinds"), schema)
    store = store_at(postgres_server, database, tmp_path)
    store.ensure_table(output)
    arrow = pa.schema([(kind.value, ARROW[kind]) for kind in ColumnType])
    stored = [{**row, "uuid": row["uuid"].bytes if row["uuid"] else None} for row in rows]
    file = write_rows(tmp_path / f"{uuid4()}.parquet", stored, arrow)
    files = (file,) if rows else ()

    commit(store, StagedSlice(Slice(), files, len(rows), "h", "f", {}), output=output)

    listed = ", ".join(f'"{name}"' for name in schema.names)
    seen = postgres_server.execute(f"SELECT {listed} FROM wow_gold.kinds", database=database)
    assert seen == [tuple(row[name] for name in schema.names) for row in rows]
    assert all(isinstance(row[7], UUID | None) for row in seen)


def test_a_value_postgres_cannot_hold_is_the_layouts_mistake(store, ask):
    commit(store, stage(store, NIGHT, [1]))
    rows = rows_of(NIGHT, [2], note="a\0b")
    file = write_rows(store.staging_folder(DATASET, "run") / "nul.parquet", rows)

    with pytest.raises(LayoutError, match="a value does not fit: invalid byte sequence"):
        commit(store, StagedSlice(NIGHT, (file,), 1, "h", "f", {}))

    assert numbers(ask) == [1]


def test_a_grain_that_repeats_is_refused_by_the_key(postgres_server, database, tmp_path, ask):
    output = Output(OUTPUT.dataset, OUTPUT.schema, slice_columns=OUTPUT.slice_columns, grain=("n",))
    store = store_at(postgres_server, database, tmp_path)
    store.ensure_table(output)
    commit(store, stage(store, NIGHT, [1]), output=output)

    with pytest.raises(LayoutError, match="the table refuses the rows: duplicate key"):
        commit(store, stage(store, NIGHT, [2, 2]), output=output)

    assert numbers(ask) == [1]


def test_two_slices_are_published_side_by_side_and_the_same_slice_waits(store, ask):
    with store.publishing(OUTPUT, [stage(store, NIGHT, [1])], "r1"):
        commit(store, stage(store, OTHER, [2]))  # would hang here if it had to wait
        assert numbers(ask, OTHER) == [2]
        ended = threading.Event()
        same = threading.Thread(target=lambda: (commit(store, stage(store, NIGHT, [3])), ended.set()))
        same.start()
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        wait_until(lambda: ask(waiting) == [(1,)])
        assert not ended.is_set()
        assert numbers(ask) == []
    same.join(10)

    assert numbers(ask) == [3]  # the first one never finished, so it was undone


def publish_many(server_folder, database, folder, part, values, times):
    """Child: publish one slice again and again."""
    from pathlib import Path

    store = store_at(Server(Path(server_folder)), database, Path(folder))
    for _ in range(times):
        commit(store, stage(store, part, values))


def test_processes_at_once_lose_and_double_nothing(store, ask, postgres_server, database, tmp_path):
    jobs = [(NIGHT, [1, 2]), (NIGHT, [3, 4]), (OTHER, [5])]
    children = [
        start(publish_many, str(postgres_server.folder), database, str(tmp_path), *job, 8) for job in jobs
    ]

    assert [finish(child) for child in children] == [0, 0, 0]
    assert numbers(ask) in ([1, 2], [3, 4])
    assert numbers(ask, OTHER) == [5]
    assert ask("SELECT version FROM gamelake.slices ORDER BY slice") == [(16,), (8,)]
    assert ask("SELECT count(*) FROM gamelake.receipts") == [(24,)]


def test_a_newer_lease_is_a_fence(store, ask):
    commit(store, stage(store, NIGHT, [1]), token=7)

    with pytest.raises(LeaseLostError, match=r"published under a newer lease .token 7, ours is 6."):
        commit(store, stage(store, NIGHT, [2]), token=6)

    assert numbers(ask) == [1]


def test_a_table_has_one_writing_project(store, postgres_server, database, tmp_path):
    other = store_at(postgres_server, database, tmp_path, project="p2")

    with pytest.raises(ConflictError, match="is written by another gamelake project"):
        other.ensure_table(OUTPUT)


def test_rows_of_others_are_not_ours_to_replace(postgres_server, database, tmp_path, ask):
    store = store_at(postgres_server, database, tmp_path)
    ask("CREATE SCHEMA wow_gold")
    ask(
        "CREATE TABLE wow_gold.fact (raid_date date NOT NULL, team text NOT NULL, n bigint NOT NULL, note text)"
    )
    ask("INSERT INTO wow_gold.fact VALUES ('2026-02-16', 'a', 1, 'theirs')")

    with pytest.raises(ConflictError, match="exists in Postgres with rows that gamelake did not write"):
        store.ensure_table(OUTPUT)

    ask("DELETE FROM wow_gold.fact")
    store.ensure_table(OUTPUT)
    assert store.datasets() == [DATASET]


def test_a_dropped_table_is_made_again_and_holds_nothing(store, ask):
    commit(store, stage(store, NIGHT, [1]), receipt_id="r1")
    ask("DROP TABLE wow_gold.fact")

    store.ensure_table(OUTPUT)

    assert store.current(DATASET) == {}
    assert store.find_receipt(DATASET, "r1") is None
    commit(store, stage(store, NIGHT, [2]), receipt_id="r1")
    assert numbers(ask) == [2]


@pytest.fixture
def mortal(tmp_path):
    """A server of the test's own, with one published night."""
    with running_server() as server:
        store = store_at(server, "postgres", tmp_path)
        store.ensure_table(OUTPUT)
        commit(store, stage(store, NIGHT, [1]))
        yield server, store


def seen(server):
    return [n for (n,) in server.execute("SELECT n FROM wow_gold.fact ORDER BY n")]


def test_a_server_killed_in_the_middle_of_copy_keeps_the_old_rows(mortal, monkeypatch):
    server, store = mortal
    staged = stage(store, NIGHT, range(200_000))
    genuine = postgres_copy.wire_batches

    def dying(schema, files):
        for number, batch in enumerate(genuine(schema, files)):
            if number == 2:
                server.kill()
            yield batch

    monkeypatch.setattr(postgres_copy, "wire_batches", dying)
    with pytest.raises(StoreError, match="Postgres at tester@"):
        commit(store, staged, receipt_id="r2")
    monkeypatch.undo()
    server.start()

    assert seen(server) == [1]
    commit(store, staged, receipt_id="r2")
    assert len(seen(server)) == 200_000


def test_a_server_killed_before_the_commit_keeps_the_old_rows(mortal, monkeypatch):
    server, store = mortal
    staged = stage(store, NIGHT, [2])
    monkeypatch.setattr(failpoints, "hit", lambda name: server.kill() if name == "target.in_commit" else None)
    with pytest.raises(StoreError):
        commit(store, staged, receipt_id="r2")
    monkeypatch.undo()
    server.start()

    assert seen(server) == [1]
    assert commit(store, staged, receipt_id="r2").slices[0].version == 2
    assert seen(server) == [2]


def test_an_answer_lost_after_the_commit_is_found_by_its_receipt(mortal, monkeypatch):
    server, store = mortal
    first = commit(store, stage(store, NIGHT, [2]), receipt_id="r2")
    server.kill()  # a crash: what was committed is there afterwards
    server.start()

    assert commit(store, stage(store, NIGHT, [3]), receipt_id="r2") == first
    assert seen(server) == [2]


def test_a_dead_server_is_asked_a_few_times_and_then_left_alone(mortal):
    server, store = mortal
    server.kill()
    for _ in range(2):
        with pytest.raises(StoreError):
            store.ensure_table(OUTPUT)  # three tries each, so the second call is cut short

    assert store.remote.state is BreakerState.OPEN
    with pytest.raises(StoreError, match="`warehouse` failed 5 times in a row and is left alone for now"):
        store.current(DATASET)

    server.start()
    store.remote._clock.advance(31)
    assert store.remote.state is BreakerState.HALF_OPEN
    assert NIGHT in store.current(DATASET)
    assert store.remote.state is BreakerState.CLOSED


def test_a_wrong_database_is_no_outage(postgres_server, tmp_path, monkeypatch):
    monkeypatch.setenv("GAMELAKE_CONNECTION_WAREHOUSE_PASSWORD", "hunter2")
    store = store_at(postgres_server, "nowhere", tmp_path)

    with pytest.raises(OperatorError, match='database "nowhere" does not exist') as caught:
        store.ensure_table(OUTPUT)

    assert not isinstance(caught.value, StoreError)
    assert "hunter2" not in str(caught.value) + repr(caught.value) + repr(store.connection)
    assert store.remote.state is BreakerState.CLOSED
