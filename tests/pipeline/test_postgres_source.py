"""Tables and queries of a Postgres as inputs of layouts: read once, typed, in parts, and again when they changed."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from gamelake.clock import SystemClock
from gamelake.errors import LayoutError, OperatorError, StoreError
from gamelake.jobs.local import run_now
from gamelake.model.schema import Column, ColumnType, Schema
from gamelake.model.steps import QueryInput, SourceInput, Split, TableInput
from gamelake.pipeline.execute import RunRequest
from gamelake.pipeline.plan import plan
from gamelake.stores import postgres_source
from gamelake.stores.postgres_source import PostgresMoment, PostgresSource
from gamelake.stores.remote import Remote
from lake_world import wait_until
from postgres_server import USER, running_server
from sample_project import create, open_sample

LEVELS = """/* ---
description: Players of each level
inputSources:
  - name: players
    type: table
    connection: game
    table: public.players
    schema: {id: bigint not null, level: int, name: text}
outputs:
  - grain: [level]
    schema: {level: int, players: bigint not null}
--- */
SELECT level, count(*) AS players FROM players WHERE level IS NOT NULL GROUP BY level
"""
NAMES = """/* ---
description: Longest names
inputSources:
  - {name: players, type: table, connection: game, table: public.players, schema: {id: bigint not null, name: text}}
outputs:
  - grain: [id]
    schema: {id: bigint, letters: bigint}
--- */
SELECT id, length(name) AS letters FROM players WHERE name IS NOT NULL
"""


@pytest.fixture
def ask(postgres_server, database):
    return lambda query, *values: postgres_server.execute(query, *values, database=database)


@pytest.fixture
def game(postgres_server, database, tmp_path, ask):
    """A project whose layouts read a game's database."""
    root = create(tmp_path / "toy")
    for file in (root / "layouts" / "gold").iterdir():
        file.unlink()
    (root / "gamelake.toml").write_text(
        f'packs = []\n[profiles.dev.connections.game]\nkind = "postgres"\n'
        f'host = "{postgres_server.folder}"\ndatabase = "{database}"\nuser = "{USER}"\n'
    )
    ask("CREATE TABLE players (id bigint PRIMARY KEY, level int, name text, secret text)")
    ask("INSERT INTO players SELECT n, n % 10, 'player ' || n, 'x' FROM generate_series(1, 1000) n")
    layout(root, "levels", LEVELS)
    return root


def layout(root, name, text):
    (root / "layouts" / "gold" / f"{name}.sql").write_text(text)


def query(project, text):
    with project.connect() as connection:
        return connection.execute(text).fetchall()


def built(result) -> dict:
    return {step.step: len(step.built) for step in result.steps if step.built}


def test_a_table_is_read_into_a_dataset_that_layouts_use(game):
    with open_sample(game) as project:
        result = run_now(project, RunRequest())

        assert result.error is None
        assert query(project, "SELECT level, players FROM toy.gold.levels WHERE level = 3") == [(3, 100)]
        assert query(project, "SELECT count(*) FROM source.bronze.game_public_players") == [(1000,)]


def scans(ask):
    return ask("SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'players'")[0][0]


def test_one_scan_however_many_layouts_read_it(game, ask):
    layout(game, "names", NAMES)
    wait_until(
        lambda: ask("SELECT n_live_tup FROM pg_stat_user_tables WHERE relname = 'players'") == [(1000,)]
    )
    before = scans(ask)
    with open_sample(game) as project:
        assert run_now(project, RunRequest()).error is None
        assert len(query(project, "FROM toy.gold.names")) == 1000

    wait_until(lambda: scans(ask) > before)
    assert scans(ask) == before + 1


def test_a_second_run_reads_again_and_publishes_only_what_changed(game, ask):
    with open_sample(game) as project:
        run_now(project, RunRequest())
        assert [item.reason for item in plan(project).work] == ["read again by every run"]

        assert built(run_now(project, RunRequest())) == {}
        assert project.ledger.current("source.bronze.game_public_players").popitem()[1].version == 1

        ask("UPDATE players SET secret = 'y'")  # nobody reads that column
        assert built(run_now(project, RunRequest())) == {}
        ask("UPDATE players SET level = 3 WHERE id = 1")
        assert built(run_now(project, RunRequest())) == {
            "source.bronze.game_public_players": 1,
            "toy.gold.levels": 1,
        }
        assert query(project, "SELECT players FROM toy.gold.levels WHERE level = 3") == [(101,)]


