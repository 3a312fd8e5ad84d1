"""Running tests of layouts: each in a project of its own in a scratch folder, through the pipeline itself.

Staging, checks and publishing are those of a run, so that a test sees the output as readers would; the project's
lake and ledger are never opened.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from gamelake.clock import FixedClock, SystemClock, SystemIds
from gamelake.errors import GamelakeError, LayoutError, did_you_mean
from gamelake.model.schema import ColumnType, Schema
from gamelake.model.slices import Slice
from gamelake.model.steps import FoldStep, Source, SqlStep
from gamelake.pipeline.case_rows import Difference, compare, table_of, typed_row
from gamelake.pipeline.check_fit import judged_against
from gamelake.pipeline.execute import RunRequest, execute
from gamelake.pipeline.lifecycle import end, running
from gamelake.pipeline.project import Project
from gamelake.pipeline.reach import Reach
from gamelake.pipeline.source import source_run
from gamelake.settings import LineageTarget

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from gamelake.layouts.cases import Case
    from gamelake.model.steps import Output, Step
    from gamelake.pipeline.graph import Graph
    from gamelake.pipeline.results import RunResult
    from gamelake.settings import Settings

_FILLER = {ColumnType.DATE: "2000-01-01", ColumnType.INT: "0", ColumnType.BIGINT: "0"}


@dataclass
class Verdict:
    """How a test ended: `problem` says why it failed in words, `difference` in rows."""

    case: Case
    problem: str = ""
    difference: Difference = field(default_factory=Difference)
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """True when what came out is what was expected."""
        return not self.problem

    def to_json(self) -> dict[str, Any]:
        """The test's part of `test --json`."""
        return {
            "name": self.case.name,
            "layout": self.case.layout,
            "at": str(self.case.place()),
            "outcome": "passed" if self.passed else "failed",
            "seconds": self.seconds,
            "problem": self.problem or None,
            **self.difference.to_json(),
        }


class CaseRunner:
    """Runs tests one after the other. Use it in a `with`: it holds an engine and a scratch folder."""

    def __init__(self, graph: Graph, settings: Settings) -> None:
        self._graph = graph
        self._settings = settings

    def __enter__(self) -> Self:
        from gamelake.engines.duckdb import DuckDBEngine

        self._folder = Path(tempfile.mkdtemp(prefix="gamelake-test-"))
        self._engine = DuckDBEngine(self._folder / "spill", memory=self._settings.memory)
        return self

    def __exit__(self, *exc: object) -> None:
        self._engine.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def verify(self, cases: Sequence[Case]) -> None:
        """Raise one LayoutError with every test that does not fit its layout."""
        errors = [error for case in cases for error in _misfits(case, self._graph)]
        if errors:
            raise LayoutError.all_of(errors)

    def run(self, case: Case) -> Verdict:
        """Run one test that `verify` let pass."""
        clock = SystemClock()
        start = clock.monotonic()
        root = Path(tempfile.mkdtemp(dir=self._folder))
        step, fold = _steps(case, self._graph)
        settings = self._settings.model_copy(
            update={"root": root, "notifications": None, "openlineage": LineageTarget(), "schedules": []}
        )
        now = case.document.now
        time = SystemClock() if now is None else FixedClock(now.astimezone())
        folded = [fold] if fold else []
        given = replace(step, sources={})  # what it reads elsewhere is given too
        members: list[Step | Source] = [*_sources(step, fold, self._graph), given, *folded]
        project = Project.open(settings, members, clock=time, ids=SystemIds())
        project.__dict__["engine"] = self._engine  # one engine for all tests: each opens sessions of its own
        try:
            verdict = self._judge(case, step, fold or step, project)
        finally:
            project.lake.close()
            project.ledger.close()
            shutil.rmtree(root, ignore_errors=True)
        verdict.seconds = round(clock.monotonic() - start, 3)
        return verdict

    def _judge(self, case: Case, step: SqlStep, last: Step, project: Project) -> Verdict:
        part = _slice(case, step)
        _fill(case, step, part, project)
        request = RunRequest((last.name,), (part,), force=True)
        run_id = project.ledger.create_run("test", case.name, request.to_json())
        with running(project, run_id) as cancel:
            result = execute(project, request, run_id=run_id, cancel=cancel)
            end(project, run_id, result.state, result.error)
        found = project.ledger.checks(run_id=run_id)
        failed = {row.name for row in found if not row.passed and row.severity.value == "error"}
        warned = {row.name for row in found if not row.passed and row.severity.value == "warn"}
        problem = _outcome(case, result, failed) or _not_warned(case, warned)
        if problem or case.document.expect.rows is None:
            return Verdict(case, problem)
        return _compared(case, last.outputs[0], part, project)


