"""What reads tables of other systems into Parquet files: the promise, and what those that speak SQL share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from gamelake.errors import LayoutError, StoreError
from gamelake.model.schema import ColumnType
from gamelake.model.steps import QueryInput, TableInput

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from gamelake.model.schema import Column
    from gamelake.model.steps import SourceInput
    from gamelake.stores.remote import Remote

    Tell = Callable[[int], None]
    """Told of rows that came; may raise, and nothing more is read then."""

MOST_AT_ONCE = 4  # part-queries
RANGED = frozenset({ColumnType.INT, ColumnType.BIGINT})


class SourceReader(Protocol):
    """Reads what layouts declare as `table` or `query` inputs. Changes nothing there."""

    def version(self, wanted: SourceInput) -> str:
        """What the other system calls the present state of what would be read."""
        ...

    def read(self, wanted: SourceInput, folder: Path, tell: Tell) -> list[Path]:
        """Write the rows as Parquet files with the columns of the schema, at least one file.

        Failures are tried again by the store's policy. StoreError when it stays away, LayoutError for what the
        author can mend.
        """
        ...


class Moment(Protocol):
    """A session with the other system; where it can, it sees one moment of it and may only read."""

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Answer of a small query."""
        ...

    def types(self, relation: str, columns: Sequence[str]) -> Mapping[str, str]:
        """Types of columns, as that system names them."""
        ...

    def copy(self, query: str, columns: Sequence[Column], path: Path, tell: Tell) -> int:
        """Stream a query's rows into a file in bounded memory; their number."""
        ...

    def beside(self) -> AbstractContextManager[Moment]:
        """Another session that sees the same, for a part read at the same time."""
        ...


@dataclass(frozen=True)
class Part:
    """One part-query: its number, and the condition that its rows alone meet."""

    number: int
    condition: str = ""


class SqlSource(ABC):
    """A source that answers SQL. What is wanted becomes one query, or several when it is `split`."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote

    @abstractmethod
    def opened(self) -> AbstractContextManager[Moment]:
        """A session for the block."""

    @abstractmethod
    def asked(self, column: Column, there: str) -> str:
        """Expression that gives a column as its declared type; LayoutError when its type there cannot."""

    @abstractmethod
    def bucket(self, column: str, parts: int) -> str:
        """Expression that deals the values of a column out to the numbers below `parts`; null gives 0."""

    def version(self, wanted: SourceInput) -> str:
        def ask() -> str:
            with self.opened() as moment:
                found = moment.rows(wanted.version_query.strip().rstrip(";"))
                return str(found[0][0]) if found else ""

        return self._remote.run(ask)

    def read(self, wanted: SourceInput, folder: Path, tell: Tell) -> list[Path]:
        """See `SourceReader`. A part that fails is tried again alone, and with its moment everything is."""
        return self._remote.run(lambda: self._read(wanted, folder, tell))

    def _read(self, wanted: SourceInput, folder: Path, tell: Tell) -> list[Path]:
        relation, columns = relation_of(wanted), wanted.schema.columns
        with self.opened() as moment:
            there = moment.types(relation, wanted.schema.names)
            listed = ", ".join(self.asked(column, there.get(column.name, "")) for column in columns)
            parts, whole = self._parts(moment, wanted, relation)

            def copied(part: Part, link: Moment) -> tuple[Path, int]:
                path = folder / f"part-{part.number}.parquet"
                where = f"\nWHERE {part.condition}" if part.condition else ""
                return path, link.copy(f"SELECT {listed} FROM {relation}{where}", columns, path, tell)

            def again(part: Part) -> tuple[Path, int]:
                with moment.beside() as link:
                    return copied(part, link)

            if len(parts) == 1:
                return [copied(parts[0], moment)[0]]
            with ThreadPoolExecutor(min(len(parts), MOST_AT_ONCE), thread_name_prefix="part") as pool:
                done = list(pool.map(lambda part: self._remote.run(lambda: again(part)), parts))
        rows = sum(count for _, count in done)
        if rows != whole:
            problem = f"the {len(parts)} parts of {named(wanted)} have {rows} rows, the whole has {whole}"
            hint = "was it written to meanwhile? Or split by a column whose values do not depend on when they are asked for"
            raise StoreError(problem, hint=hint)
        return [path for path, _ in done]

    def _parts(self, moment: Moment, wanted: SourceInput, relation: str) -> tuple[list[Part], int]:
        """Conditions of which each row meets one, also where the column is null; and the rows of the whole."""
        if wanted.split is None or wanted.split.parts == 1:
            return [Part(0)], -1
        name, count = wanted.split.column, wanted.split.parts
        if name not in wanted.schema.names:
            problem = f"`split` names `{name}`, which is not a column of the input"
            raise LayoutError(problem, wanted.place)
        column = quoted(name)
        if wanted.schema[name].type not in RANGED:
            ((whole,),) = moment.rows(f"SELECT count(*) FROM {relation}")
            bucket = self.bucket(column, count)
            return [Part(n, f"{bucket} = {n}") for n in range(count)], int(whole)
        query = f"SELECT min({column}), max({column}), count(*) FROM {relation}"
        ((least, greatest, whole),) = moment.rows(query)
        if least is None:
            return [Part(0)], int(whole)
        width = (int(greatest) - int(least)) // count + 1
        bounds = [int(least) + width * n for n in range(1, count)]
        return [Part(n, _between(column, bounds, n)) for n in range(count)], int(whole)


def _between(column: str, bounds: Sequence[int], n: int) -> str:
    """The first part has no lower bound and takes the nulls, the last has no upper one."""
    if n == 0:
        return f"({column} < {bounds[0]} OR {column} IS NULL)"
    above = f"{column} >= {bounds[n - 1]}"
    return f"{above} AND {column} < {bounds[n]}" if n < len(bounds) else above


def relation_of(wanted: SourceInput) -> str:
    """What stands after FROM; a query begins on a line of its own."""
    read = wanted.read
    if isinstance(read, TableInput):
        return ".".join(quoted(word) for word in read.table.split("."))
    assert isinstance(read, QueryInput)
    return f"(\n{read.sql.strip().rstrip(';')}\n) AS q"


def named(wanted: SourceInput) -> str:
    """What is read, for messages."""
    return f"`{wanted.read.table}`" if isinstance(wanted.read, TableInput) else "the query"


def quoted(name: str) -> str:
    """SQL identifier, the same in all dialects we speak to."""
    return '"' + name.replace('"', '""') + '"'
