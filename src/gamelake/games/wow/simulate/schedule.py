"""When who does what: numpy draws a stretch of a fight at once, the fight plays it line by line.

A stream is one source of actions: a player's rotation, its melee swings, a pet, the boss. A chunk of some seconds
is drawn for all streams together; constant memory, whatever the length of the fight.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

import numpy as np

from gamelake.games.draws import normals

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

CHUNK_MS: Final = 20_000


class Op(IntEnum):
    """What an action does; the fight has one method for each."""

    CAST = 0
    CAST_START = 1
    HIT = 2
    SHOT = 3
    TICK = 4
    SWEEP = 5
    SWING = 6
    HEAL = 7
    RENEWAL = 8
    TIDE = 9
    WARD = 10
    AURA = 11
    ENERGIZE = 12
    GUARDIAN = 13
    BOSS_SWING = 14
    BOSS_PULSE = 15
    BOSS_BOLT = 16
    MINIONS = 17
    MINION_SWING = 18
    RARE = 19


@dataclass(frozen=True)
class Act:
    """One choice of a stream: how often, how strong, and whether a cast line goes before it.

    `heals` draws amounts as healing has them, which is also the size of what enemies do.
    """

    op: Op
    weight: float
    strength: float = 1.0
    spell: int = 0
    cast: bool = False
    heals: bool = False


@dataclass(frozen=True)
class Stream:
    """`interval` milliseconds between actions, give or take 40 %; `power` scales amounts."""

    actor: int
    interval: float
    acts: tuple[Act, ...]
    power: float = 1.0


Row = tuple[int, int, int, int, int, float, int]
"""(milliseconds since the pull, op, actor, spell, amount, critical factor or 0, random number below 2³⁰)."""


class Schedule:
    """Rows of a whole fight, drawn chunk by chunk for as long as somebody asks."""

    def __init__(self, streams: Sequence[Stream], rng: np.random.Generator) -> None:
        self._rng = rng
        self._actor = np.array([stream.actor for stream in streams])
        self._interval = np.array([stream.interval for stream in streams])
        self._power = np.array([stream.power for stream in streams])
        self._next = rng.random(len(streams)) * self._interval
        acts = [act for stream in streams for act in stream.acts]
        self._op = np.array([int(act.op) for act in acts])
        self._spell = np.array([act.spell for act in acts])
        self._strength = np.array([act.strength for act in acts])
        self._cast = np.array([act.cast for act in acts])
        self._heals = np.array([act.heals for act in acts])
        widest = max(len(stream.acts) for stream in streams)
        self._first = np.cumsum([0] + [len(stream.acts) for stream in streams[:-1]])
        self._upto = np.full((len(streams), widest), 2.0)
        for at, stream in enumerate(streams):
            weights = np.array([act.weight for act in stream.acts])
            self._upto[at, : len(weights) - 1] = (np.cumsum(weights) / weights.sum())[:-1]

    def rows(self) -> Iterator[Row]:
        """Rows in order of time; endless."""
        begin = 0
        while True:
            yield from self._chunk(begin, begin + CHUNK_MS)
            begin += CHUNK_MS

    def _chunk(self, begin: int, end: int) -> Iterator[Row]:
        stream, at = self._times(end)
        count = len(stream)
        rng = self._rng
        choice = (rng.random(count)[:, None] >= self._upto[stream]).sum(axis=1)
        act = self._first[stream] + choice
        amount = self._amounts(act, normals(rng, count)) * self._power[stream]
        critical = self._criticals(act, rng.random(count), rng.random(count))
        pick = (rng.random(count) * 2**30).astype(np.int64)
        op, cast = self._op[act], self._cast[act]
        travel = np.where(cast, 40.0 + rng.random(count) * 360.0, 0.0)
        begun = cast & (rng.random(count) < 0.3)
        columns = (self._actor[stream], self._spell[act], amount.astype(np.int64), critical, pick)
        time = np.concatenate([at[begun] - 1500.0, at[cast], at + travel])
        ops = np.concatenate(
            [np.full(int(begun.sum()), int(Op.CAST_START)), np.full(int(cast.sum()), int(Op.CAST)), op]
        )
        time = np.clip(time.astype(np.int64), begin + 1, end - 1)
        order = np.argsort(time, kind="stable")
        lists = [np.concatenate([x[begun], x[cast], x])[order].tolist() for x in columns]
        return zip(time[order].tolist(), ops[order].tolist(), *lists, strict=True)

    def _times(self, end: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """(stream, time) of every action before `end`; remembers when each stream goes on."""
        most = int((end - self._next).max() / (0.6 * self._interval.min())) + 2
        steps = self._interval[:, None] * (0.6 + 0.8 * self._rng.random((len(self._interval), most)))
        times = self._next[:, None] + np.cumsum(
            np.concatenate([np.zeros_like(steps[:, :1]), steps], axis=1), 1
        )
        within = times < end
        self._next = np.where(within, np.inf, times).min(axis=1)
        stream, step = np.nonzero(within)
        return stream, times[stream, step]

    def _amounts(self, act: NDArray[np.int64], normal: NDArray[np.float64]) -> NDArray[np.float64]:
        damage = np.clip(15_000.0 + 3_000.0 * normal, 5_000.0, 100_000.0)
        healing = np.clip(9_500.0 + 2_500.0 * normal, 3_000.0, 40_000.0)
        return np.asarray(np.where(self._heals[act], healing, damage) * self._strength[act])

    def _criticals(
        self, act: NDArray[np.int64], chance: NDArray[np.float64], size: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Factor of a critical strike, 0 for an ordinary one."""
        heals = self._heals[act]
        happens = chance < np.where(heals, 0.12, 0.18)
        factor = np.where(heals, 1.3 + 0.6 * size, 1.5 + 0.7 * size)
        return np.where(happens, factor, 0.0)
