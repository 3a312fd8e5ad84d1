"""Raid pages over logs of the simulator, read the way `raid report LOG` reads them."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import date
from threading import Lock

from gamelake.games.wow.pack import PACK
from gamelake.games.wow.report import RaidReport
from gamelake.games.wow.simulate.simulator import WowSimulator
from gamelake.games.wow.standalone import open_logs
from gamelake.games.wow.web import report_of
from gamelake.web.app import create_app


def write_logs(folder, *, nights=3, pulls=4, seed=7, scale=0.6):
    """Logs of a few nights; returns their paths."""
    simulator = WowSimulator(seed=seed, nights=nights, pulls=pulls, scale=scale, first_day=date(2026, 1, 7))
    simulator.write(folder)
    return sorted(folder.glob("*.txt"))


@contextmanager
def raid_app(project, logs, *, pseudonyms=False, zone="Europe/Berlin"):
    """The app with raid pages over the logs; the project holds everything else."""
    with open_logs(logs, zone=zone) as (connection, *_):
        lock = Lock()

        def report():
            with lock:
                cursor = connection.cursor()
            try:
                yield RaidReport(cursor, pseudonyms=pseudonyms)
            finally:
                cursor.close()

        app = create_app(project, packs=[PACK])
        app.dependency_overrides[report_of] = report
        yield app
