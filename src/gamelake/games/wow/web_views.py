"""Shapes for the raid pages, from the plain data of `report`: groups, bars, lines; no database, no HTML."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gamelake.present import formats
from gamelake.present.charts import Band, Chart, Point, Series

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Row = dict[str, Any]

CAST_ROWS = 18
RECAP_SECONDS = 10
EXACT, CLOSE = 1e-9, 1e-4  # conservation error: none, and what hits between two snapshots explain


@dataclass(frozen=True)
class BossGroup:
    """All pulls of one boss at one difficulty in a night, in time order."""

    name: str
    difficulty: str
    pulls: Sequence[Row]

    @property
    def killed(self) -> bool:
        """True when one of the pulls ended with a kill."""
        return any(pull["outcome"] == "kill" for pull in self.pulls)

    @property
    def best(self) -> float | None:
        """Lowest boss health reached, percent; None when the log never shows it."""
        return min(
            (pull["boss_hp_pct"] for pull in self.pulls if pull["boss_hp_pct"] is not None), default=None
        )


def by_boss(pulls: Iterable[Row]) -> list[BossGroup]:
    """Pulls by boss, in the order in which the bosses were first met."""
    groups: dict[tuple[int, str], list[Row]] = defaultdict(list)
    for pull in pulls:
        groups[pull["encounter_id"], pull["difficulty"]].append(pull)
    return [BossGroup(rows[0]["boss_name"], difficulty, rows) for (_, difficulty), rows in groups.items()]


@dataclass(frozen=True)
class Block:
    """One pull on the line of the night; start and width are percent of it."""

    pull: Row
    start: float
    width: float


def night_line(pulls: Sequence[Row]) -> list[Block]:
    """The night as blocks of fighting with the pauses between them."""
    if not pulls:
        return []
    begin = min(pull["pull_started_at"] for pull in pulls)
    length = max(
        (pull["pull_started_at"] - begin).total_seconds() * 1000 + pull["duration_ms"] for pull in pulls
    )
    blocks = []
    for pull in pulls:
        offset = (pull["pull_started_at"] - begin).total_seconds() * 1000
        width = max(0.6, 100 * pull["duration_ms"] / max(length, 1))
        blocks.append(Block(pull, min(100 * offset / max(length, 1), 100 - width), width))
    return blocks


@dataclass(frozen=True)
class MeterRow:
    """One player on a meter. `parts` are (share of the longest bar, css class) in order."""

    player: Row
    amount: int
    per_second: float
    share: float
    parts: Sequence[tuple[float, str]]
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Meter:
    """A ranking of players by one figure; `keys` explain the colours of the parts."""

    metric: str
    title: str
    rate: str
    rows: Sequence[MeterRow]
    total: int
    keys: Sequence[tuple[str, str]] = ()


def meter(pull: Row, metric: str) -> Meter:
    """The meter of a pull by `damage`, `healing` or `taken`."""
    return {"damage": _damage, "healing": _healing, "taken": _taken}[metric](pull)


def _damage(pull: Row) -> Meter:
    def parts(player: Row) -> list[tuple[int, str]]:
        tone = class_tone(player["class"])
        return [(player["damage"] - player["pet_damage"], tone), (player["pet_damage"], f"{tone} pets")]

    def notes(player: Row) -> list[str]:
        found = []
        if player["pet_damage"]:
            found.append(f"{formats.percent(player['pet_damage'] / player['damage'], 0)} by pets")
        if player["friendly_fire"]:
            found.append(f"{formats.number(player['friendly_fire'])} on allies")
        return found

    rows = _rows(pull, parts, lambda player: player["damage"], notes)
    return Meter("damage", "Damage done", "DPS", rows, sum(row.amount for row in rows))


def _healing(pull: Row) -> Meter:
    def parts(player: Row) -> list[tuple[int, str]]:
        return [
            (player["healing"], "fill-healing"),
            (player["absorbs"], "fill-absorb"),
            (player["overhealing"], "fill-overheal"),
        ]

    def notes(player: Row) -> list[str]:
        raw = player["healing"] + player["overhealing"]
        return [f"{formats.percent(player['overhealing'] / raw, 0)} overheal"] if raw else []

    rows = _rows(pull, parts, lambda player: player["healing"] + player["absorbs"], notes)
    keys = (("Effective", "fill-healing"), ("Absorbed", "fill-absorb"), ("Overheal", "fill-overheal"))
    return Meter("healing", "Healing done", "HPS", rows, sum(row.amount for row in rows), keys)


def _taken(pull: Row) -> Meter:
    def parts(player: Row) -> list[tuple[int, str]]:
        return [(player["damage_taken"], "fill-taken"), (player["damage_taken_absorbed"], "fill-absorb")]

    def notes(player: Row) -> list[str]:
        found = []
        if player["deaths"]:
            found.append(formats.plural(player["deaths"], "death"))
        if player["environmental_taken"]:
            found.append(f"{formats.number(player['environmental_taken'])} more from the environment")
        return found

    rows = _rows(pull, parts, lambda player: player["damage_taken"], notes)
    keys = (("Taken", "fill-taken"), ("Absorbed by shields", "fill-absorb"))
    return Meter("taken", "Damage taken", "DTPS", rows, sum(row.amount for row in rows), keys)


def _rows(pull: Row, parts: Any, amount: Any, notes: Any) -> list[MeterRow]:
    players = sorted(
        pull["players"], key=lambda player: (-amount(player), player["name"] or "", player["guid"])
    )
    longest = max((sum(size for size, _ in parts(player)) for player in players), default=0) or 1
    total = sum(amount(player) for player in players) or 1
    seconds = max(pull["duration_ms"], 1) / 1000
    return [
        MeterRow(
            player,
            amount(player),
            amount(player) / seconds,
            amount(player) / total,
            [(size / longest, tone) for size, tone in parts(player)],
            notes(player),
        )
        for player in players
    ]


def class_tone(name: str | None) -> str:
    """Css class of a player class.

    >>> class_tone("Death Knight")
    'class-death-knight'
    """
    return f"class-{re.sub(r'[^a-z]+', '-', (name or 'unknown').lower()).strip('-')}"


def timeline(pull: Row) -> Chart:
    """Output and damage taken over the fight with the boss's health, deaths and phases."""
    series = pull["timeline"]
    bucket = series["bucket_ms"]
    seconds = bucket / 1000
    times = [index * bucket for index in range(len(series["damage"]))]

    def per_second(name: str) -> list[float]:
        return [round(value / seconds) for value in series[name]]

    lines = [
        Series("Damage per second", per_second("damage"), "damage", "area"),
        Series("Healing per second", per_second("healing"), "healing"),
        Series("Taken per second", per_second("taken"), "taken", "area", panel=1),
    ]
    if any(value is not None for value in series["boss_hp"]):
        lines.append(Series("Boss health", series["boss_hp"], "boss", form="percent", right=True))
    points = [Point(death["at_ms"], f"{short_name(death['name'])} dies") for death in pull["deaths"]]
    phases = pull["phases"] if len(pull["phases"]) > 1 else []
    bands = [Band(phase["started_ms"], phase["ended_ms"], f"Phase {phase['phase']}") for phase in phases]
    step = f"{seconds:g} second" if seconds == 1 else f"{seconds:g} seconds"
    return Chart(
        "The fight over time",
        lines,
        x=times,
        points=points,
        points_name="Deaths",
        bands=bands,
        note=f"Means of {step}",
        height="large",
    )