def test_a_version_query_says_when_to_read_again(game, ask):
    changed = LEVELS.replace(
        "    table: public", "    refresh: version\n    version: SELECT version FROM patch\n    table: public"
    )
    layout(game, "levels", changed)
    ask("CREATE TABLE patch (version text)")
    ask("INSERT INTO patch VALUES ('1.0')")
    with open_sample(game) as project:
        run_now(project, RunRequest())
        assert plan(project).work == ()
        ask("UPDATE players SET level = 3 WHERE id = 1")
        assert built(run_now(project, RunRequest())) == {}

        ask("UPDATE patch SET version = '1.1'")

        assert [item.step for item in plan(project).work] == ["source.bronze.game_public_players"]
        assert len(built(run_now(project, RunRequest()))) == 2
        assert plan(project).work == ()


def test_force_reads_again_what_is_kept(game, ask):
    layout(game, "levels", LEVELS.replace("    table: public", "    refresh: force\n    table: public"))
    with open_sample(game) as project:
        run_now(project, RunRequest())
        assert plan(project).work == ()
        ask("UPDATE players SET level = 3 WHERE id = 1")
        run_now(project, RunRequest(force=True))

        assert query(project, "SELECT players FROM toy.gold.levels WHERE level = 3") == [(101,)]


def test_a_query_is_pushed_down(game, ask):
    text = LEVELS.replace("type: table", "type: query").replace(
        "table: public.players", "query: SELECT id, level, upper(name) AS name FROM players WHERE id <= 50"
    )
    layout(game, "levels", text)
    with open_sample(game) as project:
        assert run_now(project, RunRequest()).error is None
        (dataset,) = [name for name in project.graph.outputs if name.startswith("source.")]

        assert query(project, f"SELECT count(*), min(name) FROM {dataset}") == [(50, "PLAYER 1")]


def test_layouts_that_contradict_each_other_are_told(game):
    layout(game, "names", NAMES.replace("id: bigint not null", "id: int not null"))

    with pytest.raises(
        LayoutError, match=r"another layout reads `id` of `source.bronze.game_public_players`"
    ):
        open_sample(game)


def test_a_missing_table_or_column_fails_the_step_with_its_reason(game, ask):
    ask("ALTER TABLE players RENAME level TO grade")
    with open_sample(game) as project:
        result = run_now(project, RunRequest())

    assert result.exit_code in {1, 2}
    assert 'column "level" does not exist' in str(result.error)


def test_a_table_that_became_empty_is_read_as_empty(game, ask):
    with open_sample(game) as project:
        run_now(project, RunRequest())
        ask("DELETE FROM players")
        run_now(project, RunRequest())

        assert query(project, "SELECT count(*) FROM source.bronze.game_public_players") == [(0,)]


# reading by itself


KINDS = "id bigint, whole int, money numeric(20, 4), ratio float8, ok boolean, born date, seen_at timestamptz, local timestamp, who uuid, raw bytea, doc jsonb, note text"
ROWS = [
    "1, 7, 12345678.1250, 0.1, true, '2026-02-16', '2026-02-16 12:00:00.000001+02', '2026-02-16 12:00', '9a7b2d52-0000-4000-8000-000000000001', '\\x00ff', '{\"a\": [1]}', E'two\\nlines, \"quoted\"'",
    "2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL",
    "3, -1, 'NaN', 'Infinity', false, '0044-03-15 BC', '12026-01-01+00', NULL, NULL, '', 'null', ''",
]


def source_at(server, database, folder, **options) -> PostgresSource:
    remote = Remote("game", folder / "health.json", clock=SystemClock(), pause=0.01, **options)
    return PostgresSource(server.connection(database, "game"), remote)


def ignore(rows):
    """Nobody asks how far it is."""


def by_id(row):
    return row["id"] is None, row["id"] or 0


def rows_of(paths) -> list[dict]:
    import pyarrow.parquet as pq

    return sorted((row for path in paths for row in pq.read_table(path).to_pylist()), key=by_id)


