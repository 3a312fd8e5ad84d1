"""`truth/*.parquet`: the figures, in the columns a pipeline should come to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from gamelake.games.l2m.simulate import catalog
from gamelake.games.l2m.simulate.columns import AMOUNT, RATE, text, user_ids
from gamelake.games.l2m.simulate.writer import parquet_writer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal
    from pathlib import Path

    from numpy.typing import NDArray

    from gamelake.games.l2m.simulate.state import World

    Array = NDArray[Any]

TIERS = (
    *(("Free", "0"), ("A", "0.0001"), ("B", "40"), ("C", "200")),
    *(("D", "400"), ("E", "2000"), ("F", "4000"), ("G", "20000")),
)
TIER_NAMES = tuple(name for name, _ in TIERS)
_DAY, _TEXT, _COUNT = pa.date32(), pa.string(), pa.int64()
_PAYERS = {"dau": _COUNT, "nru": _COUNT, "pu": _COUNT, "npu": _COUNT, "nnpu": _COUNT, "rev_usd": AMOUNT}
_AVERAGES = {"arpu": AMOUNT, "arppu": AMOUNT}
_SCHEMAS = {
    "daily_kpi": {"report_date": _DAY, **_PAYERS, **_AVERAGES},
    "cum_rev": {
        "ds": _DAY,
        "user_id": _TEXT,
        "server_id": _TEXT,
        "total_rev_usd": AMOUNT,
        "user_group": _TEXT,
    },
    "server_performance": {
        "report_date": _DAY,
        "server_id": _TEXT,
        "vip_level": _TEXT,
        **_PAYERS,
        "rev_npu": AMOUNT,
        "rev_nnpu": AMOUNT,
        **_AVERAGES,
    },
    "retention": {
        "cohort_date": _DAY,
        "day_n": pa.int32(),
        "cohort_size": _COUNT,
        "retained": _COUNT,
        "rate": pa.float64(),
    },
    "ltv": {
        "cohort_date": _DAY,
        "day_n": pa.int32(),
        "cohort_size": _COUNT,
        "revenue_usd": AMOUNT,
        "ltv": AMOUNT,
    },
    "tiers": {"report_date": _DAY, "user_id": _TEXT, "vip_level": _TEXT},
    "farmers": {"snapshot_date": _DAY, "user_id": _TEXT, "is_bot": pa.bool_()},
    "missing_rates": {"ym": _TEXT, "currency": _TEXT, "rate_to_vnd": RATE, "amount": AMOUNT},
}
_ENOUGH = 1 << 18  # rows that make a row group


class _Sheet:
    """One table of the truth, written a row group at a time."""

    def __init__(self, root: Path, name: str) -> None:
        self._schema = pa.schema(list(_SCHEMAS[name].items()))
        self._writer = parquet_writer(root / "truth" / f"{name}.parquet", self._schema)
        self._rows: list[dict[str, Any]] = []
        self._tables: list[pa.Table] = []
        self._count = 0

    def row(self, **values: Any) -> None:
        self._rows.append(values)

    def table(self, columns: dict[str, pa.Array]) -> None:
        table = pa.table(columns).cast(self._schema)
        self._tables.append(table)
        self._count += table.num_rows
        if self._count >= _ENOUGH:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._tables.append(pa.Table.from_pylist(self._rows, self._schema))
        if self._tables:
            self._writer.write_table(pa.concat_tables(self._tables), row_group_size=_ENOUGH * 2)
        self._rows, self._tables, self._count = [], [], 0

    def close(self) -> None:
        self._flush()
        self._writer.close()


class TruthFiles:
    """Days come in order, each once."""

    def __init__(self, world: World, root: Path) -> None:
        self._world = world
        self._sheets = {name: _Sheet(root, name) for name in _SCHEMAS}

    def daily_kpi(self, day: int, **figures: Any) -> None:
        self._sheets["daily_kpi"].row(report_date=self._world.date(day), **figures)

    def server_performance(self, day: int, *, server: str, tier: str, **figures: Any) -> None:
        keys = {"report_date": self._world.date(day), "server_id": server, "vip_level": tier}
        self._sheets["server_performance"].row(**keys, **figures)

    def retention(self, cohort: int, n: int, size: int, retained: int) -> None:
        keys = {"cohort_date": self._world.date(cohort), "day_n": n, "cohort_size": size}
        self._sheets["retention"].row(**keys, retained=retained, rate=retained / size)

    def ltv(self, cohort: int, n: int, size: int, revenue: Decimal, ltv: Decimal | None) -> None:
        keys = {"cohort_date": self._world.date(cohort), "day_n": n, "cohort_size": size}
        self._sheets["ltv"].row(**keys, revenue_usd=revenue, ltv=ltv)

    def cum_rev(self, day: int, seats: Array, totals: Sequence[Decimal], tiers: Array) -> None:
        people = self._world.people.seats
        self._sheets["cum_rev"].table(
            {
                "ds": self._days(day, len(seats)),
                "user_id": user_ids(people.user[seats]),
                "server_id": text(catalog.WORLDS, people.world[seats]),
                "total_rev_usd": pa.array(totals, AMOUNT),
                "user_group": self._tiers(tiers),
            }
        )

    def tiers(self, day: int, users: Array, tiers: Array) -> None:
        columns = {"report_date": self._days(day, len(users)), "user_id": user_ids(users)}
        self._sheets["tiers"].table({**columns, "vip_level": self._tiers(tiers)})

    def farmers(self, day: int, users: Array, bots: Array) -> None:
        columns = {"snapshot_date": self._days(day, len(users)), "user_id": user_ids(users)}
        self._sheets["farmers"].table({**columns, "is_bot": pa.array(bots)})

    def missing(self, month: str, currency: str, rate: Decimal, amount: Decimal) -> None:
        self._sheets["missing_rates"].row(ym=month, currency=currency, rate_to_vnd=rate, amount=amount)

    def close(self) -> None:
        for sheet in self._sheets.values():
            sheet.close()

    def _days(self, day: int, count: int) -> pa.Array:
        return pa.repeat(pa.scalar(self._world.date(day), pa.date32()), count)

    def _tiers(self, tiers: Array) -> pa.Array:
        return text(TIER_NAMES, np.asarray(tiers))