def short_name(name: str | None) -> str:
    """A player's name without realm and region.

    >>> short_name("Brann-Ironforge-EU"), short_name(None)
    ('Brann', 'Unknown')
    """
    return (name or "Unknown").partition("-")[0]


@dataclass(frozen=True)
class Recap:
    """The last seconds of a player: rows, and the health line as points of a 100 × 40 drawing."""

    death: Row
    rows: Sequence[Row]
    line: str = ""
    idle: int = 0  # heals that found nothing to heal; counted, not listed


def recaps(pull: Row) -> list[Recap]:
    """Deaths of a pull with times relative to the death, newest row last."""
    return [_recap(death) for death in pull["deaths"]]


def _recap(death: Row) -> Recap:
    rows, idle = [], 0
    health: list[tuple[float, float]] = []
    for row in death["recap"]:
        before = (row["at_ms"] - death["at_ms"]) / 1000
        killing = row["kind"] == "damage" and row["overkill"] is not None and row["overkill"] >= 0
        when = f"−{-before:.1f} s" if before <= -0.05 else "0.0 s"
        if row["kind"] == "heal" and not row["amount"]:
            idle += 1
        else:
            rows.append({**row, "when": when, "killing": killing})
        if row["hp_pct"] is not None:
            x = 100 * (1 + before / RECAP_SECONDS)
            health.append((max(0.0, x), 40 - 0.4 * (0 if killing else row["hp_pct"])))
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in health)
    return Recap(death, rows, line if len(health) > 1 else "", idle)


