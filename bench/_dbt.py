"""dbt-core with dbt-duckdb beside us: an environment of its own, made once, and a project that runs given SQL.

Its versions stand in `dbt-constraints.txt`; the environment is kept in the user's cache folder.
"""

from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

HERE = Path(__file__).parent
PINS = HERE / "dbt-constraints.txt"
_PROJECT = "name: bench\nprofile: bench\nmodel-paths: [models]\n"
_PROFILE = """bench:
  target: dev
  outputs:
    dev:
      type: duckdb
      path: '{folder}/bench.duckdb'
      threads: 1
      settings: {settings}
"""


def environment() -> Path:
    """The `dbt` command, installed first when it is not there."""
    name = (
        f"dbt-{sha256(PINS.read_bytes()).hexdigest()[:12]}-{sys.version_info.major}.{sys.version_info.minor}"
    )
    folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "gamelake-bench" / name
    dbt = folder / "bin" / "dbt"
    if not dbt.exists():
        sys.path.insert(0, str(HERE.parent / "scripts"))
        from setup import uv_environment

        uv, names = Path(sys.executable).parent / "uv", ("dbt-core", "dbt-duckdb", "duckdb")
        made = uv_environment()
        python = folder / "bin" / "python"
        for command in (
            [uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder],
            [uv, "pip", "install", "--quiet", "--python", python, "--constraint", PINS, *names],
        ):
            subprocess.run([str(word) for word in command], check=True, env=made)
    return dbt


def write_project(folder: Path, models: Mapping[str, str], settings: Mapping[str, object]) -> None:
    """A project whose models become Parquet files `out/<model>.parquet`, compressed as ours are."""
    (folder / "models").mkdir(parents=True)
    (folder / "out").mkdir()
    (folder / "dbt_project.yml").write_text(_PROJECT)
    told = "{" + ", ".join(f"{key}: '{value}'" for key, value in settings.items()) + "}"
    (folder / "profiles.yml").write_text(_PROFILE.format(folder=folder, settings=told))
    for name, sql in models.items():
        options = "{'compression': 'zstd'}"
        config = f"materialized='external', location='{folder}/out/{name}.parquet', options={options}"
        (folder / "models" / f"{name}.sql").write_text("{{ config(" + config + ") }}\n" + sql)


def run(dbt: Path, folder: Path) -> None:
    """`dbt run`; its last lines are told when it fails."""
    told = {**os.environ, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "DO_NOT_TRACK": "1"}
    command = [str(dbt), "run", "--project-dir", str(folder), "--profiles-dir", str(folder), "--quiet"]
    done = subprocess.run(command, env=told, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])
