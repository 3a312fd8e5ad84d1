"""How long the command line takes to answer; the interpreter alone is the limit."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from _bench import Bench


def command(*arguments: str, cwd: Path) -> None:
    """Run one process to its end."""
    subprocess.run(arguments, cwd=cwd, check=True, capture_output=True)


def main() -> None:
    """Measure help, an empty status and the bare interpreter."""
    gamelake = str(Path(sys.executable).parent / "gamelake")
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        command(gamelake, "init", ".", "--pack", "wow", "--name", "bench", cwd=project)
        command(gamelake, "status", cwd=project)
        bench = Bench("Start of a command", unit="calls/s")
        bench.add("python -c pass", lambda: command(sys.executable, "-c", "pass", cwd=project), amount=1)
        bench.add("gamelake --help", lambda: command(gamelake, "--help", cwd=project), amount=1)
        bench.add("gamelake status", lambda: command(gamelake, "status", cwd=project), amount=1)
        bench.run(repeats=9)


if __name__ == "__main__":
    main()
