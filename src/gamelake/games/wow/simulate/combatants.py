"""COMBATANT_INFO: what the client says about every member of the group when a pull begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gamelake.games.draws import Draws

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gamelake.games.wow.simulate.units import Unit


def combatant_info(unit: Unit, casters: Sequence[str]) -> str:
    """The line, without timestamp: 34 fields, the specialisation at index 25.

    Talents, gear and auras are nested lists; `casters` are those whose buffs the unit carries.
    """
    assert unit.member is not None
    draws = Draws("gear", unit.guid)
    stats = ",".join(str(draws.between(0, 900)) for _ in range(22))
    talents = ",".join(f"({76_000 + at},{96_000 + draws.between(0, 300)},{1 + at % 2})" for at in range(12))
    gear = ",".join(
        f"({237_000 + draws.between(0, 900)},{draws.between(95, 170)},(),"
        f"({draws.between(6_000, 12_000)},1489),({draws.between(0, 900)},571))"
        for _ in range(16)
    )
    auras = ",".join(f"{guid},{9_800_000 + at},1" for at, guid in enumerate(casters))
    return (
        f"COMBATANT_INFO,{unit.guid},{unit.member.index % 2},{stats},{unit.member.spec_id},"
        f"[{talents}],(0,0,0,0),[{gear}],[{auras}],{draws.between(1, 90)},0,0,0"
    )