def _outcome(case: Case, result: RunResult, failed: set[str]) -> str:
    """What is wrong with how the run ended; empty when it is as expected."""
    expect, error = case.document.expect, result.error
    if expect.failed is not None:
        missing = [name for name in expect.failed if name not in failed]
        if missing and error is not None and not failed:
            return f"checks should fail, but the run ended with: {error.problem}"
        if missing:
            told = ", ".join(f"`{name}`" for name in sorted(failed)) or "none"
            return f"check `{'`, `'.join(missing)}` should fail, failed: {told}"
        more = sorted(failed - set(expect.failed))
        return f"check `{'`, `'.join(more)}` failed too" if more else ""
    if expect.error is not None:
        if error is None:
            return f"an error with `{expect.error}` was expected, and the run succeeded"
        known = expect.error.lower() in str(error.problem).lower()
        return "" if known else f"an error with `{expect.error}` was expected, it says: {error.problem}"
    if error is not None:
        return error.problem
    return "" if result.built else "nothing was built: the slice has no input"


def _not_warned(case: Case, warned: set[str]) -> str:
    missing = [name for name in case.document.expect.warned if name not in warned]
    return f"check `{'`, `'.join(missing)}` should warn, and passed" if missing else ""


def _compared(case: Case, output: Output, part: Slice, project: Project) -> Verdict:
    expect = case.document.expect
    columns = expect.columns or list(output.schema.names)
    lists = {column.name for column in output.schema.columns if column.is_list}
    # lists as the JSON text that `typed_row` makes of them
    listed = ", ".join(
        f'CASE WHEN "{name}" IS NOT NULL THEN CAST(to_json("{name}") AS VARCHAR) END AS "{name}"'
        if name in lists
        else f'"{name}"'
        for name in columns
    )
    with project.connect() as connection:
        seen = connection.sql(f"SELECT {listed} FROM {output.dataset}").to_arrow_table().to_pylist()
    given = [_completed(row, output, part) for row in expect.rows or []]
    schema = Schema(tuple(output.schema[name] for name in columns))
    expected = table_of([{k: row.get(k) for k in columns} for row in given], schema).to_pylist()
    key = [name for name in output.grain if name in columns]
    difference = compare(expected, seen, columns, key)
    return Verdict(case, difference.words(), difference)


def _completed(row: Mapping[str, Any], output: Output, part: Slice) -> dict[str, Any]:
    """A row with the slice columns that it leaves out, those of the slice under test."""
    left_out = {k: v for k, v in part.keys if k not in row and k in output.schema.names}
    return typed_row({**left_out, **row}, output.schema)


