"""A guild's season of raid nights, written as the game's client would have written it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from gamelake.games.draws import Draws, generator
from gamelake.games.wow.simulate import names
from gamelake.games.wow.simulate.battlefield import Battlefield
from gamelake.games.wow.simulate.combatants import combatant_info
from gamelake.games.wow.simulate.dialects import DIALECTS, rewrite
from gamelake.games.wow.simulate.encounters import INSTANCE_ID, INSTANCE_NAME, MAP_IDS
from gamelake.games.wow.simulate.fight import Fight
from gamelake.games.wow.simulate.guardians import guids_of_night
from gamelake.games.wow.simulate.plan import NightPlan, PullPlan, season
from gamelake.games.wow.simulate.roster import Roster
from gamelake.games.wow.simulate.spells import book_of
from gamelake.games.wow.simulate.truth import NightTruth, PullTruth
from gamelake.games.wow.simulate.units import Unit, keeps_pet, pet_unit, player_unit
from gamelake.games.wow.simulate.writer import LogWriter
from gamelake.games.wow.specs import spec_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gamelake.games.wow.simulate.guardians import NightGuids

FIRST_DAY: Final = date(2026, 1, 7)


@dataclass(frozen=True)
class Night:
    """One written log."""

    path: Path
    bytes: int
    truth: NightTruth


@dataclass(frozen=True)
class WowSimulator:
    """Everything, ids and times included, is a function of these values.

    `scale` is the density of lines in a fight, 1.0 about 25 a second; `pulls` is the number of pulls a night, fewer
    when the instance is cleared. `utc_offset` in hours ends every timestamp.
    """

    seed: int = 42
    nights: int = 12
    guild: str = "Lantern Bearers"
    players: int = 25
    attendance: float = 0.85
    trial_rate: float = 0.05
    pulls: int = 6
    scale: float = 1.0
    first_day: date = FIRST_DAY
    utc_offset: int = 1
    dialect: str = "v22"

    @property
    def roster(self) -> Roster:
        return Roster(self.seed, self.guild, self.players, self.trial_rate)

    def plans(self) -> tuple[NightPlan, ...]:
        return season(self.seed, self.nights, self.pulls, self.first_day)

    def file_name(self, plan: NightPlan) -> str:
        return f"WoWCombatLog-{plan.day.isoformat()}.txt"

    def write(self, out: Path, *, progress: Callable[[Night], None] | None = None) -> list[Night]:
        """Writes one log a night into the folder `out`, or all nights into the file `out`; the truth beside.

        `out` is a file when its name ends with .txt or .log.
        """
        one_file = out.suffix in {".txt", ".log"}
        folder = out.parent if one_file else out
        folder.mkdir(parents=True, exist_ok=True)
        written = []
        if one_file:
            out.write_bytes(b"")
        for plan in self.plans():
            path = out if one_file else folder / self.file_name(plan)
            with path.open("ab" if one_file else "wb") as file:
                size_before = file.tell()
                truth = self.play(plan, file.write, path.name)
                written.append(Night(path, file.tell() - size_before, truth))
            if progress is not None:
                progress(written[-1])
        truth_path = out.with_suffix(".truth.json") if one_file else folder / "truth.json"
        truth_path.write_text(json.dumps(self.truth(written), ensure_ascii=False, indent=1) + "\n", "utf-8")
        return written

    def truth(self, nights: list[Night]) -> dict[str, Any]:
        """What a reader of these logs must find: pulls with figures, and the roster with its attendance."""
        raids: dict[str, int] = {}
        pulls: dict[str, int] = {}
        for night in nights:
            for guid in {guid for pull in night.truth.pulls for guid in pull.players}:
                raids[guid] = raids.get(guid, 0) + 1
            for pull in night.truth.pulls:
                for guid in pull.players:
                    pulls[guid] = pulls.get(guid, 0) + 1
        people = {
            member.guid: member
            for plan in self.plans()
            for member in self.roster.line_up(plan.number, self.attendance)
            if member.guid in pulls
        }
        settings = ("seed", "guild", "players", "attendance", "trial_rate", "scale", "utc_offset", "dialect")
        return {
            **{name: getattr(self, name) for name in settings},
            "players_seen": [
                {
                    "guid": guid,
                    "name": people[guid].name,
                    "class": spec_of(people[guid].spec_id).class_name,
                    "spec_id": people[guid].spec_id,
                    "role": people[guid].role,
                    "standing": people[guid].standing,
                    "total_raids": raids[guid],
                    "total_pulls": pulls[guid],
                }
                for guid in sorted(people)
            ],
            "raids": [night.truth.to_json() for night in nights],
        }

    def play(self, plan: NightPlan, sink: Callable[[bytes], object], file: str) -> NightTruth:
        """Writes one night to `sink`, in pieces of some hundred kilobytes."""
        older = DIALECTS.get(self.dialect)
        log = LogWriter(
            sink if older is None else lambda data: sink(rewrite(data, older)), plan.day, self.utc_offset
        )
        return _Evening(self, plan, log).play(file)


class _Evening:
    """One night being played: who is there, their units and pets, and the clock."""

    def __init__(self, simulator: WowSimulator, plan: NightPlan, log: LogWriter) -> None:
        self.simulator, self.plan, self.log = simulator, plan, log
        self.draws = Draws(simulator.seed, "night", plan.number)
        self.guids: NightGuids = guids_of_night(plan.number)
        members = simulator.roster.line_up(plan.number, simulator.attendance)
        self.units = [
            player_unit(member, Draws("stats", simulator.guild, member.index), recorder=at == 3)
            for at, member in enumerate(members)
        ]
        self.pets = [self._pet(unit) for unit in self.units if unit.member and keeps_pet(unit.member)]
        self._take_places()
        self.leaves: Unit | None = self.draws.pick(self.units) if self.draws.chance(0.3) else None

    def _pet(self, owner: Unit) -> Unit:
        assert owner.member is not None
        name = names.pet_name(Draws("pet", self.simulator.guild, owner.member.index))
        guid = self.guids.pet(901_000 + owner.member.spec_id, owner.member.index)
        return pet_unit(owner, guid, name, guardian=False)

    def play(self, file: str) -> NightTruth:
        log, draws = self.log, self.draws
        log.at(self.plan.start_minute * 60_000 + draws.between(0, 59_999))
        log.put("COMBAT_LOG_VERSION,22,ADVANCED_LOG_ENABLED,1,BUILD_VERSION,12.0.1,PROJECT_ID,1")
        log.put(f'ZONE_CHANGE,{INSTANCE_ID},"{INSTANCE_NAME}",14')
        log.put(f'MAP_CHANGE,{MAP_IDS[0]},"{INSTANCE_NAME}",500.000000,-500.000000,900.000000,-900.000000')
        pulls = []
        for number, plan in enumerate(self.plan.pulls):
            self._between(draws.between(40_000, 150_000) if number else 20_000)
            if number > len(self.plan.pulls) // 2:
                self._somebody_leaves()
            pulls.append(self._pull(number, plan))
        self._between(15_000)
        log.flush()
        return NightTruth(file, self.plan.day.isoformat(), INSTANCE_ID, pulls)

    def _somebody_leaves(self) -> None:
        if self.leaves is not None:
            self.units = [unit for unit in self.units if unit is not self.leaves]
            self.pets = [pet for pet in self.pets if pet.credit is not self.leaves]

    def _between(self, ms: int) -> None:
        """Buffs, heals and blows at a sentinel between pulls; none of it belongs to any pull."""
        for unit in self.units:
            unit.begin_pull()
            unit.idle = False
        field = Battlefield(self.log, self.draws, self.units)
        sentinel = Unit(self.guids.creature(903_000), "Idle Sentinel", 0xA48, 9_000_000)
        steps = 24
        for step in range(steps):
            self.log.at(self.log.now + ms // steps + self.draws.between(0, 400))
            source = self.draws.pick(self.units)
            assert source.member is not None
            book = book_of(source.member.spec_id)
            other = self.draws.pick(self.units)
            if step % 4 == 0:
                field.cast(source, book.stance)
            elif step % 4 == 1:
                field.mend("SPELL_HEAL", source, other, book.mending, self.draws.between(3_000, 9_000), 0.0)
            elif step % 4 == 2:
                field.strike(
                    "SPELL_DAMAGE", source, sentinel, book.strikes[0], self.draws.between(5_000, 20_000), 0.0
                )
            elif self.pets:
                field.strike("SWING_DAMAGE", self.draws.pick(self.pets), sentinel, None, 1_200, 0.0)
        if self.draws.chance(0.2):
            field.hurt(sentinel, self.draws.pick(self.units), 0, None, overkill=self.draws.between(1, 9_000))

    def _pull(self, number: int, plan: PullPlan) -> PullTruth:
        log, draws, simulator = self.log, self.draws, self.simulator
        self._take_places()
        if draws.chance(0.25) and not plan.reset:
            draws.pick([unit for unit in self.units if unit.member and unit.member.role == "dps"]).idle = True
        fight = Fight(log, draws, self.units, self.pets, plan, self.guids, simulator.scale)
        log.at(log.now + 700)
        fight.prepare()
        log.at(log.now + draws.between(300, 1_500))
        started = log.now
        log.put(
            f'ENCOUNTER_START,{plan.boss.encounter_id},"{plan.boss.name}",{plan.difficulty_id},'
            f"{len(self.units)},{INSTANCE_ID}"
        )
        for unit in self.units:
            log.put(combatant_info(unit, [other.guid for other in self.units[:4]]))
        fight.run(generator(simulator.seed, "fight", self.plan.number, number))
        log.at(log.now + draws.between(45, 90))
        duration = log.now - started
        truth = self._pull_truth(plan, fight, started, duration)
        log.put(
            f'ENCOUNTER_END,{plan.boss.encounter_id},"{plan.boss.name}",{plan.difficulty_id},'
            f"{len(self.units)},{int(fight.won)},{duration}"
        )
        self._echo(fight)
        return truth

    def _echo(self, fight: Fight) -> None:
        """Lines at END's very millisecond, after it: they belong to no pull."""
        for _ in range(self.draws.between(0, 2)):
            source = self.draws.pick(self.units)
            assert source.member is not None
            book = book_of(source.member.spec_id)
            if fight.won:
                self.log.put(f"SPELL_AURA_REMOVED,{source.text},{source.text},{book.stance.text},BUFF")
            else:
                fight.strike("SPELL_PERIODIC_DAMAGE", source, fight.boss, book.lingering, 1_990, 0.0)

    def _take_places(self) -> None:
        for unit in (*self.units, *self.pets):
            unit.begin_pull()
            unit.idle = False
            x, y = self.draws.real(1_950, 2_150), self.draws.real(-420, -180)
            unit.move(
                x,
                y,
                MAP_IDS[self.draws.between(0, 2)],
                self.draws.real(0.0, 6.28),
                self.draws.between(120, 167),
            )

    def _pull_truth(self, plan: PullPlan, fight: Fight, started: int, duration: int) -> PullTruth:
        midnight = datetime(self.plan.day.year, self.plan.day.month, self.plan.day.day, tzinfo=UTC)
        moment = midnight + timedelta(milliseconds=started) - timedelta(hours=self.simulator.utc_offset)
        return PullTruth(
            encounter_id=plan.boss.encounter_id,
            name=plan.boss.name,
            difficulty_id=plan.difficulty_id,
            group_size=len(self.units),
            instance_id=INSTANCE_ID,
            started_at=moment.isoformat(timespec="milliseconds"),
            success=fight.won,
            duration_ms=duration,
            boss={"guid": fight.boss.guid, "max_health": fight.boss.max_hp, "last_health": fight.boss.hp},
            phases=fight.phases,
            players={unit.guid: unit.figures.to_json() for unit in self.units},
            deaths=list(fight.deaths),
        )
