"""What a project says of its packs' layouts: values of their variables, and layouts in their place."""

from __future__ import annotations

import pytest

LADDER = """/* ---
description: Players with enough days
inputSources: [{name: best, dataset: toy.gold.best}]
outputs:
  - mode: snapshot_replace
    grain: [player]
    on_empty: clear
    allow_shrink: 0
    schema: {player: text, best: bigint, days: bigint not null}
variables: {least: {type: int, default: 1}}
--- */
SELECT player, max(best) AS best, count(*) AS days FROM best GROUP BY player HAVING count(*) >= {{ least | lit }}
"""


@pytest.fixture
def project(gamelake):
    gamelake.ok("init", "p", "--pack", "toy")
    gamelake.folder /= "p"
    gamelake.ok("toy", "load", "2026-01-01", "ann=1", "bob=5")
    gamelake.ok("toy", "load", "2026-01-02", "ann=7")
    return gamelake


def players(project, *arguments: str) -> str:
    project.ok("run", *arguments)
    return project.ok(
        "query", "SELECT string_agg(player, ' ' ORDER BY player) AS players FROM toy.gold.ladder"
    )


def test_a_layout_of_the_project_takes_the_place_of_the_packs(project) -> None:
    before = players(project)
    own = project.folder / "layouts" / "toy" / "gold"
    own.mkdir(parents=True)
    (own / "ladder.sql").write_text(LADDER.replace("default: 1", "default: 2"))

    assert "ann bob" in before
    assert "ann" in (after := players(project))
    assert "bob" not in after


def test_the_table_of_a_pack_gives_values_that_a_run_may_overrule(project) -> None:
    own = project.folder / "layouts" / "toy" / "gold"
    own.mkdir(parents=True)
    (own / "ladder.sql").write_text(LADDER)
    file = project.folder / "gamelake.toml"
    file.write_text(f"{file.read_text()}\n[toy]\nleast = 2\n")

    assert "bob" not in players(project)
    assert "bob" in players(project, "--var", "least=1")
    assert "bob" not in players(project)


def test_a_value_of_the_wrong_type_is_told(project) -> None:
    own = project.folder / "layouts" / "toy" / "gold"
    own.mkdir(parents=True)
    (own / "ladder.sql").write_text(LADDER)
    file = project.folder / "gamelake.toml"
    file.write_text(f'{file.read_text()}\n[toy]\nleast = "two"\n')

    done = project("plan")

    assert done.code == 2
    assert "`two` is not a value of the variable `least`" in done.err
