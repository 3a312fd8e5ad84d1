"""`/ready`: whether a run could do its work now."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime

import pytest

from gamelake.clock import FixedClock
from gamelake.pipeline.project import Project
from gamelake.settings import Settings
from gamelake.web import ready
from gamelake.web.app import create_app
from postgres_server import USER, running_server
from sample_project import create, members
from web.web_server import client_of


@pytest.fixture
def clock():
    return FixedClock(datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
def opened(tmp_path, clock):
    """Opens a sample project whose file goes on with some text."""

    def at(toml: str = "") -> Project:
        root = create(tmp_path / "toy")
        (root / "gamelake.toml").write_text(f'name = "toy"\npacks = []\n{toml}')
        return Project.open(Settings.load(root), members(root), clock=clock)

    return at


def test_a_stopped_postgres_makes_it_unready_until_it_is_back(opened, clock, monkeypatch) -> None:
    monkeypatch.setattr(ready, "KEPT_SECONDS", 0)
    with running_server() as server:
        toml = f'[profiles.dev.connections.warehouse]\nkind = "postgres"\nuser = "{USER}"\nhost = "{server.folder}"\ndatabase = "postgres"\n'
        with opened(toml) as project, client_of(create_app(project, packs=[])) as client:
            well = client.get("/ready")
            server.kill()
            ill = [client.get("/ready") for _ in range(6)]
            server.start()
            resting = client.get("/ready")
            clock.advance(31)
            again = client.get("/ready")

    assert well.status_code == 200
    assert [(part["name"], part.get("breaker")) for part in well.json()["parts"]] == [
        ("ledger", None),
        ("lake", None),
        ("connection warehouse", "closed"),
    ]
    problem = ill[0].json()
    assert (ill[0].status_code, ill[0].headers["content-type"]) == (503, "application/problem+json")
    assert (problem["code"], problem["detail"]) == ("not_ready", "does not answer: connection warehouse")
    (other,) = problem["others"]
    assert (other["at"], other["code"]) == ("connection warehouse", "store_error")
    assert "no connection to Postgres at" in other["detail"]
    for answer in (ill[5], resting):  # it is up again, and not asked before it has rested
        assert "failed 5 times in a row and is left alone" in answer.json()["others"][0]["detail"]
    assert (again.status_code, again.json()["parts"][2]["breaker"]) == (200, "closed")


def test_a_damaged_lake_is_told_beside_what_works(opened) -> None:
    with opened() as project, client_of(create_app(project, packs=[])) as client:
        assert client.get("/ready").json()["status"] == "ready"
        project.lake.folder.mkdir(parents=True, exist_ok=True)
        catalogue = project.lake.folder / "catalog.db"
        assert not catalogue.exists()
        with sqlite3.connect(catalogue) as broken:
            broken.execute("CREATE TABLE iceberg_tables (nonsense TEXT)")
        broken.close()

        kept = client.get("/ready")  # the answer of a moment ago
        ready_again = create_app(project, packs=[])
        with client_of(ready_again) as other:
            ill = other.get("/ready")

    assert kept.status_code == 200
    assert ill.status_code == 503
    assert [each["at"] for each in ill.json()["others"]] == ["lake"]
