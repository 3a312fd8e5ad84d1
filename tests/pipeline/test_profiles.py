"""The same layouts in `dev`, on local tables, and in `prod`, on a Trino: equal published tables."""

from __future__ import annotations

import pytest
from trino_protocol import TrinoDouble

from command_line import CommandLine
from gamelake.clock import SystemClock
from gamelake.connections import DuckDBConnection
from gamelake.errors import LayoutError
from gamelake.jobs.local import run_now
from gamelake.model.schema import Column, ColumnType, Schema
from gamelake.model.slices import Slice
from gamelake.model.steps import QueryInput, SourceInput, TableInput
from gamelake.packs import open_project
from gamelake.pipeline.execute import RunRequest
from gamelake.pipeline.plan import plan
from gamelake.stores.local_source import LocalSource
from gamelake.stores.remote import Remote

ROWS = """SELECT DATE '2026-03-01' + CAST(n % 3 AS INTEGER) AS ds, n AS user_id, n % 7 AS level,
    (n * 1.25)::decimal(18,4) AS amount, TIMESTAMPTZ '2026-03-01 20:00:00+00' + n * INTERVAL 1 HOUR AS logtime,
    [ 'a', 'b' || n ] AS tags FROM range(200) t(n)"""
SHARES = """/* ---
description: Halves of levels, by Trino's division, and what was spent
inputSources:
  - name: shares
    type: query
    connection: GDS_TRINO
    query: |
      WITH today AS (SELECT * FROM l2m.logins WHERE ds = {{ logDate | day }})
      SELECT ds, user_id, level / 2 AS half, amount, {{ business_day('logtime', '+07:00') }} AS day,
        date_diff('hour', TIMESTAMP '2026-03-01 00:00:00', CAST(logtime AS timestamp)) AS hours
      FROM today
    schema: {ds: date, user_id: bigint, half: bigint, amount: "decimal(18,4)", day: date, hours: bigint}
    slice: {ds: logDate}
  - name: logins
    type: table
    connection: GDS_TRINO
    table: l2m.logins
    slice: {ds: logDate}
    split: {column: user_id, parts: 3}
    schema: {ds: date, user_id: bigint, tags: text, logtime: timestamp}
outputs:
  - connection: TSN_POSTGRES
    table: reporting.shares
    slice: {report_date: logDate}
    grain: [user_id]
    schema: {report_date: date, user_id: bigint, half: bigint, amount: "decimal(18,4)", day: date, hours: bigint, tags: text, logtime: timestamp}
--- */
SELECT s.ds AS report_date, s.user_id, s.half, s.amount, s.day, s.hours, replace(l.tags, ' ', '') AS tags, l.logtime
FROM shares AS s JOIN logins AS l ON l.user_id = s.user_id
"""


@pytest.fixture(scope="module")
def double():
    with TrinoDouble(page_rows=70).serving() as server:
        server.tables.execute("CREATE SCHEMA l2m")
        server.tables.execute(f"CREATE TABLE l2m.logins AS {ROWS}")
        yield server


def project(folder, double) -> CommandLine:
    """The same files for both profiles; only a flag is to differ."""
    (folder / "layouts" / "ours" / "gold").mkdir(parents=True)
    (folder / "layouts" / "ours" / "gold" / "shares.sql").write_text(SHARES)
    tables = folder / "extract" / "l2m" / "logins"
    tables.parent.mkdir(parents=True)
    double.tables.execute(f"COPY l2m.logins TO '{tables}' (FORMAT parquet, PARTITION_BY (ds))")
    (folder / "gamelake.toml").write_text(
        "packs = []\n"
        '[profiles.dev.connections.GDS_TRINO]\nkind = "duckdb"\nfolder = "extract"\ndialect = "trino"\n'
        '[profiles.dev.connections.TSN_POSTGRES]\nkind = "lake"\n'
        '[profiles.prod.connections.GDS_TRINO]\nkind = "trino"\nhost = "localhost"\nuser = "etl"\ncatalog = "hive"\n'
        f'http_scheme = "http"\nport = {double.port}\n'
        '[profiles.prod.connections.TSN_POSTGRES]\nkind = "lake"\n'
    )
    return CommandLine(folder)


