"""The fast reader against its slow twin, figure for figure."""

from __future__ import annotations

import gzip

import pytest

from gamelake.games.wow.report import RaidReport
from gamelake.games.wow.standalone import open_logs
from games.wow.raid_logs import simulated, write
from reference import combatlog

REAL = [
    "enc-3132-pull-1-forgeweaver-araz.log.gz",
    "enc-3133-pull-1-fractillus.log.gz",
    *(f"enc-3135-pull-{pull}-dimensius-the-all-devouring.log.gz" for pull in (1, 2, 3)),
    "torghast-20210103-full.log.gz",
    "tbc-arena-multiple-matches.log.gz",
]


def summary(path, **options):
    with open_logs([path], **options) as (connection, _):
        return RaidReport(connection).summary()


def compare(found, told):
    """Every figure the twin tells is the one found; players in any order."""
    assert found["log"] == told["log"]
    assert len(found["encounters"]) == len(told["encounters"])
    for mine, other in zip(found["encounters"], told["encounters"], strict=True):
        assert {player["guid"]: player for player in mine["players"]} == {
            player["guid"]: player for player in other["players"]
        }
        assert {key: mine[key] for key in other if key != "players"} == {
            key: value for key, value in other.items() if key != "players"
        }


class TestSimulated:
    @pytest.mark.parametrize("dialect", ["v22", "v20", "v17", "v9"])
    @pytest.mark.parametrize("seed", [3, 11])
    def test_seasons_of_every_dialect(self, tmp_path, seed, dialect):
        data = simulated(seed=seed, nights=1, pulls=4, scale=0.3, dialect=dialect)

        found = summary(write(tmp_path, "log.txt", data), year=2026)

        compare(found, combatlog.read(data, year=2026).report())

    @pytest.mark.parametrize("seed", range(20, 26))
    def test_many_seeds(self, tmp_path, seed):
        data = simulated(seed=seed, nights=1, pulls=2, scale=0.2, players=20)

        found = summary(write(tmp_path, "log.txt", data))

        compare(found, combatlog.read(data).report())
        assert found["encounters"]


@pytest.mark.real
@pytest.mark.parametrize("name", REAL)
def test_real_logs(real_logs, name):
    data = gzip.decompress((real_logs / name).read_bytes())

    found = summary(real_logs / name, year=2026)

    compare(found, combatlog.read(data, year=2026).report())
