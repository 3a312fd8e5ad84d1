"""What the SQL of a step sees of the lake: one view for each input."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from gamelake.engines.outside import Part
from gamelake.model.steps import PREVIOUS
from gamelake.pipeline.freshness import Parts
from gamelake.stores.files import refuse_changed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from gamelake.engines.base import Session
    from gamelake.ledger.rows import SliceVersion
    from gamelake.model.slices import Slice
    from gamelake.model.steps import SqlStep
    from gamelake.pipeline.freshness import InputIndex
    from gamelake.pipeline.project import Project


def show_inputs(project: Project, session: Session, step: SqlStep, index: InputIndex, part: Slice) -> None:
    """Make the views of one output slice; `previous` is empty for the first one."""
    read = {view: str(dataset) for view, dataset in step.inputs.items()}
    if step.carries:
        read[PREVIOUS] = str(step.outputs[0].dataset)
    for view, dataset in read.items():
        versions = index.seen_as(view, part)
        if is_in_place(project, dataset):
            session.outside(view, project.graph.outputs[dataset].schema, parts_of(versions))
        else:
            show(project, session, view, dataset, [file for version in versions for file in version.files])


def show(project: Project, session: Session, view: str, dataset: str, files: list[str]) -> None:
    """Make a view of some files of a dataset, with the columns declared for it."""
    session.view(view, project.graph.outputs[dataset].schema, files, mixed=is_mixed(project, dataset))


def is_in_place(project: Project, dataset: str) -> bool:
    """True when the rows of a dataset are in files of others."""
    output = project.graph.outputs.get(dataset)
    return output is not None and output.in_place


def parts_of(versions: Iterable[SliceVersion]) -> list[Part]:
    """Versions of an output that stays in place, as an engine reads them."""
    return [Part(version.slice, version.files) for version in versions]


@contextmanager
def reading(project: Project, step: SqlStep, index: InputIndex, part: Slice) -> Iterator[None]:
    """Around a query over the views: StoreError when files of others changed meanwhile, whatever came of it."""
    with ExitStack() as stack:
        for name in sorted({str(dataset) for dataset in step.inputs.values()}):
            stack.enter_context(reading_files(project, name, index.feeding(name, part)))
        yield


@contextmanager
def reading_files(project: Project, dataset: str, versions: Sequence[SliceVersion]) -> Iterator[None]:
    """The same around anything that reads versions of one dataset."""
    try:
        yield
    finally:
        for version in versions if is_in_place(project, dataset) else ():
            refuse_changed(version.files, Parts.parse(version.fingerprint).inputs)


def is_mixed(project: Project, dataset: str) -> bool:
    """True when files of a dataset may have been written for an older schema."""
    output = project.graph.outputs.get(dataset)
    return (output is not None and output.evolve) or project.lake.evolved(dataset)
