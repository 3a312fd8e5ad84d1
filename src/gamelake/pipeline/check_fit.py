"""Whether the checks of a project fit the datasets they compare with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gamelake.errors import LayoutError, Place, did_you_mean
from gamelake.model.checks import CheckKind
from gamelake.model.steps import SqlStep

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from gamelake.model.checks import Check
    from gamelake.model.schema import ColumnType
    from gamelake.model.steps import Output, Source, Step


def judged_against(outputs: Iterable[Output]) -> set[str]:
    """Names of the other datasets that checks of the outputs read."""
    return {check.dataset for output in outputs for check in output.checks if check.dataset is not None}


def check_misfits(member: Step | Source, outputs: Mapping[str, Output]) -> Iterator[LayoutError]:
    """Errors of one step's or source's checks that name other datasets."""
    for output in member.outputs:
        for index, check in enumerate(output.checks):
            if check.dataset is None:
                continue
            for problem, hint in _problems(check, output, outputs):
                yield LayoutError(
                    f"check `{check.name}`: {problem}", _place(member, check.dataset, index), hint
                )


def _problems(
    check: Check, output: Output, outputs: Mapping[str, Output]
) -> Iterator[tuple[str, str | None]]:
    dataset = str(check.dataset)
    if dataset == str(output.dataset):
        yield "it compares the dataset with itself", "name another dataset"
        return
    if dataset not in outputs:
        yield f"no step or source writes `{dataset}`", did_you_mean(dataset, outputs)
        return
    there = {column.name: column.type for column in outputs[dataset].schema.columns}
    for here, to in _pairs(check):
        if to not in there:
            yield f"`{dataset}` has no column `{to}`", did_you_mean(to, there)
        elif not _comparable(output.schema[here].type, there[to]):
            yield (
                f"`{here}` is `{output.schema[here].type.value}` and `{to}` of `{dataset}` is `{there[to].value}`",
                None,
            )
    summed = check.spec.get("to") or check.spec.get("column")
    if check.kind is CheckKind.CONSERVATION and summed in there and not there[summed].is_number:
        yield f"`{summed}` of `{dataset}` is `{there[summed].value}`; it is added up, so it is a number", None


def _pairs(check: Check) -> list[tuple[str, str]]:
    """Columns compared with each other: (ours, theirs)."""
    spec = check.spec
    if check.kind is CheckKind.RELATIONSHIP:
        return list(zip(spec["columns"], spec.get("to") or spec["columns"], strict=True))
    by = [(name, name) for name in spec.get("by") or []]
    return [(spec["column"], spec.get("to") or spec["column"]), *by]


def _comparable(one: ColumnType, other: ColumnType) -> bool:
    return one is other or (one.is_number and other.is_number)


def _place(member: Step | Source, dataset: str, index: int) -> Place | None:
    """File of a layout and the line of the check; nothing for what is written in Python."""
    if not isinstance(member, SqlStep) or not member.file:
        return None
    key = f"checks[{index}].dataset"
    try:
        lines = Path(member.file).read_text(encoding="utf-8").splitlines()
    except OSError:
        return Place(member.file, None, key)
    start = next((number for number, line in enumerate(lines) if line.startswith("checks:")), 0)
    found = (n for n, line in enumerate(lines[start:], start=start + 1) if dataset in line)
    return Place(member.file, next(found, None), key)
