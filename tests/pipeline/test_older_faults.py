"""What the older engine did wrong, and what comes of it here: `spec/layouts.md` 6, row by row, on the same rows."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from threading import Thread

import duckdb
import pyarrow as pa
import pytest

from gamelake.errors import LayoutError
from gamelake.jobs.local import run_now
from gamelake.layouts.classic.importing import import_layout
from gamelake.layouts.load import load_folder
from gamelake.model.names import DatasetName
from gamelake.model.runs import RunState
from gamelake.model.schema import Column, ColumnType, Schema
from gamelake.model.slices import Slice
from gamelake.model.steps import OnEmpty, Output, Source
from gamelake.pipeline.execute import RunRequest
from gamelake.pipeline.project import Project
from gamelake.pipeline.source import source_run
from gamelake.settings import Settings
from older_engine import OlderEngine
from postgres_server import USER

PAYMENTS = Output(
    DatasetName.parse("toy.bronze.payments"),
    Schema(
        (
            Column("day", ColumnType.DATE, nullable=False),
            Column("player", ColumnType.TEXT, nullable=False),
            Column("paid_at", ColumnType.TIMESTAMP, nullable=False),
            Column("currency", ColumnType.TEXT, nullable=False),
            Column("amount", ColumnType.DOUBLE, nullable=False),
        )
    ),
    slice_columns=("day",),
    on_empty=OnEmpty.CLEAR,
)
ROSTER = Output(
    DatasetName.parse("toy.bronze.roster"),
    Schema((Column("player", ColumnType.TEXT, nullable=False), Column("guild", ColumnType.TEXT))),
)
RATES = Output(
    DatasetName.parse("toy.bronze.rates"),
    Schema((Column("currency", ColumnType.TEXT, False), Column("rate", ColumnType.DOUBLE, False))),
)
ONE, TWO, THREE = "2026-01-01", "2026-01-02", "2026-01-03"
PAID = [
    (ONE, "ann", datetime(2026, 1, 1, 3, tzinfo=UTC), "USD", 10.0),
    (ONE, "bob", datetime(2026, 1, 1, 18, 30, tzinfo=UTC), "VND", 260_000.0),  # already the 2nd in Vietnam
    (TWO, "ann", datetime(2026, 1, 2, 4, tzinfo=UTC), "EUR", 5.0),  # nobody knows the rate of EUR
    (TWO, "cat", datetime(2026, 1, 2, 5, tzinfo=UTC), "USD", 7.0),
    (THREE, "dan", datetime(2026, 1, 3, 5, tzinfo=UTC), "USD", 99.0),  # will turn out never to have happened
]
MEMBERS = [("ann", "blue"), ("bob", None)] + [(f"p{n}", "red") for n in range(8)]
KNOWN_RATES = [("USD", 1.0), ("VND", 1 / 26_000)]

_HEAD = "description: {about}\ninputSources: [{{name: payments, dataset: toy.bronze.payments}}]\n"
SPENT = "SELECT currency, player, sum(amount) AS spent, day FROM payments WHERE day = {{ day | day }} GROUP BY ALL"
LAYOUTS = {
    "gold/big.yaml": """description: SQL beside the layout
inputSources: [{name: payments, dataset: toy.bronze.payments}]
sqlFile: big.sql
variables: {least: {type: int, default: 9}}
outputs: [{slice: [day], on_empty: clear, schema: {day: date, player: text, amount: double}}]
""",
    "gold/big.sql": "SELECT day, player, amount FROM payments WHERE amount >= {{ least | lit }} AND day = {{ day | day }}",
    "gold/loud.yaml": """description: SQL in the layout
