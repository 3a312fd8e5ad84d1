"""What is true about the made-up game, from its own state and by the definitions alone.

A slow and obvious twin of the pack's layouts: it shares no code, no SQL and no settings with them, and reads no
file. Money is `Decimal` and goes payment by payment; who was active is a mark for each seat.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from gamelake.games.l2m.simulate import catalog
from gamelake.games.l2m.simulate.kinds import NEVER
from gamelake.games.l2m.simulate.state import rate_of
from gamelake.games.l2m.simulate.truth_files import TIER_NAMES, TIERS, TruthFiles

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from gamelake.games.l2m.simulate.arrival import Delivery
    from gamelake.games.l2m.simulate.block import BlockDay
    from gamelake.games.l2m.simulate.rows import Rows
    from gamelake.games.l2m.simulate.state import World

    Array = NDArray[Any]

RETENTION_DAYS = (1, 3, 7, 14, 21, 30)
LTV_DAYS = (7, 14, 30, 60, 90, 180)
FARMER_DAYS = 30
_ZERO, _DIGITS = Decimal(0), Decimal("0.0001")
_EXACT = 60  # digits; more than any product or sum has


def rounded(value: Decimal) -> Decimal:
    """Half-up to four digits.

    >>> rounded(Decimal("0.00025")), rounded(Decimal("2.00004999"))
    (Decimal('0.0003'), Decimal('2.0000'))
    """
    return value.quantize(_DIGITS, ROUND_HALF_UP)


def share(money: Decimal, people: int) -> Decimal | None:
    """Money for each of so many people; nothing when there are none."""
    return rounded(money / people) if people else None


def tier_number(usd: Decimal) -> int:
    """Position of the highest tier whose least sum is reached.

    >>> [TIER_NAMES[tier_number(Decimal(usd))] for usd in ("0", "0.0001", "39.9999", "40", "20000")]
    ['Free', 'A', 'A', 'B', 'G']
    """
    return max(number for number, (_, least) in enumerate(TIERS) if usd >= Decimal(least))


class Truth:
    """Takes in each block of each day, and tells each day when it is over."""

    def __init__(self, world: World, root: Path) -> None:
        users, seats = world.people.users, world.people.seats
        self._world = world
        self._files = TruthFiles(world, root)
        self._first_login = np.where(users.has_profile & ~users.dateless, users.arrival, NEVER)
        self._seat_login, self._seat_charge_told = _role_days(world)
        self._active = np.zeros(len(seats), dtype=bool)
        self._orders: list[tuple[int, bool, str, Decimal]] = []  # of the day: seat, web, currency, amount
        self._cohort = np.full(
            len(users), NEVER, dtype=np.int32
        )  # day on which an account was new and active
        self._cohort_size: list[int] = []
        self._cohort_usd: list[Decimal] = []
        self._tier = np.zeros(len(users), dtype=np.int8)
        self._user_usd: defaultdict[int, Decimal] = defaultdict(Decimal)
        self._seat_usd: dict[int, Decimal] = {}
        self._last_active = np.full(len(users), -NEVER, dtype=np.int32)
        self.paid_in: dict[tuple[str, str], tuple[int, Decimal]] = {}  # (month, currency): orders, amount

    def see(self, made: BlockDay, arrived: dict[str, Delivery]) -> None:
        """Note who a block's counted rows show, and what they paid."""
        for name, rows in made.tables.items():
            counted = arrived[name].counted
            told = counted[_is_reported(name, rows)[counted]]
            seat = rows.seat[told]
            here = catalog.IS_PRODUCTION[self._world.people.seats.world[seat]]
            self._active[seat[here]] = True
            if name == "etl_recharge":
                self._note_orders(rows.take(told[here]))

    def _note_orders(self, rows: Rows) -> None:
        columns = (rows.seat, rows.more["way"], rows.more["currency"], rows.more["amount"])
        for seat, way, currency, amount in zip(*(column.tolist() for column in columns), strict=True):
            paid = Decimal(amount).scaleb(-4)
            self._orders.append((seat, catalog.PAYMENT_WAYS[way] == "25", catalog.CURRENCIES[currency], paid))

    def close_day(self, day: int) -> None:
        """Write the figures of the day that is over."""
        with localcontext(prec=_EXACT):
            users = np.zeros(len(self._tier), dtype=bool)
            users[self._world.people.seats.user[self._active]] = True
            by_seat = self._settle(day)
            by_user: defaultdict[int, Decimal] = defaultdict(Decimal)
            for seat, usd in by_seat.items():
                by_user[self._user(seat)] += usd
                self._seat_usd[seat] = self._seat_usd.get(seat, _ZERO) + usd
            for user, usd in by_user.items():
                self._user_usd[user] += usd
                self._tier[user] = tier_number(self._user_usd[user])
            self._last_active[users] = day
            self._daily(day, users, by_user)
            self._cohorts(day, users, by_user)
            self._servers(day, by_seat)
            self._per_user(day, users)
        self._active[:] = False
        self._orders = []

    def close(self) -> None:
        """End the files."""
        self._files.close()

    def missing(self) -> tuple[str, str] | None:
        """The (month, currency) with the most payments that would be hard to miss: neither VND nor USD."""
        found = {key: paid for key, paid in self.paid_in.items() if key[1] not in {"VND", "USD"}}
        return max(found, key=lambda key: (found[key][0], key)) if found else None

    def write_missing(self, month: str, currency: str) -> None:
        """Tell which rate is missing, with its value for the repair and the amount that waits for it."""
        rate = rate_of(self._world.seed, currency, month)
        self._files.missing(month, currency, Decimal(rate).scaleb(-6), self.paid_in[month, currency][1])

    def _user(self, seat: int) -> int:
        return int(self._world.people.seats.user[seat])

    def _settle(self, day: int) -> dict[int, Decimal]:
        """USD of each seat that paid today: rows to VND, summed by way of payment, then to USD once."""
        month = self._world.month(day)
        vnd: defaultdict[tuple[int, bool], Decimal] = defaultdict(Decimal)
        for seat, web, currency, amount in self._orders:
            vnd[seat, web] += rounded(amount * self._rate(currency, month))
            orders, sum_so_far = self.paid_in.get((month, currency), (0, _ZERO))
            self.paid_in[month, currency] = orders + 1, sum_so_far + amount
        by_seat: defaultdict[int, Decimal] = defaultdict(Decimal)
        for (seat, _), paid in vnd.items():
            by_seat[seat] += rounded(paid / self._rate("USD", month))
        return by_seat

    def _rate(self, currency: str, month: str) -> Decimal:
        return Decimal(rate_of(self._world.seed, currency, month)).scaleb(-6)

    def _daily(self, day: int, active: Array, by_user: dict[int, Decimal]) -> None:
        new_payers = [user for user in by_user if self._first_charge(user) == day]
        revenue = sum(by_user.values(), _ZERO)
        dau = int(active.sum())
        self._files.daily_kpi(
            day,
            dau=dau,
            nru=int((active & (self._first_login == day)).sum()),
            pu=len(by_user),
            npu=len(new_payers),
            nnpu=sum(1 for user in new_payers if self._first_login[user] == day),
            rev_usd=revenue,
            arpu=share(revenue, dau),
            arppu=share(revenue, len(by_user)),
        )

    def _first_charge(self, user: int) -> int:
        users = self._world.people.users
        told = users.has_profile[user] and not users.dateless[user]
        return int(self._world.paid[user]) if told else NEVER

    def _cohorts(self, day: int, active: Array, by_user: dict[int, Decimal]) -> None:
        new = active & (self._first_login == day)
        self._cohort[new] = day
        self._cohort_size.append(int(new.sum()))
        self._cohort_usd.append(_ZERO)
        for user, usd in by_user.items():
            if self._cohort[user] != NEVER:
                self._cohort_usd[self._cohort[user]] += usd
        for n in RETENTION_DAYS:
            if day >= n and (size := self._cohort_size[day - n]):
                self._files.retention(day - n, n, size, int((active & (self._cohort == day - n)).sum()))
        for n in LTV_DAYS:
            if day >= n and (size := self._cohort_size[day - n]):
                usd = self._cohort_usd[day - n]
                self._files.ltv(day - n, n, size, usd, share(usd, size))

    def _servers(self, day: int, by_seat: dict[int, Decimal]) -> None:
        seats = self._world.people.seats
        active = np.flatnonzero(self._active)
        where = seats.world[active].astype(np.int64) * len(TIERS) + self._tier[seats.user[active]]
        dau = np.bincount(where)
        nru = np.bincount(where, weights=self._seat_login[active] == day)
        payers: defaultdict[int, list[tuple[Decimal, bool, bool]]] = defaultdict(list)
        for seat, usd in by_seat.items():
            key = int(seats.world[seat]) * len(TIERS) + int(self._tier[seats.user[seat]])
            npu = bool(self._seat_charge_told[seat]) and int(self._world.paid_on_seat[seat]) == day
            payers[key].append((usd, npu, npu and int(self._seat_login[seat]) == day))
        for key in np.flatnonzero(dau).tolist():
            paid = payers[key]
            revenue = sum((usd for usd, _, _ in paid), _ZERO)
            self._files.server_performance(
                day,
                server=catalog.WORLDS[key // len(TIERS)],
                tier=TIER_NAMES[key % len(TIERS)],
                dau=int(dau[key]),
                nru=int(nru[key]),
                pu=len(paid),
                npu=sum(1 for _, npu, _ in paid if npu),
                nnpu=sum(1 for _, _, nnpu in paid if nnpu),
                rev_usd=revenue,
                rev_npu=sum((usd for usd, npu, _ in paid if npu), _ZERO),
                rev_nnpu=sum((usd for usd, _, nnpu in paid if nnpu), _ZERO),
                arpu=share(revenue, int(dau[key])),
                arppu=share(revenue, len(paid)),
            )

    def _per_user(self, day: int, active: Array) -> None:
        paid = np.zeros(len(active), dtype=bool)
        paid[list(self._user_usd)] = True
        at = np.flatnonzero(active | paid)
        self._files.tiers(day, at, self._tier[at])
        seats = np.array(sorted(self._seat_usd), dtype=np.int64)
        users = self._world.people.seats.user[seats]
        self._files.cum_rev(day, seats, [self._seat_usd[seat] for seat in seats.tolist()], self._tier[users])
        recent = np.flatnonzero(self._last_active > day - FARMER_DAYS)
        self._files.farmers(day, recent, self._world.people.users.is_bot[recent])


def _is_reported(name: str, rows: Rows) -> Array:
    """Rows that a table of section 2 of the specification is made of: key items, diamonds, completed payments."""
    if "item" in rows.more:
        return np.asarray(rows.more["item"] < len(catalog.KEY_ITEMS))
    if "money" in rows.more:
        return np.asarray(rows.more["money"] == catalog.MONEY.index(catalog.DIAMONDS))
    if name == "etl_recharge":
        return np.asarray(rows.more["state"] == catalog.ORDER_STATES.index("completed"))
    return np.ones(len(rows), dtype=bool)


def _role_days(world: World) -> tuple[Array, Array]:
    """By seat: the earliest first login its role profiles tell, and whether they tell its first charge."""
    roles, seats = world.people.roles, world.people.seats
    told = roles.has_profile & ~roles.dateless
    login = np.full(len(seats), NEVER, dtype=np.int64)
    np.minimum.at(login, roles.seat, np.where(told, roles.start, NEVER))
    return login, told[seats.first_role[:-1]]
