"""The query page: one read-only statement over the datasets, as a table or a download."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Depends
from fastapi import Query as Param
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from gamelake.errors import GamelakeError
from gamelake.http.context import PROBLEMS, OpenRowsDep, own_site_of
from gamelake.http.problems import HttpError, problem_of, wants_html
from gamelake.present.pages import pages_of
from gamelake.present.rows import jsonable, rows_of, write_csv, write_parquet
from gamelake.web import catalogue
from gamelake.web.models import QueryRequest, Rows
from gamelake.web.queries import Queries, QueriesDep
from gamelake.web.statement import LimitedBatches, check_statement, fetch_rows

if TYPE_CHECKING:
    from gamelake.engines.batches import Batches
    from gamelake.pipeline.project import Project

router = APIRouter()
_MEDIA = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
}
PAGE_ROWS = 500


@router.get("/query", include_in_schema=False)
def query_page(request: Request, project: OpenRowsDep, queries: QueriesDep, sql: str = "") -> Response:
    partial = request.headers.get("hx-request") == "true"
    result = problem = None
    if sql.strip():
        own_site_of(request)
        try:
            result = run_statement(project, queries, sql, PAGE_ROWS)
        except (GamelakeError, HttpError) as error:
            problem = problem_of(error)
            if partial or problem.status >= 500 or not wants_html(request):
                raise
            # else it stands below the editor, so that what was written there is not lost
    return pages_of(request).render(
        request,
        "core/query_part.html" if partial else "core/query.html",
        status=problem.status if problem else 200,
        section="query",
        problem=problem,
        sql=sql,
        result=result,
        datasets=[] if partial else catalogue.summaries(project),
        page_rows=PAGE_ROWS,
    )


@router.post("/api/v1/query", tags=["query"], summary="Rows of one SELECT", responses=PROBLEMS)
def post_query(project: OpenRowsDep, queries: QueriesDep, wanted: QueryRequest) -> Rows:
    return run_statement(project, queries, wanted.sql, wanted.limit)


@router.get(
    "/api/v1/query.{form}",
    tags=["query"],
    summary="The rows of one SELECT as a file",
    responses={200: {"content": {kind.partition(";")[0]: {} for kind in _MEDIA.values()}}, **PROBLEMS},
    response_class=FileResponse,
    dependencies=[Depends(own_site_of)],
)
def download(
    project: OpenRowsDep,
    queries: QueriesDep,
    form: Literal["csv", "json", "parquet"],
    sql: Annotated[str, Param(description="One SELECT over the project's datasets")],
) -> Response:
    """At most `max_export_rows` rows and `max_export_bytes`; `json` is one array of objects."""
    folder = project.settings.cache_folder / "downloads"
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(suffix=f".{form}", dir=folder)
    os.close(handle)
    file = Path(name)
    try:
        _export(project, queries, sql, file, form)
    except BaseException:
        file.unlink(missing_ok=True)
        raise
    cleaned = BackgroundTask(file.unlink, missing_ok=True)
    return FileResponse(file, media_type=_MEDIA[form], filename=f"gamelake.{form}", background=cleaned)


def run_statement(project: Project, queries: Queries, sql: str, limit: int) -> Rows:
    """Check the statement, then read at most `limit` rows within the limits."""
    limits = queries.limits
    text = check_statement(sql, catalogue.dataset_names(project), max_chars=limits.max_statement_chars)
    with queries.connection() as connection:
        return fetch_rows(connection, text, min(limit, limits.max_rows), limits.max_answer_bytes)


def _export(project: Project, queries: Queries, sql: str, file: Path, form: str) -> None:
    limits = queries.limits
    text = check_statement(sql, catalogue.dataset_names(project), max_chars=limits.max_statement_chars)
    with queries.connection() as connection:
        found = connection.sql(f"SELECT * FROM ({text}\n) LIMIT {limits.max_export_rows}")
        reader = found.to_arrow_reader(20_000)
        _WRITERS[form](LimitedBatches(reader, "max_export_bytes", limits.max_export_bytes), file)


def _write_csv(reader: Batches, file: Path) -> None:
    with file.open("w", encoding="utf-8", newline="") as handle:
        write_csv(reader, handle)


def _write_json(reader: Batches, file: Path) -> None:
    names = reader.schema.names
    with file.open("w", encoding="utf-8") as handle:
        handle.write("[")
        mark = "\n"
        for batch in reader:
            for row in rows_of(batch):
                record = dict(zip(names, (jsonable(value) for value in row), strict=True))
                handle.write(mark + json.dumps(record, ensure_ascii=False))
                mark = ",\n"
        handle.write("\n]\n")


_WRITERS = {"csv": _write_csv, "json": _write_json, "parquet": write_parquet}
