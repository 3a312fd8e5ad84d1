"""The graph of steps, derived from what they read and write."""

from __future__ import annotations

from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING

from gamelake.errors import LayoutError, NotFoundError, Place, did_you_mean
from gamelake.model.names import Layer
from gamelake.model.steps import FoldStep, Source, SqlStep
from gamelake.pipeline.check_fit import check_misfits, judged_against
from gamelake.pipeline.fold import unfolded
from gamelake.pipeline.reach import Reach, date_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from gamelake.model.steps import Output, Step


class Graph:
    """Steps in an order in which each comes after what it reads; immutable once built."""

    def __init__(self, members: Iterable[Step | Source]) -> None:
        """Raise one LayoutError holding everything that does not fit together."""
        found = [part for member in members for part in unfolded(member)]
        self.sources: Mapping[str, Source] = {s.name: s for s in found if isinstance(s, Source)}
        steps = {s.name: s for s in found if not isinstance(s, Source)}
        self.outputs: Mapping[str, Output] = {str(o.dataset): o for s in found for o in s.outputs}
        self.producers: Mapping[str, str] = {str(o.dataset): s.name for s in found for o in s.outputs}
        errors = [*_written_twice(found), *_unknown_inputs(steps.values(), self.outputs)]
        errors += [error for step in steps.values() for error in _mispaired(step, self.outputs)]
        errors += [error for step in steps.values() for error in _misfits(step, self.outputs)]
        errors += [error for step in steps.values() for error in _short_sighted(step, self.outputs)]
        errors += [error for member in found for error in _unfoldable(member)]
        errors += [error for member in found for error in check_misfits(member, self.outputs)]
        if errors:
            raise LayoutError.all_of(errors)
        self.steps: Mapping[str, Step] = {step.name: step for step in _ordered(steps, self.producers)}

    def replacing(self, changed: Iterable[Step]) -> Graph:
        """The same graph with other versions of some steps; what they read and write is the same."""
        made = copy(self)
        made.steps = {**self.steps, **{step.name: step for step in changed}}
        return made

    def upstream(self, name: str) -> set[str]:
        """Names of the steps whose datasets this step, or a check of its rows, reads directly."""
        producers = {self.producers[dataset] for dataset in _reads(self.steps[name])}
        return producers & self.steps.keys()

    def downstream(self, name: str) -> set[str]:
        """Names of the steps that read what this step writes, directly."""
        return {other for other in self.steps if name in self.upstream(other)}

    def readers(self, dataset: str) -> list[str]:
        """Names of the steps that read a dataset, in order."""
        return [n for n, step in self.steps.items() if dataset in {str(d) for d in step.inputs.values()}]

    def output(self, dataset: str) -> Output:
        """The declared output; NotFoundError with the nearest name when no step or source writes it."""
        if dataset not in self.outputs:
            problem = f"no step or source writes `{dataset}`"
            raise NotFoundError(problem, hint=did_you_mean(dataset, self.outputs))
        return self.outputs[dataset]

    def named(self, target: str) -> list[str]:
        """Steps behind a target: a dataset, a step, a pack, a layer (`gold`), `pack.layer`, or a bare name."""
        found = [name for name, step in self.steps.items() if _is_meant(step, target)]
        if not found and target in self.producers:
            problem = (
                f"`{target}` is made by the source `{self.producers[target]}`, which `run` does not start"
            )
            raise NotFoundError(problem, hint="import it, then run the steps that read it")
        if not found:
            known = [*self.steps, *self.outputs, *(o.dataset.name for o in self.outputs.values())]
            problem = f"no step or dataset is called `{target}`"
            raise NotFoundError(
                problem, hint=did_you_mean(target, known) or "`gamelake status` lists all datasets"
            )
        return found

    def select(self, targets: Sequence[str] | None, *, alone: bool = False) -> list[str]:
        """The targets and (unless alone) every step they need, in order; None or nothing given = all steps."""
        if not targets:
            return list(self.steps)
        if alone:  # a table alone, without its deltas: a step may be named exactly
            named = [[target] if target in self.steps else self.named(target) for target in targets]
            return [name for name in self.steps if any(name in names for names in named)]
        wanted = {name for target in targets for name in self.named(target)}
        open_ends = list(wanted)
        while open_ends:
            new = self.upstream(open_ends.pop()) - wanted
            wanted |= new
            open_ends += new
        return [name for name in self.steps if name in wanted]


def _is_meant(step: Step, target: str) -> bool:
    datasets = [output.dataset for output in step.outputs]
    if isinstance(step, SqlStep) and step.delta_of is not None:
        datasets.append(step.delta_of)  # who asks for the table means its deltas too
    layers = {layer.value for layer in Layer} | {"etl", "std", "cons"}
    pack, _, layer = target.rpartition(".")
    if layer in layers and "." not in pack:
        return any(d.layer is Layer.parse(layer) and pack in ("", d.pack) for d in datasets)
    return step.name == target or any(target in (str(d), d.name, d.pack) for d in datasets)


def _written_twice(members: Iterable[Step | Source]) -> Iterator[LayoutError]:
    writers: dict[str, str] = {}
    names: set[str] = set()
    for member in members:
        if member.name in names:
            problem = f"two steps are called `{member.name}`"
            yield LayoutError(problem, _place(member))
        names.add(member.name)
        for output in member.outputs:
            first = writers.setdefault(str(output.dataset), member.name)
            if first != member.name:
                problem = f"`{output.dataset}` is written by `{first}` and by `{member.name}`"
                yield LayoutError(problem, _place(member), "a dataset has one writer: rename one output")


