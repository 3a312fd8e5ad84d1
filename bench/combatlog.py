"""A combat log through bronze, silver and gold, beside Python's csv reader and a raw typed read as the limit.

    python bench/combatlog.py [--megabytes=300] [--repeats=3] [--json]     speed
    python bench/combatlog.py --memory [--megabytes=2000]                  peak memory, one file of twelve nights

The log is simulated (v22, twelve nights in one file). `gamelake` imports it into a fresh project and builds every
silver and gold dataset, checks and commits included. The csv reader only splits the same lines into fields. The limit
is DuckDB's own reader on the same file with every field as text, summed over one column: no identity, no owners, no
storage.
"""

from __future__ import annotations

import csv
import shutil
import sys
import tempfile
from pathlib import Path

import duckdb

from _bench import Bench, peak_memory
from gamelake.games.wow.bronze import import_logs
from gamelake.games.wow.simulate import WowSimulator
from gamelake.jobs.local import run_now
from gamelake.packs import open_project
from gamelake.pipeline.execute import RunRequest

MB_AT_SCALE_1 = 78  # of twelve simulated nights


def option(name: str, default: float) -> float:
    """Value of `--name=…` on the command line."""
    given = [a.partition("=")[2] for a in sys.argv[1:] if a.startswith(f"--{name}=")]
    return float(given[-1]) if given else default


def pipeline(log: Path, folder: Path) -> None:
    """Fresh project, import, every silver and gold dataset."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "gamelake.toml").write_text('packs = ["wow"]\n')
    with open_project(folder) as project:
        import_logs(project, [log])
        result = run_now(project, RunRequest())
        if result.error:
            raise result.error


def split_by_csv(log: Path) -> int:
    """Fields of every line by Python's csv module."""
    with log.open(encoding="utf-8", newline="") as lines:
        return sum(len(fields) for fields in csv.reader(lines))


def raw_read(log: Path) -> object:
    """Every line's fields as text columns by DuckDB's csv reader, one of them added up."""
    columns = ", ".join(f"'c{n}': 'VARCHAR'" for n in range(43))
    return duckdb.sql(
        f"""SELECT count(*), sum(TRY_CAST(c31 AS BIGINT)), max(c0), max(c1), max(c5), max(c9) FROM read_csv(
            '{log}', delim = ',', quote = '"', header = false, auto_detect = false, null_padding = true,
            strict_mode = false, ignore_errors = true, columns = {{{columns}}}, max_line_size = 1000000)"""
    ).fetchall()


def main() -> None:
    """Simulate, then measure."""
    memory = "--memory" in sys.argv
    megabytes = option("megabytes", 2000 if memory else 300)
    with tempfile.TemporaryDirectory(prefix="gamelake-bench-") as scratch:
        log = Path(scratch) / "WoWCombatLog.txt"
        WowSimulator(seed=5, nights=12, scale=megabytes / MB_AT_SCALE_1).write(log)
        size = log.stat().st_size
        with log.open("rb") as lines:
            count = sum(1 for _ in lines)
        project = Path(scratch) / "project"
        if memory:
            peak = peak_memory(pipeline, log, project)
            print(f"log of {size / 1e6:,.0f} MB, {count:,} lines: peak memory {peak / 1e6:,.0f} MB")
            return
        bench = Bench(
            f"Combat log, {size / 1e6:.0f} MB, {count:,} lines, to bronze + silver + gold", unit="lines/s"
        )
        bench.add("gamelake", lambda: pipeline(log, project), amount=count, bytes_=size)
        bench.add("csv reader, fields only", lambda: split_by_csv(log), amount=count, bytes_=size)
        bench.add("limit: DuckDB raw read", lambda: raw_read(log), amount=count, bytes_=size)
        bench.run(repeats=3)


if __name__ == "__main__":
    main()
