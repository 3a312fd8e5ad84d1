"""A guild that does not exist, raiding an instance that does not exist, in the real log format."""

from gamelake.games.wow.simulate.simulator import Night, WowSimulator

__all__ = ["Night", "WowSimulator"]
