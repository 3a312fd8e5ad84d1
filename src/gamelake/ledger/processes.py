"""Who holds a run or a lease, and whether that process is certainly gone."""

from __future__ import annotations

import os
import socket
from functools import lru_cache
from pathlib import Path

_GONE = "gone"


def this_process() -> str:
    """Identity of this process, `host/boot pid start`: differs from any other that was or will be."""
    return _identity(os.getpid())


def process_of(pid: int) -> str:
    """Identity of another process of this machine, also of one that has just ended."""
    return f"{_machine()} {pid} {_start_of(pid) or '?'}"


def certainly_dead(process: str | None) -> bool:
    """True only when the process ran on this machine and is no more; False means alive or unknown."""
    parts = (process or "").split(" ")
    if len(parts) != 3 or not parts[1].isdigit():
        return False
    machine, pid, start = parts
    if machine != _machine() or start == "?":
        return False
    now = _start_of(int(pid))
    return now == _GONE or (now is not None and now != start)


@lru_cache(maxsize=8)
def _identity(pid: int) -> str:
    return process_of(pid)


@lru_cache(maxsize=1)
def _machine() -> str:
    # containers share a boot id but not process numbers, so the pid namespace is part of the name
    parts = [socket.gethostname()]
    try:
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
        parts.append(str(Path("/proc/self/ns/pid").stat().st_ino))
    except OSError:
        pass
    return "/".join(parts).replace(" ", "_")


def _start_of(pid: int) -> str | None:
    """Start time of a process in clock ticks; `gone` when there is none or it is a zombie; None if unknowable."""
    if not Path("/proc/self/stat").exists():
        return None
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return _GONE
    except ProcessLookupError:
        return _GONE
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the command name may hold spaces and brackets
    return _GONE if fields[0] in {"Z", "X"} else fields[19]
