"""The truth of the simulator against a plain reading of the files it wrote."""

from __future__ import annotations

from datetime import timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise

import numpy as np
import pytest

from reference.l2m import DIGITS, business_day

WORLDS = [(scenario, seed) for scenario in ("default", "hard") for seed in (1, 2, 3)]
KEYS = {"daily_kpi": 1, "cum_rev": 3, "server_performance": 3, "retention": 2, "ltv": 2, "tiers": 2}


@pytest.mark.parametrize(("scenario", "seed"), WORLDS)
def test_the_truth_is_what_the_files_say(game, scenario, seed):
    world = game(scenario, seed)
    read = world.reading.kpis()

    for name, keys in KEYS.items():
        rows = [tuple(row.values()) for row in world.truth(name)]
        assert {row[:keys]: row[keys:] for row in rows} == read[name]
        assert len(rows) == len(read[name]) > 0


@pytest.mark.parametrize(("scenario", "seed"), WORLDS[:4])
def test_every_recently_active_account_is_told_bot_or_not(game, scenario, seed):
    world = game(scenario, seed)
    told = {(row["snapshot_date"], row["user_id"]) for row in world.truth("farmers")}
    days = world.reading.days

    assert told == {
        (day, user)
        for day in days
        for active in days
        if active <= day
        for user, _ in world.reading.active[active]
    }


@pytest.mark.parametrize(("scenario", "seed"), WORLDS)
def test_balances_explain_themselves_on_every_day_of_arrival(game, scenario, seed):
    reading = game(scenario, seed).reading

    for until in (reading.days[0], reading.days[4], reading.days[-1]):
        chains = reading.chains(until)
        assert max(map(len, chains.values())) > 5
        for moves in chains.values():
            assert all(balance >= 0 for _, balance in moves)
            assert all(before + change == after for (_, before), (change, after) in pairwise(moves))


def test_a_wrong_reading_gives_wrong_figures(game):
    """The source holds what an older pipeline stumbled over; each would show."""
    world = game("default", 4, 700)
    reading, rows = world.reading, world.reading.rows
    true = {row["report_date"]: row for row in world.truth("daily_kpi")}
    dau = {day: row["dau"] for day, row in true.items()}
    logins = [row for _, row in reading.arrivals("etl_login")]
    everywhere = {(business_day(row["logtime"]), row["actor_str3"]) for row in logins} | {
        (day, user) for day, seats in reading.active.items() for user, _ in seats
    }
    with_gold = {
        (row["day"], row["actor_str3"]) for name, log in rows.items() if name != "etl_recharge" for row in log
    }
    utc = {(row["logtime"].date(), row["actor_str3"]) for row in logins}
    paid = [row for row in rows["etl_recharge"] if row["name"] == "completed"]
    revenue = sum(reading.usd.values())
    bankers = sum(
        (paid_vnd / reading.rates[f"{key[0]:%Y-%m}", "USD"]).quantize(DIGITS, ROUND_HALF_EVEN)
        for key, paid_vnd in reading.paid.items()
    )
    orders = [row for _, row in reading.arrivals("etl_recharge")]

    assert len(everywhere) > sum(dau.values())  # test worlds, clocks ahead, rows far too late
    assert len(with_gold) > sum(dau.values())  # gold and plain items make nobody active
    assert len({each for each in utc if each[0] == reading.days[3]}) != dau[reading.days[3]]
    assert bankers != revenue == sum(row["rev_usd"] for row in true.values())
    assert any(row["day"] != row["ds"] for row in paid)  # late, and counted
    assert any(row["pg_id"] in {"250", "025", None} for row in paid)
    assert any(row["name"] != "completed" for row in orders)
    assert any(row["game_server_id"] == "9140" and row["name"] == "completed" for row in orders)
    assert any(row["occurred"].month != (row["occurred"] + timedelta(hours=7)).month for row in orders)
    assert len(orders) > len({row["order_id"] for row in orders})
    assert min(reading.usd.values()) == Decimal(0)  # a payer of nothing
    logged_in = {(business_day(row["logtime"]), row["actor_str3"]) for row in logins}
    assert any((day, user) not in logged_in for day, user, *_ in reading.usd)  # only visited the web shop


def test_bots_of_the_default_scenario_can_be_told_by_both_rules_together(game):
    world = game("default", 4, 700)
    bots, people = parted(world)
    by_a, by_b = world.reading.flagged(world.reading.days[-1])

    assert len(bots & (by_a | by_b)) / len(bots) >= 0.95
    assert len(bots & (by_a | by_b)) / len(by_a | by_b) >= 0.95
    assert len(bots & by_a) / len(bots) < 0.95  # neither rule is enough alone
    assert len(bots & by_b) / len(bots) < 0.95
    world.reading.rules["allow_cidrs"] = []
    assert len(people & world.reading.flagged(world.reading.days[-1])[0]) > len(bots)


def test_bots_of_the_easy_scenario_stand_apart(game):
    world = game("easy", 5)
    bots, people = parted(world)
    by_a, _ = world.reading.flagged(world.reading.days[-1])
    busy = world.reading.signals()["logins a day"]

    assert bots == by_a
    assert min(busy[user] for user in bots) > np.quantile([busy[user] for user in people], 0.99)


def test_bots_of_the_hard_scenario_share_every_single_signal_with_people(game):
    world = game("hard", 4, 900)
    bots, people = parted(world)
    for name, figures in world.reading.signals().items():
        high = np.array([figures.get(user, 0) for user in sorted(bots)], dtype=float)
        low = np.array([figures.get(user, 0) for user in sorted(people)], dtype=float)
        found = [((high >= least).sum(), (low >= least).sum()) for least in np.unique(high)]
        best = max(2 * hits / (hits + wrong + len(high)) for hits, wrong in found)
        inside = ((low >= np.quantile(high, 0.1)) & (low <= np.quantile(high, 0.9))).mean()

        assert best < 0.6, name  # the best threshold on this signal alone
        assert inside > 0.4, name  # people among the middle four fifths of bots


def parted(world):
    """(bots, people) among the accounts of the last snapshot."""
    last = [row for row in world.truth("farmers") if row["snapshot_date"] == world.reading.days[-1]]
    return ({row["user_id"] for row in last if row["is_bot"] is truly} for truly in (True, False))