inputSources: [{name: payments, dataset: toy.bronze.payments}]
transformSql: SELECT day, upper(player) AS player FROM payments WHERE day = {{ day | day }}
outputs: [{slice: [day], on_empty: clear, schema: {day: date, player: text}}]
""",
    "gold/spent.sql": """/* ---
description: Spent of each player and day; the SQL names columns in another order than the table
inputSources: [{name: payments, dataset: toy.bronze.payments}]
outputs:
  - slice: [day]
    on_empty: clear
    schema: {day: date, player: text, currency: text, spent: double}
--- */
"""
    + SPENT,
    "gold/members.sql": """/* ---
description: A whole table
inputSources: [{name: roster, dataset: toy.bronze.roster}]
outputs:
  - {mode: snapshot_replace, grain: [player], schema: {player: text, guild: text}}
--- */
SELECT player, guild FROM roster
""",
    "gold/a_top.sql": """/* ---
description: Reads what stands behind it in the alphabet, in the same layer
inputSources: [{name: z_totals, dataset: toy.gold.z_totals}]
outputs: [{slice: [day], on_empty: clear, schema: {day: date, most: double}}]
--- */
SELECT day, max(total) AS most FROM z_totals WHERE day = {{ day | day }} GROUP BY day
""",
    "gold/z_totals.sql": """/* ---
description: Total of each player
inputSources: [{name: payments, dataset: toy.bronze.payments}]
outputs: [{slice: [day], grain: [player], on_empty: clear, schema: {day: date, player: text, total: double}}]
--- */
SELECT day, player, sum(amount) AS total FROM payments WHERE day = {{ day | day }} GROUP BY day, player
""",
    "gold/local.sql": """/* ---
description: Payments of each day as players live it
inputSources: [{name: payments, dataset: toy.bronze.payments}]
outputs: [{grain: [local_day], allow_shrink: 0, schema: {local_day: date, payments: bigint not null}}]
--- */
SELECT {{ business_day('paid_at', 'Asia/Ho_Chi_Minh') }} AS local_day, count(*) AS payments FROM payments GROUP BY 1
""",
    "silver/converted.sql": """/* ---
description: Payments in dollars
inputSources:
  - {name: payments, dataset: toy.bronze.payments}
  - {name: rates, dataset: toy.bronze.rates}
outputs:
  - slice: [day]
    on_empty: clear
    schema: {day: date, player: text, currency: text, month: text, amount: double, usd: double}
checks:
  - {name: every currency has a rate, kind: sql, predicate: "usd IS NOT NULL"}
--- */
SELECT day, player, p.currency, {{ month_text('day') }} AS month, amount, amount * rate AS usd
FROM payments AS p LEFT JOIN rates AS r ON p.currency = r.currency WHERE day = {{ day | day }}
""",
    "gold/revenue.sql": """/* ---
description: Dollars of each day
inputSources: [{name: converted, dataset: toy.silver.converted}]
outputs: [{slice: [day], on_empty: clear, schema: {day: date, usd: double}}]
--- */
SELECT day, sum(usd) AS usd FROM converted WHERE day = {{ day | day }} GROUP BY day
""",
}
CLASSIC = {
    "description": "Payments with guilds, as the older engine had it",
    "inputSources": [{"name": "main_data", "type": "file", "path": "{lake}/toy/etl/payments/{logDate}"}],
    "enrichments": [{"name": "roster", "type": "file", "path": "{lake}/toy/etl/roster"}],
    "sqlTemplate": "templates/guilds.sql.j2",
    "outputs": [
        {
            "type": "file",
            "path": "{lake}/toy/std/guild_payments/{logDate}",
            "mode": "append",
            "deleteCondition": "day = '{logDate}'",
        }
    ],
}
CLASSIC_SQL = (
    "select day, player, guild from main_data left join roster using (player) where day = '{logDate}'"
)


def table_of(output: Output, rows: list[tuple]) -> pa.Table:
    names = output.schema.names
    return pa.table({name: [row[n] for row in rows] for n, name in enumerate(names)})


def give(project: Project, days: dict[str, list[tuple]], roster: list[tuple]) -> None:
    with source_run(project, "import", name="raw") as run:
        run.publish(PAYMENTS, {Slice.of(day=day): [table_of(PAYMENTS, rows)] for day, rows in days.items()})
        run.publish(ROSTER, {Slice.of(): [table_of(ROSTER, roster)]})
        run.publish(RATES, {Slice.of(): [table_of(RATES, KNOWN_RATES)]})


def of(day: str) -> list[tuple]:
    return [row for row in PAID if row[0] == day]


def open_toy(root) -> Project:
    sources = [Source("raw", (PAYMENTS, ROSTER, RATES))]
    return Project.open(Settings.load(root), [*sources, *load_folder(root / "layouts", "toy")])


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """Built on three days; then the third turns out empty, most of the roster is lost, and all is built again."""
    root = tmp_path_factory.mktemp("toy")
    (root / "gamelake.toml").write_text('name = "toy"\npacks = []\n')
    for name, text in LAYOUTS.items():
        (root / "layouts" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "layouts" / name).write_text(text)
    old = root / "old" / "layouts" / "re-standardization" / "toy" / "std" / "toy_guild_payments.json"
    old.parent.mkdir(parents=True)
    old.write_text(json.dumps(CLASSIC))
    (root / "old" / "templates").mkdir()
    (root / "old" / "templates" / "guilds.sql.j2").write_text(CLASSIC_SQL)
    made = import_layout(old, old.name, "toy")
    (root / "layouts" / made.layer / f"{made.name}.sql").write_text(made.text)
    with open_toy(root) as project:
        give(project, {day: of(day) for day in (ONE, TWO, THREE)}, MEMBERS)
        project.first = run_now(project, RunRequest())
        give(project, {THREE: []}, MEMBERS[:2])
        project.second = run_now(project, RunRequest())
        yield project


@pytest.fixture
def ours(toy):
    """Ask our tables."""

    def ask(sql: str) -> list[tuple]:
        with toy.connect() as connection:
            return connection.execute(sql).fetchall()

    return ask


@pytest.fixture
def older():
    """The older engine, with the same rows in its inputs."""
    with duckdb.connect() as tables:
        tables.execute(
            "CREATE TABLE payments (day TEXT, player TEXT, paid_at TIMESTAMP, currency TEXT, amount DOUBLE)"
        )
        in_utc = [(day, player, at.replace(tzinfo=None), *rest) for day, player, at, *rest in PAID]
        tables.executemany("INSERT INTO payments VALUES (?, ?, ?, ?, ?)", in_utc)
        tables.execute("CREATE TABLE rates (currency TEXT, rate DOUBLE)")
        tables.executemany("INSERT INTO rates VALUES (?, ?)", KNOWN_RATES)
        tables.execute("CREATE TABLE spent (day TEXT, player TEXT, currency TEXT, spent DOUBLE)")
        yield OlderEngine(tables)


SPENT_BY_DAY = {
    "inputSources": ["payments"],
    "table": "spent",
    "sqlTemplate": "SELECT day, player, currency, sum(amount) FROM payments WHERE day = '{logDate}' GROUP BY ALL",
}
DAYS = "SELECT DISTINCT CAST(day AS TEXT) FROM {} ORDER BY 1"


def test_every_key_that_says_what_to_do_is_read(older, ours) -> None:
    older.tables.execute("CREATE TABLE big AS FROM payments LIMIT 0")
    for key in ({"sqlFile": "big.sql", "variables": {"least": 9}}, {"transformSql": "SELECT 1"}):
        older.run({"inputSources": ["payments"], "table": "big", **key})
        assert older.rows("SELECT count(*) FROM big") == [(5,)]  # the input, copied

    assert ours("SELECT player, amount FROM toy.gold.big ORDER BY 1") == [("ann", 10.0), ("bob", 260_000.0)]
    assert ours("SELECT player FROM toy.gold.loud ORDER BY 1") == [("ANN",), ("ANN",), ("BOB",), ("CAT",)]


def test_a_day_replaces_itself_and_not_all_of_history(older, ours) -> None:
    for condition in ({}, {"deleteCondition": "day = '{logDate}'"}):  # which only `append` knew
        for day in (ONE, TWO):
            older.run(SPENT_BY_DAY | condition, logDate=day)
        assert older.rows(DAYS.format("spent")) == [(TWO,)]

    assert ours(DAYS.format("toy.gold.spent")) == [(ONE,), (TWO,)]


def test_a_whole_table_does_not_shrink_to_what_is_left_of_its_input(older, ours, toy) -> None:
    layout = {"inputSources": ["roster"], "table": "members"}
    older.tables.execute("CREATE TABLE roster (player TEXT, guild TEXT); CREATE TABLE members AS FROM roster")
    for rows in (MEMBERS, MEMBERS[:2]):
        older.tables.execute("DELETE FROM roster")
        older.tables.executemany("INSERT INTO roster VALUES (?, ?)", rows)
        older.run(layout)
    assert older.rows("SELECT count(*) FROM members") == [(2,)]

    assert ours("SELECT count(*) FROM toy.gold.members") == [(len(MEMBERS),)]
    [refused] = [
        check for check in toy.ledger.checks("toy.gold.members", toy.second.run_id) if not check.passed
    ]
    assert refused.name == "not shrunk"


def test_a_day_that_became_empty_is_emptied(older, ours) -> None:
    layout = SPENT_BY_DAY | {"mode": "append", "deleteCondition": "day = '{logDate}'"}
    older.run(layout, logDate=THREE)
    older.tables.execute(f"DELETE FROM payments WHERE day = '{THREE}'")
    older.run(layout, logDate=THREE)
    assert older.rows("SELECT player, spent FROM spent") == [("dan", 99.0)]  # who never paid

    assert ours(f"SELECT * FROM toy.gold.spent WHERE day = '{THREE}'") == []


def test_a_source_is_scanned_once_however_many_jobs_read_it(
    tmp_path, postgres_server, database, older
) -> None:
    def ask(sql):
        return postgres_server.execute(sql, database=database)

    ask("CREATE TABLE players AS SELECT n AS id, n % 3 AS level FROM generate_series(1, 100) AS n")
    names = ("first", "second")
    for name in names:
        (tmp_path / "layouts" / "gold").mkdir(parents=True, exist_ok=True)
        (tmp_path / "layouts" / "gold" / f"{name}.sql").write_text(
            f"""/* ---
description: The {name} of two jobs over one source
inputSources:
  - {{name: players, type: table, connection: game, table: public.players, schema: {{id: bigint, level: int}}}}
outputs: [{{grain: [level], schema: {{level: int, n: bigint not null}}}}]
--- */
SELECT level, count(*) AS n FROM players GROUP BY level"""
        )
    (tmp_path / "gamelake.toml").write_text(
        f'name = "toy"\npacks = []\n[profiles.dev.connections.game]\nkind = "postgres"\n'
        f'host = "{postgres_server.folder}"\ndatabase = "{database}"\nuser = "{USER}"\n'
    )
    scans = "SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'players'"
    [(before,)] = ask(scans)
    with Project.open(
        Settings.load(tmp_path),
        load_folder(
            tmp_path / "layouts",
            "toy",
        ),
    ) as project:
        assert run_now(project, RunRequest()).error is None
    [(after,)] = ask(scans)

    older.tables.execute("CREATE TABLE players AS SELECT 1 AS id, 1 AS level; CREATE TABLE t AS FROM players")
    for _ in names:
        older.run({"inputSources": ["players"], "table": "t", "sqlTemplate": "FROM players"})
    assert older.scans["players"] == 4
    assert after - before == 1


def test_two_days_at_once_do_not_meet(older, toy, ours) -> None:
    layout = SPENT_BY_DAY | {"mode": "append", "deleteCondition": "day = '{logDate}'"}
    first = older.stage(layout, logDate=ONE)
    second = older.stage(layout, logDate=TWO)  # before the first has published
    older.publish(layout, first, logDate=ONE)
    older.publish(layout, second, logDate=TWO)
    assert set(older.rows("SELECT day FROM spent")) == {(TWO,)}  # one day is lost
    before = ours("SELECT * FROM toy.gold.spent ORDER BY ALL")
    results = []

    def build(day: str) -> None:
        with open_toy(toy.root) as project:
            request = RunRequest(("toy.gold.spent",), slices=(Slice.of(day=day),), force=True)
            results.append(run_now(project, request))

    threads = [Thread(target=build, args=(day,)) for day in (ONE, TWO)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [result.state for result in results] == [RunState.SUCCEEDED] * 2
    assert ours("SELECT * FROM toy.gold.spent ORDER BY ALL") == before


def test_columns_are_bound_by_name(older, ours) -> None:
    layout = SPENT_BY_DAY | {
        "sqlTemplate": "SELECT day, currency, player, sum(amount) AS spent FROM payments WHERE day = '{logDate}' GROUP BY ALL"
    }
    older.run(layout, logDate=ONE)
    assert older.rows("SELECT player FROM spent ORDER BY 1") == [("USD",), ("VND",)]  # players?

    assert ours(f"SELECT player, currency, spent FROM toy.gold.spent WHERE day = '{ONE}' ORDER BY 1") == [
        ("ann", "USD", 10.0),
        ("bob", "VND", 260_000.0),
    ]


@pytest.mark.parametrize(
    ("pasted", "bound"), [("'{logdate}'", "{{ dya | day }}"), ("'{{ logdate }}'", "{{ dya | lit }}")]
)
def test_a_variable_nobody_defined_is_an_error(older, tmp_path, pasted, bound) -> None:
    older.run(SPENT_BY_DAY | {"sqlTemplate": f"SELECT * FROM payments WHERE day = {pasted}"}, logDate=ONE)
    assert older.rows("SELECT * FROM spent") == []  # nothing, and nothing said

    (tmp_path / "gold").mkdir()
    text = LAYOUTS["gold/spent.sql"]
    (tmp_path / "gold" / "spent.sql").write_text(text.replace("{{ day | day }}", bound))
    with pytest.raises(LayoutError, match=r"spent\.sql:\d+.*undefined variable `dya`, defined are: `day`"):
        load_folder(tmp_path, "toy")


def test_enrichments_are_inputs(older, ours) -> None:
    older.tables.execute("CREATE TABLE guild_payments (day TEXT, player TEXT, guild TEXT)")
    layout = {"inputSources": ["payments"], "enrichments": ["roster"], "table": "guild_payments"}
    sql = CLASSIC_SQL.replace("main_data", "payments")
    with pytest.raises(duckdb.CatalogException, match="roster"):
        older.run(layout | {"sqlTemplate": sql}, logDate=ONE)

    assert ours(f"SELECT player, guild FROM toy.silver.guild_payments WHERE day = '{ONE}' ORDER BY 1") == [
        ("ann", "blue"),
        ("bob", None),
    ]


def test_a_consumer_runs_after_its_producer_whatever_they_are_called(older, ours) -> None:
    older.tables.execute("CREATE TABLE z_totals (day TEXT, player TEXT, total DOUBLE)")
    older.tables.execute("CREATE TABLE a_top (day TEXT, most DOUBLE)")
    in_order = [
        {
            "inputSources": ["z_totals"],
            "table": "a_top",
            "sqlTemplate": "SELECT day, max(total) FROM z_totals GROUP BY day",
        },
        {
            "inputSources": ["payments"],
            "table": "z_totals",
            "sqlTemplate": "SELECT day, player, sum(amount) FROM payments GROUP BY ALL",
        },
    ]
    for layout in sorted(in_order, key=lambda layout: layout["table"]):
        older.run(layout)
    assert older.rows("SELECT * FROM a_top") == []

    assert ours("SELECT CAST(day AS TEXT), most FROM toy.gold.a_top ORDER BY 1") == [
        (ONE, 260_000.0),
        (TWO, 7.0),
    ]


def test_a_day_is_the_same_day_in_every_job(older, ours) -> None:
    ways = ("CAST(paid_at + INTERVAL 7 HOUR AS DATE)", "CAST(day AS DATE)", "CAST(paid_at AS DATE)")
    counts = [
        older.rows(f"SELECT {way} AS d, count(*) FROM payments WHERE day < '{THREE}' GROUP BY 1 ORDER BY 1")
        for way in ways
    ]
    assert len({tuple(rows) for rows in counts}) == 2  # the jobs disagree about one evening

    assert ours("SELECT local_day, payments FROM toy.gold.local ORDER BY 1") == [
        (date(2026, 1, 1), 1),
        (date(2026, 1, 2), 3),
    ]


def test_a_currency_without_a_rate_fails_a_check_that_shows_the_amounts(older, ours, toy) -> None:
    joined = "FROM payments LEFT JOIN rates USING (currency)"
    assert older.rows(f"SELECT sum(amount * rate) {joined} WHERE day = '{TWO}'") == [(7.0,)]  # 5 EUR are gone

    [found] = [
        check
        for check in toy.ledger.checks("toy.silver.converted", toy.first.run_id)
        if check.name == "every currency has a rate" and not check.passed
    ]
    assert (str(found.slice), found.value) == (f"day={TWO}", 1)
    [row] = found.sample
    assert (row["currency"], row["month"], row["amount"]) == ("EUR", "2026-01", 5.0)
    assert ours("SELECT CAST(day AS TEXT), usd FROM toy.gold.revenue") == [
        (ONE, 20.0)
    ]  # nobody reads half a day
