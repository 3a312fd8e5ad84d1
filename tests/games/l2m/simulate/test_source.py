"""The folder the simulator writes: its columns, how rows reach it, and what it does not depend on."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from datetime import timedelta
from decimal import Decimal
from ipaddress import IPv4Address
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from gamelake.errors import UserError
from gamelake.games.l2m.simulate import cli, state
from gamelake.games.l2m.simulate.columns import AMOUNT, ip_texts, log_ids, units
from gamelake.games.l2m.simulate.purse import settled
from l2m_source import START, simulator
from reference.l2m import LOGS, Reading, business_day

COMMON = {
    "log_id": "string",
    "logtime": "timestamp[us, tz=UTC]",
    "actor_str3": "string",
    "actor_id": "string",
    "actor_name": "string",
    "actor_world": "string",
    "actor_level": "int32",
}
ITEM = COMMON | {"entity_id": "string", "use_num1": "int64", "log_detail_code": "string"}
MONEY = COMMON | {
    "entity_id": "string",
    "use_num2": "int64",
    "new_num1": "int64",
    "log_detail_code": "string",
    "actor_guild": "string",
    "actor_str2": "string",
}
COLUMNS = {
    "etl_login": COMMON | {"data_str1": "string"},
    "etl_logout": COMMON,
    "etl_increase_item": ITEM,
    "etl_decrease_item": ITEM,
    "etl_increase_money": MONEY,
    "etl_decrease_money": MONEY,
    "etl_recharge": {
        "order_id": "string",
        "game_account_id": "string",
        "game_server_id": "string",
        "pg_id": "string",
        "currency": "string",
        "amount": "decimal128(18, 4)",
        "name": "string",
        "occurred": "timestamp[us, tz=UTC]",
    },
    "etl_currency_mapping": {"ym": "string", "currency": "string", "rate_to_vnd": "decimal128(18, 6)"},
    "mkt_user_profile": {
        "user_id": "string",
        "country": "string",
        "platform": "string",
        "first_login": "date32[day]",
        "first_charge": "date32[day]",
        "total_rev": "decimal128(18, 4)",
    },
    "mkt_role_profile": {
        "role_id": "string",
        "user_id": "string",
        "server_id": "string",
        "role_level": "int32",
        "first_login": "date32[day]",
        "first_charge": "date32[day]",
    },
}


def digests(folder: Path, pattern: str = "**/*") -> dict[str, str]:
    files = sorted(path for path in folder.glob(pattern) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_folder_has_the_tables_of_the_specification(game):
    folder = game("default", 1).folder

    assert {path.name for path in folder.iterdir()} == {*COLUMNS, "seeds", "truth"}
    for name, columns in COLUMNS.items():
        slices = {path.parent.name for path in folder.glob(f"{name}/*/*.parquet")}
        wanted = {f"ds={START + timedelta(days=day)}" for day in range(9)} if name in LOGS else set()
        assert slices == wanted
        for path in folder.glob(f"{name}/**/*.parquet"):
            assert {field.name: str(field.type) for field in pq.read_schema(path)} == columns
    assert sorted(path.name for path in (folder / "seeds").iterdir()) == [
        *("diamonds.csv", "farmer_rules.yaml", "item_catalog.csv", "vip_tiers.csv", "worlds.csv"),
    ]
    rules = yaml.safe_load((folder / "seeds" / "farmer_rules.yaml").read_text(encoding="utf-8"))
    assert list(rules) == ["window_days", "min_days", "min_users_per_ip", "allow_cidrs"]


def test_a_log_id_that_repeats_is_an_exact_copy(game):
    reading = game("hard", 1).reading
    for name in LOGS:
        seen, times = {}, Counter()
        for _, row in reading.arrivals(name):
            key = row["order_id" if name == "etl_recharge" else "log_id"]
            assert seen.setdefault(key, row) == row
            times[key] += 1
        assert name == "etl_recharge" or 0.005 < sum(times.values()) / len(times) - 1 < 0.06


def test_rows_arrive_as_late_as_the_scenario_says(game):
    world = game("hard", 1)
    one, two, beyond = world.simulator.scenario.late
    lags, copies = Counter(), set()
    for name in ("etl_login", "etl_logout", "etl_increase_item", "etl_decrease_item"):
        for ds, row in world.reading.arrivals(name):
            day = business_day(row["logtime"])
            if row["log_id"] not in copies and day < START + timedelta(days=3):  # all of it has arrived
                lags[(ds - day).days] += 1
            copies.add(row["log_id"])
    share = {lag: count / lags.total() for lag, count in lags.items()}

    assert share[1] == pytest.approx(one, rel=0.4)
    assert share[2] == pytest.approx(two, rel=0.4)
    assert sum(share[lag] for lag in (3, 4, 5, 6)) == pytest.approx(beyond, rel=0.6)
    assert 0 < share[-1] < 0.01


def test_money_rows_of_one_account_arrive_in_order(game):
    found = defaultdict(list)
    rows = game("hard", 1).reading.rows
    for name in ("etl_increase_money", "etl_decrease_money"):
        for row in rows[name]:
            found[row["actor_str3"], row["actor_world"]].append((row["logtime"], row["log_id"], row["ds"]))

    assert any(row["ds"] != row["day"] for row in rows["etl_increase_money"])
    for moves in found.values():
        arrived = [ds for _, _, ds in sorted(moves)]
        assert arrived == sorted(arrived)


def test_the_same_arguments_give_the_same_bytes_in_any_process(tmp_path):
    simulator(users=60, days=3, scenario="hard").write(tmp_path / "here")
    code = (
        "from datetime import date; from pathlib import Path; from gamelake.games.l2m.simulate import L2mSimulator;"
        f"L2mSimulator(users=60, days=3, start=date({START.year}, {START.month}, {START.day}), scale=0.6,"
        f" scenario='hard').write(Path({str(tmp_path / 'there')!r}))"
    )
    environment = os.environ | {"PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    simulator(users=60, days=3, scenario="hard", seed=43).write(tmp_path / "other")

    assert digests(tmp_path / "here") == digests(tmp_path / "there")
    assert digests(tmp_path / "here", "etl_login/**/*") != digests(tmp_path / "other", "etl_login/**/*")


def test_a_shorter_run_is_the_beginning_of_a_longer_one(tmp_path):
    simulator(users=120, days=5).write(tmp_path / "long")
    simulator(users=120, days=3).write(tmp_path / "short")
    short, long = digests(tmp_path / "short", "etl_*/ds=*/*"), digests(tmp_path / "long", "etl_*/ds=*/*")

    assert len(short) == 7 * 3
    assert short.items() <= long.items()


@pytest.mark.parametrize(("users", "days", "scale"), [(1, 1, 0.1), (1, 9, 1.0), (30, 2, 20.0)])
def test_any_size_has_a_truth(tmp_path, users, days, scale):
    simulator(users=users, days=days, scale=scale).write(tmp_path / "source")
    read = Reading(tmp_path / "source").kpis()["daily_kpi"]
    told = pq.read_table(tmp_path / "source" / "truth" / "daily_kpi.parquet").to_pylist()

    assert {(row["report_date"],): tuple(row.values())[1:] for row in told} == read
    assert all(row["dau"] > 0 for row in told)


def test_blocks_of_accounts_leave_no_seam(tmp_path, monkeypatch):
    monkeypatch.setattr(state, "BLOCK_ROWS", 1)
    of = simulator(users=600, days=3)
    assert of.world().blocks == 3

    of.write(tmp_path / "source")
    reading = Reading(tmp_path / "source")
    told = pq.read_table(tmp_path / "source" / "truth" / "daily_kpi.parquet").to_pylist()

    assert [tuple(row.values())[1:] for row in told] == list(reading.kpis()["daily_kpi"].values())
    assert sum(map(len, reading.chains(reading.days[-1]).values())) == sum(
        len(reading.rows[name]) for name in ("etl_increase_money", "etl_decrease_money")
    )


def test_a_missing_rate_is_told_with_its_repair(tmp_path):
    simulator(days=3, missing_rate=True).write(tmp_path / "source")
    simulator(days=3).write(tmp_path / "whole")
    [gap] = pq.read_table(tmp_path / "source" / "truth" / "missing_rates.parquet").to_pylist()
    mapping = tmp_path / "source" / "etl_currency_mapping" / "part-00000.parquet"
    with pytest.raises(KeyError):
        Reading(tmp_path / "source")
    rate = {name: gap[name] for name in ("ym", "currency", "rate_to_vnd")}
    repaired = [*pq.read_table(mapping).to_pylist(), rate]
    pq.write_table(pa.Table.from_pylist(repaired, pq.read_schema(mapping)), mapping)
    reading = Reading(tmp_path / "source")
    paid = [
        row["amount"]
        for row in reading.rows["etl_recharge"]
        if (f"{row['day']:%Y-%m}", row["currency"], row["name"]) == (gap["ym"], gap["currency"], "completed")
    ]

    assert sum(paid) == gap["amount"] > 0
    assert digests(tmp_path / "source", "etl_*/ds=*/*") == digests(tmp_path / "whole", "etl_*/ds=*/*")
    assert digests(tmp_path / "source", "truth/cum_rev*") == digests(tmp_path / "whole", "truth/cum_rev*")


def test_wrong_arguments_are_refused_before_anything_is_written(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match=r"`--out .*full` is not empty"):
        simulator().write(tmp_path / "full")
    for wrong, message in (
        ({"users": 0}, "`--users 0` is outside 1 to 8388608"),
        ({"days": 5001}, "`--days 5001` is outside 1 to 5000"),
        ({"scale": 0}, "`--scale 0` is outside 0.1 to 100"),
        ({"scenario": "hrad"}, "`--scenario hrad` is not known, expected one of: easy, default, hard"),
    ):
        with pytest.raises(UserError) as refused:
            simulator(**wrong)
        assert message in str(refused.value)


def test_the_command_tells_what_it_wrote(tmp_path):
    out = tmp_path / "source"
    words = ["--users", "50", "--days", "2", "--start", "2024-12-31", "--seed", "3", "--scenario", "easy"]
    done = CliRunner().invoke(cli.app, [*words, "--out", str(out), "--json"])
    told = json.loads(done.stdout)

    assert (told["from"], told["to"], told["scenario"]) == ("2024-12-31", "2025-01-01", "easy")
    assert told["rows"]["mkt_user_profile"] == pq.read_table(out / "mkt_user_profile").num_rows
    assert told["log_rows"] == sum(
        pq.read_metadata(path).num_rows for path in out.glob("etl_*/ds=*/*.parquet")
    )
    shown = CliRunner().invoke(cli.app, [*words, "--out", str(tmp_path / "again")])
    assert f"{told['rows']['etl_login']:,}" in shown.stdout


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 50), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 3), st.integers(-40, 40)), max_size=40),
)
def test_a_spending_takes_what_is_there(owned, wishes):
    wishes = sorted(((chain % len(owned), change) for chain, change in wishes), key=lambda wish: wish[0])
    purse = np.array(owned)[:, None]
    now, expected = list(owned), []
    for chain, change in wishes:
        real = max(change, -now[chain])
        now[chain] += real
        expected.append((real, now[chain]))
    seat = np.array([chain for chain, _ in wishes], dtype=int)
    done, balance = settled(purse, seat, seat * 0, np.array([change for _, change in wishes], dtype=int))

    assert list(zip(done.tolist(), balance.tolist(), strict=True)) == expected
    assert purse[:, 0].tolist() == now


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-(10**17), 10**17), min_size=1), st.lists(st.integers(1, 2**32 - 1), min_size=1))
def test_numbers_become_the_texts_and_decimals_they_stand_for(amounts, numbers):
    assert units(np.array(amounts), AMOUNT).to_pylist() == [Decimal(each).scaleb(-4) for each in amounts]
    assert ip_texts(np.array(numbers)).to_pylist() == [str(IPv4Address(number)) for number in numbers]
    assert log_ids(7, 5, 12, np.array(numbers) % 10**8).to_pylist() == [
        f"0007500012{number % 10**8:08d}" for number in numbers
    ]
