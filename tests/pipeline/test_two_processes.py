"""Two processes at work on one project at once."""

from __future__ import annotations

from pathlib import Path
from threading import Event, Thread

from gamelake.jobs.local import run_now
from gamelake.model.slices import Slice
from gamelake.pipeline.execute import RunRequest
from gamelake.pipeline.plan import plan
from lake_world import finish, start
from sample_project import contents, import_scores, open_sample, scores, some_rows


def run_once(root: str) -> None:
    """Child: one run."""
    with open_sample(Path(root)) as project:
        assert run_now(project, RunRequest()).error is None


def import_days(root: str, days: list[str], seed: int) -> None:
    """Child: import days one by one."""
    with open_sample(Path(root)) as project:
        for day in days:
            import_scores(project, day, some_rows(seed))


def test_two_runs_at_once_do_the_work_once(project) -> None:
    for day in (1, 2, 3):
        import_scores(project, f"2026-01-0{day}", some_rows(day))

    children = [start(run_once, str(project.root)) for _ in range(2)]

    assert [finish(child) for child in children] == [0, 0]
    assert plan(project).work == ()
    built = {str(part): v.version for part, v in project.ledger.current("toy.gold.daily").items()}
    assert built == {f"day=2026-01-0{day}": 1 for day in (1, 2, 3)}


def test_imports_of_the_same_and_other_slices_at_once_lose_and_double_nothing(project) -> None:
    first = ["2026-01-01", "2026-01-02", "2026-01-03"]
    second = ["2026-01-03", "2026-01-04", "2026-01-01"]

    children = [
        start(import_days, str(project.root), first, 5),
        start(import_days, str(project.root), second, 5),
    ]

    assert [finish(child) for child in children] == [0, 0]
    run_now(project, RunRequest())
    rows = contents(project)
    assert len(rows["toy.bronze.scores"]) == 4 * 20
    assert {str(row[0]) for row in rows["toy.gold.daily"]} == {f"2026-01-0{day}" for day in (1, 2, 3, 4)}


def test_a_reader_never_sees_part_of_a_slice(project) -> None:
    import_scores(project, "2026-01-01", [("p", 1)] * 10)
    stop, seen = Event(), set()

    def poll() -> None:
        with open_sample(project.root) as other:
            while not stop.is_set():
                with other.connect(datasets=["toy.bronze.scores"]) as connection:
                    query = "SELECT count(*), min(score), max(score) FROM toy.bronze.scores"
                    seen.add(connection.execute(query).fetchall()[0])

    reader = Thread(target=poll)
    reader.start()
    for n in range(2, 12):
        import_scores(project, "2026-01-01", [("p", n)] * (n * 10))
    stop.set()
    reader.join()

    assert seen <= {(n * 10, n, n) for n in range(1, 12)}
    assert len(seen) > 1


def test_rows_of_another_slice_are_refused(project) -> None:
    import pytest

    from gamelake.errors import CheckFailedError
    from gamelake.pipeline.source import source_run
    from sample_project import RAW

    with (
        pytest.raises(CheckFailedError, match="rows belong to the slice"),
        source_run(project, "wrong", name="scores") as run,
    ):
        run.publish(RAW, {Slice.of(day="2026-01-01", part="a"): [scores("2026-01-02", "a", [("p", 1)])]})

    assert project.ledger.runs()[0].state.value == "failed"
    assert contents(project)["toy.bronze.scores"] == []
