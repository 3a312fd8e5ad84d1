"""Imports that could get into each other's way, and times that state no offset."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest

from gamelake.errors import ConflictError
from gamelake.games.wow import bronze
from gamelake.games.wow.reader import LogFile, zone_offsets
from games.wow.raid_logs import lines_of, raid_project, simulated, write


def test_one_import_of_a_log_waits_for_another(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(bronze, "_PATIENCE", 0.2)
    log = write(tmp_path, "log.txt", simulated(scale=0.1, pulls=1, players=8))
    name = f"log:{bronze._log_of(log)}"
    with raid_project(tmp_path / "guild") as raids:
        with raids.project.ledger.lease(name, "somebody else", ttl=30, wait=0), pytest.raises(ConflictError):
            raids.add(log)

        raids.add(log)

        assert raids.rows("SELECT count(*) FROM wow.bronze.combatlog") == [(len(lines_of(log.read_bytes())),)]


def test_the_files_own_time_decides_nothing_but_the_year(tmp_path) -> None:
    data = simulated(dialect="v20", scale=0.1, pulls=1, players=8)
    path = write(tmp_path, "log.txt", data)
    times = []
    for month in (2, 7):
        moment = datetime(2026, month, 20, tzinfo=UTC).timestamp()
        os.utime(path, (moment, moment))
        batches = LogFile(path, zone="Europe/Berlin", year=2026).batches()
        times.append([int(time) for batch in batches for time in batch.times])

    assert times[0] == times[1]


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("3/29/2026 01:59:59", "2026-03-29T00:59:59"),
        ("3/29/2026 03:00:00", "2026-03-29T01:00:00"),
        ("10/25/2026 02:30:00", "2026-10-25T00:30:00"),  # comes twice: the first of the two
        ("10/25/2026 03:00:00", "2026-10-25T02:00:00"),
        ("7/1/2027 12:00:00", "2027-07-01T10:00:00"),
    ],
)
def test_a_zone_knows_its_summers(local, utc) -> None:
    starts, minutes = zone_offsets("Europe/Berlin", 2026)
    naive = round(datetime.strptime(local, "%m/%d/%Y %H:%M:%S").replace(tzinfo=UTC).timestamp() * 1000)

    offset = int(minutes[starts <= naive][-1])

    shown = datetime.fromtimestamp(naive / 1000 - offset * 60, UTC).replace(tzinfo=None).isoformat()
    assert shown == utc
