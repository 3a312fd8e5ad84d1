"""A pack of a stranger, found by its entry point: scores of a game nobody plays."""

from __future__ import annotations

from pathlib import Path

from gamelake.model.names import DatasetName
from gamelake.model.schema import Column, ColumnType, Schema
from gamelake.model.steps import Output, Source
from gamelake.packs import CommandLink, Pack

SCORES = Output(
    DatasetName.parse("toy.bronze.scores"),
    Schema(
        (
            Column("day", ColumnType.DATE, nullable=False),
            Column("player", ColumnType.TEXT, nullable=False),
            Column("score", ColumnType.BIGINT),
        )
    ),
    slice_columns=("day",),
)
PACK = Pack(
    name="toy",
    title="Toy game",
    layouts=Path(__file__).parent / "toy_layouts",
    steps=lambda _settings: [Source("toy_scores", (SCORES,), "Scores typed on the command line")],
    commands={"toy": CommandLink("toy_commands:app", "Load scores.")},
    simulators={"toy": CommandLink("toy_commands:simulate", "Print made-up scores.")},
)
