"""What the SQL of a step sees of the lake: one view for each input."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gamelake.model.steps import PREVIOUS

if TYPE_CHECKING:
    from gamelake.engines.base import Session
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
        versions = project.ledger.whole(index.seen_as(view, part))
        files = [file for version in versions for file in version.files]
        show(project, session, view, dataset, files)


def show(project: Project, session: Session, view: str, dataset: str, files: list[str]) -> None:
    """Make a view of some files of a dataset, with the columns declared for it."""
    session.view(view, project.graph.outputs[dataset].schema, files, mixed=is_mixed(project, dataset))


def is_mixed(project: Project, dataset: str) -> bool:
    """True when files of a dataset may have been written for an older schema."""
    output = project.graph.outputs.get(dataset)
    return (output is not None and output.evolve) or project.lake.evolved(dataset)
