"""Everything that is wrong with a layout's SQL, found before any engine starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gamelake.errors import LayoutError, Place, did_you_mean
from gamelake.layouts.query import Problem, Query, QueryError
from gamelake.model.steps import PREVIOUS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from gamelake.model.steps import Output, SqlStep


@dataclass(frozen=True)
class Subject:
    """What the lints look at: the rendered SQL and what the front matter promises about it."""

    sql: str
    step: SqlStep
    inputs: Mapping[str, int]  # declared view name → line of its declaration

    @property
    def output(self) -> Output:
        return self.step.outputs[0]


@dataclass(frozen=True)
class Verdict:
    """Errors of the SQL, and whether it proves the output's grain."""

    errors: tuple[LayoutError, ...]
    grain_proven: bool


def lint(subject: Subject) -> Verdict:
    """Run every lint over one layout."""
    try:
        query = Query(subject.sql)
    except QueryError as err:
        return Verdict((_error(subject, err.problem),), grain_proven=False)
    problems = [*_reads(subject, query), *query.stars(), *_columns(subject, query)]
    errors = [*(_error(subject, problem) for problem in problems), *_unused(subject, query)]
    output = subject.output
    proven = bool(output.grain) and query.unique_on(output.grain, output.slice_columns)
    return Verdict(tuple(errors), proven)


def _reads(subject: Subject, query: Query) -> Iterator[Problem]:
    references, problems = query.tables()
    yield from problems
    for reference in references:
        if reference.name not in subject.inputs:
            declared = ", ".join(f"`{name}`" for name in subject.inputs)
            text = f"the SQL reads `{reference.name}`, which is not among the inputs: {declared}"
            yield Problem(text, reference.line, did_you_mean(reference.name, subject.inputs))


def _unused(subject: Subject, query: Query) -> Iterator[LayoutError]:
    read = {reference.name for reference in query.tables()[0]}
    for position, (name, line) in enumerate(subject.inputs.items()):
        if name == PREVIOUS and name not in read:
            problem = f"the layout carries state and its SQL never reads `{PREVIOUS}`, its own slice before"
            yield LayoutError(
                problem, Place(subject.step.file, line, "carries"), "read it, or remove `carries`"
            )
        elif name not in read:
            problem = f"the input `{name}` is declared and the SQL never reads it"
            hint = "remove the input, or read it: what depends on what is derived from both"
            yield LayoutError(problem, Place(subject.step.file, line, f"inputSources[{position}].name"), hint)


def _columns(subject: Subject, query: Query) -> Iterator[Problem]:
    """Result columns against the declared schema, when the text alone tells them."""
    columns = query.columns()
    if columns is None:
        return
    result = {name.lower() for name in columns}
    declared = {name.lower(): name for name in subject.output.schema.names}
    for name in _missing(declared.values(), result):
        yield Problem(
            f"the SQL has no column `{name}`, which the schema declares", 1, did_you_mean(name, result)
        )
    for name in _missing(result, set(declared)):
        hint = did_you_mean(name, declared) or "add it to `outputs[0].schema`, or do not select it"
        yield Problem(f"the SQL selects `{name}`, which is not in the schema", 1, hint)


def _missing(wanted: Iterable[str], present: set[str]) -> list[str]:
    return sorted(name for name in wanted if name.lower() not in present)


def _error(subject: Subject, problem: Problem) -> LayoutError:
    return LayoutError(problem.text, subject.step.sql_place(problem.line), problem.hint)