def test_values_arrive_as_the_declared_types(postgres_server, database, tmp_path, ask):
    ask(f"CREATE TABLE kinds ({KINDS})")
    for row in ROWS[:2]:
        ask(f"INSERT INTO kinds VALUES ({row})")
    types = {
        "id": "bigint", "whole": "int", "money": "decimal(20,4)", "ratio": "double", "ok": "bool", "born": "date",
        "seen_at": "timestamp", "who": "uuid", "raw": "blob", "doc": "text", "note": "text",
    }  # fmt: skip
    schema = Schema(tuple(Column(name, ColumnType(kind)) for name, kind in types.items()))
    wanted = SourceInput(TableInput("game", "public.kinds"), schema)

    first, second = rows_of(source_at(postgres_server, database, tmp_path).read(wanted, tmp_path, ignore))

    assert first == {
        "id": 1,
        "whole": 7,
        "money": Decimal("12345678.1250"),
        "ratio": 0.1,
        "ok": True,
        "born": date(2026, 2, 16),
        "seen_at": datetime(2026, 2, 16, 10, 0, 0, 1, UTC),
        "who": str(UUID("9a7b2d52-0000-4000-8000-000000000001")),
        "raw": b"\x00\xff",
        "doc": '{"a": [1]}',
        "note": 'two\nlines, "quoted"',
    }
    assert {name: value for name, value in second.items() if value is not None} == {"id": 2}


def test_nothing_and_empty_text_are_not_the_same(postgres_server, database, tmp_path, ask):
    ask(f"CREATE TABLE kinds ({KINDS})")
    ask(f"INSERT INTO kinds VALUES ({ROWS[2]})")
    schema = Schema(
        (Column("id", ColumnType.BIGINT), Column("note", ColumnType.TEXT), Column("raw", ColumnType.BLOB),
         Column("ratio", ColumnType.DOUBLE), Column("whole", ColumnType.INT), Column("local", ColumnType.TIMESTAMP))
    )  # fmt: skip
    wanted = SourceInput(QueryInput("game", "SELECT * FROM kinds -- all of it"), schema)

    (row,) = rows_of(source_at(postgres_server, database, tmp_path).read(wanted, tmp_path, ignore))

    assert row == {"id": 3, "note": "", "raw": b"", "ratio": float("inf"), "whole": -1, "local": None}


@pytest.mark.parametrize("column", ["id", "name"])
@pytest.mark.parametrize("parts", [1, 3, 16])
def test_parts_are_the_whole(postgres_server, database, tmp_path, ask, column, parts):
    ask("CREATE TABLE big (id bigint, name text)")
    ask(
        "INSERT INTO big SELECT nullif(n, 500), nullif('n' || n % 100, 'n7') FROM generate_series(-1000, 1000) n"
    )
    schema = Schema((Column("id", ColumnType.BIGINT), Column("name", ColumnType.TEXT)))
    wanted = SourceInput(TableInput("game", "public.big"), schema, Split(column, parts))

    paths = source_at(postgres_server, database, tmp_path).read(wanted, tmp_path, ignore)

    assert len(paths) == parts
    expected = [{"id": i, "name": n} for i, n in ask("SELECT id, name FROM big")]
    assert rows_of(paths) == sorted(expected, key=by_id)


def test_a_part_that_fails_is_read_again_alone_in_the_same_snapshot(
    postgres_server, database, tmp_path, ask, monkeypatch
):
    ask("CREATE TABLE big AS SELECT n::bigint AS id FROM generate_series(1, 900) n")
    genuine, tried = PostgresMoment.copy, []

    def failing(self, query, columns, path, tell):
        tried.append(number := int(path.stem[-1]))
        if tried.count(1) == 1 and number == 1:
            ask("INSERT INTO big SELECT 1 FROM generate_series(1, 50)")  # the second try must not see these
            raise StoreError("cable pulled")
        return genuine(self, query, columns, path, tell)

    monkeypatch.setattr(PostgresMoment, "copy", failing)
    wanted = SourceInput(
        TableInput("game", "public.big"), Schema((Column("id", ColumnType.BIGINT),)), Split("id", 3)
    )

    paths = source_at(postgres_server, database, tmp_path).read(wanted, tmp_path, ignore)

    assert sorted(tried) == [0, 1, 1, 2]
    assert [row["id"] for row in rows_of(paths)] == list(range(1, 901))