@dataclass(frozen=True)
class CastLine:
    """One ability of a player: where on the line of the fight it was cast, percent and ms."""

    ability: str
    marks: Sequence[tuple[float, int, str]]


@dataclass(frozen=True)
class CastLines:
    """A player's casts by ability, most used first; `more` abilities are left out."""

    lines: Sequence[CastLine]
    total: int
    more: int = 0
    ticks: Sequence[tuple[float, str]] = field(default_factory=tuple)


def cast_lines(casts: Sequence[Row], duration_ms: int) -> CastLines:
    """Casts as lines of marks over the fight."""
    length = max(duration_ms, 1)
    by_ability: dict[str, list[Row]] = defaultdict(list)
    for cast in casts:
        by_ability[cast["ability"] or "Unknown"].append(cast)
    ranked = sorted(by_ability.items(), key=lambda entry: (-len(entry[1]), entry[0]))
    lines = [
        CastLine(
            ability,
            [
                (min(100.0, max(0.0, 100 * cast["at_ms"] / length)), cast["at_ms"], cast["target"] or "")
                for cast in found
            ],
        )
        for ability, found in ranked[:CAST_ROWS]
    ]
    ticks = [(100 * part / 4, formats.clock(length * part / 4)) for part in range(5)]
    return CastLines(lines, len(casts), max(0, len(ranked) - CAST_ROWS), ticks)


@dataclass(frozen=True)
class Trust:
    """How well a pull's damage explains the boss's lost health."""

    state: str
    word: str
    reason: str = ""


def trust(error: float | None) -> Trust:
    """The verdict on a conservation error.

    >>> trust(0.0).word, trust(-0.000012).word, trust(0.2).word, trust(None).word
    ('exact', 'within 0.01%', 'off', 'not known')
    """
    if error is None:
        return Trust("skipped", "not known", "The boss was healed, or no unit bears the encounter's name.")
    if abs(error) <= EXACT:
        return Trust("passed", "exact")
    if abs(error) <= CLOSE:
        return Trust("passed", "within 0.01%", "Hits between two health readings explain it.")
    return Trust("warning", "off", "Lines are missing, or another unit shares the boss's health.")


def progress(group: BossGroup) -> Chart | None:
    """Boss health left by pull; None for a boss of one or two pulls, which the list shows well enough."""
    if len(group.pulls) < 3:
        return None
    left = [pull["boss_hp_pct"] for pull in group.pulls]
    labels = [f"{pull['pull_no']}" for pull in group.pulls]
    return Chart(
        f"{group.name}: health left by pull",
        [Series("Boss health left", left, "boss", "bar", "percent")],
        labels=labels,
        height="small",
    )
