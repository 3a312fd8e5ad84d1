"""From source tables to KPIs: every figure is the simulator's own, to the last digit."""

from __future__ import annotations

import pytest

from gamelake.jobs.local import run_now
from gamelake.pipeline.execute import RunRequest
from games.l2m.l2m_project import (
    TRUE_TABLES,
    create,
    differences,
    opened,
    rows,
    simulate,
    tiers,
    true_tiers,
)

# users, days, scenario and targets by seed: few of each, so that the suite stays quick; `make chaos` runs long ones
KPIS = tuple(f"l2m.gold.{table}" for table in TRUE_TABLES)
SMALL = {1: (90, 8, "default", ("l2m",)), 2: (60, 2, "hard", KPIS), 3: (60, 2, "easy", KPIS)}


@pytest.fixture(scope="module", params=SMALL, ids=lambda seed: f"seed {seed}")
def world(request, tmp_path_factory):
    users, days, scenario, targets = SMALL[request.param]
    folder = tmp_path_factory.mktemp("l2m")
    source = simulate(folder / "source", seed=request.param, users=users, days=days, scenario=scenario)
    with opened(create(folder / "project", source)) as project:
        result = run_now(project, RunRequest(targets))
        assert result.error is None, result.error
        yield project, source, targets


def test_every_figure_is_the_truth(world) -> None:
    project, source, _ = world

    wrong = {table: differences(project, source, table) for table in TRUE_TABLES}
    assert wrong == {table: [] for table in TRUE_TABLES}
    assert tiers(project) == true_tiers(source)


def test_nothing_comes_from_test_worlds(world) -> None:
    project, _, _ = world
    worlds = {server for (server,) in rows(project, "SELECT server_id FROM l2m.bronze.worlds")}

    for dataset, output in project.graph.outputs.items():
        if (
            dataset.startswith("l2m.")
            and "server_id" in output.schema.names
            and "role_profile" not in dataset
        ):
            seen = {server for (server,) in rows(project, f"SELECT DISTINCT server_id FROM {dataset}")}
            assert seen - {None} <= worlds, dataset


def test_a_second_run_has_nothing_to_do(world) -> None:
    project, _, targets = world

    assert run_now(project, RunRequest(targets)).built == 0
