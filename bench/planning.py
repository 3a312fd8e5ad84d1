"""Planning many layouts over many days with a warm parse cache: open the project, compare all with the ledger.

    python bench/planning.py [--layouts 1000] [--days 365] [--repeats 5] [--json]

One layout in ten reads the source, the others read that one, every third also that of the group before. The limit reads the
newest version of every slice from the same ledger by sqlite3 and hashes one short text for each: no graph, no plan.
"""

from __future__ import annotations

import argparse
import shutil
import sqlite3
import tempfile
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path

from _bench import Bench
from gamelake.layouts.load import load_folder
from gamelake.model.names import DatasetName
from gamelake.model.publish import PublishedSlice, Receipt
from gamelake.model.schema import Column, ColumnType, Schema
from gamelake.model.slices import Slice
from gamelake.model.steps import Output, Source
from gamelake.pipeline.assess import assess
from gamelake.pipeline.freshness import versions_read
from gamelake.pipeline.plan import plan
from gamelake.pipeline.project import Project
from gamelake.settings import Settings

RAW = Output(
    DatasetName.parse("big.bronze.raw"),
    Schema(
        (
            Column("day", ColumnType.DATE, nullable=False),
            Column("player", ColumnType.TEXT),
            Column("score", ColumnType.BIGINT),
        )
    ),
    slice_columns=("day",),
)
LAYOUT = """/* ---
description: layout {number}
inputSources:
  - {{name: a, dataset: {first}}}
{second}outputs:
  - slice: [day]
    grain: [day, player]
    schema: {{day: date, player: text, score: bigint}}
--- */
SELECT day, player, CAST(sum(score) AS BIGINT) AS score FROM {rows} GROUP BY day, player
"""
EVERY = "SELECT dataset, slice, max(version), rows, content_hash, fingerprint FROM slice_versions GROUP BY dataset, slice"


@dataclass(frozen=True)
class Place:
    """Where the layouts are, and the remembered parse of them; projects beside them differ in their ledgers."""

    folder: Path

    def project(self, name: str) -> Project:
        """Open one, its layouts from the parse cache when they are in it."""
        root = self.folder / name
        root.mkdir(exist_ok=True)
        (root / "gamelake.toml").write_text(f'name = "{name}"\n')
        layouts = load_folder(self.folder / "layouts", "big", cache=self.folder / "cache")
        return Project.open(Settings.load(root), [Source("raw", (RAW,)), *layouts])


def write_layouts(folder: Path, count: int) -> None:
    """A silver layout and nine gold ones above it, so often."""
    (folder / "silver").mkdir(parents=True)
    (folder / "gold").mkdir()
    for number in range(count):
        head, rest = divmod(number, 10)
        first = f"big.silver.l{head:04d}" if rest else str(RAW.dataset)
        joined = rest in {3, 6, 9} and head > 0
        second = f"  - {{name: b, dataset: big.silver.l{head - 1:04d}}}\n" if joined else ""
        rows = "(SELECT * FROM a UNION ALL SELECT * FROM b)" if joined else "a"
        name = f"gold/l{number:04d}" if rest else f"silver/l{head:04d}"
        text = LAYOUT.format(number=number, first=first, second=second, rows=rows)
        (folder / f"{name}.sql").write_text(text)


def publish_source(project: Project, days: list[Slice], version: int = 1) -> None:
    """The source has these days, of which no two versions hold the same rows."""
    parts = tuple(
        PublishedSlice(part, version, (f"/lake/raw/{part}.parquet",), 10, 1000, f"{part} {version}", "")
        for part in days
    )
    enter(project, "raw", str(RAW.dataset), parts)


def publish_all(project: Project) -> None:
    """Every layout has every day, as runs would have left them."""
    for step in project.graph.steps.values():
        found = assess(project, step)
        name = str(step.outputs[0].dataset)
        parts = tuple(
            PublishedSlice(
                item.slice,
                1,
                (f"/lake/{name}/{item.slice}.parquet",),
                10,
                1000,
                f"{name} {item.slice}",
                item.fingerprint,
                versions_read(found.index.all_feeding(item.slice)),
            )
            for item in found.items
        )
        enter(project, step.name, name, parts)


def enter(project: Project, step: str, dataset: str, parts: tuple[PublishedSlice, ...]) -> None:
    """Record a publish in the ledger alone."""
    run = project.ledger.create_run("import", step, {})
    receipt = Receipt(project.ids.new("rcpt"), run, step, dataset, parts, project.clock.now())
    project.ledger.record_publish(receipt)


def planned(place: Place, name: str, expected: dict[str, int]) -> None:
    """Open and plan; the plan must say what is known to be true."""
    with place.project(name) as project:
        found = plan(project).counts()
    if found != expected:
        raise AssertionError(name, found, expected)


def limit(ledger: Path) -> int:
    """The rows a plan needs, and one hash for each."""
    connection = sqlite3.connect(ledger)
    try:
        rows = connection.execute(EVERY).fetchall()
    finally:
        connection.close()
    return len({(row[0], row[1]): sha256(f"{row[0]}/{row[1]}={row[4]}".encode()).hexdigest() for row in rows})


def main() -> None:
    """Make the ledgers, then measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--layouts", type=int, default=1000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    days = [Slice.of(day=(date(2025, 1, 1) + timedelta(n)).isoformat()) for n in range(options.days)]
    items = options.layouts * options.days
    with tempfile.TemporaryDirectory(prefix="gamelake-bench-") as scratch:
        place = Place(Path(scratch))
        write_layouts(place.folder / "layouts", options.layouts)
        with place.project("nothing") as project:
            publish_source(project, days)
        with place.project("all") as project:
            publish_source(project, days)
            publish_all(project)
            ledger = project.ledger.path
        shutil.copytree(place.folder / "all", place.folder / "changed")
        with place.project("changed") as project:
            publish_source(project, days[-1:], version=2)
        heads = -(-options.layouts // 10)
        states = {
            "nothing": {"missing": items},
            "all": {"fresh": items},
            "changed": {"fresh": items - options.layouts, "stale": heads, "depends": options.layouts - heads},
        }
        bench = Bench(f"Open and plan {options.layouts} layouts × {options.days} days", unit="slices/s")
        titles = {
            "all": "all published",
            "nothing": "nothing published",
            "changed": "one source slice changed",
        }
        for name, title in titles.items():
            bench.add(title, partial(planned, place, name, states[name]), amount=items)
        bench.add("limit: rows by sqlite3, hashed", partial(limit, ledger), amount=items)
        bench.run(repeats=options.repeats)


if __name__ == "__main__":
    main()
