"""Which slices a step should have, and whether those it has are made from what is there now."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gamelake.layouts.fingerprint import fingerprint
from gamelake.model.slices import Slice
from gamelake.model.steps import SqlStep

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from gamelake.ledger.rows import SliceVersion
    from gamelake.model.steps import Output, Step

Versions = dict[str, dict[Slice, "SliceVersion"]]
"""Current version of every slice, by dataset."""


@dataclass(frozen=True)
class Parts:
    """What a slice is made from: the three parts of its fingerprint."""

    code: str
    schema: str
    inputs: str

    def __str__(self) -> str:
        return f"{self.code}.{self.schema}.{self.inputs}"

    @classmethod
    def parse(cls, text: str) -> Parts:
        """Read what `str()` wrote; anything else has no part in common with a step's."""
        code, _, rest = text.partition(".")
        schema, _, inputs = rest.partition(".")
        return cls(code, schema, inputs)


@dataclass
class InputIndex:
    """Published slices of a step's inputs, found by the output slice they feed."""

    columns: tuple[str, ...]
    _by_slice: dict[str, dict[Slice, list[SliceVersion]]] = field(default_factory=dict)
    _shared: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def build(
        cls, step: Step, outputs: Mapping[str, Output], current: Mapping[str, Mapping[Slice, SliceVersion]]
    ) -> InputIndex:
        """Index the inputs' current versions by the columns they share with the step's outputs."""
        columns = step.outputs[0].slice_columns
        index = cls(columns)
        for dataset in {str(d) for d in step.inputs.values()}:
            shared = tuple(c for c in columns if c in outputs[dataset].slice_columns)
            feeds: dict[Slice, list[SliceVersion]] = defaultdict(list)
            for part, version in sorted(current.get(dataset, {}).items()):
                feeds[part.project(shared)].append(version)
            index._by_slice[dataset] = dict(feeds)
            index._shared[dataset] = shared
        return index

    def feeding(self, dataset: str, for_slice: Slice) -> list[SliceVersion]:
        """Versions of an input's slices that agree with the output slice, in order of slice."""
        return self._by_slice[dataset].get(for_slice.project(self._shared[dataset]), [])

    def all_feeding(self, for_slice: Slice) -> Iterator[SliceVersion]:
        """The same over all inputs, in order of dataset."""
        for dataset in sorted(self._by_slice):
            yield from self.feeding(dataset, for_slice)

    def wanted(self) -> list[Slice]:
        """Output slices that every input has something for, in order; without inputs the one there is."""
        if not self._by_slice and not self.columns:
            return [Slice()]
        found: set[Slice] = set()
        for dataset, shared in self._shared.items():
            if shared == self.columns:
                found |= self._by_slice[dataset].keys()
        return sorted(part for part in found if all(self.feeding(name, part) for name in self._by_slice))


def code_part(step: Step) -> str:
    """Fingerprint of what the step does."""
    if isinstance(step, SqlStep):
        return step.fingerprint or fingerprint(step.sql)
    return fingerprint("python", step.version)


def schema_part(step: Step) -> str:
    """Fingerprint of the shape of what the step writes."""
    told = [
        (str(o.dataset), o.slice_columns, [(c.name, c.type.value, c.nullable) for c in o.schema.columns])
        for o in step.outputs
    ]
    return fingerprint(repr(told))


def inputs_part(versions: Iterator[SliceVersion]) -> str:
    """Fingerprint of the rows read: equal rows in a newer version give the same."""
    return fingerprint(*(f"{v.dataset}/{v.slice}={v.content_hash}" for v in versions))


def versions_read(versions: Iterator[SliceVersion]) -> dict[str, dict[str, int]]:
    """What a published slice remembers of its inputs: dataset → slice → version."""
    read: dict[str, dict[str, int]] = defaultdict(dict)
    for version in versions:
        read[version.dataset][str(version.slice)] = version.version
    return dict(read)


def why_stale(
    step: Step,
    had: SliceVersion,
    now: Parts,
    read: Mapping[str, Mapping[str, int]],
    is_equal: Callable[[str, str, int, int], bool],
) -> str | None:
    """What has changed since a version was built, in words; None when nothing has.

    `is_equal(dataset, slice, version, version)` tells whether two versions hold the same rows.
    """
    before = Parts.parse(had.fingerprint)
    reasons = []
    if before.code != now.code:
        reasons.append("SQL changed" if isinstance(step, SqlStep) else "step version changed")
    if before.schema != now.schema:
        reasons.append("schema changed")
    if before.inputs != now.inputs:
        changes = _input_changes(had.inputs, read, is_equal)
        reasons.append(_first_of(changes) or "inputs changed")
    return "; ".join(reasons) or None


def _input_changes(
    before: Mapping[str, Mapping[str, int]],
    now: Mapping[str, Mapping[str, int]],
    is_equal: Callable[[str, str, int, int], bool],
) -> Sequence[str]:
    changes = []
    for dataset in sorted({*before, *now}):
        old, new = before.get(dataset, {}), now.get(dataset, {})
        for part in sorted({*old, *new}):
            if old.get(part) == new.get(part):
                continue
            if part not in old:
                changes.append(f"input {dataset} {part} is new")
            elif part not in new:
                changes.append(f"input {dataset} {part} is no longer read")
            elif len(changes) > 20 or not is_equal(dataset, part, old[part], new[part]):
                changes.append(f"input {dataset} {part} version {old[part]} → {new[part]}")
    return changes


def _first_of(changes: Collection[str]) -> str:
    first = next(iter(changes), "")
    return f"{first} and {len(changes) - 1} more" if len(changes) > 1 else first
