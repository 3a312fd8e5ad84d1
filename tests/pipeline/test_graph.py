"""The graph is derived; what does not fit together is told at once."""

from __future__ import annotations

import pytest

from gamelake.errors import LayoutError, NotFoundError
from gamelake.layouts.load import load_file
from gamelake.model.names import DatasetName
from gamelake.model.schema import Column, ColumnType, Schema
from gamelake.model.steps import Mode, Output, PythonStep, Source
from gamelake.pipeline.graph import Graph


def output(name: str, *slices: str) -> Output:
    columns = tuple(Column(column, ColumnType.TEXT, nullable=False) for column in (*slices, "x"))
    mode = Mode.REPLACE_SLICE if slices else Mode.SNAPSHOT_REPLACE
    return Output(DatasetName.parse(f"toy.{name}"), Schema(columns), mode=mode, slice_columns=slices)


def step(name: str, reads: list[str], *outputs: Output) -> PythonStep:
    inputs = {f"i{n}": DatasetName.parse(f"toy.{read}") for n, read in enumerate(reads)}
    return PythonStep(name, inputs, outputs, "1", lambda _: None)


RAW = Source("raw", (output("bronze.raw", "day"),))


def test_steps_come_after_what_they_read_whatever_their_order_and_layer() -> None:
    graph = Graph(
        [
            step("c", ["gold.b"], output("silver.c", "day")),
            step("b", ["bronze.raw"], output("gold.b", "day")),
            RAW,
        ]
    )

    assert list(graph.steps) == ["b", "c"]
    assert graph.upstream("c") == {"b"}
    assert graph.downstream("b") == {"c"}
    assert graph.readers("toy.bronze.raw") == ["b"]


def test_targets_bring_along_what_they_need() -> None:
    graph = Graph(
        [
            RAW,
            step("a", ["bronze.raw"], output("silver.a", "day")),
            step("b", ["silver.a"], output("gold.b", "day")),
            step("c", ["silver.a"], output("gold.c", "day")),
        ]
    )

    assert graph.select(["toy.gold.b"]) == ["a", "b"]
    assert graph.select(["b", "c"]) == ["a", "b", "c"]
    assert graph.select(["silver"]) == ["a"]
    assert graph.select(["toy.cons"]) == ["a", "b", "c"]
    assert graph.select(None) == ["a", "b", "c"]


def test_a_circle_is_shown() -> None:
    with pytest.raises(LayoutError, match="these steps read each other in a circle: a → b → a"):
        Graph(
            [step("a", ["gold.b"], output("gold.a", "day")), step("b", ["gold.a"], output("gold.b", "day"))]
        )


def test_all_that_does_not_fit_is_told_at_once() -> None:
    with pytest.raises(LayoutError) as caught:
        Graph(
            [
                RAW,
                step("a", ["bronze.rwa"], output("silver.a", "day")),
                step("b", ["bronze.raw"], output("silver.a", "day")),
                step("c", ["bronze.raw"], output("gold.c", "day"), output("gold.d", "team")),
                step("e", ["bronze.raw"], output("gold.e", "team")),
            ]
        )

    assert str(caught.value).split("\n\n") == [
        "`toy.silver.a` is written by `a` and by `b`",
        "hint: a dataset has one writer: rename one output",
        "`a` reads `toy.bronze.rwa`, which no step or source writes",
        "hint: did you mean `toy.bronze.raw`?",
        "`c` writes `toy.gold.c` by `day` and `toy.gold.d` by `team`",
        "hint: all outputs of a step have the same slice columns",
        "`e` is sliced by `team`, and no input has all of these slice columns",
        "hint: its slices come from its inputs: slice it by columns they have, or pair the names by `slice`",
    ]


def test_an_unknown_input_of_a_layout_has_its_line(tmp_path) -> None:
    file = tmp_path / "gold" / "x.sql"
    file.parent.mkdir()
    file.write_text(
        "/* ---\ndescription: x\ninputSources:\n  - {name: raw, dataset: toy.bronze.nope}\n"
        "outputs:\n  - schema: {x: text}\n--- */\nSELECT x FROM raw\n"
    )

    with pytest.raises(LayoutError) as caught:
        Graph([RAW, load_file(file, "toy")])

    assert caught.value.at is not None
    assert (caught.value.at.file, caught.value.at.line) == (str(file), 4)


def test_a_source_cannot_be_run() -> None:
    with pytest.raises(NotFoundError, match="is made by the source `raw`"):
        Graph([RAW]).select(["toy.bronze.raw"])
