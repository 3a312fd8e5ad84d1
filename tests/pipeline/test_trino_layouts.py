"""Layouts that read a Trino: one scan for all of them, and a run that fails with the place of the mistake."""

from __future__ import annotations

import pytest
from trino_protocol import Fault, TrinoDouble

from gamelake.jobs.local import run_now
from gamelake.pipeline.execute import RunRequest
from gamelake.pipeline.plan import plan
from sample_project import create, open_sample

LEVELS = """/* ---
description: Players of each level
inputSources:
  - {name: players, type: table, connection: game, table: l2m.players, schema: {id: bigint not null, level: int}}
outputs:
  - grain: [level]
    schema: {level: int, players: bigint not null}
--- */
SELECT level, count(*) AS players FROM players WHERE level IS NOT NULL GROUP BY level
"""
NAMES = """/* ---
description: Lengths of names
inputSources:
  - {name: players, type: table, connection: game, table: l2m.players, schema: {id: bigint not null, name: text}}
outputs:
  - grain: [id]
    schema: {id: bigint, letters: bigint}
--- */
SELECT id, length(name) AS letters FROM players WHERE name IS NOT NULL
"""


@pytest.fixture(scope="module")
def server():
    with TrinoDouble(page_rows=200).serving() as double:
        yield double


@pytest.fixture
def double(server):
    server.clear()
    server.tables.execute("CREATE SCHEMA l2m")
    server.tables.execute(
        "CREATE TABLE l2m.players AS SELECT n AS id, n % 10 AS level, 'player ' || n AS name FROM range(1000) t(n)"
    )
    return server


def write(root, name, text):
    (root / "layouts" / "gold" / f"{name}.sql").write_text(text)


@pytest.fixture
def root(tmp_path, double):
    root = create(tmp_path / "toy")
    for file in (root / "layouts" / "gold").iterdir():
        file.unlink()
    (root / "gamelake.toml").write_text(
        'packs = []\n[profiles.dev.connections.game]\nkind = "trino"\nhost = "localhost"\n'
        f'port = {double.port}\nuser = "etl"\ncatalog = "hive"\nhttp_scheme = "http"\n'
    )
    write(root, "levels", LEVELS)
    write(root, "names", NAMES)
    return root


def query(project, text):
    with project.connect() as connection:
        return connection.execute(text).fetchall()


def test_one_scan_of_a_table_however_many_layouts_read_it(root, double):
    with open_sample(root) as project:
        assert run_now(project, RunRequest()).error is None

        assert query(project, "SELECT players FROM toy.gold.levels WHERE level = 3") == [(100,)]
        assert query(project, "SELECT count(*) FROM toy.gold.names") == [(1000,)]
        assert [item.step for item in plan(project).work] == ["source.bronze.game_l2m_players"]
    (read,) = double.reads()
    assert read.sql.count("CAST") == 3  # with the columns that any of them declares


def test_rows_in_another_order_are_no_other_version(root, double):
    (root / "layouts" / "gold" / "names.sql").unlink()
    with open_sample(root) as project:
        run_now(project, RunRequest())
        double.tables.execute("CREATE OR REPLACE TABLE l2m.players AS FROM l2m.players ORDER BY id DESC")
        again = run_now(project, RunRequest())
        double.tables.execute("INSERT INTO l2m.players SELECT * FROM l2m.players WHERE id = 7")
        changed = run_now(project, RunRequest())

    assert [step.step for step in again.steps if step.built] == []
    assert {step.step for step in changed.steps if step.built} == {
        "source.bronze.game_l2m_players",
        "toy.gold.levels",
    }


def test_a_mistake_in_a_query_is_told_with_file_and_line(root, double):
    text = LEVELS.replace(
        "{name: players, type: table, connection: game, table: l2m.players, schema: {id: bigint not null, level: int}}",
        "name: players\n    type: query\n    connection: game\n    query: |\n      SELECT id, level\n      FROM l2m.players\n      WHERE lvel > 1\n"
        "    schema: {id: bigint not null, level: int}",
    )
    write(root, "levels", text)
    (root / "layouts" / "gold" / "names.sql").unlink()
    with open_sample(root) as project:
        result = run_now(project, RunRequest())

    assert result.exit_code == 2
    told = str(result.error)
    assert (
        "levels.sql:7 (inputSources[0].query): Trino cannot run the SQL: Column 'lvel' cannot be resolved"
        in told
    )
    assert "(line 3 of the query)" in told


def test_a_trino_that_is_down_fails_what_reads_it_and_is_told(root, double):
    double.faults.append(Fault("GENERIC_INTERNAL_ERROR", times=99))
    with open_sample(root) as project:
        result = run_now(project, RunRequest())

    assert result.exit_code == 1
    assert "connections.game: Trino at http://etl@localhost" in str(result.error)
    assert [step.step for step in result.steps if step.failed] == ["source.bronze.game_l2m_players"]


def test_who_only_looks_does_not_ask_the_other_system(root, double):
    layout = LEVELS.replace("table: l2m.players,", "table: l2m.players, refresh: version, version: SELECT 1,")
    write(root, "levels", layout)
    (root / "layouts" / "gold" / "names.sql").unlink()
    with open_sample(root) as project:
        run_now(project, RunRequest())
        asked = len(double.statements)
        double.faults.append(Fault("GENERIC_INTERNAL_ERROR", times=99))

        assert plan(project, ask=False).work == ()
        assert len(double.statements) == asked