def _unknown_inputs(steps: Iterable[Step], outputs: Mapping[str, Output]) -> Iterator[LayoutError]:
    for step in steps:
        for dataset in map(str, step.inputs.values()):
            if dataset not in outputs:
                problem = f"`{step.name}` reads `{dataset}`, which no step or source writes"
                yield LayoutError(problem, _place(step, dataset), did_you_mean(dataset, outputs))


def _misfits(step: Step, outputs: Mapping[str, Output]) -> Iterator[LayoutError]:
    """Outputs and inputs of one step whose slices cannot be told from each other."""
    columns = step.outputs[0].slice_columns
    for other in step.outputs[1:]:
        if other.slice_columns != columns:
            problem = (
                f"`{step.name}` writes `{step.outputs[0].dataset}` by {_listed(columns)} "
                f"and `{other.dataset}` by {_listed(other.slice_columns)}"
            )
            yield LayoutError(problem, _place(step), "all outputs of a step have the same slice columns")
    known = [view for view, dataset in step.inputs.items() if str(dataset) in outputs]
    if columns and known and not any(Reach.of(step, view, outputs).whole for view in known):
        problem = (
            f"`{step.name}` is sliced by {_listed(columns)}, and no input has all of these slice columns"
        )
        hint = "its slices come from its inputs: slice it by columns they have, or pair the names by `slice`"
        yield LayoutError(problem, _place(step), hint)


def _mispaired(step: Step, outputs: Mapping[str, Output]) -> Iterator[LayoutError]:
    """Inputs whose `slice` names what is no slice column of theirs, or of another type."""
    for view, reading in step.readings.items() if isinstance(step, SqlStep) else ():
        dataset = str(step.inputs[view])
        if dataset not in outputs:
            continue
        theirs = outputs[dataset]
        for name, ours in reading.slices:
            if name not in theirs.slice_columns:
                problem = (
                    f"`{name}` is no slice column of `{dataset}`, it has {_listed(theirs.slice_columns)}"
                )
                yield LayoutError(problem, _place(step, dataset), did_you_mean(name, theirs.slice_columns))
            elif theirs.schema[name].type is not step.outputs[0].schema[ours].type:
                problem = f"`{name}` of `{dataset}` and `{ours}` are of different types, and name one slice"
                yield LayoutError(problem, _place(step, dataset), "give both columns one type")


def _short_sighted(step: Step, outputs: Mapping[str, Output]) -> Iterator[LayoutError]:
    """Inputs that span several days, and no date along which to count them."""
    for view, reading in step.readings.items() if isinstance(step, SqlStep) else ():
        dataset = str(step.inputs[view])
        if not reading.spans or dataset not in outputs:
            continue
        shared = [name for name, _ in Reach.of(step, view, outputs).pairs]
        if len(date_columns(outputs[dataset], shared)) != 1:
            word, verb = ("lookback", "back") if reading.offsets[0] < 0 else ("lookahead", "ahead")
            problem = (
                f"`{step.name}` looks {verb} along `{dataset}`, and the slice columns they share "
                f"({_listed(shared)}) hold no date, or several"
            )
            hint = f"`{word}` counts days: slice both by the same date column"
            yield LayoutError(problem, _place(step, dataset), hint)


def _unfoldable(member: Step | Source) -> Iterator[LayoutError]:
    """Modes that need a layout's SQL, declared by something else."""
    for output in member.outputs if not isinstance(member, SqlStep | FoldStep) else ():
        if output.mode.folds:
            problem = (
                f"`{member.name}` writes `{output.dataset}` with `{output.mode}`, which only layouts can"
            )
            yield LayoutError(problem, None, "write slices here, and fold them with a layout that reads them")


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(f"`{column}`" for column in columns) or "no slice"


def _ordered(steps: Mapping[str, Step], producers: Mapping[str, str]) -> list[Step]:
    """Depth first, so that a cycle is met as the path that closes it."""
    done: dict[str, Step] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in done or name not in steps:
            return
        if name in path:
            circle = " → ".join([*path[path.index(name) :], name])
            problem = f"these steps read each other in a circle: {circle}"
            raise LayoutError(problem, _place(steps[name]), "one of them must read something else")
        for dataset in _reads(steps[name]):
            visit(producers[dataset], (*path, name))
        done[name] = steps[name]

    for name in sorted(steps, key=lambda name: _sort_key(steps[name])):
        visit(name, ())
    return list(done.values())


def _reads(step: Step) -> list[str]:
    """Datasets that must be there first: inputs, and what checks compare with."""
    return sorted({*map(str, step.inputs.values()), *judged_against(step.outputs)})


def _sort_key(step: Step) -> tuple[int, str]:
    return list(Layer).index(step.outputs[0].dataset.layer), step.name


def _place(member: Step | Source, dataset: str | None = None) -> Place | None:
    """File of a layout, and the line of a dataset it names."""
    if not isinstance(member, SqlStep | FoldStep) or not member.file:
        return None
    if dataset is None:
        return Place(member.file)
    try:
        lines = Path(member.file).read_text(encoding="utf-8").splitlines()
    except OSError:
        return Place(member.file)
    found = (number for number, line in enumerate(lines, start=1) if dataset in line)
    return Place(member.file, next(found, None), "inputSources")
