"""With `evolve: true` a table takes new columns and wider types; everything else stays an error."""

from __future__ import annotations

import pytest

from gamelake.jobs.local import run_now
from gamelake.model.slices import Slice
from gamelake.pipeline.execute import RunRequest
from gamelake.pipeline.rollback import rollback
from gamelake.stores.iceberg import all_files
from gamelake.stores.maintenance import compact, plan_compaction
from modes_project import create, five_days, import_days, open_modes, write

OLD = """/* ---
description: Rows of a day
inputSources: [{name: raw, dataset: toy.bronze.raw}]
outputs:
  - slice: [day]
    evolve: true
    schema: {day: date, player: text, score: int}
--- */
SELECT day, player, CAST(score AS INTEGER) AS score FROM raw
"""
NEW = OLD.replace("score: int}", "score: bigint, guild: text}").replace(
    "CAST(score AS INTEGER) AS score", "score + 5000000000 AS score, guild"
)
STEP = "toy.silver.rows"
FIRST = Slice.of(day="2026-01-01")


@pytest.fixture
def root(tmp_path):
    made = create(tmp_path / "toy", {"silver/rows": OLD})
    with open_modes(made) as project:
        import_days(project, five_days())
        assert run_now(project, RunRequest()).error is None
    return made


def edited(root, text: str):
    write(root, "silver/rows", text)
    return open_modes(root)


def test_old_slices_read_new_columns_as_null_and_wider(root) -> None:
    with edited(root, NEW) as project:
        result = run_now(project, RunRequest(slices=(FIRST,)))

        assert result.error is None
        with project.connect() as connection:
            rows = connection.execute(
                f"SELECT day > DATE '2026-01-01', count(guild), max(score) > 4000000000 FROM {STEP}"
                " GROUP BY 1 ORDER BY 1"
            ).fetchall()
        assert rows == [(False, 3, True), (True, 0, False)]
        assert project.lake.schema(STEP).names == ("day", "player", "score", "guild")
        columns = project.lake.iceberg_table(STEP).scan().to_arrow()
        assert columns.num_rows == 20  # others read it too


def test_the_table_changes_with_its_first_rows_and_not_before(root) -> None:
    failing = NEW.replace("--- */", "checks: [{kind: row_count, max: 0}]\n--- */")
    with edited(root, failing) as project:
        assert run_now(project, RunRequest()).error is not None
        assert project.lake.schema(STEP).names == ("day", "player", "score")
        with project.connect() as connection:
            assert connection.execute(f"SELECT count(*), count(guild) FROM {STEP}").fetchall() == [(20, 0)]


def test_an_older_version_can_be_put_back(root) -> None:
    with edited(root, NEW) as project:
        run_now(project, RunRequest())
        rollback(project, STEP, FIRST)
        with project.connect() as connection:
            rows = connection.execute(f"SELECT count(guild) FROM {STEP} WHERE day = '2026-01-01'").fetchall()

        assert rows == [(0,)]
        assert run_now(project, RunRequest()).built == 0
        assert len(all_files(project.lake.iceberg_table(STEP))) == 5
        planned = plan_compaction(project.lake, small=1 << 30, at_least=1, datasets=[STEP])
        run_id = project.ledger.create_run("maintenance", "compact", {})
        assert len(compact(project.lake, project.ledger, planned, run_id=run_id, receipt_id="c")) == 5


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ("score: int, guild: text not null", "the table has no such column"),
        ("score: text", "the table has int, declared is text"),
        ("score: int not null", "the table has int, declared is int not null"),
        ("guild: text", "a column of the table is no longer declared"),
    ],
)
def test_everything_else_is_drift(root, schema, problem) -> None:
    names = ", ".join(part.split(":")[0] for part in schema.split(", "))
    text = OLD.replace("score: int}", f"{schema}}}").replace("CAST(score AS INTEGER) AS score", names)
    with edited(root, text) as project:
        error = run_now(project, RunRequest()).error

    assert problem in str(error)


def test_without_evolve_a_new_column_is_drift(root) -> None:
    with edited(root, NEW.replace("    evolve: true\n", "")) as project:
        error = run_now(project, RunRequest()).error

    assert "the table has no such column" in str(error)
    assert "`evolve: true` lets the table take new columns" in str(error)