def _fill(case: Case, step: SqlStep, part: Slice, project: Project) -> None:
    """Publish what the test gives: inputs, what checks compare with, and what the target held before.

    What a folded table held are rows that its SQL gave for earlier slices.
    """
    document = case.document
    given: dict[str, list[dict[str, Any]]] = {str(dataset): [] for dataset in step.inputs.values()}
    for name, rows in document.inputs.items():
        given[str(step.inputs[name])] += rows
    given |= {name: list(rows) for name, rows in document.others.items()}
    needed = _needed_slices(step, part, project.graph)
    for dataset, rows in given.items():
        output = project.graph.outputs[dataset]
        *before, own = needed.get(dataset, [part])
        covering = [_covering(output, slot) for slot in (*before, own)] if dataset in needed else []
        _publish(project, output, rows, own, covering)
    if document.prior:
        target = step.outputs[0]
        _publish(project, replace(target, checks=(), grain=()), document.prior, part, [], name=step.name)


def _needed_slices(step: SqlStep, part: Slice, graph: Graph) -> dict[str, list[Slice]]:
    """For each input, what its columns say of the earlier slices that the one under test reads, and of its own.

    The test need not give rows of each: without any a slice is empty. Later slices are there only when it does.
    """
    found: dict[str, list[Slice]] = {}
    for view, dataset in step.inputs.items():
        reach = Reach.of(step, view, graph.outputs)
        own = reach.key(part)
        before = [slot for slot in reach.keys(part) if slot < own] if reach.day else []
        found.setdefault(str(dataset), [*before, own])
    return found


