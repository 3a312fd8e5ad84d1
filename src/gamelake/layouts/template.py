"""Rendering a layout's SQL: sandboxed Jinja, typed variables, and no value pasted without a filter."""

from __future__ import annotations

import re
import traceback
from datetime import date, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from gamelake.errors import LayoutError, Place, did_you_mean
from gamelake.layouts.macros import MACROS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from jinja2 import TemplateSyntaxError
    from jinja2.sandbox import SandboxedEnvironment

    from gamelake.model.slices import Slice
    from gamelake.model.steps import SqlStep

_SAMPLES: dict[str, Any] = {"date": date(2000, 1, 1), "int": 1, "text": "x", "ident": "x"}
_HAS_TEMPLATE = re.compile(r"\{[{%#]")


class Sql(str):
    """Text that a filter made safe to stand in SQL."""

    __slots__ = ()


def literal(value: object) -> Sql:
    """SQL literal of a value.

    >>> literal("O'Neill")
    "'O''Neill'"
    """
    if isinstance(value, bool):
        return Sql("TRUE" if value else "FALSE")
    if isinstance(value, int | float):
        return Sql(repr(value))
    if isinstance(value, date):
        return Sql(f"DATE '{value.isoformat()[:10]}'")
    if isinstance(value, str):
        return Sql("'" + value.replace("'", "''") + "'")
    problem = f"the filter `lit` takes text, numbers, dates and truth values, not {type(value).__name__}"
    raise TypeError(problem)


def identifier(value: object) -> Sql:
    """Quoted SQL identifier.

    >>> identifier('a"b')
    '"a""b"'
    """
    return Sql('"' + str(value).replace('"', '""') + '"')


def day(value: object) -> Sql:
    """SQL date literal of a date or its ISO text; ValueError on anything else.

    >>> day("2026-02-16")
    "DATE '2026-02-16'"
    """
    return literal(value if isinstance(value, date) else date.fromisoformat(str(value)))


def render(step: SqlStep, for_slice: Slice, *, engine: str = "duckdb") -> str:
    """SQL of one output slice, every variable bound, and the macros in the words of the engine."""
    return render_text(step.sql, slice_values(step, for_slice), place=step.sql_place, engine=engine)


def render_sample(step: SqlStep) -> str:
    """SQL with a stand-in for every variable: what static analysis reads."""
    values = {name: _SAMPLES[kind] for name, kind in step.variables.items()}
    values |= {
        name: typed(text, step.variables[name], today=_SAMPLES["date"])
        for name, text in {**step.defaults, **step.values}.items()
    }
    return render_text(step.sql, values, place=step.sql_place)


def slice_values(step: SqlStep, for_slice: Slice) -> dict[str, Any]:
    """Typed variables of one output slice: the slice's own, then what this run was given."""
    keys = for_slice.as_dict()
    found = {name: keys[column] for name, column in step.bindings.items() if column in keys}
    return {name: typed(text, step.variables[name]) for name, text in {**step.values, **found}.items()}


def typed(text: str, kind: str, *, today: date | None = None) -> Any:
    """Value of a variable's text: a date, an int or the text; ValueError when it is none.

    `today` allows the words `today` and `yesterday`.

    >>> typed("yesterday", "date", today=date(2026, 3, 1))
    datetime.date(2026, 2, 28)
    """
    if kind == "date":
        words = {} if today is None else {"today": today, "yesterday": today - timedelta(days=1)}
        return words[text] if text in words else date.fromisoformat(text)
    return int(text) if kind == "int" else text


def _anywhere(line: int) -> Place:
    return Place("", line)


def render_text(
    sql: str,
    values: Mapping[str, Any],
    *,
    place: Callable[[int], Place] = _anywhere,
    engine: str = "duckdb",
) -> str:
    """Render a template; `place` tells where a line of it stands, `engine` how macros are worded.

    >>> render_text("SELECT {{ d | day }}", {"d": date(2026, 2, 16)})
    "SELECT DATE '2026-02-16'"
    """
    if not _HAS_TEMPLATE.search(sql):
        return sql
    from jinja2 import TemplateError, TemplateSyntaxError

    try:
        return str(_environment(engine).from_string(sql).render(dict(values)))
    except TemplateSyntaxError as err:
        raise _broken(err, place) from err
    except (TemplateError, TypeError, ValueError, ArithmeticError) as err:
        raise LayoutError(str(err), place(_template_line(err)), getattr(err, "hint", None)) from err


