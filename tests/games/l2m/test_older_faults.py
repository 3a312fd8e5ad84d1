"""What the older pipeline got wrong: its number beside ours, from the same rows."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from gamelake.games.l2m.pack import PACK
from gamelake.layouts.load import load_file
from gamelake.layouts.template import render
from gamelake.model.slices import Slice
from gamelake.model.steps import SqlStep

DAY = date(2026, 3, 2)
TIERS = "VALUES ('Free', 0.0), ('A', 0.0001), ('B', 40.0), ('C', 200.0), ('G', 20000.0)"


def layout(name: str) -> SqlStep:
    """The pack's layout `etl/active_login`, `cons/cum_rev`, …"""
    assert PACK.layouts is not None
    return load_file(PACK.layouts / Path(f"{name}.sql"), "l2m")


@pytest.fixture
def database():
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def give(database, view: str, columns: str, values: str) -> None:
    database.execute(f"CREATE OR REPLACE TABLE {view} AS SELECT * FROM ({values}) AS t({columns})")


def ours(database, name: str, columns: str, day: date = DAY) -> list[tuple]:
    step = layout(name)
    part = Slice(((step.outputs[0].slice_columns[0], day.isoformat()),))
    return database.execute(f"SELECT {columns} FROM ({render(step, part)}) ORDER BY ALL").fetchall()


def test_fifteen_one_and_one_dollars_are_seventeen(database) -> None:
    give(database, "vip_tiers", "tier, min_usd", TIERS)
    give(database, "previous", "user_id, server_id, total_rev_usd", "SELECT 'u', 's', 0.0 WHERE false")
    older, seen = Decimal(0), []
    # the second and third dollar were paid in two halves, by two payment methods
    for number, paid in enumerate((["15"], ["0.5", "0.5"], ["0.5", "0.5"])):
        rows = ", ".join(f"('u', 's', 'm{n}', CAST({usd} AS DECIMAL(18, 4)))" for n, usd in enumerate(paid))
        give(database, "recharge", "user_id, server_id, pmc, daily_rev_usd", f"VALUES {rows}")
        # the join on user and server met as many rows as there were payment methods, and only then came the sum
        joined = "SELECT sum(a.daily_rev_usd) FROM recharge AS a INNER JOIN recharge AS b USING (user_id, server_id)"
        older += database.execute(joined).fetchall()[0][0]
        (now,) = ours(
            database, "cons/cum_rev", "user_id, server_id, total_rev_usd", date(2026, 3, 1 + number)
        )
        give(
            database,
            "previous",
            "user_id, server_id, total_rev_usd",
            f"VALUES ('u', 's', {now[2]}::DECIMAL(18, 4))",
        )
        seen.append((older, now[2]))

    assert seen == [(15, 15), (17, 16), (19, 17)]


def test_test_worlds_stay_out(database) -> None:
    rows = ", ".join(
        f"('l{n}', TIMESTAMPTZ '2026-03-02 01:00:00+00', DATE '2026-03-02', 'u{n}', '{world}', 1)"
        for n, world in enumerate(("1401", "1402", "2101", "9140", "14099"))
    )
    give(database, "logins", "log_id, logtime, ds, actor_str3, actor_world, actor_level", f"VALUES {rows}")
    give(database, "worlds", "server_id, name", "VALUES ('1401', ''), ('1402', ''), ('2101', '')")
    older = "SELECT actor_world FROM logins WHERE actor_world LIKE '%140%' ORDER BY ALL"

    assert [world for (world,) in database.execute(older).fetchall()] == ["1401", "1402", "14099", "9140"]
    assert ours(database, "etl/active_login", "server_id") == [("1401",), ("1402",), ("2101",)]


def test_only_listed_diamonds_count(database) -> None:
    rows = ", ".join(
        f"('l{n}', TIMESTAMPTZ '2026-03-02 01:00:00+00', DATE '2026-03-02', 'u', '1401', '{currency}', '1', {amount})"
        for n, (currency, amount) in enumerate([("900000002", 30), ("900000012", 50), ("910000002", 50)])
    )
    columns = "log_id, logtime, ds, actor_str3, actor_world, entity_id, log_detail_code, use_num2"
    give(database, "moves", columns, f"VALUES {rows}")
    give(database, "worlds", "server_id, name", "VALUES ('1401', '')")
    give(database, "diamonds", "currency_id", "VALUES ('900000002')")
    older = database.execute("SELECT sum(use_num2) FROM moves WHERE entity_id LIKE '9%2'").fetchall()[0][0]

    assert older == 130
    assert ours(database, "etl/money_gain", "gain_amount") == [(30,)]
    assert ours(database, "etl/money_spend", "spend_amount") == [
        (30,)
    ]  # the decrease table, given as `moves`


