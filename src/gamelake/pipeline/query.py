"""Every dataset as a view in one DuckDB connection, now or as of an earlier time or run."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import duckdb

from gamelake.engines.batches import Batches
from gamelake.engines.duckdb import (
    machine_config,
    mixed_scan,
    quoted,
    scan,
    spill_folder,
    text_literal,
    translated,
)
from gamelake.engines.outside import outside_scan
from gamelake.errors import NotFoundError, StoreError, UserError, did_you_mean
from gamelake.pipeline.freshness import Parts
from gamelake.pipeline.views import is_in_place, is_mixed, parts_of
from gamelake.stores.files import refuse_changed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa

    from gamelake.ledger.rows import SliceVersion
    from gamelake.model.names import DatasetName
    from gamelake.model.schema import Schema
    from gamelake.pipeline.project import Project

_BATCH_ROWS = 64 * 1024
_READING = {duckdb.StatementType.SELECT, duckdb.StatementType.RELATION}
# options hold words only: a text in them could hide where the explained statement begins
_EXPLAIN = re.compile(r"\s*EXPLAIN\b(\s*ANALYZE\b)?(\s*\(\s*(ANALYZE|FORMAT)\b[\w\s,]*\))?", re.IGNORECASE)


def connect(
    project: Project,
    *,
    as_of: str | None = None,
    datasets: Sequence[str] | None = None,
    read_only: bool = True,
    memory: str | None = None,
) -> duckdb.DuckDBPyConnection:
    """Connection where `SELECT … FROM wow.gold.dim_player` works; the caller closes it.

    `as_of` is a run id or an ISO time (the project's zone when it names none). Datasets without a
    slice are empty and typed; one whose versions of then are no longer kept raises when it is read,
    NotFoundError through `select` and `stream`. Read-only connections see the files
    of those datasets and nothing else of the disk; run statements through `select` or `stream`, which refuse
    what writes. `memory` is the connection's budget when it is not the project's.
    """
    moment = parse_as_of(project, as_of)
    spill = spill_folder(project.settings.cache_folder / "spill")
    config = {**machine_config(memory or project.settings.memory), "temp_directory": str(spill)}
    connection = duckdb.connect(":memory:", config=config)
    try:
        connection.execute("SET TimeZone = 'UTC'")
        shown: list[str] = []
        for name, schema in _schemas(project, datasets).items():
            versions = sorted(project.ledger.as_of(str(name), **moment).values(), key=lambda v: v.slice)
            in_place = is_in_place(project, str(name))
            forgotten = _forgotten(versions, in_place=in_place) if moment or in_place else None
            if forgotten:
                _create_refusing_view(connection, name, schema, forgotten)
                continue
            files = [file for version in versions for file in version.files]
            if in_place:
                source = outside_scan(schema, parts_of(versions))
            elif is_mixed(project, str(name)):
                source = mixed_scan(connection, schema, files)
            else:
                stored = project.lake.schema(str(name)).names if files else None
                source = scan(schema, files, stored=stored)
            shown_as = _with_lists(source, schema)
            connection.execute(f"CREATE OR REPLACE VIEW {_view_name(connection, name)} AS {shown_as}")
            shown += files
        if read_only:
            _lock(connection, shown)
    except BaseException:
        connection.close()
        raise
    return connection


def select(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[Any] | None = None
) -> pa.Table:
    """All rows of one reading statement.

    UserError when the text is no single SELECT (or DESCRIBE, SHOW, EXPLAIN), or DuckDB refuses it.
    """
    try:
        return _relation(connection, sql, parameters).to_arrow_table()
    except duckdb.Error as err:
        raise _explained(connection, err) from err


def stream(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[Any] | None = None
) -> Batches:
    """`select` for results larger than memory: batches are computed as they are read."""
    try:
        return Batches(_relation(connection, sql, parameters).to_arrow_reader(_BATCH_ROWS))
    except duckdb.Error as err:
        raise _explained(connection, err) from err


def _relation(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[Any] | None
) -> duckdb.DuckDBPyRelation:
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        problem = f"expected one statement, got {len(statements)}"
        raise UserError(problem, hint="run them one after the other")
    kind = statements[0].type
    if kind == duckdb.StatementType.EXPLAIN:
        kind = _explained_kind(connection, sql)  # EXPLAIN ANALYZE does what it explains
    if kind not in _READING:
        problem = f"`query` reads only, this is a {kind.name} statement"
        raise UserError(problem, hint="datasets are changed by steps and imports")
    # through a relation: DuckDB's other way to Arrow copies every row once more
    return connection.sql(sql, params=list(parameters) if parameters else None)


def _explained_kind(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.StatementType:
    """Kind of the statement after EXPLAIN; EXPLAIN itself when that cannot be told."""
    head = _EXPLAIN.match(sql)
    try:
        rest = connection.extract_statements(sql[head.end() :]) if head else []
    except duckdb.Error:
        rest = []
    return rest[0].type if len(rest) == 1 else duckdb.StatementType.EXPLAIN


def parse_as_of(project: Project, text: str | None) -> Mapping[str, Any]:
    """Arguments for `Ledger.as_of`; UserError when the text is neither a run nor a time."""
    if text is None:
        return {}
    if text.startswith("run_"):
        project.ledger.run(text)
        return {"run_id": text}
    try:
        at = datetime.fromisoformat(text)
    except ValueError as err:
        problem = f"`{text}` is neither a run id nor a time"
        raise UserError(problem, hint="write `2026-02-16T20:00`, or a run id from `gamelake status`") from err
    return {"at": (at if at.tzinfo else at.replace(tzinfo=ZoneInfo(project.settings.zone))).astimezone(UTC)}


def _forgotten(versions: Iterable[SliceVersion], *, in_place: bool = False) -> str | None:
    """What to tell whoever reads these versions when a file of theirs is gone."""
    from pathlib import Path

    for version in versions:
        if in_place:
            try:
                refuse_changed(version.files, Parts.parse(version.fingerprint).inputs)
            except StoreError:
                return f"the files of `{version.dataset}` {version.slice} are no longer those of version {version.version}"
        elif not all(Path(file).exists() for file in version.files):
            return f"version {version.version} of `{version.dataset}` {version.slice} is no longer kept"
    return None


def _schemas(project: Project, wanted: Sequence[str] | None) -> dict[DatasetName, Schema]:
    found = {output.dataset: output.schema for output in project.graph.outputs.values()}
    if wanted is None:
        return found
    known = {str(name): name for name in found}
    for name in wanted:
        if name not in known:
            problem = f"there is no dataset `{name}`"
            raise NotFoundError(problem, hint=did_you_mean(name, known))
    return {known[name]: found[known[name]] for name in wanted}


def _with_lists(source: str, schema: Schema) -> str:
    """The SELECT with lists in place of the JSON texts that hold them."""
    made = [
        f"from_json({quoted(column.name)}, '[\"VARCHAR\"]') AS {quoted(column.name)}"
        for column in schema.columns
        if column.is_list
    ]
    return f"SELECT * REPLACE ({', '.join(made)}) FROM ({source})" if made else source


def _create_refusing_view(
    connection: duckdb.DuckDBPyConnection, name: DatasetName, schema: Schema, problem: str
) -> None:
    """A view that can be described and not read; its comment is the problem, where `_explained` finds it."""
    view, told = _view_name(connection, name), text_literal(problem)
    columns = ", ".join(f"CAST(NULL AS {c.type.sql}) AS {quoted(c.name)}" for c in schema.columns)
    connection.execute(f"CREATE VIEW {view} AS SELECT {columns} WHERE CAST(error({told}) AS BOOLEAN)")
    connection.execute(f"COMMENT ON VIEW {view} IS {told}")


def _view_name(connection: duckdb.DuckDBPyConnection, name: DatasetName) -> str:
    connection.execute(f"ATTACH IF NOT EXISTS ':memory:' AS {quoted(name.pack)}")
    layer = f"{quoted(name.pack)}.{quoted(name.layer.value)}"
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {layer}")
    return f"{layer}.{quoted(name.name)}"


def _lock(connection: duckdb.DuckDBPyConnection, files: Sequence[str]) -> None:
    connection.execute("SET allowed_paths = ?", [list(files)])
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _explained(connection: duckdb.DuckDBPyConnection, err: duckdb.Error) -> UserError:
    """A mistake in a query is the mistake of whoever typed it, not of a layout."""
    if isinstance(err, duckdb.InvalidInputException):
        for (problem,) in connection.execute(_REFUSALS).fetchall():
            if problem in str(err):
                return NotFoundError(problem, hint=_KEPT)
    known = translated(err)
    hint = known.hint
    if isinstance(err, duckdb.CatalogException):
        names = [".".join(row) for row in connection.execute(_VIEWS).fetchall()]
        word = str(err).partition("Table with name ")[2].partition(" ")[0]
        hint = _nearest(word, names) or f"datasets are: {', '.join(names)}"
    return UserError(str(err).strip(), hint=hint)


def _nearest(word: str, names: Sequence[str]) -> str | None:
    """Guess by the last part of a dataset's name, shown in full."""
    full = {name.rpartition(".")[2]: name for name in names}
    near = get_close_matches(word.rpartition(".")[2], list(full), n=1)
    return f"did you mean `{full[near[0]]}`?" if near else None


_KEPT = "`keep_versions` in gamelake.toml says how many versions stay"
_REFUSALS = "SELECT comment FROM duckdb_views() WHERE NOT internal AND comment IS NOT NULL"
_VIEWS = "SELECT database_name, schema_name, view_name FROM duckdb_views() WHERE NOT internal ORDER BY ALL"
