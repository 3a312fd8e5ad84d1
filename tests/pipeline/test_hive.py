"""Exported folders, read by tools that know nothing of us."""

from __future__ import annotations

from contextlib import suppress
from threading import Event, Thread

import duckdb
import pyarrow.dataset as ds
import pytest

from gamelake.errors import UserError
from gamelake.jobs.local import run_now
from gamelake.model.slices import Slice
from gamelake.pipeline.execute import RunRequest
from gamelake.pipeline.hive import export_hive
from sample_project import import_scores, some_rows

DAILY = "toy.gold.daily"


def ours(project, dataset=DAILY):
    with project.connect() as connection:
        return connection.execute(f"SELECT day, player, score, games FROM {dataset} ORDER BY ALL").fetchall()


def theirs(out, reader="read_parquet", suffix="parquet"):
    query = f"SELECT day, player, score, games FROM {reader}('{out}/**/*.{suffix}', hive_partitioning = true) ORDER BY ALL"
    return duckdb.connect().execute(query).fetchall()


def test_others_read_what_query_shows(built, tmp_path):
    done = export_hive(built, DAILY, tmp_path / "out")

    assert done.written == [f"day=2026-01-0{day}" for day in (1, 2, 3)]
    assert theirs(tmp_path / "out") == ours(built)
    table = ds.dataset(tmp_path / "out", format="parquet", partitioning="hive").to_table()
    assert table.num_rows == done.rows == len(ours(built))
    export_hive(built, DAILY, tmp_path / "texts", kind="csv")
    assert theirs(tmp_path / "texts", "read_csv", "csv") == ours(built)
    whole = export_hive(built, "toy.gold.players", tmp_path / "whole")
    assert whole.written == ["all"]
    assert (tmp_path / "whole" / "data.parquet").exists()


def test_only_what_changed_is_written_again(built, tmp_path):
    out = tmp_path / "out"
    first = export_hive(built, DAILY, out, slices=[Slice.of(day="2026-01-02")])
    rest = export_hive(built, DAILY, out)
    import_scores(built, "2026-01-02", some_rows(9))
    import_scores(built, "2026-01-03", [])
    run_now(built, RunRequest())
    again = export_hive(built, DAILY, out)

    assert first.written == ["day=2026-01-02"]
    assert (rest.written, rest.unchanged) == (["day=2026-01-01", "day=2026-01-03"], ["day=2026-01-02"])
    assert (again.written, again.unchanged, again.removed) == (
        ["day=2026-01-02"],
        ["day=2026-01-01"],
        ["day=2026-01-03"],
    )
    assert theirs(out) == ours(built)
    assert sorted(path.name for path in out.iterdir()) == [
        "_gamelake.json",
        "day=2026-01-01",
        "day=2026-01-02",
    ]
    csv = export_hive(built, DAILY, out, kind="csv")
    assert len(csv.written) == 2
    assert not list(out.rglob("*.parquet"))


def test_readers_never_see_half_a_slice(built, tmp_path):
    out, stop, seen = tmp_path / "out", Event(), []
    export_hive(built, DAILY, out)

    def read():
        connection = duckdb.connect()
        query = f"SELECT count(*), sum(games) FROM '{out}/day=2026-01-02/*.parquet'"
        while not stop.is_set():
            with suppress(
                duckdb.Error
            ):  # DuckDB opens a file twice, and may find another one the second time
                seen.append(connection.execute(query).fetchone())

    reader = Thread(target=read)
    reader.start()
    states = [theirs(out / "day=2026-01-02")]
    for seed in range(10, 14):
        import_scores(built, "2026-01-02", some_rows(seed, 2000))
        run_now(built, RunRequest())
        export_hive(built, DAILY, out)
        states.append(theirs(out / "day=2026-01-02"))
    stop.set()
    reader.join()

    assert set(seen) <= {(len(rows), sum(row[3] for row in rows)) for rows in states}
    assert len(seen) > 5


def test_a_folder_of_others_is_left_alone(built, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    with pytest.raises(UserError, match="holds files that no export wrote"):
        export_hive(built, DAILY, tmp_path / "mine")
    export_hive(built, DAILY, tmp_path / "out")
    with pytest.raises(UserError, match=r"holds `toy.gold.daily`"):
        export_hive(built, "toy.gold.players", tmp_path / "out")
