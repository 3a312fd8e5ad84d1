"""Freezes a project as this version leaves it: `python tests/frozen/make.py`, once when a version is made, never again.

What it writes, `tests/frozen/<version>.tar.xz`, is what later versions must open with all it holds.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from contextlib import closing
from pathlib import Path

import gamelake

HERE = Path(__file__).parent
EXPECTED = "expected.json"
LAYOUTS = {
    "silver/nightly.sql": """/* ---
description: Damage of each player and night
inputSources: [{name: stats, dataset: wow.gold.fact_player_raid_stats}]
outputs:
  - slice: [raid_date]
    grain: [player_id]
    schema: {raid_date: date, player_id: text, class: text not null, damage: bigint not null}
--- */
SELECT raid_date, player_id, max(class) AS class, CAST(sum(damage) AS BIGINT) AS damage
FROM stats GROUP BY raid_date, player_id
""",
    "gold/career.sql": """/* ---
description: Damage of each player up to a night
inputSources: [{name: nightly, dataset: own.silver.nightly}]
carries: true
outputs:
  - slice: [raid_date]
    grain: [player_id]
    schema: {raid_date: date, player_id: text, damage: bigint not null}
--- */
SELECT {{ raid_date | day }} AS raid_date, player_id, CAST(sum(damage) AS BIGINT) AS damage
FROM (SELECT player_id, damage FROM previous UNION ALL SELECT player_id, damage FROM nightly)
GROUP BY player_id
""",
    "gold/best.sql": """/* ---
description: The last night of each player
inputSources: [{name: nightly, dataset: own.silver.nightly}]
outputs:
  - mode: merge
    slice: [raid_date]
    grain: [player_id]
    schema: {raid_date: date, player_id: text, class: text not null, damage: bigint not null}
--- */
SELECT raid_date, player_id, class, damage FROM nightly
""",
    "gold/classes.sql": """/* ---
description: Players of each class
inputSources: [{name: players, dataset: wow.gold.dim_player}]
outputs:
  - mode: snapshot_replace
    grain: [class]
    schema: {class: text, players: bigint not null}
--- */
SELECT class, count(*) AS players FROM players GROUP BY class
""",
}


def command(folder: Path, *arguments: str) -> str:
    """What a `gamelake` command says on its standard output."""
    done = subprocess.run(
        [sys.executable, "-m", "gamelake.cli", *arguments], cwd=folder, check=True, stdout=subprocess.PIPE
    )
    return done.stdout.decode()


def facts(folder: Path) -> dict[str, object]:
    """Rows of the small datasets, and how many the large ones have."""
    found: dict[str, object] = {}
    for dataset in sorted(
        part["dataset"] for part in json.loads(command(folder, "status", "--json"))["datasets"]
    ):
        gold = dataset.split(".")[1] == "gold"
        what = "*" if gold else "count(*) AS rows"
        order = " ORDER BY ALL" if gold else ""
        answer = command(folder, "query", f"SELECT {what} FROM {dataset}{order}", "--format", "json")
        found[dataset] = json.loads(answer)["rows"]
    return found


def fill(folder: Path) -> None:
    """Two raid nights, own layouts in every mode, and a repair of the first night."""
    command(folder, "init", ".", "--pack", "wow")
    for name, text in LAYOUTS.items():
        file = folder / "layouts" / "own" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    logs = ("--nights", "2", "--seed", "7", "--players", "10", "--scale", "0.1", "--out", "logs")
    command(folder, "simulate", "wow", *logs)
    for log in sorted((folder / "logs").glob("*.txt")):
        command(folder, "raid", "import", str(log))
        command(folder, "run")
        log.unlink()
    command(folder, "run", "own.gold.classes", "--force")


def main() -> None:
    """Freeze the version that is installed, unless it is frozen already."""
    archive = HERE / f"{gamelake.__version__}.tar.xz"
    if archive.exists():
        sys.exit(f"{archive.name} is frozen; raise the version first")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "project"
        folder.mkdir()
        fill(folder)
        (folder / EXPECTED).write_text(json.dumps(facts(folder), indent=1), encoding="utf-8")
        for database in (folder / ".gamelake").rglob("*.db"):
            with closing(sqlite3.connect(database)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                connection.execute("PRAGMA journal_mode = DELETE")

        def kept(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            return None if member.name in ("project/.gamelake/cache", "project/logs") else member

        with tarfile.open(archive, "w:xz", preset=9) as packed:
            packed.add(folder, "project", filter=kept)
    sys.stdout.write(f"{archive.name}: {archive.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    main()
