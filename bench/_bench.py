"""How every figure is measured: contenders take turns, medians are compared, memory is read from the kernel.

    case = Bench("lines to typed columns", unit="lines/s")
    case.add("gamelake", lambda: read(log), amount=lines)
    case.add("csv reader", lambda: baseline(log), amount=lines)
    case.run(repeats=5)

Turns (a b c, a b c, …) rather than blocks (a a a, b b b, …), so that a busy neighbour slows all alike.
"""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
import platform
import resource
import statistics
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class Contender:
    """One way to do the work; `amount` of it is done per call, `bytes_` are read by it."""

    name: str
    work: Callable[[], Any]
    amount: float
    bytes_: float = 0
    repeats: int | None = None  # at most so many, and no warm-up; for what takes very long
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Median of the wall seconds."""
        return statistics.median(self.seconds)

    @property
    def spread(self) -> float:
        """Half the distance between the fastest and the slowest repeat, as a share of the median."""
        return (max(self.seconds) - min(self.seconds)) / 2 / self.median

    def facts(self) -> dict[str, Any]:
        """The figures, for JSON."""
        return {
            "name": self.name,
            "median_s": round(self.median, 4),
            "spread": round(self.spread, 3),
            "cpu_s": round(statistics.median(self.cpu), 4),
            "per_s": round(self.amount / self.median, 1),
            "mb_per_s": round(self.bytes_ / 1e6 / self.median, 1) if self.bytes_ else None,
            "repeats": len(self.seconds),
        }


class Bench:
    """Contenders for one piece of work; the first one is what the others are compared with."""

    def __init__(self, title: str, *, unit: str = "rows/s") -> None:
        self.title = title
        self.unit = unit
        self.contenders: list[Contender] = []

    def add(
        self,
        name: str,
        work: Callable[[], Any],
        *,
        amount: float,
        bytes_: float = 0,
        repeats: int | None = None,
    ) -> None:
        """Add a contender; call order is the order of its turns."""
        self.contenders.append(Contender(name, work, amount, bytes_, repeats))

    def run(self, *, repeats: int = 5, warmup: int = 1) -> list[Contender]:
        """Measure all, print the table, return the contenders with their figures.

        `--repeats=N` on the command line overrules, `--json` prints one object instead of the table.
        """
        for argument in sys.argv[1:]:
            if argument.startswith("--repeats="):
                repeats = int(argument.partition("=")[2])
        for turn in range(warmup + repeats):
            for contender in self.contenders:
                if contender.repeats is not None and not warmup <= turn < warmup + contender.repeats:
                    continue
                gc.collect()
                cpu, started = cpu_seconds(), time.perf_counter()
                contender.work()
                seconds, cpu = time.perf_counter() - started, cpu_seconds() - cpu
                if turn >= warmup:
                    contender.seconds.append(seconds)
                    contender.cpu.append(cpu)
        self.print()
        return self.contenders

    def print(self) -> None:
        """Figures as a Markdown table, ready for docs/benchmarks.md, or as JSON."""
        if "--json" in sys.argv:
            print(
                json.dumps(
                    {
                        "title": self.title,
                        "machine": machine(),
                        "results": [c.facts() for c in self.contenders],
                    }
                )
            )
            return
        first = self.contenders[0].median
        print(f"\n{self.title} ({machine()})\n")
        print(
            f"| way | median s | spread | CPU s | {self.unit} | MB/s | time, {self.contenders[0].name} = 1 |"
        )
        print("|---|--:|--:|--:|--:|--:|--:|")
        for contender in self.contenders:
            facts = contender.facts()
            speed = f"{facts['mb_per_s']:.0f}" if facts["mb_per_s"] else "–"
            print(
                f"| {contender.name} | {contender.median:.3f} | ±{contender.spread:.0%} | {facts['cpu_s']:.2f} "
                f"| {facts['per_s']:,.0f} | {speed} | {contender.median / first:.2f} |"
            )


def machine() -> str:
    """What the figures were measured on."""
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def cpu_seconds() -> float:
    """CPU time of this process and of children that have ended."""
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    )


def peak_memory(work: Callable[..., Any], *arguments: Any) -> float:
    """Peak resident bytes of a fresh process that does the work; the work must be importable."""
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=_measured, args=(send, work, arguments))
    process.start()
    send.close()
    try:
        peak = float(receive.recv())
    except EOFError:
        raise RuntimeError(f"the measured process ended with {process.exitcode} before it was done") from None
    finally:
        process.join()
    return peak


def _measured(send: Any, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    work(*arguments)
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in kB on Linux
    send.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)
