"""Files on other machines: WebHDFS by a double of its protocol, S3 by a real server."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gamelake.cli.doctor import remotes
from gamelake.jobs.local import run_now
from gamelake.packs import open_project
from gamelake.pipeline.execute import RunRequest
from gamelake.pipeline.plan import plan
from gamelake.settings import Settings
from gamelake.stores import remote
from hdfs_double import hdfs
from lake_world import wait_until
from other_tools import python_of

LAYOUT = """/* ---
description: Logins by the day they arrived on
inputSources:
  - {name: logins, type: file, connection: game, path: "logins/ds={day}", schema: {ds: date, player: text not null}}
outputs:
  - slice: [day]
    schema: {day: date, logins: bigint not null}
--- */
SELECT ds AS day, count(*) AS logins FROM logins GROUP BY ds
"""
MIRROR = """/* ---
description: Logins of each day, given on
inputSources:
  - {name: logins, dataset: ours.gold.logins}
outputs:
  - {type: file, connection: game, path: "given/day={day}", slice: [day], schema: {day: date, logins: bigint not null}}
--- */
SELECT day, logins FROM logins
"""
MOTO = Path(os.environ.get("GAMELAKE_MOTO_SERVER", python_of("moto").with_name("moto_server")))


def parquet(players: int) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"player": [f"player {n}" for n in range(players)]}), sink)
    return sink.getvalue().to_pybytes()


def project_at(folder: Path, root: str, options: str = "") -> Path:
    made = folder / "ours"
    layout = made / "layouts" / "ours" / "gold" / "logins.sql"
    layout.parent.mkdir(parents=True)
    layout.write_text(LAYOUT)
    connection = f'kind = "file"\nroot = "{root}"\n{options}'
    (made / "gamelake.toml").write_text(f"packs = []\n[profiles.dev.connections.game]\n{connection}\n")
    return made


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    monkeypatch.setattr(
        remote.Remote.__init__, "__kwdefaults__", {**remote.Remote.__init__.__kwdefaults__, "pause": 0.01}
    )
    for day, players in (("2026-01-01", 2), ("2026-01-02", 500)):
        file = tmp_path / "hdfs" / "lake" / "logins" / f"ds={day}" / "a.parquet"
        file.parent.mkdir(parents=True)
        file.write_bytes(parquet(players))
    with hdfs(tmp_path / "hdfs") as server:
        yield server


def ask(project) -> list[tuple[str, int]]:
    with project.connect() as connection:
        return connection.execute("SELECT day::text, logins FROM ours.gold.logins ORDER BY day").fetchall()


def test_files_of_a_cluster_are_read_once_and_again_when_they_change(cluster, tmp_path):
    root = project_at(tmp_path, f"{cluster.url}/lake")
    with open_project(root) as project:
        assert run_now(project, RunRequest()).error is None
        assert ask(project) == [("2026-01-01", 2), ("2026-01-02", 500)]
        assert {path for operation, path in cluster.asked if operation == "OPEN"} == {
            f"/lake/logins/ds=2026-01-0{day}/a.parquet" for day in (1, 2)
        }
        cluster.asked.clear()
        assert plan(project).work == ()
        assert run_now(project, RunRequest()).steps[0].built == []
        assert "OPEN" not in {operation for operation, _ in cluster.asked}

        late = cluster.folder / "lake" / "logins" / "ds=2026-01-01" / "late.parquet"
        late.write_bytes(parquet(3))
        assert run_now(project, RunRequest()).error is None
        assert ask(project)[0] == ("2026-01-01", 5)


def test_a_cluster_that_stumbles_is_asked_again_and_one_that_is_cut_off_gives_no_half_file(cluster, tmp_path):
    with open_project(project_at(tmp_path, f"{cluster.url}/lake")) as project:
        cluster.faults = ["down", "", "", "", "", "", "down"]
        assert run_now(project, RunRequest()).error is None
        assert ask(project) == [("2026-01-01", 2), ("2026-01-02", 500)]

        file = cluster.folder / "lake" / "logins" / "ds=2026-01-03" / "a.parquet"
        file.parent.mkdir()
        file.write_bytes(parquet(7))
        cluster.cuts = 2
        assert run_now(project, RunRequest()).error is None
        assert ask(project)[2] == ("2026-01-03", 7)
        assert cluster.cuts == 0
        cluster.cuts = 3
        file.write_bytes(parquet(8))
        error = run_now(project, RunRequest()).error
        assert error.problem.startswith("the store failed")
        assert ask(project)[2] == ("2026-01-03", 7)


def test_what_an_operator_must_mend_is_told_and_not_tried_again(cluster, tmp_path):
    root = project_at(tmp_path, f"{cluster.url}/lake")
    with open_project(root) as project:
        cluster.faults = ["refused"] * 9
        error = run_now(project, RunRequest()).error
        assert error.problem.startswith("access is refused")
        assert "GAMELAKE_CONNECTION_<NAME>_OPTIONS" in error.hint
        assert len(cluster.asked) == 1
        cluster.faults = []
        (found,) = remotes(Settings.load(root))
        assert (found.state, found.detail) == ("ok", f"1 entry in {cluster.url}/lake")
        shutil.rmtree(cluster.folder / "lake")
        assert "`logins/ds={ds}` is not there" in run_now(project, RunRequest()).error.problem
        (found,) = remotes(Settings.load(root))
        assert found.state == "failed"


def given_on(root: Path) -> None:
    """A layout that writes files beside those it reads."""
    (root / "layouts" / "ours" / "gold" / "given.sql").write_text(MIRROR)


def test_files_are_given_to_a_cluster_whole_or_not_at_all(cluster, tmp_path):
    root = project_at(tmp_path, f"{cluster.url}/lake")
    given_on(root)
    given = cluster.folder / "lake" / "given"

    def there() -> dict[str, list[int]]:
        return {str(f.relative_to(given)): pq.read_table(f)["logins"].to_pylist() for f in given.rglob("*.*")}

    with open_project(root) as project:
        assert run_now(project, RunRequest()).error is None
        assert there() == {"day=2026-01-01/data.parquet": [2], "day=2026-01-02/data.parquet": [500]}
        receipt = cluster.folder / "lake" / "_gamelake" / "ours.gold.given.json"
        assert [*json.loads(receipt.read_text())["slices"]] == ["day=2026-01-01", "day=2026-01-02"]
        for players, gateway, cuts in ((3, False, 1), (4, True, 0)):
            cluster.is_gateway, cluster.cuts = gateway, 0
            late = cluster.folder / "lake" / "logins" / "ds=2026-01-01" / f"late{players}.parquet"
            late.write_bytes(parquet(players))
            assert run_now(project, RunRequest(("ours.gold.logins",))).error is None
            cluster.cuts = cuts  # the first file arrives in half, and is sent again
            assert run_now(project, RunRequest()).error is None
            assert cluster.cuts == 0
            assert there()["day=2026-01-01/data.parquet"] == [ask(project)[0][1]]
        (given / "day=2026-01-02" / "data.parquet").unlink()
        assert run_now(project, RunRequest()).error is None
        assert there() == {"day=2026-01-01/data.parquet": [9], "day=2026-01-02/data.parquet": [500]}


@pytest.fixture(scope="module")
def s3_port():
    if not MOTO.is_file():
        pytest.skip("no S3 server: `scripts/integrations.py` installs one, or GAMELAKE_MOTO_SERVER names one")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [MOTO, "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        wait_until(lambda: not socket.socket().connect_ex(("127.0.0.1", port)), seconds=60)
        yield port
        server.terminate()


@pytest.mark.integrations
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_objects_of_a_bucket(s3_port, tmp_path, monkeypatch):
    from pyarrow.fs import FileSelector, S3FileSystem

    told = {
        "access_key": "key",
        "endpoint_override": f"127.0.0.1:{s3_port}",
        "scheme": "http",
        "region": "us-east-1",
    }
    bucket = S3FileSystem(secret_key="secret", allow_bucket_creation=True, **told)
    bucket.create_dir("games")
    for day, players in (("2026-01-01", 2), ("2026-01-02", 500)):
        with bucket.open_output_stream(f"games/lake/logins/ds={day}/a.parquet") as file:
            file.write(parquet(players))
    options = "options = { " + ", ".join(f'{key} = "{value}"' for key, value in told.items()) + " }"
    monkeypatch.setenv("GAMELAKE_CONNECTION_GAME_OPTIONS", '{"secret_key": "secret"}')
    root = project_at(tmp_path, "s3://games/lake", options)
    given_on(root)
    with open_project(root) as project:
        assert run_now(project, RunRequest()).error is None
        table = pq.read_table(
            "games/lake/given/day=2026-01-02/data.parquet", filesystem=bucket, partitioning=None
        )
        assert table.to_pydict() == {"logins": [500]}
        bucket.delete_file("games/lake/given/day=2026-01-02/data.parquet")
        assert run_now(project, RunRequest()).error is None
        assert bucket.get_file_info("games/lake/given/day=2026-01-02/data.parquet").is_file
        layout = root / "layouts" / "ours" / "gold" / "given.sql"
        layout.write_text(MIRROR.replace("slice:", "format: csv, slice:"))
    with open_project(root) as project:
        assert run_now(project, RunRequest()).error is None
        found = bucket.get_file_info(FileSelector("games/lake/given", recursive=True))
        assert sorted(f.path for f in found if f.is_file) == [
            f"games/lake/given/day=2026-01-0{day}/data.csv" for day in (1, 2)
        ]
        assert ask(project) == [("2026-01-01", 2), ("2026-01-02", 500)]
        assert plan(project).work == ()
        bucket.delete_file("games/lake/logins/ds=2026-01-01/a.parquet")
        run_now(project, RunRequest())
        assert [str(item.slice) for item in plan(project).items if item.step.startswith("source")] == [
            "ds=2026-01-01",
            "ds=2026-01-02",
        ]
    shutil.rmtree(root)
    with open_project(project_at(tmp_path, "s3://nobody/lake", options)) as project:
        assert "no such bucket" in run_now(project, RunRequest()).error.problem
