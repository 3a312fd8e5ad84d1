"""Prepare `.venv` (and, for tests, the Debian packages) from the machine's own Python; standard library only.

    python3 scripts/setup.py            the environment
    python3 scripts/setup.py --tests    the environment, and what the tests need besides

Does nothing, and asks no network, while `.venv/.ready` matches pyproject.toml and constraints.txt.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / ".ready"
SPARK = VENV / ".ready-spark"
JAVA = "openjdk-17-jre-headless"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def main(arguments: list[str]) -> int:
    """Exit 0 when everything is in place, 1 when somebody has to act first."""
    if sys.version_info < (3, 11):  # noqa: UP036 -- whoever runs this may have an older one
        say(
            f"needs Python 3.11 or newer, `{sys.executable}` is {sys.version.split()[0]}; try `make PYTHON=python3.11`"
        )
        return 1
    wanted = [] if find_spec("ensurepip") else ["python3-venv"]
    if "--tests" in arguments and not any(shutil.which(browser) for browser in BROWSERS):
        wanted.append("chromium")
    if "--tests" in arguments and not java():
        wanted.append(JAVA)
    if wanted and not install_debian(wanted):
        return 1
    if not STAMP.exists() or STAMP.read_text(encoding="utf-8") != fingerprint():
        prepare()
    if "--tests" in arguments and (not SPARK.exists() or SPARK.read_text(encoding="utf-8") != fingerprint()):
        add_spark()
    return 0


def fingerprint() -> str:
    """Digest of everything the environment is made from, and of where it is."""
    digest = hashlib.sha256(f"{sys.version_info[:2]} {ROOT}".encode())
    for name in ("pyproject.toml", "constraints.txt", "scripts/setup.py"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def install_debian(packages: list[str]) -> bool:
    """Install with apt as root; otherwise print the one line to run and return False."""
    line = f"apt-get install -y --no-install-recommends {' '.join(packages)}"
    if not shutil.which("apt-get"):
        say(
            f"needs {', '.join(packages)}: install it with this system's package manager, then run make again"
        )
        return False
    if os.geteuid() != 0:
        say("needs Debian packages; run this line, then make again:")
        print(f"\n    sudo {line}\n", flush=True)
        return False
    say(f"installing Debian packages: {' '.join(packages)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in ("apt-get update", line):
        done = subprocess.run(
            shlex.split(command), env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            say(f"`{command}` failed:\n{done.stdout[-500:]}{done.stderr[-1500:]}")
            return False
    return True


def prepare() -> None:
    """Create the environment and install the project in it, at the versions of constraints.txt."""
    STAMP.unlink(missing_ok=True)
    if not PYTHON.exists():
        say("creating .venv")
        run(sys.executable, "-m", "venv", str(VENV))
    uv = VENV / "bin" / "uv"
    if not uv.exists():
        say("installing uv in .venv")
        run(str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", pinned("uv"))
    say("installing gamelake and its tools at the versions of constraints.txt")
    run(
        str(uv), "pip", "install", "--quiet", "--compile-bytecode", "--python", str(PYTHON),
        "--constraint", "constraints.txt", "--build-constraint", "constraints.txt",
        "--editable", ".", *development_tools(),
        environment=uv_environment(),
    )  # fmt: skip
    run(str(PYTHON), "-m", "compileall", "-q", "src")  # some machines forbid Python to do so on its own
    say("compiling kernels (once)")
    run(str(VENV / "bin" / "gamelake"), "warm")
    STAMP.write_text(fingerprint(), encoding="utf-8")


def java() -> bool:
    """Whether there is a Java that Spark would find."""
    home = os.environ.get("JAVA_HOME")
    return bool(shutil.which("java") or (home and Path(home, "bin", "java").exists()))


def add_spark() -> None:
    """The extra that only tests of the second engine need, because it is large."""
    say("installing pyspark (480 MB, once; about a minute on two cores)")
    run(
        str(VENV / "bin" / "uv"), "pip", "install", "--quiet", "--python", str(PYTHON),
        "--constraint", "constraints.txt", "--build-constraint", "constraints.txt", pinned("pyspark"),
        environment=uv_environment(),
    )  # fmt: skip
    SPARK.write_text(fingerprint(), encoding="utf-8")


def pinned(name: str) -> str:
    """The line of constraints.txt for that package."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line.partition("==")[0] == name)


def development_tools() -> list[str]:
    """The `dev` dependency group."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return list(project["dependency-groups"]["dev"])


def uv_environment() -> dict[str, str]:
    """Environment for uv, which does not read pip's configuration: the same indexes, files and certificates."""
    listed = subprocess.run(
        [str(PYTHON), "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    ).stdout
    return {**from_pip_config(listed), **os.environ}


def from_pip_config(listed: str) -> dict[str, str]:
    """Translate what `pip config list` prints; the environment wins over [install], that over [global]."""
    values: dict[str, str] = {}
    for section in ("global.", "install.", ":env:."):
        for line in listed.splitlines():
            key, _, value = line.partition("=")
            if key.startswith(section):
                values[key.removeprefix(section).replace("-", "_")] = value.strip("'\"")
    names = {
        "index_url": "UV_DEFAULT_INDEX",
        "extra_index_url": "UV_EXTRA_INDEX_URL",
        "find_links": "UV_FIND_LINKS",
        "cert": "SSL_CERT_FILE",
        "trusted_host": "UV_INSECURE_HOST",
        "default_timeout": "UV_HTTP_TIMEOUT",
        "timeout": "UV_HTTP_TIMEOUT",
    }
    made = {variable: " ".join(values[key].split()) for key, variable in names.items() if values.get(key)}
    if "UV_EXTRA_INDEX_URL" in made:
        made["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # pip looks at all indexes alike
    if "UV_FIND_LINKS" in made:
        made["UV_FIND_LINKS"] = made["UV_FIND_LINKS"].replace(" ", ",")
    return made


def run(*command: str, environment: dict[str, str] | None = None) -> None:
    """Run in the project's root; end with its exit code and its words when it fails."""
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False)
    if done.returncode:
        say(f"failed: {shlex.join(command)}")
        raise SystemExit(1)


def say(text: str) -> None:
    """One line of talk."""
    print(f"setup: {text}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
