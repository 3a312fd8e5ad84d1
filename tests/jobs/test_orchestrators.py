"""What `gamelake export` writes for other orchestrators; `tests/integrations` runs it with them."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import pytest

from gamelake.clock import FixedClock
from gamelake.errors import UserError
from gamelake.jobs.orchestrators import Plan, render
from gamelake.pipeline.project import Project
from gamelake.settings import Schedule, Settings
from modes_project import create, import_days, open_modes
from sample_project import members


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Every output mode, with one day of raw rows."""
    with open_modes(create(tmp_path_factory.mktemp("modes") / "toy")) as project:
        import_days(project, {"2026-01-03": [("p1", 1, None)]})
        yield project


@pytest.mark.parametrize("kind", ["airflow", "dagster"])
def test_the_file_is_python_in_one_style_and_the_same_again(project, kind, tmp_path) -> None:
    name, text = render(project, kind, None)
    file = tmp_path / name
    file.write_text(text)

    assert render(project, kind, None) == (name, text)
    assert '"2026-01-03"' in text  # the earliest day there is
    style = ["format", "--check", "--isolated", "--line-length", "120"]
    for words in (style, ["check", "--isolated", "--select", "E,F,I,UP,B", "--line-length", "120"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *words, file], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_windows_and_carried_state_are_told(project) -> None:
    _, text = render(project, "dagster", "2026-01-01")

    window = text.partition('name="toy.gold.window"')[2].partition("    ),")[0]
    total = text.partition('name="toy.gold.total"')[2].partition("    ),")[0]
    assert ('inputs=(("toy.silver.daily", 2),)' in window, "carries=False" in window) == (True, True)
    assert "carries=True" in total
    assert 'start_date="2026-01-01"' in text


def test_without_a_slice_the_first_day_must_be_said(tmp_path) -> None:
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy/gamelake.toml").write_text('name = "Toy: all of it"\npacks = []\n')
    (tmp_path / "toy/layouts").mkdir()
    root = tmp_path / "toy"
    clock = FixedClock(datetime(2026, 1, 1, tzinfo=UTC))
    with Project.open(Settings.load(root), members(root), clock=clock) as project:
        with pytest.raises(UserError, match="no slice yet from which the first day could be told"):
            render(project, "airflow", None)

        assert render(project, "airflow", "2026-02-01")[0] == "toy_all_of_it_dag.py"


@pytest.mark.parametrize(
    ("rhythm", "cron", "days"),
    [
        ({"cron": "30 2 * * *"}, "30 2 * * *", 1),
        ({"cron": "0 6 * * 1"}, "0 6 * * 1", 7),
        ({"cron": "0 6 1 * *"}, "0 6 1 * *", 31),
        ({"every": "15m"}, "*/15 * * * *", 1),
        ({"every": "6h"}, "0 */6 * * *", 1),
        ({"every": "1d"}, "0 0 * * *", 1),
    ],
)
def test_a_run_looks_at_the_days_since_the_one_before(rhythm, cron, days) -> None:
    plan = Plan("x", (), Schedule(name="x", **rhythm), "Europe/Berlin")

    assert (plan.cron, plan.days) == (cron, days)


@pytest.mark.parametrize("every", ["7m", "90m", "5h", "2d"])
def test_an_interval_that_no_cron_knows_is_refused(every) -> None:
    with pytest.raises(UserError, match=f"schedule `x`: no cron comes every {every}"):
        _ = Plan("x", (), Schedule(name="x", every=every), "UTC").cron
