"""The slices that others are made from, against a walk through the graph slice by slice."""

from __future__ import annotations

import pytest

from gamelake.layouts.load import load_folder
from gamelake.model.slices import Slice
from gamelake.model.steps import Source, SqlStep
from gamelake.pipeline.graph import Graph
from gamelake.pipeline.needs import Needs, Windows
from gamelake.pipeline.reach import Reach
from modes_project import RAW, create, write

PLAYERS = """/* ---
description: Every player
inputSources: [{name: latest, dataset: toy.gold.latest}]
outputs:
  - grain: [player]
    schema: {player: text}
--- */
SELECT player FROM latest
"""
DAYS = [f"2026-01-0{day}" for day in range(1, 8)]


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    root = create(tmp_path_factory.mktemp("needs"))
    write(root, "gold/players", PLAYERS)
    return Graph([Source("raw", (RAW,)), *load_folder(root / "layouts", "toy")])


def slices(graph: Graph, dataset: str) -> list[Slice]:
    """Every slice a dataset could have in these days."""
    return [Slice.of(day=day) for day in DAYS] if graph.outputs[dataset].slice_columns else [Slice()]


def walked(graph: Graph, name: str, part: Slice) -> set[tuple[str, Slice]]:
    """The same, the slow and obvious way."""
    found, open_ends = set(), [(name, part)]
    while open_ends:
        here = open_ends.pop()
        step = graph.steps.get(here[0])
        if here in found:
            continue
        found.add(here)
        if isinstance(step, SqlStep) and step.carries:
            open_ends += [(step.name, s) for s in slices(graph, str(step.outputs[0].dataset)) if s < here[1]]
        for view in step.inputs if step else ():
            reach = Reach.of(step, view, graph.outputs)
            keys = reach.keys(here[1])
            read = [s for s in slices(graph, reach.dataset) if reach.cut(s) in keys]
            open_ends += [(graph.producers[reach.dataset], s) for s in read]
    return found


@pytest.mark.parametrize("name", ["toy.silver.daily", "toy.gold.window", "toy.gold.total"])
@pytest.mark.parametrize("day", DAYS)
def test_a_slice_needs_what_a_walk_meets(graph, name, day) -> None:
    part = Slice.of(day=day)
    needs = Needs.of(graph, [name], [part])

    told = {
        (producer, each)
        for dataset, producer in graph.producers.items()
        for each in slices(graph, dataset)
        if needs.by_step.get(producer, Windows(frozenset())).holds(each)
    }
    assert told == walked(graph, name, part)


def test_a_folded_table_takes_the_delta_asked_for_and_gives_its_readers_all(graph) -> None:
    asked = Needs.of(graph, graph.named("toy.gold.latest"), [Slice.of(day=DAYS[3])])
    read = Needs.of(graph, ["toy.gold.players"], [Slice()])

    held = [
        [needs.by_step["toy.gold.latest__delta"].holds(Slice.of(day=day)) for day in DAYS]
        for needs in (asked, read)
    ]
    assert held == [[day == DAYS[3] for day in DAYS], [True] * len(DAYS)]
