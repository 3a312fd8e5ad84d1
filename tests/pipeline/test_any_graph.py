"""Whatever graph of layouts, edits, late days and interruptions: in the end, a build from scratch."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gamelake.errors import ConflictError
from gamelake.jobs.local import run_now
from gamelake.pipeline.execute import RunRequest
from gamelake.pipeline.plan import plan
from lives import LIVES, DiedError, die_at
from modes_project import create, five_days, import_days, open_modes, write

DAYS = sorted(five_days())
_HEAD = """/* ---
description: One of many
inputSources: [{{name: a, dataset: {dataset}{reading}}}]
{carries}outputs:
  - slice: [day]
    mode: {mode}
    grain: [player]
    on_empty: clear
    schema: {{day: date, player: text, score: bigint not null, guild: text}}
--- */
"""
_ROWS = "SELECT {{{{ day | day }}}} AS day, player, CAST(sum(score * {by}) AS BIGINT) AS score, max(guild) AS guild FROM {source} GROUP BY player"
SLICED = {
    "plain": ("", "", "replace_slice", "a"),
    "window": (", lookback: 1, on_missing: empty", "", "replace_slice", "a"),
    "carried": (
        "",
        "carries: true\n",
        "replace_slice",
        "(SELECT player, score, guild FROM a UNION ALL SELECT player, score, guild FROM previous)",
    ),
}
FOLDED = {mode: ("", "", mode, "a") for mode in ("append_unique", "merge", "scd2")}
KINDS = {**SLICED, **FOLDED}

NODES = st.lists(st.tuples(st.sampled_from(sorted(SLICED)), st.integers(0, 2)), min_size=1, max_size=2)
LEAVES = st.lists(st.tuples(st.sampled_from(sorted(KINDS)), st.integers(0, 2)), min_size=1, max_size=2)
ACTION = st.one_of(
    st.tuples(st.just("import"), st.sampled_from(DAYS), st.integers(0, 3)),
    st.tuples(st.just("edit"), st.integers(0, 3), st.integers(1, 3)),
    st.tuples(st.just("backfill"), st.sampled_from(DAYS), st.booleans()),
    st.tuples(st.just("run")),
    st.tuples(st.just("die"), st.integers(1, 80)),
)


@settings(LIVES, max_examples=4)
@given(NODES, LEAVES, st.lists(ACTION, min_size=3, max_size=5))
def test_any_graph_ends_as_a_build_from_scratch(monkeypatch, nodes, leaves, actions) -> None:
    check(monkeypatch, nodes, leaves, actions)


@pytest.mark.chaos
@settings(LIVES, max_examples=100, derandomize=False)
@given(
    st.lists(st.tuples(st.sampled_from(sorted(SLICED)), st.integers(0, 5)), min_size=1, max_size=5),
    st.lists(st.tuples(st.sampled_from(sorted(KINDS)), st.integers(0, 5)), min_size=1, max_size=4),
    st.lists(ACTION, min_size=4, max_size=25),
)
def test_any_large_graph_ends_as_a_build_from_scratch(monkeypatch, nodes, leaves, actions) -> None:
    check(monkeypatch, nodes, leaves, actions)


def layouts(nodes, leaves, factors: list[int]) -> dict[str, str]:
    """Layouts `silver/nN` that read bronze or one another, and `gold/lN` above them."""
    made: dict[str, str] = {}
    datasets = ["toy.bronze.raw"]
    for number, (kind, source) in enumerate([*nodes, *leaves]):
        is_node = number < len(nodes)
        name = f"silver/n{number}" if is_node else f"gold/l{number}"
        known = datasets[: number + 1] if is_node else datasets
        reading, carries, mode, read = KINDS[kind]
        head = _HEAD.format(dataset=known[source % len(known)], reading=reading, carries=carries, mode=mode)
        made[name] = head + _ROWS.format(by=factors[number % len(factors)], source=read)
        if is_node:
            datasets.append(f"toy.{name.replace('/', '.')}")
    return made


def rows_of(day: str, seed: int) -> list:
    return [(p, s * (seed + 1), g if seed % 2 else None) for p, s, g in five_days()[day][seed % 2 :]]


def check(monkeypatch, nodes, leaves, actions) -> None:
    """Live through the actions, and compare."""
    factors = [1, 1, 1, 1]
    bronze = {DAYS[1]: 1}
    with tempfile.TemporaryDirectory() as folder:
        root = create(Path(folder) / "lived", layouts(nodes, leaves, factors))
        with open_modes(root) as project:
            import_days(project, {day: rows_of(day, seed) for day, seed in bronze.items()})
        for kind, *arguments in actions:
            die_at(monkeypatch, arguments[0] if kind == "die" else None)
            if kind == "edit":
                factors[arguments[0]] = arguments[1]
                for name, text in layouts(nodes, leaves, factors).items():
                    write(root, name, text)
            else:
                act(root, kind, arguments, bronze)
        die_at(monkeypatch, None)
        lived = finished(root)
        fresh = create(Path(folder) / "fresh", layouts(nodes, leaves, factors))
        with open_modes(fresh) as project:
            import_days(project, {day: rows_of(day, seed) for day, seed in bronze.items()})
        scratch = finished(fresh)

    assert lived == scratch


def act(root: Path, kind: str, arguments: list, bronze: dict[str, int]) -> None:
    """One thing that happens to a project."""
    with open_modes(root) as project:
        try:
            if kind == "import":
                day, seed = arguments
                import_days(project, {day: rows_of(day, seed)})
                bronze[day] = seed
            elif kind == "backfill":
                request = RunRequest(("toy",), force=arguments[1], days=(arguments[0], DAYS[-1]), at_once=2)
                run_now(project, request)
            else:
                run_now(project, RunRequest())
        except (DiedError, ConflictError):  # a backfill that starts after a gap in carried state is refused
            pass


def finished(root: Path) -> dict[str, list[tuple[object, ...]]]:
    """Everything after a last, undisturbed run; which leaves nothing to do."""
    with open_modes(root) as project:
        assert run_now(project, RunRequest()).error is None
        assert plan(project).work == ()
        with project.connect() as connection:
            return {
                name: connection.execute(f"SELECT * FROM {name} ORDER BY ALL").fetchall()
                for name in project.graph.outputs
            }
