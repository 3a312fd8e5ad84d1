"""What computes: an engine opens sessions, a session turns SQL over files into staged files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    import duckdb

    from gamelake.engines.outside import Part
    from gamelake.model.publish import StagedFile
    from gamelake.model.schema import Schema


@dataclass(frozen=True)
class ColumnFacts:
    """What the writer put into a file's footer about one column; None where it did not say."""

    nulls: int | None
    least: str | None
    greatest: str | None


SLICE_DIGEST = "slice:"
"""Begins a digest that is not of one file's bytes but of all that its slice holds."""


@dataclass(frozen=True)
class Written:
    """A file with the rows counted and the column facts gathered while it was written."""

    file: StagedFile
    facts: Mapping[str, ColumnFacts] = field(default_factory=dict, hash=False)
    digest: str | None = None  # of the file's bytes, where the same rows always give the same bytes


class Session(Protocol):
    """One thread's work on an engine. Views made here are seen only here."""

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The driver's own DuckDB, for steps written in Python; also where another engine runs the SQL."""
        ...

    def view(self, name: str, schema: Schema, files: Sequence[str], *, mixed: bool = False) -> None:
        """Make (or replace) a view over Parquet files; no files = no rows, with the schema's types.

        `mixed` files may lack columns (then null) and have narrower types.
        """
        ...

    def outside(self, name: str, schema: Schema, parts: Sequence[Part]) -> None:
        """Make (or replace) a view over Parquet files of others, cast to the schema; see `engines/outside.py`."""
        ...

    def columns(self, sql: str) -> list[str]:
        """Names of the columns a query gives, without running it."""
        ...

    def write(self, sql: str, schema: Schema, file: Path) -> list[Written]:
        """Run a query into Parquet files, its columns bound by name and cast to the schema.

        The first is `file`, further ones stand beside it; without rows there is none. A mistake in the SQL or
        a value that does not fit its type: LayoutError. Interrupted: CancelledRunError. No file is left then.
        """
        ...

    def one_row(self, sql: str) -> dict[str, Any]:
        """First row of a query by column name."""
        ...

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """All rows of a (small) query by column name."""
        ...

    def repeats(self, sql: str, rows: int) -> int:
        """How many of the hashes a one-column query gives were there before; it gives `rows` of them."""
        ...

    def interrupt(self) -> None:
        """Stop what runs now; may be called from any thread, and does nothing when idle."""
        ...


class Engine(Protocol):
    """Opens sessions that share one budget of memory and threads."""

    @property
    def name(self) -> str:
        """Short name, recorded with each task: `duckdb` or `spark`."""
        ...

    def session(self) -> AbstractContextManager[Session]:
        """A session that lives for the block; many may be open at once."""
        ...

    def close(self) -> None:
        """Give back memory and temporary files."""
        ...
