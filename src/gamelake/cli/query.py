"""`gamelake query`."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from gamelake.errors import UserError
from gamelake.packs import open_project
from gamelake.present import formats
from gamelake.present.console import Col, print_table, say
from gamelake.present.options import ProjectOption
from gamelake.present.rows import jsonable, rows_of, write_csv, write_parquet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa

    from gamelake.engines.batches import Batches


class Form(StrEnum):
    """How the rows are written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


def query(
    sql: Annotated[
        str | None,
        typer.Argument(metavar="[SQL]", help="One SELECT; `-` reads it from stdin.", show_default=False),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="Read the SELECT from a file.", show_default=False)
    ] = None,
    form: Annotated[
        Form | None,
        typer.Option(
            "--format", help="How to write the rows; by default from the ending of --out, else a table."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write to this file.", show_default=False)] = None,
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of", metavar="TIME|RUN", help="Read datasets as they were then.", show_default=False
        ),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=0, help="Rows a table shows; 0 shows all.")] = 100,
    project: ProjectOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Ask SQL over all datasets, as they are or as they were.

    Every dataset is a table of its full name: `SELECT * FROM pack.gold.name`. Reads only. Rows stream, so a
    result may be larger than memory, except as a table.
    """
    import duckdb
    import pyarrow as pa

    from gamelake.engines.duckdb import translated
    from gamelake.pipeline.query import stream

    chosen = Form.JSON if as_json else form or form_of(out)
    if chosen is Form.PARQUET and out is None:
        raise UserError("parquet is not for a terminal", hint="name a file: `--out result.parquet`")
    text = statement(sql, file)
    with open_project(project) as opened, opened.connect(as_of=as_of) as connection:
        reader = stream(connection, text)
        try:
            if chosen is Form.TABLE and out is None:
                show(reader, limit)
                return
            rows = write(reader, chosen, out)
        except duckdb.Error as error:  # batches are computed while they are read
            raise translated(error) from error
        except pa.ArrowException as error:
            problem = f"the rows do not fit into {chosen.value}: {error}"
            raise UserError(problem, hint="cast the column, for example to VARCHAR") from error
    if out is not None:
        say(f"wrote {formats.plural(rows, 'row')} to {out}")


def form_of(out: Path | None) -> Form:
    """The form a file's ending asks for."""
    endings = {".json": Form.JSON, ".csv": Form.CSV, ".parquet": Form.PARQUET}
    if out is None:
        return Form.TABLE
    if out.suffix not in endings:
        raise UserError(
            f"`{out.name}` does not say which form",
            hint="end it with .csv, .json or .parquet, or add --format",
        )
    return endings[out.suffix]


def statement(sql: str | None, file: Path | None) -> str:
    """The SQL from where the person put it."""
    if (sql is None) == (file is None):
        raise UserError("expected a SELECT, or `--file` with one", hint='gamelake query "SELECT 1 AS one"')
    if file is not None:
        return file.read_text(encoding="utf-8")
    return sys.stdin.read() if sql == "-" else str(sql)


def _is_number(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def show(reader: Batches, limit: int) -> None:
    """Rows as a table, numbers to the right; says on stderr how many it left out."""
    shown: list[tuple[Any, ...]] = []
    total = 0
    for batch in reader:
        left = batch.num_rows if not limit else max(0, limit - total)
        shown += rows_of(batch.slice(0, left))
        total += batch.num_rows
    columns = [Col(field.name, right=_is_number(field.type)) for field in reader.schema]
    print_table(columns, shown)
    more = total - len(shown)
    say(
        f"{formats.plural(total, 'row')}"
        + (f", {formats.count(more)} not shown: --limit 0 shows all" if more else "")
    )


def write(reader: Batches, form: Form, out: Path | None) -> int:
    """Write the rows; how many there were."""
    if form is Form.PARQUET:
        assert out is not None
        with complete(out) as partial:
            return write_parquet(reader, partial)
    writers: dict[Form, Callable[[Batches, IO[str]], int]] = {
        Form.JSON: write_json,
        Form.CSV: write_csv,
        Form.TABLE: write_csv,
    }
    if form is Form.TABLE:
        raise UserError("a table is for the terminal", hint="add `--format csv`, json or parquet")
    with opened_text(out) as handle:
        return writers[form](reader, handle)


@contextmanager
def opened_text(out: Path | None) -> Iterator[IO[str]]:
    """Stdout, or a new file."""
    if out is None:
        yield sys.stdout
        sys.stdout.flush()
        return
    with complete(out) as partial, partial.open("w", encoding="utf-8", newline="") as handle:
        yield handle


@contextmanager
def complete(out: Path) -> Iterator[Path]:
    """A file to write that takes its name only when it is complete."""
    if not out.parent.is_dir():
        raise UserError(f"there is no folder {out.parent}", hint="make it first, or name another --out")
    partial = out.with_name(f".{out.name}.partial")
    try:
        yield partial
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)


def write_json(reader: Batches, handle: IO[str]) -> int:
    """One object: `columns` with their types, then `rows`, one object on a line each."""
    names = reader.schema.names
    columns = [{"name": field.name, "type": str(field.type)} for field in reader.schema]
    handle.write(f'{{"columns": {json.dumps(columns)}, "rows": [')
    rows, mark = 0, "\n"
    for batch in reader:
        for row in rows_of(batch):
            record = dict(zip(names, map(jsonable, row), strict=True))
            handle.write(f"{mark}{json.dumps(record, ensure_ascii=False)}")
            rows, mark = rows + 1, ",\n"
    handle.write("\n]}\n")
    return rows
