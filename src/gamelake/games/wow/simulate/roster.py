"""Who is in the guild, who comes to a night, and who is called in from the bench."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from gamelake.games.draws import Draws, stable_number
from gamelake.games.wow.simulate import names
from gamelake.games.wow.specs import SPECS, Role, role_of

_ROLES: Final[tuple[Role, ...]] = ("tank", "healer", "dps")
_BY_ROLE: Final = {
    role: tuple(sorted(spec for spec, entry in SPECS.items() if entry.role == role)) for role in _ROLES
}


@dataclass(frozen=True)
class Member:
    """One character. `standing` is core, bench or trial; `skill` is around 1."""

    index: int
    guid: str
    name: str
    spec_id: int
    skill: float
    standing: str

    @property
    def role(self) -> Role:
        return role_of(self.spec_id)


@dataclass(frozen=True)
class Roster:
    """The members of one guild, a function of the seed, the guild's name and its size.

    A member's GUID depends on the guild and the index only, so another seed meets the same characters.
    """

    seed: int
    guild: str
    players: int
    trial_rate: float

    @cached_property
    def core(self) -> tuple[Member, ...]:
        tanks = min(max(2, round(self.players * 0.10)), self.players)
        healers = min(max(2, round(self.players * 0.20)), self.players - tanks)
        counts = {"tank": tanks, "healer": healers, "dps": self.players - tanks - healers}
        roles = [role for role in _ROLES for _ in range(counts[role])]
        return tuple(self._member(index, role, "core") for index, role in enumerate(roles))

    @cached_property
    def bench(self) -> tuple[Member, ...]:
        """About a quarter more people: at least one tank, two healers."""
        roles: list[Role] = ["tank", "healer", "healer"]
        roles += ["dps"] * max(1, round(self.players * 0.25) - len(roles))
        return tuple(self._member(self.players + at, role, "bench") for at, role in enumerate(roles))

    def line_up(self, night: int, attendance: float) -> tuple[Member, ...]:
        """Members of one night, in order of index; tanks and healers are replaced before anybody else."""
        draws = Draws(self.seed, "line-up", night)
        present = [member for member in self.core if draws.chance(attendance)]
        missing = [member for member in self.core if member not in present]
        reserve = [member for member in self.bench if draws.chance(attendance)]
        for role in _ROLES:
            wanted = sum(member.role == role for member in missing)
            present += [member for member in reserve if member.role == role][:wanted]
        if not any(member.role == "tank" for member in present):
            present.append(self.core[0])
        trials = sum(draws.chance(self.trial_rate) for _ in range(self.players))
        present += [self._trial(night, number) for number in range(min(trials, 5))]
        return tuple(sorted(present, key=lambda member: member.index))

    def _trial(self, night: int, number: int) -> Member:
        """The first trials of a fortnight are the same people; after it they are not seen again."""
        return self._member(1000 + (night // 4) * 10 + number, "dps", "trial")

    def _member(self, index: int, role: Role, standing: str) -> Member:
        draws = Draws("member", self.guild, index)
        number, realm = draws.pick(names.REALMS)
        guid = f"Player-{number}-{stable_number('guid', self.guild, index) & 0xFFFFFFF:08X}"
        spec = draws.pick(_BY_ROLE[role])
        if role == "dps" and index % 5 == 0:
            spec = draws.pick((252, 253, 255, 262, 265, 266, 267))  # every guild has pets
        skill = round(Draws(self.seed, "skill", index).real(0.82, 1.14), 4)
        name = f"{self._name(index)}-{realm}-EU"
        return Member(index, guid, name, spec, skill if standing != "trial" else skill * 0.9, standing)

    def _name(self, index: int) -> str:
        """The index-th distinct name of the guild; trials, far apart, may share one with a former trial."""
        if index >= 1000:
            return names.player_name(Draws("name", self.guild, index))
        return self._names[index]

    @cached_property
    def _names(self) -> tuple[str, ...]:
        draws = Draws("names", self.guild)
        found: dict[str, None] = {}
        while len(found) < self.players * 2 + 10:
            found[names.player_name(draws)] = None
        return tuple(found)
