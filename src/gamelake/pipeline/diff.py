"""What changed code would change in a slice: built beside the published rows, compared, thrown away."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gamelake.errors import NotFoundError
from gamelake.layouts.template import identifier as quoted
from gamelake.layouts.template import render
from gamelake.model.slices import Slice
from gamelake.model.steps import FoldStep
from gamelake.pipeline.assess import PlanState, assess
from gamelake.pipeline.fold import BASE, DELTA, fold_sql
from gamelake.pipeline.places import placed, refuse_misnamed
from gamelake.pipeline.render import newest_ready, sql_step
from gamelake.pipeline.views import show_inputs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gamelake.engines.base import Session
    from gamelake.model.steps import Output, SqlStep
    from gamelake.pipeline.assess import Assessment
    from gamelake.pipeline.project import Project

PUBLISHED, BUILT = "published", "built"
_BOTH = "p.here AND b.here"


@dataclass(frozen=True)
class Diff:
    """Rows of a slice as published and as built with the code as it is now.

    Without a grain (`by_grain` false) rows are compared as a whole: a changed row is one removed and one added.
    `columns` counts changed rows by column. Samples hold a few rows each; of a changed row its grain, and
    for each column that differs what `was` and what `is`.
    """

    dataset: str
    slice: Slice
    by_grain: bool
    before: int
    after: int
    added: int
    removed: int
    changed: int
    columns: dict[str, int] = field(hash=False)
    new_columns: tuple[str, ...] = ()
    gone_columns: tuple[str, ...] = ()
    samples: dict[str, list[dict[str, Any]]] = field(default_factory=dict, hash=False)

    @property
    def is_same(self) -> bool:
        """True when a run would publish the same rows."""
        return not (self.added or self.removed or self.changed or self.new_columns or self.gone_columns)

    def to_json(self) -> dict[str, Any]:
        """The object of `diff --json`."""
        return {
            "dataset": self.dataset,
            "slice": str(self.slice),
            "same": self.is_same,
            "by_grain": self.by_grain,
            "rows": {"published": self.before, "built": self.after},
            "added": self.added,
            "removed": self.removed,
            "changed": self.changed,
            "columns": self.columns,
            "new_columns": list(self.new_columns),
            "gone_columns": list(self.gone_columns),
            "samples": self.samples,
        }


def diff(project: Project, target: str, part: Slice | None = None, *, sample: int = 5) -> Diff:
    """Build a slice of a layout from its published inputs, and compare; nothing is published.

    Without a slice, the newest one. For a table that is folded from slices, the table as it would be with
    that slice's rows. NotFoundError when the slice cannot be built.
    """
    step = sql_step(project, target)
    found = assess(project, step)
    chosen = part or newest_ready(found)
    _refuse_unknown(step, found, chosen)
    fold = project.graph.steps.get(str(step.delta_of)) if target != step.name else None
    with project.engine.session() as session, _scratch(project) as folder:
        files = _build(project, session, step, found, chosen, folder)
        output, of_slice = step.outputs[0], chosen
        if isinstance(fold, FoldStep):
            files = _fold(project, session, fold, found, chosen, files, folder)
            output, of_slice = fold.outputs[0], Slice()
        return _compare(project, session, output, of_slice, files, sample)


def _refuse_unknown(step: SqlStep, found: Assessment, chosen: Slice) -> None:
    item = next((item for item in found.items if item.slice == chosen), None)
    if item is None:
        problem = f"`{step.name}` has no slice {chosen}"
        known = ", ".join(str(item.slice) for item in found.items[-5:])
        raise NotFoundError(problem, hint=f"it has: {known}" if known else "its inputs have no slice yet")
    if item.state is PlanState.WAITING:
        problem = f"`{step.name}` {chosen} cannot be built: {item.reason}"
        raise NotFoundError(problem, hint="run what it reads first")


@contextmanager
def _scratch(project: Project) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(dir=project.engine.spill))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _build(
    project: Project, session: Session, step: SqlStep, found: Assessment, part: Slice, folder: Path
) -> list[str]:
    show_inputs(project, session, step, found.index, part)
    sql = render(step, part)
    with placed(step):
        refuse_misnamed(step, session.columns(sql))
        written = session.write(sql, step.outputs[0].schema, folder / "slice.parquet")
    return [part.file.path for part in written]


def _fold(
    project: Project,
    session: Session,
    fold: FoldStep,
    found: Assessment,
    part: Slice,
    built: list[str],
    folder: Path,
) -> list[str]:
    deltas = project.graph.outputs[str(fold.inputs[DELTA])]
    there = found.previous[str(deltas.dataset)].values()
    others = project.ledger.whole(version for version in there if version.slice != part)
    files = [file for version in others for file in version.files]
    session.view(DELTA, deltas.schema, [*files, *built], mixed=True)
    session.view(BASE, fold.outputs[0].schema, [])
    written = session.write(
        fold_sql(fold, deltas.schema.names), fold.outputs[0].schema, folder / "table.parquet"
    )
    return [part.file.path for part in written]


def _compare(
    project: Project, session: Session, output: Output, part: Slice, files: list[str], sample: int
) -> Diff:
    dataset = str(output.dataset)
    version = project.ledger.current(dataset).get(part)
    there = list(version.files) if version else []
    stored = project.lake.schema(dataset).names if there else output.schema.names
    names = output.schema.names
    session.view(PUBLISHED, output.schema, there, mixed=True)
    session.view(BUILT, output.schema, files)
    unique = bool(output.grain) and all(
        _is_unique(session, view, output.grain) for view in (PUBLISHED, BUILT)
    )
    made = _by_grain(session, output, sample) if unique else _as_multiset(session, names, sample)
    counts = session.one_row(
        f"SELECT (SELECT count(*) FROM {PUBLISHED}) AS before, (SELECT count(*) FROM {BUILT}) AS after"
    )
    return Diff(
        dataset=dataset,
        slice=part,
        by_grain=unique,
        before=counts["before"],
        after=counts["after"],
        new_columns=tuple(name for name in names if name not in stored),
        gone_columns=tuple(name for name in stored if name not in names),
        **made,
    )


def _is_unique(session: Session, view: str, grain: Sequence[str]) -> bool:
    keys = ", ".join(quoted(name) for name in grain)
    return not session.rows(f"SELECT 1 AS n FROM {view} GROUP BY {keys} HAVING count(*) > 1 LIMIT 1")


def _by_grain(session: Session, output: Output, sample: int) -> dict[str, Any]:
    grain = [quoted(name) for name in output.grain]
    values = [name for name in output.schema.names if name not in output.grain]
    on = " AND ".join(f"p.{key} IS NOT DISTINCT FROM b.{key}" for key in grain)
    joined = (
        f"(SELECT *, true AS here FROM {PUBLISHED}) AS p"
        f" FULL JOIN (SELECT *, true AS here FROM {BUILT}) AS b ON {on}"
    )
    differs = {name: f"p.{quoted(name)} IS DISTINCT FROM b.{quoted(name)}" for name in values}
    any_differs = f"{_BOTH} AND ({' OR '.join(differs.values())})" if differs else "false"
    asked = [
        "count(*) FILTER (p.here IS NULL) AS n_added",
        "count(*) FILTER (b.here IS NULL) AS n_removed",
        f"count(*) FILTER ({any_differs}) AS n_changed",
        *(f"count(*) FILTER ({_BOTH} AND {test}) AS c{i}" for i, test in enumerate(differs.values())),
    ]
    found = session.one_row(f"SELECT {', '.join(asked)} FROM {joined}")
    order = ", ".join(f"coalesce(p.{key}, b.{key})" for key in grain)
    tail = f"ORDER BY {order} LIMIT {sample}"
    names = output.schema.names
    pairs = ", ".join(f"p.{quoted(name)} AS p{i}, b.{quoted(name)} AS b{i}" for i, name in enumerate(names))
    changed = session.rows(f"SELECT {pairs} FROM {joined} WHERE {any_differs} {tail}")
    return {
        "added": found["n_added"],
        "removed": found["n_removed"],
        "changed": found["n_changed"],
        "columns": {name: n for i, name in enumerate(differs) if (n := found[f"c{i}"])},
        "samples": {
            "added": session.rows(f"SELECT {_columns(names, 'b')} FROM {joined} WHERE p.here IS NULL {tail}"),
            "removed": session.rows(
                f"SELECT {_columns(names, 'p')} FROM {joined} WHERE b.here IS NULL {tail}"
            ),
            "changed": [_change(row, names, output.grain) for row in changed],
        },
    }


def _columns(names: Sequence[str], side: str) -> str:
    return ", ".join(f"{side}.{quoted(name)}" for name in names)


def _change(row: dict[str, Any], names: Sequence[str], grain: Sequence[str]) -> dict[str, Any]:
    pairs = {name: (row[f"p{i}"], row[f"b{i}"]) for i, name in enumerate(names)}
    key = {name: pairs[name][0] for name in grain}
    values = {name: pair for name, pair in pairs.items() if name not in key and pair[0] != pair[1]}
    return {"grain": key, **{name: {"was": was, "is": now} for name, (was, now) in values.items()}}


def _as_multiset(session: Session, names: Sequence[str], sample: int) -> dict[str, Any]:
    listed = ", ".join(quoted(name) for name in names)
    counts: dict[str, int] = {}
    samples: dict[str, list[dict[str, Any]]] = {"changed": []}
    for what, one, other in (("added", BUILT, PUBLISHED), ("removed", PUBLISHED, BUILT)):
        rest = f"(SELECT {listed} FROM {one} EXCEPT ALL SELECT {listed} FROM {other})"
        counts[what] = session.one_row(f"SELECT count(*) AS n FROM {rest}")["n"]
        samples[what] = session.rows(f"SELECT * FROM {rest} ORDER BY ALL LIMIT {sample}")
    return {**counts, "changed": 0, "columns": {}, "samples": samples}
