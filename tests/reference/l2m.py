"""A plain reading of a source folder by the definitions, row by row; knows nothing of the simulator."""

from __future__ import annotations

import csv
from collections import defaultdict
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from ipaddress import ip_address, ip_network
from pathlib import Path

import pyarrow.parquet as pq
import yaml

LOGS = (
    *("etl_login", "etl_logout", "etl_increase_item", "etl_decrease_item"),
    *("etl_increase_money", "etl_decrease_money", "etl_recharge"),
)
DIGITS = Decimal("0.0001")


def half_up(value):
    return value.quantize(DIGITS, ROUND_HALF_UP)


def business_day(moment: datetime) -> date:
    return (moment + timedelta(hours=7)).date()


class Reading:
    """Everything the folder says, from day to day."""

    def __init__(self, folder: Path, late_days: int = 2) -> None:
        self.folder = folder
        with (folder / "seeds" / "worlds.csv").open(encoding="utf-8") as file:
            self.worlds = {row["server_id"] for row in csv.DictReader(file)}
        with (folder / "seeds" / "item_catalog.csv").open(encoding="utf-8") as file:
            self.items = {row["item_id"] for row in csv.DictReader(file)}
        with (folder / "seeds" / "diamonds.csv").open(encoding="utf-8") as file:
            self.diamonds = {row["currency_id"] for row in csv.DictReader(file)}
        with (folder / "seeds" / "vip_tiers.csv").open(encoding="utf-8") as file:
            self.tiers = [(Decimal(row["min_usd"]), row["tier"]) for row in csv.DictReader(file)]
        self.rules = yaml.safe_load((folder / "seeds" / "farmer_rules.yaml").read_text(encoding="utf-8"))
        self.rates = {
            (row["ym"], row["currency"]): row["rate_to_vnd"] for row in self.table("etl_currency_mapping")
        }
        self.users = {row["user_id"]: row for row in self.table("mkt_user_profile")}
        self.days = sorted(date.fromisoformat(path.name[3:]) for path in (folder / "etl_login").glob("ds=*"))
        self.rows = {name: self._counted(name, late_days) for name in LOGS}
        self.server_days = self._server_days()
        self.active = self._active()
        self.paid, self.usd = self._paid()

    def table(self, name):
        return pq.read_table(self.folder / name, partitioning=None).to_pylist()

    def arrivals(self, name):
        for path in sorted((self.folder / name).glob("ds=*")):
            for row in pq.read_table(path, partitioning=None).to_pylist():
                yield date.fromisoformat(path.name[3:]), row

    def _counted(self, name, late_days):
        """Rows on production worlds, inside their window, each once, with their business day."""
        kept = {}
        for ds, row in self.arrivals(name):
            key, moment, world = (
                ("order_id", "occurred", "game_server_id")
                if name == "etl_recharge"
                else ("log_id", "logtime", "actor_world")
            )
            day = business_day(row[moment])
            if day <= ds <= day + timedelta(days=late_days) and row[world] in self.worlds:
                first, _, _ = kept.setdefault(row[key], (row, day, ds))
                assert first == row
        return [row | {"day": day, "ds": ds} for row, day, ds in kept.values()]

    def _server_days(self):
        found = {}
        for row in self.table("mkt_role_profile"):
            days = found.setdefault((row["user_id"], row["server_id"]), {})
            for name in ("first_login", "first_charge"):
                if row[name] is not None:
                    days[name] = min(days.get(name, row[name]), row[name])
        return found

    def _active(self):
        """Day → (user, server) of the seven extractions."""
        found = defaultdict(set)
        for name, rows in self.rows.items():
            for row in rows:
                if name == "etl_recharge":
                    if row["name"] == "completed":
                        found[row["day"]].add((row["game_account_id"], row["game_server_id"]))
                elif ("item" not in name or row["entity_id"] in self.items) and (
                    "money" not in name or row["entity_id"] in self.diamonds
                ):
                    found[row["day"]].add((row["actor_str3"], row["actor_world"]))
        return found

    def _paid(self):
        """(day, user, server, pmc) → VND, and the same in USD; a missing rate is a KeyError."""
        vnd = defaultdict(Decimal)
        for row in self.rows["etl_recharge"]:
            if row["name"] == "completed":
                pmc = "Web" if row["pg_id"] == "25" else "IAP"
                rate = self.rates[f"{row['day']:%Y-%m}", row["currency"]]
                vnd[row["day"], row["game_account_id"], row["game_server_id"], pmc] += half_up(
                    row["amount"] * rate
                )
        usd = {key: half_up(paid / self.rates[f"{key[0]:%Y-%m}", "USD"]) for key, paid in vnd.items()}
        return vnd, usd

    def tier(self, usd):
        return max(found for found in self.tiers if found[0] <= usd)[1]

    def first(self, user, name):
        return self.users.get(user, {}).get(name)

    def kpis(self):
        """The tables of the truth, each as {keys: figures}."""
        tables = {
            name: {} for name in ("daily_kpi", "cum_rev", "server_performance", "retention", "ltv", "tiers")
        }
        totals, by_server = defaultdict(Decimal), defaultdict(Decimal)
        for day in self.days:
            users = {user for user, _ in self.active[day]}
            today, today_there = defaultdict(Decimal), defaultdict(Decimal)
            for (paid_on, user, server, _), usd in self.usd.items():
                if paid_on == day:
                    today[user] += usd
                    today_there[user, server] += usd
            for user, usd in today.items():
                totals[user] += usd
            for key, usd in today_there.items():
                by_server[key] += usd
            tables["daily_kpi"][day,] = self._daily(day, users, today)
            for (user, server), usd in by_server.items():
                tables["cum_rev"][day, user, server] = (usd, self.tier(totals[user]))
            for user in users | set(totals):
                tables["tiers"][day, user] = (self.tier(totals.get(user, Decimal(0))),)
            tables["server_performance"] |= self._servers(day, today_there, totals)
        self._cohorts(tables)
        return tables

    def _daily(self, day, users, today):
        new = [user for user in users if self.first(user, "first_login") == day]
        npu = [user for user in today if self.first(user, "first_charge") == day]
        nnpu = [user for user in npu if self.first(user, "first_login") == day]
        revenue = sum(today.values(), Decimal(0))
        counts = (len(users), len(new), len(today), len(npu), len(nnpu), revenue)
        return (*counts, over(revenue, len(users)), over(revenue, len(today)))

    def _servers(self, day, today, totals):
        found = {}
        for user, server in self.active[day]:
            days = self.server_days.get((user, server), {})
            figures = found.setdefault(
                (day, server, self.tier(totals.get(user, Decimal(0)))), [0, 0, 0, 0, 0, *[Decimal(0)] * 3]
            )
            paid, usd = (user, server) in today, today.get((user, server), Decimal(0))
            new = days.get("first_login") == day
            npu = paid and days.get("first_charge") == day
            for place, value in enumerate(
                (1, new, paid, npu, npu and new, usd, npu * usd, (npu and new) * usd)
            ):
                figures[place] += value
        return {
            key: (*figures, over(figures[5], figures[0]), over(figures[5], figures[2]))
            for key, figures in found.items()
        }

    def _cohorts(self, tables):
        users = {day: {user for user, _ in self.active[day]} for day in self.days}
        for day in self.days:
            cohort = {user for user in users[day] if self.first(user, "first_login") == day}
            for n in (1, 3, 7, 14, 21, 30):
                if cohort and (later := day + timedelta(days=n)) in users:
                    back = len(cohort & users[later])
                    tables["retention"][day, n] = (len(cohort), back, back / len(cohort))
            for n in (7, 14, 30, 60, 90, 180):
                if cohort and (later := day + timedelta(days=n)) in users:
                    revenue = sum(
                        (
                            usd
                            for (on, user, *_), usd in self.usd.items()
                            if day <= on <= later and user in cohort
                        ),
                        Decimal(0),
                    )
                    tables["ltv"][day, n] = (len(cohort), revenue, over(revenue, len(cohort)))

    def flagged(self, day):
        """Users rules A and B call farmers on a day."""
        window = {day - timedelta(days=back) for back in range(self.rules["window_days"])}
        allowed = [ip_network(text) for text in self.rules["allow_cidrs"]]
        at = defaultdict(set)
        for row in self.rows["etl_login"]:
            if row["day"] in window and row["data_str1"] is not None:
                at[row["day"], row["data_str1"]].add(row["actor_str3"])
        by_a = set()
        for (_, address), users in at.items():
            if len(users) >= self.rules["min_users_per_ip"] and not any(
                ip_address(address) in network for network in allowed
            ):
                by_a |= users
        highest, days = defaultdict(int), defaultdict(set)
        for name in ("etl_increase_item", "etl_decrease_item"):
            for row in self.rows[name]:
                if row["day"] in window and row["actor_level"] is not None:
                    highest[row["actor_str3"]] = max(highest[row["actor_str3"]], row["actor_level"])
        for each in window:
            for user, _ in self.active[each]:
                days[user].add(each)
        by_b = {
            user
            for user, level in highest.items()
            if level == 1 and len(days[user]) >= self.rules["min_days"]
        }
        return by_a, by_b

    def signals(self):
        """What one might tell bots by, each as {user: figure}, bots rather high."""
        allowed = [ip_network(text) for text in self.rules["allow_cidrs"]]
        at, shared, logins = defaultdict(set), defaultdict(int), defaultdict(int)
        for row in self.rows["etl_login"]:
            logins[row["actor_str3"]] += 1
            if (address := row["data_str1"]) and not any(
                ip_address(address) in network for network in allowed
            ):
                at[row["day"], address].add(row["actor_str3"])
        for users in at.values():
            for user in users:
                shared[user] = max(shared[user], len(users))
        level, hours, kinds = defaultdict(int), defaultdict(set), defaultdict(set)
        count = {name: defaultdict(int) for name in LOGS}
        clanless = defaultdict(lambda: 1)
        for name in LOGS[2:6]:
            for row in self.rows[name]:
                user = row["actor_str3"]
                count[name][user] += 1
                hours[user].add(row["logtime"].hour)
                level[user] = max(level[user], row["actor_level"] or 0)
                if "item" in name:
                    kinds[user].add(row["entity_id"])
                elif row["actor_guild"] not in {None, "0"}:
                    clanless[user] = 0
        paid = defaultdict(Decimal)
        for (_, user, *_), usd in self.usd.items():
            paid[user] += usd
        days = defaultdict(set)
        for day, seats in self.active.items():
            for user, _ in seats:
                days[user].add(day)
        gained, spent, earned, used = (count[name] for name in LOGS[2:6])
        return {
            "users at its address": shared,
            "low level": {user: -level[user] for user in days},
            "days": {user: len(days[user]) for user in days},
            "hours of the day": {user: len(hours[user]) for user in days},
            "logins a day": {user: logins[user] / len(days[user]) for user in days},
            "items a day": {user: gained[user] / len(days[user]) for user in days},
            "few items spent": {user: -spent[user] / max(1, gained[user]) for user in days},
            "few kinds of items": {
                user: -len(kinds[user]) / max(1, gained[user] + spent[user]) for user in days
            },
            "little money spent": {user: -used[user] / max(1, earned[user]) for user in days},
            "no clan": {user: clanless[user] for user in days},
            "little paid": {user: -float(paid[user]) for user in days},
        }

    def chains(self, until):
        """(user, server, currency) → [(gain or minus spending, balance after)] in order, as known on a day."""
        found = defaultdict(list)
        for name, sign in (("etl_increase_money", 1), ("etl_decrease_money", -1)):
            for row in self.rows[name]:
                if row["ds"] <= until:
                    found[row["actor_str3"], row["actor_world"], row["entity_id"]].append(
                        (row["logtime"], row["log_id"], sign * row["use_num2"], row["new_num1"])
                    )
        return {key: [row[2:] for row in sorted(rows)] for key, rows in found.items()}


def over(money, people):
    return half_up(money / people) if people else None
