"""Rows from Python steps and sources on their way into files."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gamelake.engines.footers import footer_facts
from gamelake.errors import CheckFailedError, LayoutError, StoreError
from gamelake.jobs.local import run_now
from gamelake.model.slices import Slice
from gamelake.model.steps import OnEmpty
from gamelake.pipeline import audit as audit_module
from gamelake.pipeline import staging
from gamelake.pipeline.execute import RunRequest
from gamelake.pipeline.publish import Publisher
from gamelake.pipeline.source import source_run
from sample_project import CLEAN, RAW, contents, import_scores, scores, some_rows

FIRST = Slice.of(day="2026-01-01", part="a")


def publish(project, *contents_of_slice, **more):
    with source_run(project, "import", name="scores") as run:
        return run.publish(RAW, {FIRST: list(contents_of_slice)}, **more)


def test_tables_batches_and_readers_are_all_taken(project) -> None:
    table = scores("2026-01-01", "a", [("p", 1), ("q", 2)])
    reader = pa.RecordBatchReader.from_batches(table.schema, table.to_batches())

    publish(project, table, table.to_batches()[0], reader)

    assert len(contents(project)["toy.bronze.scores"]) == 6


def test_a_file_written_by_the_source_is_registered_as_it_is(project) -> None:
    types = pa.schema(
        [("day", pa.date32()), ("part", pa.string()), ("player", pa.string()), ("score", pa.int64())]
    )
    with source_run(project, "import", name="scores") as run:
        path = run.staging_file(RAW)
        pq.write_table(scores("2026-01-01", "a", [("p", 1)]).cast(types), path)
        receipt = run.publish(RAW, {FIRST: [path]})

    assert receipt is not None
    assert receipt.slices[0].files == (str(path),)


def test_a_known_content_hash_saves_reading_the_rows(project, monkeypatch) -> None:
    types = pa.schema(
        [("day", pa.date32()), ("part", pa.string()), ("player", pa.string()), ("score", pa.int64())]
    )
    monkeypatch.setattr(audit_module, "_row_hash", lambda _: pytest.fail("rows were read"))
    with source_run(project, "import", name="scores") as run:
        path = run.staging_file(RAW)
        pq.write_table(scores("2026-01-01", "a", [("p", 1)]).cast(types), path)
        receipt = run.publish(RAW, {FIRST: [path]}, content_hashes={FIRST: "sha-1"})

    assert receipt is not None
    assert receipt.slices[0].content_hash == "sha-1"
    assert publish(project, scores("2026-01-01", "a", [("p", 1)]), content_hashes={FIRST: "sha-1"}) is None


def test_footers_tell_nulls_and_constants(tmp_path) -> None:
    table = pa.table({"c": ["x"] * 6, "v": [1, 2, None, 4, 5, 6], "d": pa.nulls(6, pa.int64())})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=2)

    facts = footer_facts(pq.read_metadata(tmp_path / "a.parquet"))

    assert (facts["c"].nulls, facts["c"].least, facts["c"].greatest) == (0, "x", "x")
    assert (facts["v"].nulls, facts["v"].least) == (1, None)
    assert (facts["d"].nulls, facts["d"].least) == (6, None)


def test_a_null_in_a_required_column_is_refused(project) -> None:
    rows = scores("2026-01-01", "a", [("p", 1)]).set_column(2, "player", pa.array([None], pa.string()))

    with pytest.raises(CheckFailedError, match="check `required columns are set` found 1, expected 0"):
        publish(project, rows)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda t: t.drop_columns(["score"]), "rows for `toy.bronze.scores` came without `score`"),
        (lambda t: t.append_column("x", t["score"]), "rows for `toy.bronze.scores` came with `x`"),
    ],
)
def test_other_columns_are_refused(project, change, problem) -> None:
    with pytest.raises(LayoutError) as caught:
        publish(project, change(scores("2026-01-01", "a", [("p", 1)])))

    assert caught.value.problem == problem


def test_large_piles_become_several_files_and_lose_nothing(project, monkeypatch) -> None:
    monkeypatch.setattr(staging, "_FLUSH_BYTES", 2_000)
    tables = [scores("2026-01-01", "a", some_rows(seed, 50)) for seed in range(12)]

    receipt = publish(project, *tables)

    assert receipt is not None
    assert len(receipt.slices[0].files) > 1
    assert receipt.rows == 600


def test_many_small_piles_are_bounded_together(project, monkeypatch) -> None:
    monkeypatch.setattr(staging, "_FLUSH_BYTES", 2_000)
    publisher = Publisher(project, "run")
    project.lake.ensure_table(CLEAN)
    with staging.RowStage(publisher, [CLEAN]) as stage:
        for day in range(1, 29):
            part = Slice.of(day=f"2026-01-{day:02d}")
            rows = pa.table({"day": [f"2026-01-{day:02d}"] * 20, "player": ["p"] * 20, "score": range(20)})
            stage.add("toy.silver.clean", part, rows)
            assert sum(pile.bytes for pile in stage._waiting.values()) < 4_000
        total = sum(
            written.file.rows
            for day in range(1, 29)
            for written in stage.written("toy.silver.clean", Slice.of(day=f"2026-01-{day:02d}"))
        )

    assert total == 28 * 20


def test_a_value_that_does_not_fit_is_told_by_the_writer(project) -> None:
    rows = scores("2026-01-01", "a", [("p", 1)]).set_column(3, "score", pa.array(["many"]))

    with pytest.raises(LayoutError, match="many"):
        publish(project, rows)


def test_a_python_step_may_write_only_what_it_declares(project, monkeypatch) -> None:
    import_scores(project, "2026-01-01", some_rows(1))

    def wrong(context) -> None:
        context.write("toy.gold.daily", context.slices[0], pa.table({"x": [1]}))

    monkeypatch.setitem(vars(project.graph.steps["clean"]), "run", wrong)
    result = run_now(project, RunRequest())

    assert result.error is not None
    assert result.error.problem == (
        "the step wrote `toy.gold.daily`, which is not among its outputs: toy.silver.clean, toy.silver.seen"
    )


def test_an_empty_publish_that_keeps_leaves_the_live_rows_alone(project) -> None:
    keeping = replace(RAW, on_empty=OnEmpty.KEEP)
    publish(project, scores("2026-01-01", "a", [("p", 1)]))
    with source_run(project, "import", name="scores") as run:
        receipt = run.publish(keeping, {FIRST: [scores("2026-01-01", "a", [])]})

    assert receipt is None
    assert len(contents(project)["toy.bronze.scores"]) == 1


def test_rows_that_are_there_already_leave_no_file_behind(project) -> None:
    publish(project, scores("2026-01-01", "a", [("p", 1)]))

    publish(project, scores("2026-01-01", "a", [("p", 1)]))

    assert len(list(project.settings.lake_folder.glob("toy/bronze/scores/**/*.parquet"))) == 1


def test_an_error_in_the_background_belongs_to_the_slice_it_happened_to(project, monkeypatch) -> None:
    monkeypatch.setattr(staging, "_FLUSH_BYTES", 1_000)
    for day in ("2026-01-01", "2026-01-02", "2026-01-03"):
        import_scores(project, day, some_rows(1))

    def partly_wrong(context) -> None:
        for part in context.slices:
            day = part.as_dict()["day"]
            for score in ("1", "many" if day == "2026-01-02" else "2", "3"):
                rows = pa.table({"day": [day] * 200, "player": ["p"] * 200, "score": [score] * 200})
                context.write("toy.silver.clean", part, rows)

    monkeypatch.setitem(vars(project.graph.steps["clean"]), "run", partly_wrong)
    clean = run_now(project, RunRequest(("clean",))).steps[0]

    assert [str(failure.slice) for failure in clean.failed] == ["day=2026-01-02"]
    assert "many" in clean.failed[0].error.problem
    assert [str(part) for part in clean.built] == ["day=2026-01-01", "day=2026-01-03"]
    assert {row[0].isoformat() for row in contents(project)["toy.silver.clean"]} == {
        "2026-01-01",
        "2026-01-03",
    }
    assert len(contents(project)["toy.silver.clean"]) == 1_200


def test_an_error_of_the_machine_is_told_at_once_and_again(project, monkeypatch) -> None:
    monkeypatch.setattr(staging, "_FLUSH_BYTES", 1)
    project.lake.ensure_table(CLEAN)
    rows = pa.table({"day": ["2026-01-01"], "player": ["p"], "score": [1]})
    part, other = Slice.of(day="2026-01-01"), Slice.of(day="2026-01-02")
    publisher = Publisher(project, "run")
    with staging.RowStage(publisher, [CLEAN]) as stage:
        full = StoreError("the disk is full")
        monkeypatch.setattr(publisher, "stage_path", lambda _: raising(full))
        stage.add("toy.silver.clean", part, rows)
        with pytest.raises(StoreError):
            stage.add("toy.silver.clean", other, rows)
        with pytest.raises(StoreError):
            stage.written("toy.silver.clean", part)


def raising(error):
    raise error
