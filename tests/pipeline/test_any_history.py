"""Whatever was imported, edited and interrupted: in the end everything equals a build from scratch."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gamelake.jobs.local import run_now
from gamelake.pipeline.execute import RunRequest
from gamelake.pipeline.plan import plan
from lives import LIVES, DiedError, die_at
from sample_project import DAILY, contents, create, import_scores, open_sample, some_rows

DAYS = ["2026-01-01", "2026-01-02", "2026-01-03"]
EXTRA = {
    "twice": DAILY.replace("count(*) AS games", "count(*) * 2 AS games"),
    "plain": DAILY,
    "comment": DAILY.replace("SELECT day", "-- nothing new\nSELECT day"),
}

ACTION = st.one_of(
    st.tuples(st.just("import"), st.sampled_from(DAYS), st.sampled_from(["a", "b"]), st.integers(0, 3)),
    st.tuples(st.just("edit"), st.sampled_from(sorted(EXTRA))),
    st.tuples(st.just("version"), st.integers(1, 3)),
    st.tuples(st.just("run")),
    st.tuples(st.just("die"), st.integers(1, 60)),
)


@LIVES
@given(st.lists(ACTION, min_size=4, max_size=7))
def test_any_history_ends_as_a_build_from_scratch(monkeypatch, actions) -> None:
    check(monkeypatch, actions)


@pytest.mark.chaos
@settings(LIVES, max_examples=200, derandomize=False)
@given(st.lists(ACTION, min_size=4, max_size=30))
def test_any_long_history_ends_as_a_build_from_scratch(monkeypatch, actions) -> None:
    check(monkeypatch, actions)


def check(monkeypatch, actions) -> None:
    """Live through the actions, and compare."""
    bronze: dict[tuple[str, str], int] = {}
    with tempfile.TemporaryDirectory() as folder:
        root = create(Path(folder) / "lived")
        import_first(root, bronze)
        for kind, *arguments in actions:
            die_at(monkeypatch, arguments[0] if kind == "die" else None)
            act(root, kind, arguments, bronze)
        die_at(monkeypatch, None)
        lived = finished(root)
        fresh = create(Path(folder) / "fresh")
        (fresh / "layouts" / "gold" / "daily.sql").write_text(
            (root / "layouts" / "gold" / "daily.sql").read_text()
        )
        with open_sample(fresh) as project:
            for (day, part), seed in bronze.items():
                import_scores(project, day, some_rows(seed), part)
        scratch = finished(fresh)

    assert lived == scratch


def import_first(root: Path, bronze: dict[tuple[str, str], int]) -> None:
    with open_sample(root) as project:
        import_scores(project, DAYS[0], some_rows(1), "a")
    bronze[DAYS[0], "a"] = 1


def act(root: Path, kind: str, arguments: list, bronze: dict[tuple[str, str], int]) -> None:
    """One thing that happens to a project."""
    if kind == "edit":
        (root / "layouts" / "gold" / "daily.sql").write_text(EXTRA[arguments[0]])
    elif kind == "version":
        (root / "clean.version").write_text(str(arguments[0]))
    else:
        with open_sample(root) as project:
            try:
                if kind == "import":
                    day, part, seed = arguments
                    import_scores(project, day, some_rows(seed), part)
                    bronze[day, part] = seed
                else:
                    run_now(project, RunRequest())
            except DiedError:
                pass


def finished(root: Path) -> dict[str, list[tuple[object, ...]]]:
    """Everything after a last, undisturbed run; which leaves nothing to do."""
    with open_sample(root) as project:
        assert run_now(project, RunRequest()).error is None
        assert plan(project).work == ()
        return contents(project)
