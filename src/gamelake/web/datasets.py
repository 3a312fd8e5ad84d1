"""Dataset pages: the list, and one dataset with schema, slices, checks, rows and lineage."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from gamelake.http.context import PROBLEMS, OpenRowsDep, ProjectDep
from gamelake.model.names import Layer
from gamelake.present.pages import pages_of
from gamelake.web import catalogue
from gamelake.web.models import CheckInfo, DatasetDetail, DatasetSummary, Rows
from gamelake.web.queries import QueriesDep

if TYPE_CHECKING:
    from collections.abc import Sequence

router = APIRouter()


@router.get("/datasets", include_in_schema=False)
def datasets_page(request: Request, project: ProjectDep, layer: str = "") -> Response:
    chosen = Layer.parse(layer).value if layer else ""
    rows = [row for row in catalogue.summaries(project) if not chosen or row.layer == chosen]
    return pages_of(request).render(
        request,
        "core/datasets.html",
        section="datasets",
        rows=rows,
        chosen=chosen,
        drawing=None if chosen else catalogue.lineage(project),
    )


@router.get("/datasets/{name}", include_in_schema=False)
def dataset_page(request: Request, project: ProjectDep, name: str) -> Response:
    shown = catalogue.detail(project, name)
    return pages_of(request).render(
        request,
        "core/dataset.html",
        rows_shown=not project.settings.pseudonyms,
        section="datasets",
        dataset=shown,
        name=shown.summary.name,
        drawing=catalogue.lineage(project, shown.summary.name),
        history=check_history(shown.checks),
    )


@router.get("/datasets/{name}/sample", include_in_schema=False)
def sample_part(request: Request, project: OpenRowsDep, queries: QueriesDep, name: str) -> Response:
    found = catalogue.sample(project, name, queries)
    return pages_of(request).render(request, "core/sample_part.html", result=found, name=name)


@router.get("/api/v1/datasets", tags=["datasets"], summary="All datasets", responses=PROBLEMS)
def list_datasets(project: ProjectDep) -> list[DatasetSummary]:
    return catalogue.summaries(project)


@router.get("/api/v1/datasets/{name}", tags=["datasets"], summary="One dataset", responses=PROBLEMS)
def get_dataset(project: ProjectDep, name: str) -> DatasetDetail:
    return catalogue.detail(project, name)


@router.get("/api/v1/datasets/{name}/rows", tags=["datasets"], summary="Some of its rows", responses=PROBLEMS)
def get_rows(
    project: OpenRowsDep, queries: QueriesDep, name: str, limit: Annotated[int, Query(ge=1, le=1000)] = 20
) -> Rows:
    return catalogue.sample(project, name, queries, limit)


def check_history(checks: Sequence[CheckInfo], marks: int = 30) -> list[tuple[str, list[CheckInfo]]]:
    """Results by check, those in trouble first; each oldest to newest, at most `marks`."""
    by_name: dict[str, list[CheckInfo]] = defaultdict(list)
    for check in checks:
        by_name[check.name].append(check)
    rank = {"failed": 0, "warning": 1, "passed": 2}
    rows = [(name, list(reversed(found[:marks]))) for name, found in by_name.items()]
    return sorted(rows, key=lambda row: (rank[row[1][-1].outcome], row[0]))
