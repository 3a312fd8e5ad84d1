"""Which slices of a step go together, and what is kept of an error nobody foresaw."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from gamelake.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gamelake.model.steps import Step
    from gamelake.pipeline.assess import Assessment, PlanItem

BATCH_SLICES = 64  # slices that share a commit, at most
_BATCH_BYTES = 64 * 1_048_576  # input bytes after which a batch is published


def batches_of(work: Sequence[PlanItem], found: Assessment, most: int) -> Iterator[list[PlanItem]]:
    """Items that share a commit: few enough, and not too much to read at once."""
    batch: list[PlanItem] = []
    size = 0
    for item in work:
        needed = sum(version.bytes for version in found.index.all_feeding(item.slice))
        if batch and (len(batch) >= most or size + needed > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += needed
    if batch:
        yield batch


def unexpected(step: Step, err: Exception) -> OperatorError:
    """Our error for one that is none of ours."""
    problem = f"step `{step.name}` raised {type(err).__name__}: {err}"
    wrapped = OperatorError(problem, hint="the traceback is kept with the task of this run")
    wrapped.__cause__ = err
    return wrapped


def trace(err: Exception) -> str:
    """The traceback as text, for the task."""
    return "".join(traceback.format_exception(err))
