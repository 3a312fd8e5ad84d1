"""The project's datasets and steps as pages need them: from the graph, the ledger and the lake."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from gamelake.errors import NotFoundError, did_you_mean
from gamelake.model.checks import Severity
from gamelake.model.names import DatasetName, Layer
from gamelake.model.runs import SliceState
from gamelake.model.slices import Slice
from gamelake.present import formats
from gamelake.web.graph import Drawing, Node, draw
from gamelake.web.models import (
    CheckInfo,
    ColumnInfo,
    DatasetDetail,
    DatasetSummary,
    Health,
    Rows,
    SliceInfo,
    VersionInfo,
)
from gamelake.web.statement import fetch_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gamelake.ledger.rows import CheckRow, SliceStateRow, SliceVersion
    from gamelake.model.schema import Schema
    from gamelake.model.steps import Output, Step
    from gamelake.pipeline.project import Project
    from gamelake.web.queries import Queries

MAX_SLICES, MAX_VERSIONS, MAX_CHECKS = 500, 200, 200
_ORDER = {Layer.BRONZE: 0, Layer.SILVER: 1, Layer.GOLD: 2}
_WORKING = {SliceState.RUNNING, SliceState.STAGED, SliceState.AUDITED}


def steps_of(project: Project) -> list[Step]:
    """Every step of the project, in an order where each comes after what it reads."""
    return list(project.graph.steps.values())


def dataset_names(project: Project) -> list[str]:
    """Every dataset a step or source writes, and every one ever published; by layer, then name."""
    return sorted({*project.graph.outputs, *project.ledger.datasets()}, key=_by_layer)


def require(project: Project, dataset: str) -> str:
    """The dataset's full name; NotFoundError with the nearest one when there is none."""
    name = str(DatasetName.parse(dataset))
    known = dataset_names(project)
    if name not in known:
        raise NotFoundError(f"there is no dataset `{name}`", hint=did_you_mean(name, known))
    return name


def summaries(project: Project) -> list[DatasetSummary]:
    """All datasets, by layer, then name."""
    states: dict[str, list[SliceStateRow]] = defaultdict(list)
    for row in _attempts(project):
        states[row.dataset].append(row)
    return [_summary(project, name, states[name]) for name in dataset_names(project)]


def detail(project: Project, dataset: str) -> DatasetDetail:
    """One dataset with its slices, versions, checks and neighbours."""
    name = require(project, dataset)
    output = project.graph.outputs.get(name)
    current = project.ledger.current(name)
    versions = project.ledger.versions(name)
    states = _attempts(project, name)
    above, below = neighbours(project, name)
    return DatasetDetail(
        summary=_summary(project, name, states),
        mode=output.mode.value if output else None,
        slice_columns=_slice_columns(output, current),
        grain=list(output.grain) if output else [],
        columns=_columns(project, name, output, current),
        slices=_slices(current, states)[:MAX_SLICES],
        versions=[_version(row, current) for row in versions[:MAX_VERSIONS]],
        checks=[
            check_info(row, rows=not project.settings.pseudonyms)
            for row in project.ledger.checks(dataset=name, limit=MAX_CHECKS)
        ],
        upstream=above,
        downstream=below,
    )


def neighbours(project: Project, name: str) -> tuple[list[str], list[str]]:
    """Datasets it is made from, and datasets made from it."""
    above, below = set(), set()
    for step in steps_of(project):
        made = {str(output.dataset) for output in step.outputs}
        read = {str(dataset) for dataset in step.inputs.values()}
        if name in made:
            above |= read
        if name in read:
            below |= made
    return sorted(above - {name}, key=_by_layer), sorted(below - {name}, key=_by_layer)


def lineage(project: Project, dataset: str | None = None) -> Drawing:
    """Datasets and what is made from what; with a dataset, only all above and below it."""
    health = {row.name: row for row in summaries(project)}
    edges = [
        (str(read), str(output.dataset))
        for step in steps_of(project)
        for read in step.inputs.values()
        for output in step.outputs
    ]
    keep = set(health) if dataset is None else _reach(dataset, edges) | _reach(dataset, _reversed(edges))
    nodes = [
        Node(
            id=name,
            title=name.rsplit(".", 1)[-1],
            layer=row.layer,
            note=f"{formats.plural(row.rows, 'row')}" if row.slices else "empty",
            state=row.health.value,
            href=f"/datasets/{name}",
            here=name == dataset,
        )
        for name, row in health.items()
        if name in keep
    ]
    return draw(nodes, edges)


def sample(project: Project, dataset: str, queries: Queries, limit: int = 20) -> Rows:
    """Some rows of a dataset; none when it was never published."""
    name = require(project, dataset)
    if not any(version.files for version in project.ledger.current(name).values()):
        return Rows(columns=[], rows=[], truncated=False, seconds=0.0)
    quoted = ".".join(f'"{part}"' for part in name.split("."))
    with queries.connection([name]) as connection:
        return fetch_rows(connection, f"SELECT * FROM {quoted}", limit, queries.limits.max_answer_bytes)


