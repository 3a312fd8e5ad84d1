"""What one small commit costs as a table grows old: lease, verify, commit and record, one slice each.

    python bench/commits.py [--commits 300] [--slices 20] [--json]

The second row expires nothing: why snapshots are expired while committing.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from _bench import cpu_seconds, machine
from gamelake.clock import SystemClock, SystemIds
from gamelake.ledger import Ledger
from gamelake.model.names import DatasetName
from gamelake.model.publish import StagedFile, StagedSlice
from gamelake.model.schema import Column, ColumnType, Schema
from gamelake.model.slices import Slice
from gamelake.model.steps import Output
from gamelake.stores.base import lease_name
from gamelake.stores.lake import Lake

OUTPUT = Output(
    DatasetName.parse("bench.gold.small"),
    Schema(
        (
            Column("day", ColumnType.DATE, nullable=False),
            Column("team", ColumnType.TEXT, nullable=False),
            Column("n", ColumnType.BIGINT),
        )
    ),
    slice_columns=("day", "team"),
)
NAME = str(OUTPUT.dataset)
DAY = date(2026, 2, 16)
AT = (10, 100, 300)


def stage(lake: Lake, team: str) -> StagedSlice:
    """A hundred rows in one file."""
    path = lake.staging_folder(NAME, "run") / f"{time.time_ns()}.parquet"
    days = pa.array([DAY] * 100, pa.date32())
    pq.write_table(pa.table({"day": days, "team": [team] * 100, "n": range(100)}), path)
    file = StagedFile(str(path), 100, path.stat().st_size)
    return StagedSlice(Slice.of(day=DAY.isoformat(), team=team), (file,), 100, "hash", "fingerprint")


def measure(commits: int, slices: int, keep_snapshots: int) -> dict[int, tuple[float, float]]:
    """Commit number → (wall, CPU) milliseconds, medians of the ten commits up to it."""
    costs = []
    with tempfile.TemporaryDirectory() as folder:
        clock, ids = SystemClock(), SystemIds()
        with Ledger.open(Path(folder, "ledger.db"), clock=clock, ids=ids) as ledger:
            lake = Lake(
                Path(folder, "lake"), clock=clock, recorded=ledger.has_receipt, keep_snapshots=keep_snapshots
            )
            lake.ensure_table(OUTPUT)
            for number in range(commits):
                staged = stage(lake, f"team {number % slices}")
                cpu, started = cpu_seconds(), time.perf_counter()
                with ledger.lease(lease_name(NAME), "bench", ttl=30, wait=30) as lease:
                    receipt = lake.commit(
                        OUTPUT, [staged], receipt_id=ids.new("rcpt"), run_id="run", step="bench", lease=lease
                    )
                ledger.record_publish(receipt)
                costs.append(((time.perf_counter() - started) * 1000, (cpu_seconds() - cpu) * 1000))
            lake.close()
    return {at: _median(costs[at - 10 : at]) for at in AT if at <= commits}


def _median(costs: list[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(wall for wall, _ in costs), statistics.median(cpu for _, cpu in costs)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--commits", type=int, default=300)
    parser.add_argument("--slices", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = {
        "keeps 10 snapshots": measure(options.commits, options.slices, 10),
        "expires nothing": measure(options.commits, options.slices, 10_000),
    }
    if options.json:
        print(json.dumps({"title": "one commit", "machine": machine(), "results": figures}))
        return
    print(f"\nOne commit of one slice, ms wall (CPU), {options.slices} slices ({machine()})\n")
    print("| | " + " | ".join(f"{at}th" for at in AT) + " |\n|---|" + "--:|" * len(AT))
    for name, row in figures.items():
        shown = " | ".join(f"{wall:.0f} ({cpu:.0f})" for wall, cpu in row.values())
        print(f"| {name} | {shown} |")


if __name__ == "__main__":
    main()
