"""One style of error, one border: what, where, what to do; exit codes 0, 1, 2; never a traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("arguments", "problem", "hint"),
    [
        (["stauts"], "no command `stauts`", "did you mean `status`?"),
        (["nonsense"], "no command `nonsense`", "`gamelake --help` lists the commands"),
        (["--nonsense"], "No such option: --nonsense", "`gamelake --help` shows what it takes"),
        (["run", "--from", "2026-01-01"], "a span of days needs `--to`", "write both, `--from 2026-01-01 --to 2026-01-31`"),
        (["run", "--forc"], "No such option: --forc (Possible options: --force, --from, --source)", "`gamelake run --help` shows what it takes"),
        (["init"], "Missing argument 'DIR'", "`gamelake init --help` shows what it takes"),
        (["init", "x", "--pack", "to"], "no pack `to` is installed, there are: l2m, toy, wow", "did you mean `toy`?"),
        (["init", "x", "--pack", "toy", "--zone", "Mars/North"], "unknown time zone `Mars/North`", "write a name such as Europe/Berlin"),
        (["init", "x", "--pack", "toy", "--name", 'a"b'], '`a"b` holds a quote, a backslash or a control character', "choose another --name"),
        (["toy"], None, None),
    ],
)  # fmt: skip
def test_a_callers_mistake_says_what_to_do(gamelake, arguments, problem, hint) -> None:
    done = gamelake(*arguments)

    if problem is None:  # a group without a command shows its help
        assert done.code in {0, 2}
        assert "Usage: gamelake toy" in done.out + done.err
        return
    assert (done.code, done.out) == (2, "")
    assert done.err == f"error: {problem}\n\nhint: {hint}\n"
    assert not (gamelake.folder / "x").exists()


def test_outside_a_project(gamelake) -> None:
    done = gamelake("status")

    assert done.code == 2
    assert done.err.startswith("error: no `gamelake.toml` in ")
    assert done.err.endswith("hint: `gamelake init DIR --pack wow` makes a project\n")


def test_a_project_is_not_made_twice(gamelake) -> None:
    gamelake.ok("init", "x", "--pack", "toy")

    done = gamelake("init", "x", "--pack", "toy")

    assert (done.code, done.err) == (
        2,
        "error: x is a project already\n\nhint: `gamelake status -C x` shows it\n",
    )


def test_every_mistake_of_the_settings_file_is_told_at_once(gamelake) -> None:
    gamelake.ok("init", "x", "--pack", "toy")
    file = gamelake.folder / "x" / "gamelake.toml"
    file.write_text('name = "x"\npacks = ["toy"]\nzoen = "UTC"\nkeep_versions = 0\n', encoding="utf-8")

    done = gamelake("status", "-C", "x")

    assert done.code == 2
    assert "gamelake.toml:3 (zoen)" in done.err
    assert "gamelake.toml:4 (keep_versions)" in done.err
    assert "Traceback" not in done.err


def test_a_mistake_of_ours_is_one_line_and_a_traceback_on_request(gamelake_process) -> None:
    done = gamelake_process("toy", "crash")

    assert done.code == 1
    assert done.err == (
        "error: ZeroDivisionError: made on purpose\n\nhint: this is our mistake; `--debug` shows where it happened\n"
    )

    assert "Traceback" in gamelake_process("toy", "crash", "--debug").err


def test_a_closed_pipe_is_no_error(toy) -> None:
    command = f"{sys.executable} -m gamelake.cli query 'SELECT * FROM range(500000)' --format csv | head -n 2"

    done = subprocess.run(
        ["bash", "-c", command],
        cwd=toy.folder,
        env=toy.environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout, done.stderr) == ("range\n0\n", "")


def test_ctrl_c_ends_with_130(toy, tmp_path) -> None:
    fifo = tmp_path / "question.sql"
    os.mkfifo(fifo)
    process = subprocess.Popen(
        [sys.executable, "-m", "gamelake.cli", "query", "--file", fifo],
        cwd=toy.folder,
        env=toy.environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    with fifo.open(
        "w", encoding="utf-8"
    ):  # opens when the command has opened its end: now it waits for our words
        os.kill(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=20)

    assert (process.returncode, err) == (130, "")
