"""The made-up game as a source folder, day by day."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Protocol

from gamelake.errors import UserError
from gamelake.games.l2m.simulate import profiles
from gamelake.games.l2m.simulate.arrival import deliver
from gamelake.games.l2m.simulate.block import play
from gamelake.games.l2m.simulate.columns import SCHEMAS, BlockTexts
from gamelake.games.l2m.simulate.population import people
from gamelake.games.l2m.simulate.scenario import scenario_named
from gamelake.games.l2m.simulate.state import World
from gamelake.games.l2m.simulate.truth import Truth
from gamelake.games.l2m.simulate.writer import Shelf

if TYPE_CHECKING:
    from pathlib import Path

MOST_USERS = 1 << 23  # more have no address of their own
MOST_DAYS = 5000


class Progress(Protocol):
    """Called after each block of accounts."""

    def __call__(self, *, done: int, total: int, rows: int) -> None:
        """Blocks done, of how many, and log rows written so far."""
        ...


@dataclass(frozen=True)
class Written:
    """What a run of the simulator left in its folder."""

    out: Path
    rows: dict[str, int] = field(default_factory=dict)  # by table
    bytes: int = 0  # of the logs

    @property
    def log_rows(self) -> int:
        return sum(self.rows[name] for name in SCHEMAS)


class L2mSimulator:
    """Source tables, settings and truth of a game that does not exist. The same arguments give the same bytes.

    A shorter run is the beginning of a longer one: up to its last day it has the same log slices, the slices as
    they were on that day, so without what arrives later.
    """

    def __init__(
        self,
        *,
        users: int,
        days: int,
        start: date,
        seed: int = 42,
        scenario: str = "default",
        scale: float = 1.0,
        missing_rate: bool = False,
    ) -> None:
        if not 1 <= users <= MOST_USERS:
            raise UserError(f"`--users {users}` is outside 1 to {MOST_USERS}")
        if not 1 <= days <= MOST_DAYS:
            raise UserError(f"`--days {days}` is outside 1 to {MOST_DAYS}")
        if not 0.1 <= scale <= 100:
            raise UserError(f"`--scale {scale:g}` is outside 0.1 to 100")
        self.users, self.days, self.start, self.seed = users, days, start, seed
        self.scenario, self.scale = scenario_named(scenario), scale
        self.missing_rate = missing_rate

    @property
    def last_day(self) -> date:
        return self.start + timedelta(days=self.days - 1)

    def world(self) -> World:
        """The game before its first day."""
        everybody = people(self.seed, self.users, self.scenario)
        return World(self.seed, self.scenario, self.scale, self.start, self.days, everybody)

    def write(self, out: Path, *, progress: Progress | None = None) -> Written:
        """Write the folder, which must be new or empty."""
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise UserError(f"`--out {out}` is not empty", hint="name a new folder, or remove this one first")
        world = self.world()
        with ThreadPoolExecutor(1, "parquet") as pen:
            shelves = [Shelf(out, name, pen) for name in SCHEMAS]
            truth = Truth(world, out)
            self._logs(world, shelves, truth, progress)
        tables = {shelf.name: shelf.rows for shelf in shelves}
        tables["etl_currency_mapping"] = profiles.write_rates(world, out, self._missing(truth))
        tables["mkt_user_profile"] = profiles.write_user_profiles(world, out)
        tables["mkt_role_profile"] = profiles.write_role_profiles(world, out)
        profiles.write_seeds(out)
        truth.close()
        return Written(out, tables, sum(shelf.bytes for shelf in shelves))

    def _logs(self, world: World, shelves: list[Shelf], truth: Truth, progress: Progress | None) -> None:
        texts: dict[int, BlockTexts] = {}
        for day in range(self.days):
            for shelf in shelves:
                shelf.open(day, world.date(day))
            for block in range(world.blocks):
                if block not in texts:
                    texts[block] = BlockTexts.of(world, block)
                _block(world, texts[block], day, block, shelves, truth)
                if progress:
                    done, rows = day * world.blocks + block + 1, sum(shelf.rows for shelf in shelves)
                    progress(done=done, total=self.days * world.blocks, rows=rows)
            for shelf in shelves:
                shelf.close()
            truth.close_day(day)

    def _missing(self, truth: Truth) -> frozenset[tuple[str, str]]:
        gap = truth.missing() if self.missing_rate else None
        if gap is None:
            return frozenset()
        truth.write_missing(*gap)
        return frozenset({gap})


def _block(world: World, texts: BlockTexts, day: int, block: int, shelves: list[Shelf], truth: Truth) -> None:
    made = play(world, day, block)
    orders = made.tables["etl_recharge"]
    world.charge(day, orders.seat[orders.more["state"] == 0])
    arrived = deliver(world, day, block, made)
    truth.see(made, arrived)
    for shelf in shelves:
        shelf.put(world, texts, day, block, arrived[shelf.name])
