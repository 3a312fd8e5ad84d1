"""What reads tables of other systems into Parquet files: the promise, and what those that speak SQL share."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from gamelake.errors import LayoutError, StoreError
from gamelake.layouts.pushed import rendered
from gamelake.model.schema import ByType, ColumnType
from gamelake.model.slices import Slice
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
ARROW: ByType[pa.DataType] = ByType(
    {
        ColumnType.TEXT: pa.string(),
        ColumnType.INT: pa.int32(),
        ColumnType.BIGINT: pa.int64(),
        ColumnType.DOUBLE: pa.float64(),
        ColumnType.BOOL: pa.bool_(),
        ColumnType.DATE: pa.date32(),
        ColumnType.TIMESTAMP: pa.timestamp("us", tz="UTC"),
        ColumnType.UUID: pa.string(),  # the stage knows what to make of it
        ColumnType.BLOB: pa.binary(),
    },
    pa.decimal128,
)
"""What a source writes for each type."""
RANGED = frozenset({ColumnType.INT, ColumnType.BIGINT})


class SourceReader(Protocol):
    """Reads what layouts declare as `table` or `query` inputs. Changes nothing there."""

    def version(self, wanted: SourceInput) -> str:
        """What the other system calls the present state of what would be read."""
        ...

    def listing(self, wanted: SourceInput) -> Mapping[Slice, str]:
        """Slices there are, each with its version; "" where only reading it could tell."""
        ...

    def read(self, wanted: SourceInput, folder: Path, tell: Tell, slices: Sequence[Slice] = ()) -> list[Path]:
        """Write the rows as Parquet files with the columns of the schema, at least one file.

        Only rows of the slices, where it is read by slices; several at once only without variables. Failures
        are tried again by the store's policy. StoreError when it stays away, LayoutError for what the author
        can mend.
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

    dialect: str  # in which the macros of its queries are worded

    def __init__(self, remote: Remote) -> None:
        self._remote = remote

    @abstractmethod
    def opened(self) -> AbstractContextManager[Moment]:
        """A session for the block."""

    @abstractmethod
    def asked(self, column: Column, there: str) -> str:
        """Expression that gives a column as its declared type; LayoutError when its type there cannot."""

    @abstractmethod
    def constant(self, column: Column, text: str) -> str:
        """Expression that gives a slice's own value, in the way of `asked`."""

    @abstractmethod
    def bucket(self, column: str, parts: int) -> str:
        """Expression that deals the values of a column out to the numbers below `parts`; null gives 0."""

    def version(self, wanted: SourceInput) -> str:
        return self._remote.run(lambda: self._versions(wanted)).get(Slice(), "")

    def listing(self, wanted: SourceInput) -> Mapping[Slice, str]:
        if wanted.version_query:
            return self._remote.run(lambda: self._versions(wanted))
        return self._remote.run(lambda: self._distinct(wanted))

    def read(self, wanted: SourceInput, folder: Path, tell: Tell, slices: Sequence[Slice] = ()) -> list[Path]:
        """See `SourceReader`. A part that fails is tried again alone, and with its moment everything is."""
        return self._remote.run(lambda: self._read(wanted, folder, tell, slices))

    def _versions(self, wanted: SourceInput) -> dict[Slice, str]:
        """Of a slice, what a row says beyond the slice columns; of the whole, the first value of the first row."""
        with self.opened() as moment:
            rows = moment.rows(self.words(wanted.version_query.strip().rstrip(";")))
        if not wanted.sliced:
            return {Slice(): str(rows[0][0])} if rows else {}
        keys = len(wanted.sliced)
        if rows and len(rows[0]) <= keys:
            listed = ", ".join(f"`{name}`" for name in wanted.sliced)
            problem = f"the query `version` gives {len(rows[0])} columns, expected {listed} and then what tells the version"
            raise LayoutError(
                problem, hint="an input that is read by slices has a version for each: GROUP BY them"
            )
        return {slice_of(wanted, row[:keys]): "/".join(map(str, row[keys:])) for row in rows}

    def _distinct(self, wanted: SourceInput) -> dict[Slice, str]:
        casts = [self.keyed(wanted.schema[name]) for name in wanted.sliced]
        with self.opened() as moment:
            rows = moment.rows(f"SELECT DISTINCT {', '.join(casts)} FROM {self._relation(wanted, ())}")
        return {slice_of(wanted, row): "" for row in rows}

    def keyed(self, column: Column) -> str:
        """Expression that gives a slice column as text."""
        kinds = {ColumnType.DATE: "date", ColumnType.TEXT: "varchar"}
        return f"CAST(CAST({quoted(column.name)} AS {kinds.get(column.type, 'bigint')}) AS varchar)"

    def _relation(self, wanted: SourceInput, slices: Sequence[Slice]) -> str:
        """What stands after FROM; a query begins on a line of its own."""
        read = wanted.read
        if isinstance(read, TableInput):
            return self.table(read.table)
        assert isinstance(read, QueryInput)
        sql = rendered(wanted, slices[0], self.dialect) if wanted.variables else read.sql
        return f"(\n{self.words(sql.strip().rstrip(';'))}\n) AS q"

    def words(self, sql: str) -> str:
        """A query of a layout as it is sent."""
        return sql

    def table(self, name: str) -> str:
        """What stands after FROM to read `schema.table`."""
        return ".".join(quoted(word) for word in name.split("."))

    def _read(self, wanted: SourceInput, folder: Path, tell: Tell, slices: Sequence[Slice]) -> list[Path]:
        relation, columns = self._relation(wanted, slices), wanted.schema.columns
        added = {v.column: slices[0].as_dict()[v.column] for v in wanted.variables if not v.is_answered}
        with self.opened() as moment:
            there = moment.types(relation, [name for name in wanted.schema.names if name not in added])
            listed = ", ".join(
                self.constant(column, added[column.name])
                if column.name in added
                else self.asked(column, there.get(column.name, ""))
                for column in columns
            )
            condition = _condition(wanted, slices, there) if not wanted.variables else ""
            parts, whole = self._parts(moment, wanted, f"{relation}{_where(condition)}")

            def copied(part: Part, link: Moment) -> tuple[Path, int]:
                path = folder / f"part-{part.number}.parquet"
                where = _where(condition, part.condition)
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