def check_info(row: CheckRow, *, rows: bool = True) -> CheckInfo:
    """A stored check result with its outcome as one word; without its failing rows where those are not shown."""
    failed = "failed" if row.severity is Severity.ERROR else "warning"
    return CheckInfo(
        run_id=row.run_id,
        step=row.step,
        dataset=row.dataset,
        slice=str(row.slice),
        name=row.name,
        kind=row.kind.value,
        severity=row.severity.value,
        value=row.value,
        threshold=row.threshold,
        passed=row.passed,
        outcome="passed" if row.passed else failed,
        sample=list(row.sample) if rows else [],
        checked_at=row.checked_at,
    )


def _by_layer(name: str) -> tuple[int, str]:
    return (_ORDER[DatasetName.parse(name).layer], name)


def _reversed(edges: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(below, above) for above, below in edges]


def _reach(start: str, edges: Sequence[tuple[str, str]]) -> set[str]:
    """Everything that can be reached along the edges, the start included."""
    found, waiting = {start}, [start]
    while waiting:
        name = waiting.pop()
        new = {below for above, below in edges if above == name} - found
        found |= new
        waiting.extend(new)
    return found


def _attempts(project: Project, dataset: str | None = None) -> list[SliceStateRow]:
    """Where attempts at slices stand, without those a run left half done when it ended."""
    alive = set(project.ledger.live_runs())
    states = project.ledger.slice_states(dataset)
    return [row for row in states if row.state not in _WORKING or row.run_id in alive]


def _summary(project: Project, name: str, states: Sequence[SliceStateRow]) -> DatasetSummary:
    parsed = DatasetName.parse(name)
    current = project.ledger.current(name)
    step = project.graph.steps.get(project.graph.producers.get(name, ""))
    output = project.graph.outputs.get(name)
    health, note = _health(project, name, current, states)
    described = (output.description if output else "") or (step.description if step else "")
    return DatasetSummary(
        name=name,
        pack=parsed.pack,
        layer=parsed.layer.value,
        description=described,
        step=step.name if step else None,
        rows=sum(version.rows for version in current.values()),
        bytes=sum(version.bytes for version in current.values()),
        slices=len(current),
        published_at=max((version.published_at for version in current.values()), default=None),
        health=health,
        note=note,
    )


def _health(
    project: Project, name: str, current: dict[Slice, SliceVersion], states: Sequence[SliceStateRow]
) -> tuple[Health, str]:
    failed = [row for row in states if row.state is SliceState.FAILED]
    if failed:
        return Health.FAILED, f"{formats.plural(len(failed), 'slice')} failed: {failed[0].detail}".rstrip(
            ": "
        )
    working = [row for row in states if row.state in _WORKING]
    if working:
        return Health.RUNNING, f"{formats.plural(len(working), 'slice')} in work"
    if not current:
        return Health.EMPTY, "never published"
    runs = {(version.run_id, version.slice) for version in current.values()}
    recent = project.ledger.checks(dataset=name, limit=MAX_CHECKS)
    warned = {row.name for row in recent if not row.passed and (row.run_id, row.slice) in runs}
    if warned:
        return Health.WARNING, f"check {', '.join(sorted(warned))} warns"
    return Health.FRESH, ""


def _slice_columns(output: Output | None, current: dict[Slice, SliceVersion]) -> list[str]:
    if output is not None:
        return list(output.slice_columns)
    return [name for name, _ in next(iter(current), Slice()).keys]


def _columns(
    project: Project, name: str, output: Output | None, current: dict[Slice, SliceVersion]
) -> list[ColumnInfo]:
    schema = _schema(project, name, output)
    if schema is None:
        return []
    grain = output.grain if output else ()
    sliced = _slice_columns(output, current)
    return [
        ColumnInfo(
            name=column.name,
            type=column.type.value,
            nullable=column.nullable,
            doc=column.doc,
            numeric=column.type.is_number,
            key=column.name in grain,
            slice=column.name in sliced,
        )
        for column in schema.columns
    ]


def _schema(project: Project, name: str, output: Output | None) -> Schema | None:
    if output is not None:
        return output.schema
    try:
        return project.lake.schema(name)
    except NotFoundError:
        return None


def _slices(current: dict[Slice, SliceVersion], states: Sequence[SliceStateRow]) -> list[SliceInfo]:
    attempts = {row.slice: row for row in states}
    found = []
    for key in current.keys() | attempts.keys():
        version, attempt = current.get(key), attempts.get(key)
        found.append(
            SliceInfo(
                slice=str(key),
                state=attempt.state.value if attempt else SliceState.PUBLISHED.value,
                version=version.version if version else None,
                rows=version.rows if version else None,
                bytes=version.bytes if version else None,
                published_at=version.published_at if version else None,
                run_id=attempt.run_id if attempt else version.run_id if version else None,
                detail=attempt.detail if attempt else "",
            )
        )
    return sorted(found, key=lambda row: row.slice, reverse=True)


def _version(row: SliceVersion, current: dict[Slice, SliceVersion]) -> VersionInfo:
    newest = current.get(row.slice)
    return VersionInfo(
        slice=str(row.slice),
        version=row.version,
        rows=row.rows,
        bytes=row.bytes,
        files=len(row.files),
        published_at=row.published_at,
        run_id=row.run_id,
        step=row.step,
        content_hash=row.content_hash,
        fingerprint=row.fingerprint,
        current=newest is not None and newest.version == row.version,
        inputs={dataset: dict(slices) for dataset, slices in row.inputs.items()},
    )