def test_dollars_are_not_divided_once_more(database) -> None:
    paid = {"u1": "39.9999", "u2": "40", "u3": "999999"}
    rows = ", ".join(f"('{user}', 's', 'm', CAST({usd} AS DECIMAL(18, 4)))" for user, usd in paid.items())
    give(database, "vip_tiers", "tier, min_usd", TIERS)
    give(database, "previous", "user_id, server_id, total_rev_usd", "SELECT 'u', 's', 0.0 WHERE false")
    give(database, "recharge", "user_id, server_id, pmc, daily_rev_usd", f"VALUES {rows}")
    divided = """
        SELECT user_id, (SELECT max_by(tier, min_usd) FROM vip_tiers WHERE min_usd <= daily_rev_usd / 26000)
        FROM recharge ORDER BY ALL"""

    assert database.execute(divided).fetchall() == [("u1", "A"), ("u2", "A"), ("u3", "A")]
    assert ours(database, "cons/cum_rev", "user_id, user_group") == [("u1", "A"), ("u2", "B"), ("u3", "G")]


def test_no_level_is_null_and_not_zero(database) -> None:
    for view, level in (
        ("login", "level"),
        ("logout", "level"),
        ("item_gain", "role_level"),
        ("item_spend", "role_level"),
    ):
        give(database, view, f"user_id, server_id, {level}", "SELECT 'u', 's', 1 WHERE false")
    for view in ("money_gain", "money_spend"):
        give(database, view, "user_id, server_id", "SELECT 'u', 's' WHERE false")
    give(database, "recharge", "user_id, server_id", "VALUES ('u', 's')")

    assert database.execute("SELECT 0 AS level FROM recharge").fetchall() == [(0,)]
    assert ours(database, "std/active", "user_id, level") == [("u", None)]


def test_a_farmer_is_one_on_the_day_of_the_verdict(database) -> None:
    give(database, "active", "user_id, server_id", "VALUES ('u', 's')")
    give(database, "recharge", "user_id, server_id, daily_rev_usd", "SELECT 'u', 's', 0.0 WHERE false")
    give(
        database,
        "users",
        "user_id, first_login, first_charge, country_code, platform",
        "SELECT 'x', DAY, DAY, '', '' FROM (SELECT DATE '2026-01-01' AS DAY)",
    )
    give(
        database,
        "snapshots",
        "snapshot_date, user_id, user_type",
        f"VALUES (DATE '{DAY}', 'u', 'Non-PU Farmer')",
    )
    seen = {}
    for which, day in (("older", "2026-03-01"), ("ours", "2026-03-02")):
        database.execute(
            f"CREATE OR REPLACE VIEW farmers AS SELECT * FROM snapshots WHERE snapshot_date = '{day}'"
        )
        seen[which] = ours(database, "cons/farmers_performance", "user_type, dau")

    assert seen == {"older": [("Normal", 1)], "ours": [("Non-PU Farmer", 1)]}
    assert layout("cons/farmers_performance").readings["farmers"].offsets == range(1)


def test_a_missing_rate_is_told_and_not_dropped(database) -> None:
    orders = ", ".join(
        f"('o{n}', TIMESTAMPTZ '2026-03-02 01:00:00+00', DATE '2026-03-02', 'u', '1401', '1', '{currency}', {amount}, 'completed')"
        for n, (currency, amount) in enumerate([("USD", "10.0000"), ("KHR", "41000.0000")])
    )
    columns = "order_id, occurred, ds, game_account_id, game_server_id, pg_id, currency, amount, name"
    give(database, "orders", columns, f"VALUES {orders}")
    give(database, "worlds", "server_id, name", "VALUES ('1401', '')")
    give(
        database,
        "rates",
        "ym, currency, rate_to_vnd",
        "VALUES ('2026-03', 'USD', 25000.0), ('2026-02', 'KHR', 6.1)",
    )
    older = """
        SELECT sum(amount * rate_to_vnd) / 25000 FROM orders
        LEFT JOIN rates ON rates.currency = orders.currency AND ym = '2026-03'"""

    assert database.execute(older).fetchall() == [(10.0,)]  # 9.97 USD more were paid, and nobody was told
    told = ours(database, "etl/recharge_rates", "currency, month, amount, rate_to_vnd")
    assert told == [("KHR", "2026-03", 41000, None), ("USD", "2026-03", 10, 25000)]
    assert "missing rate" in [check.name for check in layout("etl/recharge_rates").outputs[0].checks]
