"""How hard the made-up game is to read: shares of players, habits and mishaps, by name of scenario."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from gamelake.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Scenario:
    """Shares of one unless said otherwise. Bots and people differ as far as these numbers differ."""

    name: str
    bots: float = 0.08  # of all accounts
    lone_bots: float = 0.08  # of the bots: none shares its address
    farm_size: tuple[int, int] = (16, 32)  # bots at one address
    bots_at_level_1: float = 0.6  # of the farm bots
    lone_bots_at_level_1: float = 1.0
    bot_activity: tuple[float, float] = (0.85, 0.97)  # chance to play on a day, from least to most eager bot
    bot_sessions: tuple[int, int] = (3, 6)  # a day
    bots_round_the_clock: float = 1.0
    people_round_the_clock: float = 0.04
    bot_gatherers: float = 1.0  # bots that keep to a few materials
    people_gatherers: float = 0.05
    bot_hoarders: float = 1.0  # bots that hardly spend
    people_hoarders: float = 0.1
    paying_bots: float = 0.03
    clan_bots: float = 0.05
    people_in_clans: float = 0.6
    dabblers: float = 0.05  # stay at level 1 and leave after a day or two
    stubborn: float = 0.0005  # stay at level 1 and stay
    cafe_guests: float = 0.10  # at allow-listed net cafés
    open_cafe_guests: float = 0.0  # at net cafés that nobody has listed
    on_carriers: float = 0.2  # behind an allow-listed carrier's NAT
    late: tuple[float, float, float] = (0.015, 0.007, 0.003)  # arriving 1 day, 2 days, too many days late
    late_orders: tuple[float, float, float] = (0.04, 0.02, 0.01)
    copies: tuple[float, float] = (0.008, 0.004)  # exact duplicates in the same slice, in a later one
    ghosts: float = 0.002  # rows that arrive outside their window and count nowhere


SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {
        scenario.name: scenario
        for scenario in (
            Scenario(
                "easy",
                farm_size=(30, 45),
                bots_at_level_1=1.0,
                lone_bots=0.0,
                bot_activity=(0.97, 1.0),
                bot_sessions=(6, 9),
                people_round_the_clock=0.0,
                people_gatherers=0.0,
                people_hoarders=0.0,
                paying_bots=0.0,
                clan_bots=0.0,
                stubborn=0.0,
                dabblers=0.0,
            ),
            Scenario("default"),
            replace(
                Scenario("hard"),
                lone_bots=0.4,
                farm_size=(4, 16),
                bots_at_level_1=0.3,
                lone_bots_at_level_1=0.3,
                bot_activity=(0.25, 0.95),
                bot_sessions=(1, 5),
                bots_round_the_clock=0.45,
                people_round_the_clock=0.2,
                bot_gatherers=0.6,
                people_gatherers=0.2,
                bot_hoarders=0.6,
                people_hoarders=0.3,
                paying_bots=0.10,
                clan_bots=0.4,
                stubborn=0.10,
                open_cafe_guests=0.12,
                late=(0.03, 0.015, 0.006),
                copies=(0.02, 0.01),
            ),
        )
    }
)


def scenario_named(name: str) -> Scenario:
    """The scenario of that name; UserError lists those there are."""
    if name in SCENARIOS:
        return SCENARIOS[name]
    raise UserError(
        f"`--scenario {name}` is not known, expected one of: {', '.join(SCENARIOS)}",
        hint=did_you_mean(name, SCENARIOS),
    )
