"""Lints that know the inputs: meanings, fan-out, integer division, functions. They stop a load."""

from __future__ import annotations

import contextlib
import os
from hashlib import sha256
from typing import TYPE_CHECKING

from gamelake.errors import LayoutError
from gamelake.layouts.cache import code_digest
from gamelake.layouts.template import render_sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from sqlglot import exp

    from gamelake.layouts.query import Problem
    from gamelake.model.schema import Schema
    from gamelake.model.steps import Output, SqlStep

_MOST_KEPT = 20_000  # lines of the file of clean layouts, 64 bytes each


def examine(step: SqlStep, outputs: Mapping[str, Output], *, engine: str = "duckdb") -> list[LayoutError]:
    """Everything these lints find in one layout; `outputs` holds its inputs by dataset name."""
    problems = _problems(step, outputs, engine)
    return [LayoutError(found.text, step.sql_place(found.line), found.hint) for found in problems]


def examine_all(
    steps: Iterable[SqlStep], outputs: Mapping[str, Output], cache: Path | None = None
) -> list[LayoutError]:
    """What these lints find in many layouts; `cache` is a folder that remembers which were clean."""
    clean = _Clean(cache)
    shapes = {name: sha256(repr(_shape(output)).encode()).digest() for name, output in outputs.items()}
    errors: list[LayoutError] = []
    for step in steps:
        mark = _mark(step, shapes)
        if mark in clean.known:
            clean.used.add(mark)
            continue
        found = examine(step, outputs)
        errors += found
        if not found:
            clean.used.add(mark)
    clean.save()
    return errors


def qualified(step: SqlStep, schemas: Mapping[str, Schema]) -> exp.Query | None:
    """The step's query with every column under its source, stars named and types known; None when that fails."""
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError
    from sqlglot.optimizer.annotate_types import annotate_types
    from sqlglot.optimizer.qualify import qualify

    known: dict[str, object] = {
        view: {c.name: c.type.sql for c in schema.columns} for view, schema in schemas.items()
    }
    try:
        tree = sqlglot.parse_one(render_sample(step), read="duckdb")
        tree = qualify(
            tree, schema=known, dialect="duckdb", validate_qualify_columns=False, quote_identifiers=False
        )
        tree = annotate_types(tree, schema=known, dialect="duckdb")
    except (SqlglotError, ValueError, KeyError, AttributeError, RecursionError):
        return None  # sqlglot cannot resolve every query that DuckDB runs
    return tree if isinstance(tree, exp.Query) else None


def schemas_of(step: SqlStep, outputs: Mapping[str, Output]) -> dict[str, Schema]:
    """Columns of each input by the name the SQL uses, of those inputs that are known."""
    return {view: outputs[str(d)].schema for view, d in step.inputs.items() if str(d) in outputs}


def _problems(step: SqlStep, outputs: Mapping[str, Output], engine: str) -> list[Problem]:
    from gamelake.layouts.fanout import fan_outs
    from gamelake.layouts.functions.dialects import lacking
    from gamelake.layouts.meaning import meaning_problems

    problems = lacking(render_sample(step), engine)
    schemas = schemas_of(step, outputs)
    tree = qualified(step, schemas)
    if tree is None:
        return problems
    output = step.outputs[0]
    problems += meaning_problems(tree, schemas, output.schema)
    if output.grain and not output.grain_proven:
        inputs = {view: outputs[str(d)] for view, d in step.inputs.items() if str(d) in outputs}
        problems += fan_outs(tree, inputs, output)
    return problems


def _shape(output: Output) -> object:
    columns = [(c.name, c.type.value, str(c.meaning)) for c in output.schema.columns]
    return columns, output.grain, output.slice_columns, output.grain_proven


def _mark(step: SqlStep, shapes: Mapping[str, bytes]) -> str:
    told = sha256(f"{step.sql}\0{sorted(step.variables.items())}".encode())
    told.update(shapes.get(step.name, repr(_shape(step.outputs[0])).encode()))
    for view, dataset in sorted(step.inputs.items()):
        told.update(view.encode() + shapes.get(str(dataset), b""))
    return told.hexdigest()


class _Clean:
    """Marks of layouts in which nothing was found, in one file."""

    def __init__(self, folder: Path | None) -> None:
        self._file = None if folder is None else folder / "layouts" / f"clean-{code_digest()}.txt"
        self.known: set[str] = set()
        self.used: set[str] = set()
        if self._file is not None:
            with contextlib.suppress(OSError, UnicodeDecodeError):
                self.known = set(self._file.read_text(encoding="ascii").split())

    def save(self) -> None:
        if self._file is None or self.used <= self.known:
            return
        kept = self.used | (self.known if len(self.known) < _MOST_KEPT else set())
        part = self._file.with_suffix(f".{os.getpid()}.part")
        with contextlib.suppress(OSError):  # a full or read-only disk costs speed, not the load
            self._file.parent.mkdir(parents=True, exist_ok=True)
            part.write_text("\n".join(sorted(kept)), encoding="ascii")
            part.replace(self._file)
            for older in self._file.parent.glob("clean-*.txt"):
                if older != self._file:
                    older.unlink(missing_ok=True)