def _where(*conditions: str) -> str:
    given = [f"({condition})" for condition in conditions if condition]
    return f"\nWHERE {' AND '.join(given)}" if given else ""


def _condition(wanted: SourceInput, slices: Sequence[Slice], there: Mapping[str, str]) -> str:
    """True for rows of the slices; of one slice column, plain enough for any index or partition to help."""
    if not wanted.sliced or not slices:
        return ""
    conditions = [
        [equals(wanted.schema[name], there.get(name, ""), value) for name, value in part.keys]
        for part in slices
    ]
    return " OR ".join(
        " AND ".join(each) if len(each) == 1 else f"({' AND '.join(each)})" for each in conditions
    )


_TEXTS = frozenset({"varchar", "char", "text", "bpchar", "character varying", "character"})
_WHOLE = frozenset({"tinyint", "smallint", "integer", "bigint", "int2", "int4", "int8", "hugeint"})
_PLAIN_TIMES = frozenset({"timestamp", "timestamp without time zone"})


def equals(column: Column, there: str, value: str) -> str:
    r"""Condition on a slice column in the words of its type there, so that it can be looked up instead of computed.

    >>> from gamelake.model.schema import Column
    >>> equals(Column("ds", ColumnType.DATE), "varchar(10)", "2026-02-16")
    '"ds" = \'2026-02-16\''
    """
    name, base = quoted(column.name), re.sub(r"\([^)]*\)", "", there.lower()).strip()
    text = "'" + value.replace("'", "''") + "'"
    if base in _TEXTS:
        return f"{name} = {text}"
    if column.type is ColumnType.DATE:
        if base in _PLAIN_TIMES:
            after = (date.fromisoformat(value) + timedelta(days=1)).isoformat()
            return f"{name} >= TIMESTAMP '{value} 00:00:00' AND {name} < TIMESTAMP '{after} 00:00:00'"
        return f"{name} = DATE {text}" if base in {"date", ""} else f"CAST({name} AS date) = DATE {text}"
    if column.type is ColumnType.TEXT:
        return f"CAST({name} AS varchar) = {text}"
    return f"{name} = {int(value)}" if base in _WHOLE else f"CAST({name} AS bigint) = {int(value)}"


def slice_of(wanted: SourceInput, values: Sequence[Any]) -> Slice:
    """The slice of some values of the slice columns; LayoutError for one that names none."""
    pairs = []
    for name, value in zip(wanted.sliced, values, strict=True):
        if value is None:
            problem = f"`{name}` is null in some rows of {named(wanted)}, which belong to no slice"
            raise LayoutError(problem, hint="leave them out by a `query`, or read it whole")
        text = value.isoformat() if hasattr(value, "isoformat") else str(value)
        if wanted.schema[name].type is ColumnType.DATE:
            try:
                date.fromisoformat(text)
            except ValueError as error:
                problem = f"`{text}` of the slice column `{name}` of {named(wanted)} is no day"
                raise LayoutError(problem, hint="write days as `2026-02-16`") from error
        pairs.append((name, text))
    return Slice(tuple(pairs))


def named(wanted: SourceInput) -> str:
    """What is read, for messages."""
    return f"`{wanted.read.table}`" if isinstance(wanted.read, TableInput) else "the query"


def quoted(name: str) -> str:
    """SQL identifier, the same in all dialects we speak to."""
    return '"' + name.replace('"', '""') + '"'