def test_a_server_that_dies_while_it_is_read_is_asked_again(tmp_path, monkeypatch):
    with running_server() as server:
        server.execute("CREATE TABLE big AS SELECT n::bigint AS id, repeat('x', 200) AS note FROM generate_series(1, 60000) n")  # fmt: skip
        source = source_at(server, "postgres", tmp_path)
        wanted = SourceInput(
            TableInput("game", "public.big"),
            Schema((Column("id", ColumnType.BIGINT), Column("note", ColumnType.TEXT))),
        )
        genuine, killed = postgres_source._CopyStream.read, []

        def dying(self, size=-1):
            data = genuine(self, size)
            if not killed:
                killed.append(True)
                server.kill()
                server.start()
            return data

        monkeypatch.setattr(postgres_source._CopyStream, "read", dying)
        paths = source.read(wanted, tmp_path, ignore)

        assert killed
        assert [row["id"] for row in rows_of(paths)] == list(range(1, 60001))


def test_a_value_that_does_not_fit_names_itself(postgres_server, database, tmp_path, ask):
    ask("CREATE TABLE big AS SELECT 5000000000 AS id")
    wanted = SourceInput(TableInput("game", "public.big"), Schema((Column("id", ColumnType.INT),)))

    with pytest.raises(LayoutError, match="a value does not fit: integer out of range"):
        source_at(postgres_server, database, tmp_path).read(wanted, tmp_path, ignore)


@pytest.mark.parametrize("kind", ["numeric", "numeric(12, 3)", "double precision", "real"])
def test_a_fraction_is_not_rounded_into_a_whole_number(postgres_server, database, tmp_path, ask, kind):
    wanted = SourceInput(TableInput("game", "public.paid"), Schema((Column("id", ColumnType.BIGINT),)))
    ask(f"CREATE TABLE paid AS SELECT x::{kind} AS id FROM unnest(ARRAY[-3, 2e6]) x")
    source = source_at(postgres_server, database, tmp_path)

    assert [row["id"] for row in rows_of(source.read(wanted, tmp_path, ignore))] == [-3, 2_000_000]
    ask("INSERT INTO paid VALUES (2.5)")
    with pytest.raises(LayoutError, match=r'a value does not fit: .*bigint: "2\.50*"'):
        source.read(wanted, tmp_path, ignore)


def test_a_query_may_only_read(postgres_server, database, tmp_path, ask):
    ask("CREATE TABLE big AS SELECT 5::bigint AS id")
    ask("CREATE FUNCTION gone() RETURNS bigint LANGUAGE sql AS 'DELETE FROM big RETURNING id'")
    wanted = SourceInput(
        QueryInput("game", "SELECT gone() AS id"), Schema((Column("id", ColumnType.BIGINT),))
    )

    with pytest.raises((LayoutError, OperatorError), match="read-only transaction"):
        source_at(postgres_server, database, tmp_path).read(wanted, tmp_path, ignore)
    assert ask("SELECT count(*) FROM big") == [(1,)]


def test_every_type_goes_through_the_lake_and_back(game, ask):
    ask(f"CREATE TABLE kinds ({KINDS})")
    for row in ROWS[:2]:
        ask(f"INSERT INTO kinds VALUES ({row})")
    columns = "id: bigint, whole: int, money: {type: money<USD>, storage: 'decimal(20,4)'}, ok: bool, born: date, seen_at: timestamp, who: uuid, raw: blob, doc: text"
    text = f"""/* ---
description: A copy
inputSources:
  - {{name: kinds, type: table, connection: game, table: public.kinds, schema: {{{columns}}}, split: {{column: seen_at, parts: 2}}}}
outputs:
  - connection: game
    table: reporting.kinds
    grain: [id]
    schema: {{{columns}}}
--- */
SELECT id, whole, money, ok, born, seen_at, who, raw, doc FROM kinds
"""
    layout(game, "copy", text)
    with open_sample(game) as project:
        assert run_now(project, RunRequest()).error is None

    names = "id, whole, money, ok, born, seen_at, who, raw, doc"
    assert ask(f"SELECT {names} FROM reporting.kinds ORDER BY id") == ask(
        "SELECT id, whole, money, ok, born, seen_at, who, raw, doc::text FROM kinds ORDER BY id"
    )
