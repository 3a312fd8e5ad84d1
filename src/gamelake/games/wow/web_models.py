"""What the raid API returns; further columns of the datasets pass through."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class _Open(BaseModel):
    model_config = ConfigDict(extra="allow")


class RaidRow(_Open):
    """One night of one team in one instance."""

    raid_id: str
    raid_date: date
    team: str
    instance_id: int
    difficulty: str
    started_at: datetime
    pulls: int
    kills: int
    deaths: int


class PullRow(_Open):
    """One attempt at a boss."""

    raid_id: str
    encounter_id: int
    pull_no: int = Field(description="Pulls of one boss in one night, in time order")
    boss_name: str
    difficulty: str
    outcome: str = Field(description="kill or wipe")
    outcome_inferred: bool = Field(description="The log does not say how it ended")
    boss_hp_pct: float | None = Field(description="Boss health left, percent")
    duration_ms: int
    deaths: Any = Field(description="Their number; in a single pull the deaths themselves")
    pull_started_at: datetime
    conservation_error: float | None = Field(description="(damage − health lost) ÷ max health of the boss")


class Quality(_Open):
    """What became of every line."""

    total: int
    totals: dict[str, int]
    lines: list[dict[str, Any]]
    logs: list[dict[str, Any]]
    not_counted: list[dict[str, Any]]


class NightView(RaidRow):
    """A night with pulls, players and data quality."""

    pulls: list[PullRow]  # type: ignore[assignment]  # a night lists what the row of a list counts
    players: list[dict[str, Any]]
    quality: Quality


class PlayerRow(_Open):
    """A player's figures in a pull."""

    guid: str
    name: str | None
    role: str
    damage: int
    healing: int = Field(description="Effective, without absorbs")
    overhealing: int
    absorbs: int
    damage_taken: int
    deaths: int
    casts: int


class KillingBlow(_Open):
    """The last blow, when the log shows it."""

    source: str | None
    spell: str | None
    amount: int
    overkill: int | None


class Death(_Open):
    """A death with its last ten seconds."""

    guid: str
    name: str | None
    at_ms: int
    killing_blow: KillingBlow | None
    recap: list[dict[str, Any]]


class Timeline(BaseModel):
    """Amounts per bucket; boss health in percent at its end."""

    bucket_ms: int
    damage: list[int]
    healing: list[int]
    taken: list[int]
    boss_hp: list[float | None]


class PullView(PullRow):
    """A pull with everything its page shows."""

    players: list[PlayerRow]
    deaths: list[Death]
    phases: list[dict[str, Any]]
    timeline: Timeline


class Breakdown(_Open):
    """Abilities, and targets (of damage taken: sources), largest first."""

    guid: str
    metric: str
    abilities: list[dict[str, Any]]
    others: list[dict[str, Any]]


class Cast(_Open):
    """One finished cast."""

    at_ms: int
    ability: str | None
    ability_id: int | None
    target: str | None


class Attendance(_Open):
    """Nights in time order, and for each player the pulls in each."""

    raids: list[dict[str, Any]]
    players: list[dict[str, Any]]
