"""How fast the simulated L2M source is written, truth included, and that memory follows accounts, not rows.

python bench/l2m_simulator.py [--sizes 10000x3,100000x3,100000x15] [--json]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from datetime import date
from pathlib import Path

from _bench import cpu_seconds, machine, peak_memory
from gamelake.games.l2m.simulate import L2mSimulator


def write(users: int, days: int, facts: str = "") -> None:
    """Write one source; its rows and bytes go into the file of facts."""
    with tempfile.TemporaryDirectory() as folder:
        simulator = L2mSimulator(users=users, days=days, start=date(2025, 1, 1))
        written = simulator.write(Path(folder, "source"))
    if facts:
        Path(facts).write_text(json.dumps([written.log_rows, written.bytes]), encoding="utf-8")


def main() -> None:
    """Measure each size in a process of its own."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--sizes", default="10000x3,100000x3,100000x15")
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()
    results = []
    for size in chosen.sizes.split(","):
        users, days = map(int, size.split("x"))
        with tempfile.NamedTemporaryFile() as facts:
            cpu, started = cpu_seconds(), time.perf_counter()
            peak = peak_memory(write, users, days, facts.name)
            seconds, cpu = time.perf_counter() - started, cpu_seconds() - cpu
            rows, size_in_bytes = json.loads(Path(facts.name).read_text(encoding="utf-8"))
        results.append(
            {
                "users": users,
                "days": days,
                "rows": rows,
                "bytes": size_in_bytes,
                "seconds": round(seconds, 1),
                "cpu_s": round(cpu, 1),
                "rows_per_cpu_s": round(rows / cpu),
                "peak_mb": round(peak / 1e6),
            }
        )
    if chosen.json:
        print(json.dumps({"title": "L2M simulator", "machine": machine(), "results": results}))
        return
    print(f"\nL2M simulator ({machine()})\n")
    print(
        "| accounts | days | log rows | MB | s | CPU s | rows/CPU s | peak MB |\n|--:|--:|--:|--:|--:|--:|--:|--:|"
    )
    for found in results:
        print(
            f"| {found['users']:,} | {found['days']} | {found['rows']:,} | {found['bytes'] / 1e6:.0f} "
            f"| {found['seconds']} | {found['cpu_s']} | {found['rows_per_cpu_s']:,} | {found['peak_mb']} |"
        )


if __name__ == "__main__":
    main()
