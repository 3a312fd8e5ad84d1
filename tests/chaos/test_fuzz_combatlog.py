"""Spoiled logs for minutes on end: simulated ones, and the real ones where they are."""

import gzip
import os
import random
import time
from collections import Counter

import pytest

from gamelake.errors import InputError
from gamelake.games.wow.report import RaidReport
from gamelake.games.wow.standalone import open_logs
from games.wow.raid_logs import accounted, refined
from games.wow.spoiled import pieces, spoil

SECONDS = float(os.environ.get("GAMELAKE_CHAOS_SECONDS", "300"))
SEED = int(os.environ.get("GAMELAKE_CHAOS_SEED", "20260216"))


def fuzz_for(seconds, logs, folder):
    """Reads spoiled stretches of the logs until time is up; returns what was counted."""
    counts = Counter()
    deadline = time.monotonic() + seconds
    path = folder / "log.txt"
    while time.monotonic() < deadline:
        seed = SEED + counts["logs"]
        draw = random.Random(seed)
        data = spoil(
            draw.choice(logs), draw, most=draw.choice([60, 400, 4000]), share=draw.choice([0.01, 0.2, 1])
        )
        path.write_bytes(data)
        counts["logs"] += 1
        try:
            file, nights = refined(path, year=2026)
            totals = accounted(nights)
            if counts["logs"] % 20 == 0:
                with open_logs([path], year=2026) as (connection, _):
                    report = RaidReport(connection).summary()
                counts["reports"] += 1
                assert report["log"]["total"] == file.total
        except InputError:
            counts["refused"] += 1
            continue
        except BaseException:
            print(f"seed {seed}, log in {path}")  # noqa: T201 - what one needs to see it again
            raise
        assert file.total == data.count(b"\n") == sum(totals.values()), f"seed {seed}"
        counts.update(totals)
    return counts


@pytest.mark.chaos
def test_simulated_logs(tmp_path, capsys):
    counts = fuzz_for(SECONDS / 2, pieces(), tmp_path)

    with capsys.disabled():
        print(f"\n{dict(counts)}")  # noqa: T201
    assert counts["logs"] > counts["refused"]


@pytest.mark.chaos
@pytest.mark.real
def test_real_logs(tmp_path, real_logs, capsys):
    logs = [gzip.decompress(path.read_bytes()) for path in sorted(real_logs.glob("*.log.gz"))]

    counts = fuzz_for(SECONDS / 2, logs, tmp_path)

    with capsys.disabled():
        print(f"\n{dict(counts)}")  # noqa: T201
    assert counts["logs"] > counts["refused"]
