"""gamelake: the data platform a game team installs with one command."""

__version__ = "0.2.0"

__all__ = ["__version__"]
