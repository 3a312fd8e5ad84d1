"""What really happened, kept by the simulator while it happens: never by reading its own log."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class DeathTruth:
    """One death; `killing_blow` has the keys of the report."""

    guid: str
    name: str
    at_ms: int
    killing_blow: dict[str, Any] | None

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass
class PullTruth:
    """One pull. Players are those of the group, also the one who never did anything."""

    encounter_id: int
    name: str
    difficulty_id: int
    group_size: int
    instance_id: int
    started_at: str
    success: bool
    duration_ms: int
    boss: dict[str, Any]
    phases: list[dict[str, int]]
    players: dict[str, dict[str, int]]
    deaths: list[DeathTruth] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "deaths": [death.to_json() for death in self.deaths]}


@dataclass
class NightTruth:
    """One evening's log file and the pulls in it."""

    file: str
    raid_date: str
    instance_id: int
    pulls: list[PullTruth]

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "pulls": [pull.to_json() for pull in self.pulls]}
