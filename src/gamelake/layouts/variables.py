"""Variables of layouts: what a person gives on the command line, and which step gets which value."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gamelake.errors import LayoutError, Place, UserError, did_you_mean
from gamelake.layouts.fingerprint import fingerprint
from gamelake.layouts.template import typed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from gamelake.model.steps import Reading, SqlStep

_MOST_DAYS = 3_660


def parse_variables(listed: str | None, single: Sequence[str] | None) -> dict[str, str]:
    """Values of `--vars "a=b,c=d"` and of repeated `--var k=v`, whose values may hold commas.

    >>> parse_variables("logDate=2024-12-29,gameId=l2m", ["note=a,b"])
    {'logDate': '2024-12-29', 'gameId': 'l2m', 'note': 'a,b'}
    """
    found: dict[str, str] = {}
    for text in [*(part for part in (listed or "").split(",") if part.strip()), *(single or ())]:
        name, mark, value = text.partition("=")
        name = name.strip()
        if not mark or not name:
            problem = f"`{text}` is not a variable with its value"
            raise UserError(problem, hint='write `--vars "logDate=2026-02-16,n=3"`, or `--var note=a,b`')
        if found.get(name, value) != value:
            problem = f"the variable `{name}` is given twice: `{found[name]}` and `{value}`"
            raise UserError(problem, hint="give it once")
        found[name] = value.strip() if text not in (single or ()) else value
    return found


def resolved(step: SqlStep, given: Mapping[str, str], today: date) -> SqlStep:
    """The step with its unbound variables set: to what was given, else to their defaults.

    What they are is part of the fingerprint: other values make other rows. Raises UserError for a given
    value that does not fit its type.
    """
    free = [name for name in step.variables if name not in step.bindings]
    if not free:
        return step
    values: dict[str, str] = {}
    for name in free:
        text = given.get(name, step.defaults.get(name))
        if text is not None:
            values[name] = checked(name, text, step.variables[name], today)
    if values == step.values:
        return step
    base = step.fingerprint.partition("-")[0]
    mark = fingerprint(base, json.dumps(sorted(values.items())))[:8]
    readings = {view: _counted(reading, values, step) for view, reading in step.readings.items()}
    return replace(step, values=values, readings=readings, fingerprint=f"{base}-{mark}")


def _counted(reading: Reading, values: Mapping[str, str], step: SqlStep) -> Reading:
    """The reading with the days that variables hold."""
    found: dict[str, Any] = {}
    for key, name, plus in reading.told:
        days = int(values.get(name, -plus)) + plus
        if not 0 <= days <= _MOST_DAYS:
            problem = f"`{name}` is {values[name]}, which makes `{key}` {days}, expected 0 to {_MOST_DAYS}"
            raise LayoutError(problem, Place(step.file, key=f"variables.{name}"))
        found[key] = days
    return replace(reading, **found)


def checked(name: str, text: str, kind: str, today: date) -> str:
    """The value as it is kept: dates as ISO text, also when `yesterday` was meant."""
    try:
        return str(typed(text, kind, today=today))
    except ValueError as err:
        problem = f"`{text}` is not a value of the variable `{name}`, which is of the type `{kind}`"
        hint = "write a day such as `2026-02-16`, `today` or `yesterday`" if kind == "date" else None
        raise UserError(problem, hint=hint) from err


def slice_columns(steps: Iterable[SqlStep], given: Mapping[str, str], today: date) -> dict[str, str]:
    """Slice column → value, of the given variables that choose slices."""
    found: dict[str, str] = {}
    for step in steps:
        for name in given.keys() & step.bindings.keys():
            found[step.bindings[name]] = checked(name, given[name], step.variables[name], today)
    return found


def refuse_unknown(steps: Iterable[SqlStep], given: Mapping[str, str]) -> None:
    """UserError for a given variable that none of the steps has; it lists those they have."""
    known = sorted({name for step in steps for name in step.variables})
    for name in given:
        if name not in known:
            listed = ", ".join(f"`{word}`" for word in known) or "none"
            problem = f"undefined variable `{name}`, the layouts to run define: {listed}"
            raise UserError(problem, hint=did_you_mean(name, known))


def without_value(steps: Iterable[SqlStep]) -> list[LayoutError]:
    """One error for each variable that a step needs and that has neither a default nor a value."""
    return [
        LayoutError(
            f"the variable `{name}` has no value: it has no default and none was given",
            Place(step.file, None, f"variables.{name}"),
            f"give it with `--var {name}=…`, or write a `default`",
        )
        for step in steps
        for name in step.variables
        if name not in step.bindings and name not in step.values
    ]