def template_variables(sql: str) -> set[str]:
    """Names of variables that a template uses; none for one that does not parse."""
    if not _HAS_TEMPLATE.search(sql):
        return set()
    from jinja2 import TemplateSyntaxError, meta

    try:
        return meta.find_undeclared_variables(_environment().parse(sql)) - set(MACROS)
    except TemplateSyntaxError:
        return set()


def undefined_variables(
    sql: str, defined: Iterable[str], *, place: Callable[[int], Place] = _anywhere
) -> list[LayoutError]:
    """One error for each place that names a variable the layout does not have."""
    if not _HAS_TEMPLATE.search(sql):
        return []
    from jinja2 import TemplateSyntaxError, meta, nodes

    try:
        tree = _environment().parse(sql)
        free = meta.find_undeclared_variables(tree)
    except TemplateSyntaxError as err:
        return [_broken(err, place)]
    known = sorted(defined)
    unknown = free - set(known) - set(MACROS)
    listed = ", ".join(f"`{name}`" for name in known) or "none (no slice, no `variables`)"
    return [
        LayoutError(
            f"undefined variable `{node.name}`, defined are: {listed}",
            place(node.lineno),
            did_you_mean(node.name, [*known, *MACROS]),
        )
        for node in tree.find_all(nodes.Name)
        if node.name in unknown and node.ctx == "load"
    ] + [
        LayoutError(
            f"`{name}` is handed to the macro `{call.node.name}` as it is, expected `lit`, `ident` or `day`",
            place(call.lineno),
            f"write `{name} | lit` there",
        )
        for call in tree.find_all(nodes.Call)
        if isinstance(call.node, nodes.Name) and call.node.name in MACROS
        for argument in [*call.args, *(keyword.value for keyword in call.kwargs)]
        for name in _unfiltered(argument)
    ]


def _unfiltered(node: Any) -> list[str]:
    """Names whose value reaches the text without a filter that makes it safe."""
    from jinja2 import nodes

    if isinstance(node, nodes.Filter) and node.name in _FILTERS:
        return []
    if isinstance(node, nodes.Name):
        return [node.name]
    return [name for child in node.iter_child_nodes() for name in _unfiltered(child)]


def _broken(err: TemplateSyntaxError, place: Callable[[int], Place]) -> LayoutError:
    problem = f"the SQL template is broken: {(err.message or '').rstrip('.')}"
    named = re.search(r"No filter named '(\w+)'", problem)
    hint = did_you_mean(named.group(1), _FILTERS) or f"filters are: {', '.join(_FILTERS)}" if named else None
    return LayoutError(problem, place(err.lineno or 1), hint)


@cache
def _environment(engine: str = "duckdb") -> SandboxedEnvironment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    environment = SandboxedEnvironment(
        undefined=StrictUndefined, finalize=_only_filtered, keep_trailing_newline=True
    )
    environment.globals.clear()  # `range`, `dict`, … would be undeclared names otherwise
    for name, macro in MACROS.items():
        environment.globals[name] = _as_sql(macro, engine)
    environment.filters.update({name: _of_defined(made) for name, made in _FILTERS.items()})
    return environment


_FILTERS: dict[str, Callable[[object], Sql]] = {"lit": literal, "ident": identifier, "day": day}


def _as_sql(macro: Callable[..., str], engine: str) -> Callable[..., Sql]:
    return lambda *arguments, **named: Sql(macro(*arguments, **{**named, "engine": engine}))


def _of_defined(made: Callable[[object], Sql]) -> Callable[[object], Sql]:
    """The filter, except that an undefined (or forbidden) value tells what it is."""
    from jinja2 import Undefined

    def checked(value: object) -> Sql:
        return Sql(str(value)) if isinstance(value, Undefined) else made(value)

    return checked


def _only_filtered(value: object) -> Sql:
    from jinja2 import Undefined

    if isinstance(value, Undefined):
        return Sql(str(value))  # raises UndefinedError with the name
    if isinstance(value, Sql):
        return value
    problem = f"the value `{value}` is pasted without a filter, expected `lit`, `ident` or `day`"
    raise TypeError(problem)


def _template_line(err: BaseException) -> int:
    lines = [
        frame.lineno for frame in traceback.extract_tb(err.__traceback__) if frame.filename == "<template>"
    ]
    return (lines[-1] if lines else 1) or 1
