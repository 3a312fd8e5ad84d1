"""Tables of a Postgres: those we publish to, and the markers beside them that say what they hold.

`gamelake.tables` names each dataset's table and the project that writes it, `gamelake.receipts` holds one
row for each commit, `gamelake.slices` points to the newest receipt of each slice.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from psycopg import sql

from gamelake.errors import ConflictError, LayoutError, Place
from gamelake.model.schema import ByType, Column, ColumnType, Schema, is_column_type
from gamelake.model.steps import Target
from gamelake.stores.drift import drifts, evolution, refuse_bad_slice_columns, refuse_drift

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gamelake.model.steps import Output
    from gamelake.stores.postgres_link import Session

MARKERS = """
CREATE SCHEMA IF NOT EXISTS gamelake;
CREATE TABLE IF NOT EXISTS gamelake.tables (
    dataset text PRIMARY KEY, table_schema text NOT NULL, table_name text NOT NULL,
    project text NOT NULL, slice_columns text[] NOT NULL, created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (table_schema, table_name)
);
CREATE TABLE IF NOT EXISTS gamelake.receipts (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, dataset text NOT NULL, receipt text NOT NULL,
    run text NOT NULL, step text NOT NULL, rows bigint NOT NULL, published_at timestamptz NOT NULL,
    body text NOT NULL, UNIQUE (dataset, receipt)
);
CREATE TABLE IF NOT EXISTS gamelake.slices (
    dataset text NOT NULL, slice text NOT NULL, receipt text NOT NULL, version bigint NOT NULL,
    rows bigint NOT NULL, content_hash text NOT NULL, fingerprint text NOT NULL, token bigint NOT NULL,
    PRIMARY KEY (dataset, slice)
);
"""
TYPES = ByType(
    {
        ColumnType.TEXT: "text",
        ColumnType.INT: "integer",
        ColumnType.BIGINT: "bigint",
        ColumnType.DOUBLE: "double precision",
        ColumnType.BOOL: "boolean",
        ColumnType.DATE: "date",
        ColumnType.TIMESTAMP: "timestamp with time zone",
        ColumnType.UUID: "uuid",
        ColumnType.BLOB: "bytea",
    },
    "numeric({},{})".format,
)
_OURS = {name: kind for kind, name in TYPES.items()}
_MOST_BYTES_OF_A_NAME = 63
_COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
       coalesce(col_description(a.attrelid, a.attnum), '')
FROM pg_attribute a WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""


def table_of(output: Output) -> tuple[str, str]:
    """Schema and name of an output's table; without a target `<pack>_<layer>.<name>`."""
    name = output.dataset
    if not isinstance(output.target, Target):
        return f"{name.pack}_{name.layer.value}", name.name
    schema, mark, table = output.target.table.partition(".")
    parts = (schema, table) if mark else ("public", schema)
    for part in parts:
        if not part or "." in part or len(part.encode()) > _MOST_BYTES_OF_A_NAME:
            problem = f"`{output.target.table}` is not a table name, expected `schema.table`"
            raise LayoutError(problem, Place(key=f"{name}.table"))
    return parts


def lock_key(*words: str) -> int:
    """Number of an advisory lock, the same in every process.

    >>> lock_key("slice", "a") == lock_key("slice", "a") != lock_key("slice", "b")
    True
    """
    return int.from_bytes(hashlib.sha256("\0".join(words).encode()).digest()[:8], "big", signed=True)


def has_markers(link: Session) -> bool:
    """False in a database nobody has published to."""
    return _first(link, "SELECT to_regclass('gamelake.slices') IS NOT NULL")


def registered(link: Session, dataset: str) -> tuple[tuple[str, str], str, tuple[str, ...]] | None:
    """Table, project and slice columns of a dataset; None when there is none."""
    if not has_markers(link):
        return None
    query = "SELECT table_schema, table_name, project, slice_columns FROM gamelake.tables WHERE dataset = %s"
    row = link.execute(query, [dataset]).fetchone()
    return ((row[0], row[1]), row[2], tuple(row[3])) if row else None


def table_schema(link: Session, table: tuple[str, str]) -> Schema | None:
    """Columns as Postgres has them now; None when there is no such table."""
    rows = link.execute(_COLUMNS, [sql.Identifier(*table).as_string(link)]).fetchall()
    strange = [f"`{name}` is {kind}" for name, kind, _, _ in rows if _ours(kind) is None]
    if strange:
        problem = (
            f"`{'.'.join(table)}` in Postgres has columns of types gamelake never makes: {', '.join(strange)}"
        )
        raise LayoutError(problem, hint="somebody changed the table: change it back, or publish to another")
    columns = [
        Column(name, ours, nullable=not strict, doc=doc)
        for name, kind, strict, doc in rows
        if (ours := _ours(kind)) is not None
    ]
    return Schema(tuple(columns)) if rows else None


def _ours(kind: str) -> ColumnType | None:
    """Our type for one of Postgres's, by the name it gives it."""
    decimal = kind.replace("numeric(", "decimal(")
    return _OURS.get(kind) or (ColumnType(decimal) if decimal != kind and is_column_type(decimal) else None)


