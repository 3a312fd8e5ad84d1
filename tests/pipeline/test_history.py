"""Reading the past, and putting it back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from gamelake.errors import ConflictError, NotFoundError, UserError
from gamelake.jobs.local import run_now
from gamelake.model.schema import Column, ColumnType, Schema
from gamelake.model.slices import Slice
from gamelake.pipeline.execute import RunRequest
from gamelake.pipeline.plan import plan
from gamelake.pipeline.query import select, stream
from gamelake.pipeline.rollback import rollback
from sample_project import contents, import_scores, some_rows

SECOND = Slice.of(day="2026-01-02")
COUNT = "SELECT count(*) AS n, sum(score) AS score FROM toy.gold.daily"


def ask(project, sql=COUNT, **how):
    with project.connect(**how) as connection:
        return select(connection, sql).to_pylist()


def test_every_dataset_is_a_view_also_without_any_slice(project) -> None:
    assert contents(project) == {name: [] for name in project.graph.outputs}
    with project.connect() as connection:
        described = connection.execute("DESCRIBE toy.gold.daily").fetchall()

    assert [(row[0], row[1]) for row in described] == [
        ("day", "DATE"),
        ("player", "VARCHAR"),
        ("score", "BIGINT"),
        ("games", "BIGINT"),
    ]


def test_the_past_is_read_by_run_and_by_time(built) -> None:
    before, first_run = ask(built), built.ledger.runs()[0].id
    moment = built.clock.now().isoformat()
    import_scores(built, "2026-01-02", some_rows(9))
    run_now(built, RunRequest())

    assert ask(built) != before
    assert ask(built, as_of=first_run) == before
    assert ask(built, as_of=moment) == before
    assert ask(built, as_of="2020-01-01") == [{"n": 0, "score": None}]


@pytest.mark.parametrize(
    ("as_of", "problem"),
    [
        ("yesterday", "`yesterday` is neither a run id nor a time"),
        ("run_nope", "there is no run `run_nope`"),
    ],
)
def test_a_time_that_is_none_is_explained(built, as_of, problem) -> None:
    with pytest.raises(UserError) as caught:
        ask(built, as_of=as_of)

    assert caught.value.problem == problem


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("DELETE FROM toy.gold.daily", "`query` reads only, this is a DELETE statement"),
        ("COPY (SELECT 1) TO 'x.parquet'", "`query` reads only, this is a COPY statement"),
        ("EXPLAIN ANALYZE COPY (SELECT 1) TO 'x.parquet'", "`query` reads only, this is a COPY statement"),
        ("EXPLAIN (ANALYZE) COPY (SELECT 1) TO 'x'", "`query` reads only, this is a COPY statement"),
        (
            "EXPLAIN /* (SELECT */ DELETE FROM toy.gold.daily",
            "`query` reads only, this is a DELETE statement",
        ),
        ("SET threads = 1", "`query` reads only, this is a SET statement"),
        ("SELECT 1; SELECT 2", "expected one statement, got 2"),
        ("", "expected one statement, got 0"),
    ],
)
def test_queries_only_read(built, sql, problem) -> None:
    with pytest.raises(UserError) as caught:
        ask(built, sql)

    assert caught.value.problem == problem


def test_queries_see_no_file_but_the_lakes(built) -> None:
    with pytest.raises(UserError, match="disabled by configuration"):
        ask(built, "SELECT * FROM read_csv('/etc/passwd')")


@pytest.mark.parametrize("head", ["EXPLAIN", "explain analyze", "EXPLAIN (FORMAT json)"])
def test_a_select_is_explained(built, head) -> None:
    assert ask(built, f"{head} {COUNT}")


def test_queries_see_the_current_files_only(built) -> None:
    files = built.lake.files("toy.gold.daily")
    current = next(file for listed in files.values() for file in listed)
    unpublished = Path(current).with_name("left_over.parquet")
    unpublished.write_bytes(Path(current).read_bytes())

    assert ask(built, f"SELECT count(*) AS n FROM '{current}'")
    for path in (unpublished, unpublished.with_name("*.parquet")):
        with pytest.raises(UserError, match="disabled by configuration"):
            ask(built, f"SELECT count(*) AS n FROM '{path}'")


def test_an_error_in_the_middle_of_a_stream_is_the_engines(built) -> None:
    sql = "SELECT CAST(CASE WHEN range = 900000 THEN 'x' ELSE '1' END AS INTEGER) FROM range(1000000)"
    with built.connect() as connection, pytest.raises(duckdb.ConversionException):
        list(stream(connection, sql))


def test_a_mistyped_dataset_gets_a_guess(built) -> None:
    with pytest.raises(UserError) as caught:
        ask(built, "SELECT * FROM toy.gold.dayly")

    assert caught.value.hint == "did you mean `toy.gold.daily`?"


def test_large_results_are_streamed(built) -> None:
    with built.connect() as connection:
        batches = list(stream(connection, "SELECT * FROM range(200000)"))

    assert sum(batch.num_rows for batch in batches) == 200_000
    assert len(batches) > 1


def test_a_rollback_is_a_new_version_that_stays_until_something_changes(built) -> None:
    first = ask(built)
    import_scores(built, "2026-01-02", some_rows(9))
    run_now(built, RunRequest())

    published = rollback(built, "toy.gold.daily", SECOND)

    assert published.version == 3
    assert ask(built) == first
    assert [(i.step, i.state.value) for i in plan(built).work] == [("toy.gold.players", "stale")]
    run_now(built, RunRequest())
    assert ask(built) == first
    import_scores(built, "2026-01-02", some_rows(5))
    run_now(built, RunRequest())
    assert ask(built) != first


def test_a_rollback_to_nowhere_is_explained(built) -> None:
    with pytest.raises(NotFoundError, match="has only version 1"):
        rollback(built, "toy.gold.daily", SECOND)
    with pytest.raises(ConflictError, match="is at version 1"):
        rollback(built, "toy.gold.daily", SECOND, version=1)
    with pytest.raises(NotFoundError, match="has no slice day=2030-01-01"):
        rollback(built, "toy.gold.daily", Slice.of(day="2030-01-01"))
    with pytest.raises(NotFoundError, match=r"no step or source writes `toy\.gold\.dayly`"):
        rollback(built, "toy.gold.dayly", SECOND)


def test_a_column_that_older_files_lack_is_null_and_hides_no_dataset(built) -> None:
    output = built.graph.outputs["toy.silver.clean"]
    newer = replace(output, schema=Schema((*output.schema.columns, Column("note", ColumnType.TEXT))))
    built.graph.outputs["toy.silver.clean"] = newer

    with built.connect() as connection:
        notes = connection.sql("SELECT DISTINCT note FROM toy.silver.clean").fetchall()
        others = connection.sql("SELECT count(*) FROM toy.gold.daily").fetchall()

    assert notes == [(None,)]
    assert others[0][0] > 0


def test_a_forgotten_dataset_is_an_error_only_when_it_is_read(built) -> None:
    moment = built.clock.now().isoformat()
    players = ask(built, "SELECT * FROM toy.gold.players ORDER BY ALL")
    forgotten = built.ledger.current("toy.gold.daily")[SECOND]
    import_scores(built, "2026-01-02", some_rows(9))
    run_now(built, RunRequest())
    for file in forgotten.files:
        Path(file).unlink()

    assert ask(built, "SELECT * FROM toy.gold.players ORDER BY ALL", as_of=moment) == players
    assert len(ask(built, "DESCRIBE toy.gold.daily", as_of=moment)) == 4
    for read in (select, stream):
        with built.connect(as_of=moment) as connection, pytest.raises(NotFoundError) as caught:
            read(connection, COUNT)

        assert caught.value.problem == "version 1 of `toy.gold.daily` day=2026-01-02 is no longer kept"
        assert caught.value.hint == "`keep_versions` in gamelake.toml says how many versions stay"
