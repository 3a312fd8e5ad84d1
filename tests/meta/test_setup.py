"""Set-up on a fresh machine: what it asks for, what it skips, how it finds the package index."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCHEME = "https" + "://"


def load():
    spec = importlib.util.spec_from_file_location("setup_script", ROOT / "scripts" / "setup.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def setup(monkeypatch, tmp_path):
    module = load()
    for name, value in (
        ("VENV", tmp_path),
        ("PYTHON", tmp_path / "bin/python"),
        ("STAMP", tmp_path / ".ready"),
        ("SPARK", tmp_path / ".ready-spark"),
    ):
        monkeypatch.setattr(module, name, value)
    return module


EXTRA = "extra-" + "index-url"  # made-up hosts; no address of a real one stands anywhere in this project


def test_pip_configuration_becomes_uv_environment(setup) -> None:
    listed = f"""\
:env:.default-timeout='180'
global.cert='/etc/certificates.pem'
global.{EXTRA}='{SCHEME}one.example/wheels {SCHEME}two.example/wheels'
global.index-url='{SCHEME}global.example/wheels'
install.index-url='{SCHEME}install.example/wheels'
global.find-links='/wheels'
global.disable-pip-version-check='1'
"""

    assert setup.from_pip_config(listed) == {
        "UV_DEFAULT_INDEX": f"{SCHEME}install.example/wheels",
        "UV_EXTRA_INDEX_URL": f"{SCHEME}one.example/wheels {SCHEME}two.example/wheels",
        "UV_FIND_LINKS": "/wheels",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "SSL_CERT_FILE": "/etc/certificates.pem",
        "UV_HTTP_TIMEOUT": "180",
    }


def test_no_configuration_needs_no_environment(setup) -> None:
    assert setup.from_pip_config("") == {}


def test_nothing_happens_while_the_stamp_is_fresh(setup, monkeypatch) -> None:
    monkeypatch.setattr(setup, "prepare", lambda: pytest.fail("prepared again"))
    setup.STAMP.write_text(setup.fingerprint(), encoding="utf-8")

    assert setup.main([]) == 0


def test_a_stale_stamp_prepares_again(setup, monkeypatch) -> None:
    called = []
    monkeypatch.setattr(setup, "prepare", lambda: called.append(1))
    setup.STAMP.write_text("older", encoding="utf-8")

    assert setup.main([]) == 0
    assert called == [1]


@pytest.mark.parametrize(("arguments", "installs"), [([], 0), (["--tests"], 1)])
def test_only_the_tests_get_spark_and_only_once(setup, monkeypatch, arguments, installs) -> None:
    ran = []
    monkeypatch.setattr(setup, "run", lambda *command, **_rest: ran.append(command))
    monkeypatch.setattr(setup, "uv_environment", dict)
    monkeypatch.setattr(setup.shutil, "which", lambda name: f"/usr/bin/{name}")
    setup.STAMP.write_text(setup.fingerprint(), encoding="utf-8")

    assert [setup.main(arguments), setup.main(arguments)] == [0, 0]
    assert len([command for command in ran if command[-1].startswith("pyspark==")]) == installs


def test_without_root_the_one_line_is_printed(setup, monkeypatch, capsys) -> None:
    monkeypatch.setattr(setup.shutil, "which", lambda name: "/usr/bin/apt-get" if name == "apt-get" else None)
    monkeypatch.setattr(setup.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(setup, "find_spec", lambda _name: None)
    monkeypatch.delenv("JAVA_HOME", raising=False)

    assert setup.main(["--tests"]) == 1
    out = capsys.readouterr().out
    assert (
        "\n    sudo apt-get install -y --no-install-recommends python3-venv chromium openjdk-17-jre-headless\n"
        in out
    )


def test_as_root_the_packages_are_installed_and_named(setup, monkeypatch, capsys) -> None:
    ran = []
    monkeypatch.setattr(setup.shutil, "which", lambda name: "/usr/bin/apt-get" if name == "apt-get" else None)
    monkeypatch.setattr(setup.os, "geteuid", lambda: 0)
    monkeypatch.setattr(
        setup.subprocess,
        "run",
        lambda command, **_rest: ran.append(command) or subprocess.CompletedProcess(command, 0, "", ""),
    )

    assert setup.install_debian(["chromium"])
    assert [command[:2] for command in ran] == [["apt-get", "update"], ["apt-get", "install"]]
    assert "installing Debian packages: chromium" in capsys.readouterr().out


def test_the_demo_needs_no_browser(setup, monkeypatch) -> None:
    monkeypatch.setattr(setup.shutil, "which", lambda _name: None)
    monkeypatch.setattr(setup, "prepare", lambda: None)

    assert setup.main([]) == 0


def test_make_lists_its_targets() -> None:
    done = subprocess.run(
        ["make"], cwd=ROOT, capture_output=True, text=True, check=True, env={**os.environ, "MAKEFLAGS": ""}
    )

    targets = {line.split()[1] for line in done.stdout.splitlines()}
    assert {
        "setup",
        "demo",
        "test",
        "chaos",
        "lint",
        "docs-check",
        "bench",
        "help",
        "test-integrations",
    } <= targets


def test_ci_calls_make_test() -> None:
    script = ROOT / ".ci" / "run"

    assert os.access(script, os.X_OK)
    assert "make test" in script.read_text(encoding="utf-8")


def fake_tools(folder: Path, integrations: int) -> dict[str, str]:
    """An environment where `make` says what it was asked for, and preparing other tools ends with this code."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/make").write_text('#!/bin/sh\necho "made $1"\n[ "$1" != "$FAILS" ]\n')
    (folder / "bin/make").chmod(0o755)
    (folder / ".venv/bin").mkdir(parents=True)
    (folder / ".venv/bin/python").write_text(f"#!/bin/sh\nexit {integrations}\n")
    (folder / ".venv/bin/python").chmod(0o755)
    (folder / ".ci").mkdir()
    (folder / ".ci/run").write_bytes((ROOT / ".ci/run").read_bytes())
    return {**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}


@pytest.mark.parametrize(
    ("integrations", "settings", "code", "last"),
    [
        (0, {}, 0, "made test-integrations"),
        (3, {}, 0, "ci: make test-integrations is left out, see above what is missing"),
        (0, {"GAMELAKE_CI_MINUTES": "0"}, 0, "make test took 0 minutes, 0 are the limit: make test-integrations is left out"),
        (1, {}, 1, "made test"),
        (0, {"FAILS": "test"}, 1, "made test"),
        (0, {"FAILS": "test-integrations"}, 1, "made test-integrations"),
    ],
)  # fmt: skip
def test_ci_leaves_out_other_tools_and_hides_no_failure(tmp_path, integrations, settings, code, last) -> None:
    environment = {**fake_tools(tmp_path, integrations), **settings}
    done = subprocess.run(
        ["bash", tmp_path / ".ci/run"], env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == code
    assert done.stdout.splitlines()[-1].endswith(last)


def test_the_setup_script_needs_only_the_standard_library() -> None:
    code = f"import sys; sys.path[:] = [p for p in sys.path if 'site-packages' not in p]; import runpy; runpy.run_path({str(ROOT / 'scripts/setup.py')!r})"

    subprocess.run([sys.executable, "-I", "-c", code], check=True)
