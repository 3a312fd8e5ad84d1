"""What the game tells beside its logs: profiles as of the run's end, rates, and the settings in `seeds/`."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from pathlib import Path
from shutil import copyfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from gamelake.games.l2m.simulate import catalog
from gamelake.games.l2m.simulate.columns import AMOUNT, RATE, role_ids, text, units, user_ids
from gamelake.games.l2m.simulate.kinds import NEVER
from gamelake.games.l2m.simulate.state import rate_of
from gamelake.games.l2m.simulate.writer import parquet_writer, write_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gamelake.games.l2m.simulate.state import World

SEEDS = Path(__file__).parents[1] / "seeds"  # of the pack
_EPOCH = date(1970, 1, 1)
_AT_ONCE = 1 << 18  # profiles in memory


def days(world: World, numbers: NDArray[Any]) -> pa.Array:
    """Business days as dates; NEVER and days after the run are null."""
    past = np.asarray(numbers) < world.days
    since = (world.start - _EPOCH).days + np.where(past, numbers, 0)
    return pa.array(since.astype(np.int32), pa.int32(), mask=~past).cast(pa.date32())


def write_user_profiles(world: World, root: Path) -> int:
    """`mkt_user_profile`: who never came yet has no first day. Some accounts have no profile; number of rows."""
    users = world.people.users
    schema = pa.schema(
        [
            *(("user_id", pa.string()), ("country", pa.string()), ("platform", pa.string())),
            *(("first_login", pa.date32()), ("first_charge", pa.date32()), ("total_rev", AMOUNT)),
        ]
    )
    rows = 0
    with parquet_writer(root / "mkt_user_profile" / "part-00000.parquet", schema) as writer:
        for first in range(0, len(users), _AT_ONCE):
            at = first + np.flatnonzero(users.has_profile[first : first + _AT_ONCE])
            login = np.where(users.dateless[at], NEVER, users.arrival[at])
            charge = np.where(users.dateless[at], NEVER, world.paid[at])
            # A figure of another system: nothing may be computed from it.
            other = np.where(world.paid[at] < world.days, (at * 7919 % 90_000_000) * 10_000, 0)
            columns = {
                "user_id": user_ids(at),
                "country": text(catalog.COUNTRIES, users.country[at]),
                "platform": text(catalog.PLATFORMS, users.platform[at]),
                "first_login": days(world, login),
                "first_charge": days(world, charge),
                "total_rev": units(other, AMOUNT),
            }
            writer.write_table(pa.table(columns).cast(schema))
            rows += len(at)
    return rows


def role_days(world: World, at: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any]]:
    """(first login, first charge) of these roles as their profiles tell it; NEVER where they do not."""
    roles, seats = world.people.roles, world.people.seats
    seat = roles.seat[at]
    first = at == seats.first_role[seat]
    charge = np.where(first, world.paid_on_seat[seat], NEVER)  # whoever pays does so with the first role
    return np.where(roles.dateless[at], NEVER, roles.start[at]), np.where(roles.dateless[at], NEVER, charge)


def write_role_profiles(world: World, root: Path) -> int:
    """`mkt_role_profile`, of test worlds too; number of rows."""
    roles, seats = world.people.roles, world.people.seats
    schema = pa.schema(
        [
            *(("role_id", pa.string()), ("user_id", pa.string()), ("server_id", pa.string())),
            *(("role_level", pa.int32()), ("first_login", pa.date32()), ("first_charge", pa.date32())),
        ]
    )
    rows = 0
    with parquet_writer(root / "mkt_role_profile" / "part-00000.parquet", schema) as writer:
        for start in range(0, len(roles), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            at = start + np.flatnonzero(roles.has_profile[part] & (roles.start[part] < world.days))
            login, charge = role_days(world, at)
            columns = {
                "role_id": role_ids(at),
                "user_id": user_ids(seats.user[roles.seat[at]]),
                "server_id": text(catalog.WORLDS, seats.world[roles.seat[at]]),
                "role_level": pa.array(world.level[at].astype(np.int32)),
                "first_login": days(world, login),
                "first_charge": days(world, charge),
            }
            writer.write_table(pa.table(columns).cast(schema))
            rows += len(at)
    return rows


def months(world: World) -> list[str]:
    """Months of the run, and the one before."""
    before = world.start.replace(day=1) - timedelta(days=1)
    return sorted({f"{before:%Y-%m}", *(world.month(day) for day in range(world.days))})


def write_rates(world: World, root: Path, missing: frozenset[tuple[str, str]]) -> int:
    """`etl_currency_mapping` without the missing (month, currency) and without the gap; number of rows."""
    rows = [
        (month, currency, rate_of(world.seed, currency, month))
        for month in months(world)
        for currency in catalog.CURRENCIES
        if (month, currency) not in missing | {(world.month(0), catalog.GAP_CURRENCY)}
    ]
    columns = {
        "ym": pa.array([month for month, _, _ in rows], pa.string()),
        "currency": pa.array([currency for _, currency, _ in rows], pa.string()),
        "rate_to_vnd": units(np.array([rate for _, _, rate in rows]), RATE),
    }
    write_table(root / "etl_currency_mapping" / "part-00000.parquet", pa.table(columns))
    return len(rows)


def write_seeds(root: Path) -> None:
    """The five settings: those of the pack, with this game's worlds and allow-listed addresses."""
    folder = root / "seeds"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("item_catalog.csv", "vip_tiers.csv", "diamonds.csv"):
        copyfile(SEEDS / name, folder / name)
    with (folder / "worlds.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("server_id", "name"))
        table.writerows(zip(catalog.PRODUCTION, catalog.WORLD_NAMES, strict=True))
    rules = ["window_days: 30", "min_days: 3", "min_users_per_ip: 10", "allow_cidrs:"]
    lines = [*rules, *(f"  - {network}" for network in catalog.ALLOWED)]
    (folder / "farmer_rules.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
