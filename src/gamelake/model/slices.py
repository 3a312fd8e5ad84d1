"""A slice: the part of a dataset that one unit of work writes as a whole."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, unquote

from gamelake.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_REMEMBERED = 100_000  # slices whose text is not read or written again


class Slice(NamedTuple):
    """Column values shared by every row of the slice; no columns = the whole dataset.

    A tuple, because a large plan looks up hundreds of thousands of them and sorts them.

    >>> str(Slice.of(raid_date="2026-02-16", team=""))
    'raid_date=2026-02-16/team='
    >>> str(Slice())
    'all'
    """

    keys: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, **keys: str) -> Slice:
        """Slice with the given column values, in the order given."""
        return cls(tuple(keys.items()))

    @classmethod
    def parse(cls, text: str) -> Slice:
        """Read what `str()` wrote; raises UserError on anything else."""
        return _parsed(text)

    def __str__(self) -> str:
        return _written(self)

    def as_dict(self) -> dict[str, str]:
        """Column → value, as text."""
        return dict(self.keys)

    def project(self, columns: Iterable[str]) -> Slice:
        """The coarser slice over those of the columns this one has."""
        mine = self.as_dict()
        return Slice(tuple((name, mine[name]) for name in columns if name in mine))

    def agrees_with(self, other: Slice | Mapping[str, str]) -> bool:
        """True when no shared column differs; slices that share none agree."""
        theirs = other.as_dict() if isinstance(other, Slice) else other
        return all(theirs.get(name, value) == value for name, value in self.keys)

    def is_meant_by(self, wanted: Slice) -> bool:
        """True when somebody who asks for `wanted` asks for this one: they agree, and not for want of a shared column.

        A slice without columns is meant by all, and `all` means every slice.

        >>> Slice.of(day="1", team="a").is_meant_by(Slice.of(day="1"))
        True
        >>> Slice.of(day="1").is_meant_by(Slice.of(team="a"))
        False
        """
        apart = self.as_dict().keys().isdisjoint(wanted.as_dict())
        return self.agrees_with(wanted) and not (apart and self.keys and wanted.keys)


@lru_cache(maxsize=_REMEMBERED)
def _parsed(text: str) -> Slice:
    if text == "all":
        return Slice()
    pairs = [part.partition("=") for part in text.split("/")]
    if not all(name and mark for name, mark, _ in pairs):
        problem = f"`{text}` is not a slice"
        raise UserError(problem, hint="write `column=value`, several joined by `/`, or `all`")
    return Slice(tuple((name, unquote(value)) for name, _, value in pairs))


@lru_cache(maxsize=_REMEMBERED)
def _written(part: Slice) -> str:
    return "/".join(f"{name}={quote(value, safe='-_.:+ ')}" for name, value in part.keys) or "all"