def rows(folder) -> list[tuple]:
    with open_project(folder) as opened, opened.connect() as link:
        return link.sql("SELECT * FROM ours.gold.shares ORDER BY user_id").to_arrow_table().to_pylist()


def test_one_flag_changes_where_rows_come_from_and_not_what_they_are(tmp_path, double):
    published, read = {}, {}
    span = ("--from", "2026-03-01", "--to", "2026-03-03")
    for profile in ("dev", "prod"):
        (tmp_path / profile).mkdir()
        gamelake = project(tmp_path / profile, double)
        double.statements.clear()
        done = gamelake("backfill", "ours", *span, "--profile", profile)
        assert done.code == 0, done.out + done.err
        published[profile], read[profile] = rows(tmp_path / profile), len(double.reads())

    assert published["dev"] == published["prod"]
    assert len(published["dev"]) == 200
    assert [row["half"] for row in published["dev"][:7]] == [0, 0, 1, 1, 2, 2, 3]
    assert read == {"dev": 0, "prod": 3 + 3}  # a query for each day; all days of the table in three parts


def test_another_profile_is_another_source(tmp_path, double, monkeypatch):
    project(tmp_path, double)
    layout = tmp_path / "layouts" / "ours" / "gold" / "shares.sql"
    layout.write_text(SHARES.replace("    table: l2m", "    refresh: force\n    table: l2m"))
    request = RunRequest(("ours",), variables={"logDate": "2026-03-01"})
    with open_project(tmp_path) as opened:
        assert run_now(opened, request).error is None
    monkeypatch.setenv("GAMELAKE_PROFILE", "prod")

    with open_project(tmp_path) as opened:
        again = plan(opened, ["ours"], slices=[Slice.of(report_date="2026-03-01")])

    assert {item.reason for item in again.items if "l2m_logins" in item.step} == {"step version changed"}


def ignore(rows):
    """Nobody asks how far it is."""


def local(tmp_path, **keys) -> LocalSource:
    known = DuckDBConnection.model_validate({"name": "game", "kind": "duckdb", **keys})
    return LocalSource(
        known, tmp_path, Remote("game", tmp_path / "health.json", clock=SystemClock(), pause=0.01)
    )


def test_a_duckdb_file_may_stand_for_it(tmp_path):
    import duckdb
    import pyarrow.parquet as pq

    with duckdb.connect(str(tmp_path / "game.db")) as link:
        link.execute("CREATE SCHEMA l2m; CREATE TABLE l2m.p AS SELECT n AS id FROM range(10) t(n)")
    source = local(tmp_path, database="game.db", dialect="postgres", schema="l2m")
    wanted = SourceInput(
        QueryInput("game", "SELECT id::int / 4 AS id FROM hive.l2m.p UNION ALL SELECT 7 FROM p WHERE id = 0"),
        Schema((Column("id", ColumnType.INT),)),
    )

    (path,) = source.read(wanted, tmp_path, ignore)

    assert sorted(row["id"] for row in pq.read_table(path).to_pylist()) == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 7]


@pytest.mark.parametrize(
    ("read", "words"),
    [
        (TableInput("game", "l2m.playrs"), "there is no table `l2m.playrs`: neither"),
        (QueryInput("game", "SELECT id FROM l2m.playrs"), "there is no table `l2m.playrs`: neither"),
        (QueryInput("game", "SELECT id FROM players"), "does not say of which schema `players` is"),
        (QueryInput("game", "SELECT id FROM l2m.players WHERE ("), "the query cannot be run on local tables"),
        (QueryInput("game", "SELECT idd AS id FROM l2m.players"), "DuckDB cannot run the SQL"),
    ],
)
def test_mistakes_are_told(tmp_path, read, words):
    import duckdb

    (tmp_path / "l2m").mkdir()
    duckdb.sql(f"COPY (SELECT 1::bigint AS id) TO '{tmp_path}/l2m/players.parquet'")
    wanted = SourceInput(read, Schema((Column("id", ColumnType.BIGINT),)))

    with pytest.raises(LayoutError) as caught:
        local(tmp_path, folder=".", dialect="trino").read(wanted, tmp_path, ignore)

    assert words in str(caught.value)