def ensure(link: Session, output: Output, project: str) -> None:
    """Create the table and its markers, or check that what is there fits. Safe in many sessions at once."""
    refuse_bad_slice_columns(output)
    name, table = str(output.dataset), table_of(output)
    with link.transaction():
        link.execute("SELECT pg_advisory_xact_lock(%s)", [lock_key("gamelake markers")])
        if not has_markers(link):
            link.execute(MARKERS)
        known = registered(link, name)
        found = table_schema(link, table)
        if known is not None:
            _refuse_strangers(name, table, known, project)
            if found is not None and not (_is_blank(link, name, table) and drifts(output, found, known[2])):
                refuse_drift(output, found, known[2])
                return
            if found is not None:
                link.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(*table)))
                found = None
            _forget(link, name)  # the table is gone, and what we said of it is no longer true
        elif found is not None:
            _refuse_foreign_rows(link, output, table, found)
        if found is None:
            _create(link, output, table)
        link.execute(
            "INSERT INTO gamelake.tables (dataset, table_schema, table_name, project, slice_columns) "
            "VALUES (%s, %s, %s, %s, %s)",
            [name, *table, project, list(output.slice_columns)],
        )


def evolve(link: Session, output: Output, table: tuple[str, str]) -> None:
    """Give the table the output's new and wider columns, in the caller's transaction; only with `evolve`."""
    found = table_schema(link, table) if output.evolve else None
    if found is None:
        return
    new, wider = evolution(output, found)
    added = sql.SQL("ADD COLUMN IF NOT EXISTS {} {}")  # another slice's commit may have been faster
    widened = sql.SQL("ALTER COLUMN {} TYPE {}")
    changes = [added.format(sql.Identifier(c.name), sql.SQL(TYPES[c.type])) for c in new]
    changes += [widened.format(sql.Identifier(c.name), sql.SQL(TYPES[c.type])) for c in wider]
    if changes:
        link.execute(sql.SQL("ALTER TABLE {} {}").format(sql.Identifier(*table), sql.SQL(", ").join(changes)))


def _refuse_strangers(
    dataset: str,
    table: tuple[str, str],
    known: tuple[tuple[str, str], str, tuple[str, ...]],
    project: str,
) -> None:
    if known[1] != project:
        problem = f"`{dataset}` in this Postgres is written by another gamelake project"
        hint = f"to hand it over: UPDATE gamelake.tables SET project = '{project}' WHERE dataset = '{dataset}', and DELETE FROM gamelake.slices WHERE dataset = '{dataset}'"
        raise ConflictError(problem, hint=hint)
    if known[0] != table:
        problem = (
            f"`{dataset}` is published to `{'.'.join(known[0])}`, the layout now says `{'.'.join(table)}`"
        )
        hint = f"rename the table there, and in gamelake.tables; or drop it and DELETE FROM gamelake.tables WHERE dataset = '{dataset}'"
        raise LayoutError(problem, Place(key=f"{dataset}.table"), hint)


def _is_blank(link: Session, dataset: str, table: tuple[str, str]) -> bool:
    """True when nothing was ever committed to the table, and nobody else put rows there."""
    published = "SELECT NOT EXISTS (SELECT FROM gamelake.receipts WHERE dataset = {})"
    rows = sql.SQL("SELECT NOT EXISTS (SELECT FROM {})").format(sql.Identifier(*table))
    return _first(link, sql.SQL(published).format(sql.Literal(dataset))) and _first(link, rows)


def _refuse_foreign_rows(link: Session, output: Output, table: tuple[str, str], found: Schema) -> None:
    """An empty table that somebody made for us is welcome; one with rows is theirs."""
    rows = sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier(*table))
    if _first(link, rows):
        problem = f"`{'.'.join(table)}` exists in Postgres with rows that gamelake did not write"
        raise ConflictError(
            problem, Place(key=f"{output.dataset}.table"), "name another table, or empty this one"
        )
    refuse_drift(output, found, output.slice_columns)


def _forget(link: Session, dataset: str) -> None:
    for marker in ("slices", "receipts", "tables"):
        where = sql.SQL("DELETE FROM {} WHERE dataset = %s").format(sql.Identifier("gamelake", marker))
        link.execute(where, [dataset])


def _create(link: Session, output: Output, table: tuple[str, str]) -> None:
    place = sql.Identifier(*table)
    columns = [
        sql.SQL("{} {} {}").format(
            sql.Identifier(c.name), sql.SQL(TYPES[c.type]), sql.SQL("" if c.nullable else "NOT NULL")
        )
        for c in output.schema.columns
    ]
    key = list(dict.fromkeys((*output.slice_columns, *output.grain)))
    strict = all(not output.schema[name].nullable for name in key)
    if output.grain and strict:
        columns.append(sql.SQL("PRIMARY KEY ({})").format(_listed(key)))
    link.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(table[0])))
    link.execute(sql.SQL("CREATE TABLE {} ({})").format(place, sql.SQL(", ").join(columns)))
    if output.grain and not strict:
        link.execute(sql.SQL("CREATE UNIQUE INDEX ON {} ({})").format(place, _listed(key)))
    # block ranges know no booleans, which would tell two slices apart and no more
    ranged = [name for name in key if output.schema[name].type is not ColumnType.BOOL]
    if ranged and not output.grain:
        # rows of a slice arrive together, so block ranges find them, at a tenth of what a B-tree costs the load
        index = sql.SQL("CREATE INDEX ON {} USING brin ({}) WITH (autosummarize = on)")
        link.execute(index.format(place, _listed(ranged)))
    words = [("TABLE", [place], output.description)]
    words += [("COLUMN", [sql.Identifier(*table, c.name)], c.doc) for c in output.schema.columns]
    for kind, about, text in words:
        if text:
            comment = sql.SQL("COMMENT ON {} {} IS {}")
            link.execute(comment.format(sql.SQL(kind), about[0], sql.Literal(text)))


def _listed(names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def _first(link: Session, query: Any) -> bool:
    row = link.execute(query).fetchone()
    return bool(row and row[0])
