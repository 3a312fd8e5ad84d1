"""Opening a ledger: migrations, other versions, other processes, damage, speed."""

import signal
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
import sqlalchemy as sa

from gamelake.clock import CountingIds, SystemClock, SystemIds
from gamelake.errors import OperatorError, StoreError
from gamelake.ledger import Ledger, migrations
from gamelake.ledger.tables import metadata
from lake_world import append_and_die, finish, start


def open_at(path):
    return Ledger.open(path, clock=SystemClock(), ids=SystemIds())


def shape(engine):
    """Tables, columns and indexes as the database sees them."""
    inspector = sa.inspect(engine)
    return {
        table: (
            [
                (column["name"], str(column["type"]), column["nullable"], bool(column["primary_key"]))
                for column in inspector.get_columns(table)
            ],
            sorted((index["name"], tuple(index["column_names"])) for index in inspector.get_indexes(table)),
            sorted(key["referred_table"] for key in inspector.get_foreign_keys(table)),
        )
        for table in inspector.get_table_names()
        if table != "sqlite_sequence"
    }


def test_the_migrations_lead_to_the_tables_we_use(tmp_path):
    open_at(tmp_path / "migrated.db").close()
    migrated = sa.create_engine(f"sqlite:///{tmp_path}/migrated.db")
    declared = sa.create_engine("sqlite://")
    metadata.create_all(declared)

    assert shape(migrated) == shape(declared)
    migrated.dispose()
    declared.dispose()


def test_the_version_and_its_day_are_in_the_ledger(tmp_path):
    open_at(tmp_path / "ledger.db").close()

    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        versions = [row[0] for row in connection.execute("SELECT version FROM schema_version")]
        mode = connection.execute("PRAGMA journal_mode").fetchone()

    assert versions == list(range(1, migrations.NEWEST + 1))
    assert mode == ("wal",)


def test_an_older_ledger_is_migrated_and_keeps_its_rows(tmp_path, monkeypatch):
    with open_at(tmp_path / "ledger.db") as ledger:
        run_id = ledger.create_run("run", "old", {})
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, ("CREATE TABLE extra (x TEXT)",)))
    monkeypatch.setattr(migrations, "NEWEST", len(migrations.MIGRATIONS))

    with open_at(tmp_path / "ledger.db") as ledger:
        assert ledger.run(run_id).title == "old"
        with ledger._database.read() as connection:
            assert sa.inspect(connection).has_table("extra")


def test_a_migration_that_fails_leaves_the_older_version(tmp_path, monkeypatch):
    open_at(tmp_path / "ledger.db").close()
    broken = ("CREATE TABLE extra (x TEXT)", "CREATE NONSENSE")
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, broken))
        patch.setattr(migrations, "NEWEST", len(migrations.MIGRATIONS))
        with pytest.raises(StoreError):
            open_at(tmp_path / "ledger.db")

    with open_at(tmp_path / "ledger.db") as ledger, ledger._database.read() as connection:
        assert not sa.inspect(connection).has_table("extra")


def test_a_newer_ledger_is_refused(tmp_path):
    open_at(tmp_path / "ledger.db").close()
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        connection.execute("INSERT INTO schema_version VALUES (99, 'x')")
        connection.commit()

    with pytest.raises(OperatorError) as caught:
        open_at(tmp_path / "ledger.db")

    assert str(caught.value) == (
        f"{tmp_path}/ledger.db: the ledger has version 99, this gamelake knows versions up to {migrations.NEWEST}\n\n"
        "hint: it was written by a newer gamelake: upgrade this one"
    )


def test_a_file_that_is_no_database(tmp_path):
    (tmp_path / "ledger.db").write_text("not a database, " * 100)

    with pytest.raises(StoreError, match="the ledger is damaged: file is not a database"):
        open_at(tmp_path / "ledger.db")


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "ledger.db").mkdir()

    with pytest.raises(StoreError, match="the ledger could not be used: unable to open database file"):
        open_at(tmp_path / "ledger.db")


def test_many_open_a_new_ledger_at_once(tmp_path):
    def touch(number):
        with open_at(tmp_path / "deep" / "ledger.db") as ledger:
            return ledger.append_event("opened", data={"n": number})

    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(touch, range(16)))

    assert sorted(numbers) == list(range(1, 17))


def test_opening_is_quick(tmp_path):
    open_at(tmp_path / "ledger.db").close()
    times = []
    for _ in range(5):
        before = time.perf_counter()
        open_at(tmp_path / "ledger.db").close()
        times.append(time.perf_counter() - before)

    assert min(times) < 0.05


def test_a_reader_does_not_wait_for_a_writer(tmp_path):
    with Ledger.open(tmp_path / "ledger.db", clock=SystemClock(), ids=CountingIds()) as ledger:
        ledger.append_event("before")
        with ledger._database.write() as connection:
            ledger._event(connection, "inside", None, {})
            assert [event.kind for event in ledger.events()] == ["before"]

        assert [event.kind for event in ledger.events()] == ["before", "inside"]


def test_a_failed_transaction_changes_nothing(tmp_path):
    def fail(ledger):
        with ledger._database.write() as connection:
            ledger._event(connection, "x", None, {})
            raise ZeroDivisionError

    with open_at(tmp_path / "ledger.db") as ledger:
        with pytest.raises(ZeroDivisionError):
            fail(ledger)

        assert ledger.last_event() == 0


def test_a_process_killed_inside_a_transaction_leaves_nothing(tmp_path):
    with open_at(tmp_path / "ledger.db") as ledger:
        assert finish(start(append_and_die, str(tmp_path))) == -signal.SIGKILL

        assert [event.data["n"] for event in ledger.events()] == [0, 1]
        assert ledger.append_event("after") == 3
