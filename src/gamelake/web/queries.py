"""The web's queries share one budget: how many run at once, and what each may use."""

from __future__ import annotations

from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Annotated, cast

from fastapi import Depends
from starlette.requests import Request

from gamelake.engines.duckdb import memory_share
from gamelake.http.problems import HttpError
from gamelake.web.statement import time_limit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import duckdb

    from gamelake.http.limits import HttpLimits
    from gamelake.pipeline.project import Project


class Queries:
    """Gives out connections with a time limit; past `max_queries` the next one is refused, not queued."""

    def __init__(self, project: Project, limits: HttpLimits) -> None:
        self.limits = limits
        self._project = project
        self._memory = memory_share(project.settings.memory, limits.max_queries)
        self._places = BoundedSemaphore(limits.max_queries)

    @contextmanager
    def connection(self, datasets: Sequence[str] | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """A read-only connection; a 503 that names the limit when there is no place left."""
        if not self._places.acquire(blocking=False):
            problem = f"`max_queries` = {self.limits.max_queries} queries are running"
            raise HttpError(503, "too_busy", problem, "try again when one of them is done")
        try:
            with (
                self._project.connect(datasets=datasets, memory=self._memory) as connection,
                time_limit(connection, self.limits.statement_seconds),
            ):
                yield connection
        finally:
            self._places.release()


def queries_of(request: Request) -> Queries:
    """The budget of the app."""
    return cast("Queries", request.app.state.queries)


QueriesDep = Annotated[Queries, Depends(queries_of)]
