"""Putting an earlier version of a slice back, as a new version."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gamelake.errors import ConflictError, NotFoundError
from gamelake.pipeline.assess import assess
from gamelake.pipeline.freshness import versions_read
from gamelake.pipeline.lifecycle import running
from gamelake.pipeline.publish import Publisher, recover

if TYPE_CHECKING:
    from gamelake.ledger.rows import SliceVersion
    from gamelake.model.publish import PublishedSlice, StagedSlice
    from gamelake.model.slices import Slice
    from gamelake.pipeline.project import Project


def rollback(project: Project, dataset: str, part: Slice, version: int | None = None) -> PublishedSlice:
    """Publish an earlier version again; the one before the current when none is named.

    It stays until its SQL, schema or inputs change once more: `run` does not undo a rollback. What
    reads the slice becomes stale when the rows differ. NotFoundError when the version is no longer kept.
    """
    output = project.graph.output(dataset)
    if output.in_place:
        problem = f"the rows of `{dataset}` stay in the files they came in, which have no earlier versions"
        raise ConflictError(problem, hint="put the earlier files back, and run again")
    recover(project)
    chosen = _choose(project, dataset, part, version)
    title = f"roll back {dataset} {part} to version {chosen.version}"
    request = {"dataset": dataset, "slice": str(part), "version": chosen.version}
    run_id = project.ledger.create_run("rollback", title, request)
    with running(project, run_id):
        staged = _as_if_built_now(project, dataset, project.lake.restage(chosen))
        receipt = Publisher(project, run_id).publish(output, [staged], "rollback")
    return receipt.slices[0]


def _choose(project: Project, dataset: str, part: Slice, version: int | None) -> SliceVersion:
    versions = project.ledger.versions(dataset, part)
    if not versions:
        known = ", ".join(str(s) for s in list(project.ledger.current(dataset))[:5])
        problem = f"`{dataset}` has no slice {part}"
        raise NotFoundError(problem, hint=f"it has: {known}" if known else "it has no slice yet")
    if version is None and len(versions) == 1:
        problem = f"`{dataset}` {part} has only version {versions[0].version}"
        raise NotFoundError(problem, hint="there is nothing to go back to")
    wanted = versions[1].version if version is None else version
    if wanted == versions[0].version:
        problem = f"`{dataset}` {part} is at version {wanted}"
        raise ConflictError(problem, hint="name an earlier version")
    for known_version in versions:
        if known_version.version == wanted:
            return known_version
    problem = f"`{dataset}` {part} has no version {wanted}"
    raise NotFoundError(problem, hint=f"it has: {', '.join(str(v.version) for v in versions[:10])}")


def _as_if_built_now(project: Project, dataset: str, staged: StagedSlice) -> StagedSlice:
    """With the fingerprint a run would give today, so that only a later change makes it stale."""
    step = project.graph.steps.get(project.graph.producers[dataset])
    if step is None:
        return staged  # a source's slice has nothing to be stale against
    found = assess(project, step, slices=[staged.slice])
    fingerprint = next((i.fingerprint for i in found.items if i.slice == staged.slice), staged.fingerprint)
    return replace(
        staged, fingerprint=fingerprint, inputs=versions_read(found.index.all_feeding(staged.slice))
    )
