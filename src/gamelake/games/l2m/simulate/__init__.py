"""A mobile game that does not exist: its source tables, its settings, and the truth about it."""

from gamelake.games.l2m.simulate.simulator import L2mSimulator, Written

__all__ = ["L2mSimulator", "Written"]
