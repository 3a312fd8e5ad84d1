"""Spoiled logs never raise anything but a refusal, and every line stays accounted for."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gamelake.errors import InputError
from gamelake.games.wow.report import RaidReport
from gamelake.games.wow.standalone import open_logs
from games.wow.raid_logs import accounted, lines_of, refined, simulated, write
from games.wow.spoiled import pieces, spoil
from reference import combatlog

fuzz = settings(
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    max_examples=80,
)
SEEDS = st.integers(0, 2**32)


def check(path: Path, data: bytes) -> dict[str, int] | None:
    """Read a log down to silver; None when it was refused."""
    path.write_bytes(data)
    try:
        file, nights = refined(path, year=2026)
    except InputError:
        return None
    totals = accounted(nights)
    assert file.total == data.count(b"\n") == sum(totals.values())
    assert file.pending == len(data) - data.rfind(b"\n") - 1
    drawn = sum(table.num_rows for night in nights for table in night.drawn)
    phases = sum(night.phases().num_rows for night in nights)
    assert drawn - phases <= totals["event"]
    return totals


@fuzz
@given(SEEDS)
def test_a_spoiled_log_is_read_to_its_end(tmp_path, seed):
    draw = random.Random(seed)
    data = spoil(draw.choice(pieces()), draw, share=draw.choice([0.05, 0.3, 1.0]))

    totals = check(tmp_path / "log.txt", data)

    assert (
        totals is None or totals["event"] + totals["context"] + totals["ignored"] > 0 or totals["quarantined"]
    )


@settings(fuzz, max_examples=15)
@given(SEEDS)
def test_a_report_can_be_made_of_it(tmp_path, seed):
    draw = random.Random(seed)
    data = spoil(draw.choice(pieces()), draw, most=700)
    path = write(tmp_path, "log.txt", data)
    try:
        with open_logs([path], year=2026) as (connection, _):
            log = RaidReport(connection).summary()["log"]
    except InputError:
        return

    assert log["total"] == data.count(b"\n")
    assert log["total"] == log["events"] + log["context"] + log["ignored"] + log["quarantined"]


@settings(fuzz, max_examples=60)
@given(st.binary(max_size=300))
def test_bytes_at_random_are_refused_or_accounted_for(tmp_path, data):
    begin = b"1/7/2026 20:00:00.0000  SPELL_DAMAGE,"

    check(tmp_path / "log.txt", data + b"\n")
    totals = check(tmp_path / "log.txt", begin + data + b"\n")

    assert totals is not None


@settings(fuzz, max_examples=40)
@given(SEEDS)
def test_the_twin_counts_the_same_while_nothing_is_spoiled(tmp_path, seed):
    draw = random.Random(seed)
    data = spoil(draw.choice(pieces()), draw, share=0)

    totals = check(tmp_path / "log.txt", data)

    read = combatlog.read(data)
    assert totals == {
        "event": read.events,
        "context": read.context,
        "ignored": read.ignored.total(),
        "quarantined": len(read.quarantined),
    }


@pytest.mark.parametrize("name", ["SPELL_DAMAGE", "SWING_DAMAGE", "SPELL_HEAL", "SPELL_ENERGIZE"])
@pytest.mark.parametrize("change", ["lost", "gained"])
def test_a_field_lost_or_gained_is_noticed(tmp_path, name, change):
    log = lines_of(simulated(seed=9, pulls=2))
    line = next(line for line in log if f"  {name},".encode() in line and b", " not in line)
    fields = line.split(b",")
    spoiled = [
        b",".join(fields[:at] + (fields[at + 1 :] if change == "lost" else [b"7", *fields[at:]]))
        for at in range(1, len(fields))
    ]
    spoiled = [line if line.endswith(b"\r\n") else line + b"\r\n" for line in spoiled]
    _, (whole,) = refined(write(tmp_path, "whole.txt", log[0] + line))

    totals = check(tmp_path / "log.txt", b"".join([log[0], *spoiled]))
    _, (night,) = refined(tmp_path / "log.txt")

    told = {figures(row) for table in night.drawn for row in table.to_pylist()}
    assert told <= {figures(row) for table in whole.drawn for row in table.to_pylist()}
    assert totals["quarantined"] > len(fields) // 2


def figures(row) -> tuple:
    """What must not be misread. The advanced block may have a length nobody knows yet."""
    keys = (
        "source_entity_id", "source_entity_name", "target_entity_id", "target_entity_name", "ability_id",
        "damage_amount", "healing_amount", "effective", "overheal", "overkill", "absorbed", "resource_amount",
    )  # fmt: skip
    return tuple(row[key] for key in keys)


PLAIN = """
import sys
from pathlib import Path

import numpy as np
from gamelake import jit
jit.prepare()
from gamelake.games.wow.kernels import text

class Checked(np.ndarray):
    "Refuses what numpy would take from the other end."
    def __getitem__(self, at):
        assert not isinstance(at, (int, np.integer)) or at >= 0, at
        return super().__getitem__(at)
    def __setitem__(self, at, value):
        assert not isinstance(at, (int, np.integer)) or at >= 0, at
        super().__setitem__(at, value)

text.address = lambda array: array.reshape(-1).view(Checked)
from games.wow.raid_logs import accounted, refined
_, nights = refined(Path(sys.argv[1]), year=2026)
print(accounted(nights))
"""


def test_every_index_is_within_its_array(tmp_path):
    """The kernels as plain Python, where numpy checks what compiled code does not."""
    draw = random.Random(20260107)
    data = b"".join(spoil(piece, draw, most=160, share=0.4) + b"\r\n" for piece in pieces())
    path = write(tmp_path, "log.txt", data)

    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore",
            "-c",
            PLAIN,
            str(path),
        ],  # plain numpy warns where hashes wrap around
        env={
            **os.environ,
            "NUMBA_DISABLE_JIT": "1",
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path]),
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(check(path, data))
