"""Names of layers and datasets: `<pack>.<layer>.<name>`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from gamelake.errors import UserError, did_you_mean


class Layer(StrEnum):
    """The three layers every dataset belongs to; `etl`, `std`, `cons` are the same under older names."""

    BRONZE = "bronze"
    SILVER = "silver"
    GOLD = "gold"

    @classmethod
    def parse(cls, text: str) -> Layer:
        """Layer of either vocabulary.

        >>> Layer.parse("cons")
        <Layer.GOLD: 'gold'>
        """
        known = {"etl": cls.BRONZE, "std": cls.SILVER, "cons": cls.GOLD, **{x.value: x for x in cls}}
        if text.lower() not in known:
            problem = f"unknown layer `{text}`, expected one of: {', '.join(known)}"
            raise UserError(problem, hint=did_you_mean(text, known))
        return known[text.lower()]


_PART = re.compile(r"[a-z][a-z0-9_]*\Z")


@dataclass(frozen=True, order=True)
class DatasetName:
    """A dataset's full name, which is also its name in `query`."""

    pack: str
    layer: Layer
    name: str

    @classmethod
    def parse(cls, text: str) -> DatasetName:
        """Read `wow.gold.dim_player`.

        Raises UserError when the text has not three parts of lower-case identifiers.
        """
        parts = text.split(".")
        if len(parts) != 3 or not all(_PART.match(part) for part in parts):
            problem = f"`{text}` is not a dataset name"
            raise UserError(problem, hint="write `<pack>.<layer>.<name>`, such as `wow.gold.dim_player`")
        return cls(parts[0], Layer.parse(parts[1]), parts[2])

    def __str__(self) -> str:
        return f"{self.pack}.{self.layer.value}.{self.name}"


def moved_path(lake: str, dataset: str, recorded: str) -> str:
    """Where a file of a table lies now that its lake is at `lake`, whatever folder the lake was in when it was written.

    >>> moved_path("/new/lake", "wow.gold.fact", "/old/lake/wow/gold/fact/data/r1/a.parquet")
    '/new/lake/wow/gold/fact/data/r1/a.parquet'
    """
    home = f"/{dataset.replace('.', '/')}/"
    if recorded.startswith(f"{lake}{home}"):
        return recorded
    _, found, rest = recorded.rpartition(home)
    is_ours = found and rest.startswith(("data/", "metadata/"))  # files of others are read where they are
    return f"{lake}{home}{rest}" if is_ours else recorded
