"""An open project: settings, ledger, lake, graph and engine, with one owner who closes them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Self

from gamelake.clock import SystemClock, SystemIds
from gamelake.errors import LayoutError
from gamelake.layouts.semantics import examine_all
from gamelake.ledger.ledger import Ledger
from gamelake.model.steps import SqlStep
from gamelake.pipeline.graph import Graph
from gamelake.pipeline.reading import reading_steps
from gamelake.pipeline.targets import Targets, refuse_unknown_connections, without_absent
from gamelake.pipeline.variables import with_defaults
from gamelake.stores.lake import Lake

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import duckdb

    from gamelake.clock import Clock, Ids
    from gamelake.engines.base import Engine
    from gamelake.engines.duckdb import DuckDBEngine
    from gamelake.model.steps import Source, Step
    from gamelake.settings import Settings

DEFAULT_OPENER = "gamelake.packs:open_project"


@dataclass
class Project:
    """Use it in a `with`. May be shared by threads; every process opens its own.

    `opener` names the function ("module:attribute", called with the root) by which a worker process
    opens this project again.
    """

    root: Path
    settings: Settings
    clock: Clock
    ids: Ids
    ledger: Ledger
    lake: Lake
    graph: Graph
    opener: str = DEFAULT_OPENER
    parallel: int = field(default_factory=lambda: max(2, os.cpu_count() or 1))

    @classmethod
    def open(
        cls,
        settings: Settings,
        members: Iterable[Step | Source],
        *,
        clock: Clock | None = None,
        ids: Ids | None = None,
        opener: str = DEFAULT_OPENER,
    ) -> Self:
        """Open ledger and lake of a project and derive its graph; `members` are its packs' steps and sources."""
        clock, ids = clock or SystemClock(), ids or SystemIds()
        graph = graph_of(settings, members, clock)
        refuse_unknown_connections(settings, graph.outputs.values())
        layouts = (step for step in graph.steps.values() if isinstance(step, SqlStep))
        mistakes = examine_all(layouts, graph.outputs, settings.cache_folder)
        if mistakes:
            raise LayoutError.all_of(mistakes)
        ledger = Ledger.open(
            settings.ledger_file,
            clock=clock,
            ids=ids,
            lease_seconds=settings.lease_seconds,
            lake=settings.lake_folder,
        )
        lake = Lake(
            settings.lake_folder,
            clock=clock,
            recorded=ledger.has_receipt,
            keep_snapshots=settings.keep_snapshots,
        )
        return cls(settings.root, settings, clock, ids, ledger, lake, graph, opener)

    @cached_property
    def engine(self) -> DuckDBEngine:
        """The driver's engine, started on first use: it runs Python steps, audits and queries."""
        from gamelake.engines.duckdb import DuckDBEngine

        return DuckDBEngine(self.settings.cache_folder / "spill", memory=self.settings.memory)

    @cached_property
    def targets(self) -> Targets:
        """Stores of other systems that outputs are published to as well."""
        return Targets(self.settings, self.clock, lambda: self.engine)

    def sql_engine(self, name: str | None = None) -> Engine:
        """The engine that runs SQL steps, by its name or as the settings say; Spark starts with its first query."""
        if (name or self.settings.engine) == "duckdb":
            return self.engine
        from gamelake.engines.spark import SparkEngine
        from gamelake.engines.spark_start import SparkOptions

        chosen = self.settings.spark
        folder = self.settings.cache_folder / "spark"
        return SparkEngine(self.engine, SparkOptions(folder, chosen.master, chosen.memory, chosen.conf))

    def connect(
        self,
        *,
        as_of: str | None = None,
        datasets: Sequence[str] | None = None,
        read_only: bool = True,
        memory: str | None = None,
    ) -> duckdb.DuckDBPyConnection:
        """A connection with every dataset as a view `pack.layer.name`; see `query.connect`."""
        from gamelake.pipeline.query import connect

        return connect(self, as_of=as_of, datasets=datasets, read_only=read_only, memory=memory)

    def close(self) -> None:
        """Close what was opened, in reverse order."""
        if "engine" in self.__dict__:
            self.engine.close()
        self.lake.close()
        self.ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def graph_of(settings: Settings, members: Iterable[Step | Source], clock: Clock) -> Graph:
    """The graph of a project's members, and of steps that read what these read elsewhere."""
    found = without_absent(settings, with_defaults(members, settings, clock))
    return Graph([*found, *reading_steps(found, Targets(settings, clock))])