def _publish(
    project: Project,
    output: Output,
    rows: Sequence[Mapping[str, Any]],
    part: Slice,
    needed: Sequence[Slice],
    *,
    name: str = "given",
) -> None:
    slices: dict[Slice, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        typed = _completed(row, output, part)
        slices[Slice(tuple((c, _text(typed.get(c))) for c in output.slice_columns))].append(typed)
    for slot in needed:
        if not any(found.agrees_with(slot) for found in slices):
            slices[slot] = []
    contents: dict[Slice, list[pa.Table | Path]] = {
        slot: [table_of(found, output.schema)] if found else [] for slot, found in slices.items()
    }
    with source_run(project, "rows of a test", name=name) as run:
        if contents:
            run.publish(output, contents)


def _covering(output: Output, part: Slice) -> Slice:
    """The slice of an input that feeds the one under test, for when no row says which."""
    mine = part.as_dict()
    return Slice(
        tuple((c, mine.get(c, _FILLER.get(output.schema[c].type, ""))) for c in output.slice_columns)
    )


def _text(value: object) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _steps(case: Case, graph: Graph) -> tuple[SqlStep, FoldStep | None]:
    """The layout's SQL, and the fold after it when the table is folded from slices; LayoutError for no layout."""
    named = [graph.steps[name] for name in graph.named(case.layout)]
    match named:
        case [SqlStep() as step]:
            return replace(step, outputs=_unpublished(step)), None
        case [SqlStep() as step, FoldStep() as fold] if step.delta_of == fold.outputs[0].dataset:
            return replace(step, outputs=_unpublished(step)), replace(fold, outputs=_unpublished(fold))
        case _:
            hint = "tests are of one SQL layout: name its dataset"
            raise LayoutError(f"`{case.layout}` is not one layout", case.layout_place, hint)


def _unpublished(step: SqlStep | FoldStep) -> tuple[Output, ...]:
    """Rows of tests stay here: nobody who reads a target gets them."""
    return tuple(replace(output, target=None) for output in step.outputs)


def _judged_against(step: SqlStep, fold: FoldStep | None) -> set[str]:
    return judged_against([*step.outputs, *(fold.outputs if fold else ())])


def _sources(step: SqlStep, fold: FoldStep | None, graph: Graph) -> list[Source]:
    """A source for each dataset the steps or their checks read; rows of tests may leave any column null."""
    names = sorted({*map(str, step.inputs.values()), *_judged_against(step, fold)})
    return [Source(f"given {name}", (_open(graph.outputs[name]),)) for name in names]


def _open(output: Output) -> Output:
    from gamelake.model.steps import Mode, OnEmpty

    free = Schema(
        tuple(replace(c, nullable=c.name not in output.slice_columns) for c in output.schema.columns)
    )
    mode = Mode.REPLACE_SLICE if output.slice_columns else Mode.SNAPSHOT_REPLACE
    return replace(
        output,
        schema=free,
        mode=mode,
        checks=(),
        grain=(),
        on_empty=OnEmpty.CLEAR,
        allow_shrink=0.0,
        in_place=False,
        target=None,
    )


def _slice(case: Case, step: SqlStep) -> Slice:
    """The slice under test: `slice` names columns, `vars` the variables bound to them."""
    given = dict(case.document.slice)
    for variable, value in case.document.vars.items():
        given[step.bindings[variable]] = value
    return Slice(tuple((c, _text(given[c])) for c in step.outputs[0].slice_columns))


def _misfits(case: Case, graph: Graph) -> Iterator[LayoutError]:
    """Everything a test says that its layout does not have."""
    try:
        step, fold = _steps(case, graph)
    except GamelakeError as err:
        yield LayoutError(err.problem, case.layout_place, err.hint)
        return
    compared = _judged_against(step, fold)
    yield from _slice_misfits(case, step)
    document, output = case.document, (fold or step).outputs[0]
    for name, rows in document.inputs.items():
        if name not in step.inputs:
            problem = f"`{step.name}` has no input `{name}`"
            hint = did_you_mean(name, step.inputs) or f"its inputs are: {', '.join(step.inputs)}"
            yield LayoutError(problem, case.place("inputs", name), hint)
            continue
        yield from _row_misfits(case, graph.outputs[str(step.inputs[name])], rows, "inputs", name)
    for name, rows in document.others.items():
        if name not in compared:
            problem = f"no check of `{output.dataset}` compares with `{name}`"
            yield LayoutError(problem, case.place("others", name), did_you_mean(name, compared))
            continue
        yield from _row_misfits(case, graph.outputs[name], rows, "others", name)
    yield from _row_misfits(case, step.outputs[0], document.prior, "prior")
    yield from _row_misfits(case, output, document.expect.rows or [], "expect", "rows")
    for name in document.expect.columns or []:
        if name not in output.schema.names:
            problem = f"`{name}` is not a column of `{output.dataset}`"
            yield LayoutError(
                problem, case.place("expect", "columns"), did_you_mean(name, output.schema.names)
            )


def _slice_misfits(case: Case, step: SqlStep) -> Iterator[LayoutError]:
    columns = step.outputs[0].slice_columns
    for name in case.document.slice:
        if name not in columns:
            problem = (
                f"`{name}` is not a slice column of `{step.name}`: {', '.join(columns) or 'it has none'}"
            )
            yield LayoutError(problem, case.place("slice", name), did_you_mean(name, columns))
    for name in case.document.vars:
        if name not in step.bindings:
            problem = f"`{step.name}` has no variable `{name}`: {', '.join(step.bindings) or 'it has none'}"
            yield LayoutError(problem, case.place("vars", name), did_you_mean(name, step.bindings))
    given = {*case.document.slice, *(step.bindings.get(name) for name in case.document.vars)}
    missing = [name for name in columns if name not in given]
    if missing:
        problem = f"the test does not say which slice: {', '.join(f'`{name}`' for name in missing)}"
        yield LayoutError(problem, case.place(), "add `slice: {column: value}`")


def _row_misfits(
    case: Case, output: Output, rows: Sequence[Mapping[str, Any]], *path: str
) -> Iterator[LayoutError]:
    for index, row in enumerate(rows):
        place = case.place(*path, index)
        for name in row:
            if name not in output.schema.names:
                problem = f"`{output.dataset}` has no column `{name}`"
                yield LayoutError(problem, place, did_you_mean(name, output.schema.names))
        try:
            typed_row({k: v for k, v in row.items() if k in output.schema.names}, output.schema)
        except ValueError as err:
            yield LayoutError(str(err), place)
