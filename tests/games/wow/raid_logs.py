"""Simulated logs, ways to spoil them, and small projects that import them."""

from __future__ import annotations

import re
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from gamelake.games.wow.bronze import import_logs
from gamelake.games.wow.events import NightTables, day_of
from gamelake.games.wow.night import LogPart, Night
from gamelake.games.wow.reader import LogFile
from gamelake.games.wow.simulate import WowSimulator
from gamelake.games.wow.standalone import open_logs
from gamelake.jobs.local import run_now
from gamelake.packs import open_project
from gamelake.pipeline.execute import RunRequest

GOLD = (
    "bridge_player_raid",
    "dim_player",
    "dim_raid",
    "fact_deaths",
    "fact_player_raid_stats",
    "fact_raid_summary",
)
_STAMP = re.compile(rb"(\d+/\d+/\d{4} \d\d:\d\d:\d\d\.\d{3})(\S*)  ")
_PLAYER = re.compile(rb'(Player-[^,]+),("[^"]*"),0x5(11|12|14)')


@cache
def simulated(
    *,
    seed: int = 7,
    nights: int = 1,
    pulls: int = 3,
    scale: float = 0.15,
    dialect: str = "v22",
    players: int = 12,
) -> bytes:
    """All nights of a small season, one behind the other."""
    pieces: list[bytes] = []
    simulator = WowSimulator(
        seed=seed, nights=nights, pulls=pulls, scale=scale, dialect=dialect, players=players
    )
    for plan in simulator.plans():
        simulator.play(plan, pieces.append, "log")
    return b"".join(pieces)


def lines_of(data: bytes) -> list[bytes]:
    """Lines with their terminators."""
    return data.splitlines(keepends=True)


def subevent(line: bytes) -> bytes:
    return line.split(b"  ", 1)[1].split(b",")[0].strip()


def places(data: bytes, name: bytes) -> list[int]:
    """Indices of the lines of that subevent."""
    return [at for at, line in enumerate(lines_of(data)) if subevent(line) == name]


def moment(line: bytes) -> datetime:
    """The line's own wall clock, as if it were UTC."""
    found = _STAMP.match(line)
    return datetime.strptime(found[1].decode(), "%m/%d/%Y %H:%M:%S.%f").replace(tzinfo=UTC)


def shifted(data: bytes, by: timedelta) -> bytes:
    """The same log, everything that much later."""

    def move(line: bytes) -> bytes:
        later = moment(line) + by
        stamp = f"{later.month}/{later.day}/{later.year} {later:%H:%M:%S}.{later.microsecond // 1000:03d}"
        found = _STAMP.match(line)
        return stamp.encode() + found[2] + b"  " + line[found.end() :]

    return b"".join(map(move, lines_of(data)))


def second_recorder(data: bytes, *, late: timedelta = timedelta(milliseconds=40), lose: int = 9) -> bytes:
    """The same evening as another player's client wrote it: a little later, and every `lose`-th event is missing."""
    counts: dict[bytes, int] = {}
    for guid, _, flags in _PLAYER.findall(data):
        if flags != b"11":
            counts[guid] = counts.get(guid, 0) + 1
    other = max(counts, key=lambda guid: (counts[guid], guid))

    def mine(found: re.Match[bytes]) -> bytes:
        flags = b"0x511" if found[1] == other else b"0x514"
        return b",".join((found[1], found[2], flags))

    kept = [
        line
        for at, line in enumerate(lines_of(shifted(data, late)))
        if at % lose or not subevent(line).startswith((b"SPELL_", b"SWING_", b"RANGE_"))
    ]
    return _PLAYER.sub(mine, b"".join(kept))


class RaidProject:
    """An open project of the wow pack."""

    def __init__(self, project):
        self.project = project

    def take(self, *paths: Path, **options):
        """Import only; returns what became of the files."""
        return import_logs(self.project, paths, **options)

    def add(self, *paths: Path, **options):
        """Import and refine; returns what became of the files."""
        done = self.take(*paths, **options)
        self.refine()
        return done

    def refine(self):
        result = run_now(self.project, RunRequest(("wow",)))
        assert result.state.value == "succeeded", result.error
        return result

    def rows(self, sql: str) -> list[tuple]:
        with self.project.connect() as connection:
            return rows_of(connection, sql)

    def gold(self) -> dict[str, list[tuple]]:
        with self.project.connect() as connection:
            return gold_of(connection)


@contextmanager
def raid_project(folder: Path, *, zone: str = "UTC"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gamelake.toml").write_text(f'name = "raids"\npacks = ["wow"]\nzone = "{zone}"\n')
    with open_project(folder) as project:
        yield RaidProject(project)


def gold_of(connection) -> dict[str, list[tuple]]:
    """Every row of every gold table, sorted."""
    return {table: sorted(rows_of(connection, f"SELECT * FROM wow.gold.{table}"), key=repr) for table in GOLD}


def rows_of(connection, sql: str) -> list[tuple]:
    """Rows of a query, by way of Arrow, which knows time zones without a further library."""
    return [tuple(row.values()) for row in connection.sql(sql).to_arrow_table().to_pylist()]


def gold_of_logs(*paths: Path, **options) -> dict[str, list[tuple]]:
    """What `raid report` makes of the files together."""
    with open_logs(paths, **options) as (connection, _):
        return gold_of(connection)


def write(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def refined(path: Path, **options) -> tuple[LogFile, list[NightTables]]:
    """The file and the silver of each of its nights, events already drawn."""
    file = LogFile(path, **options)
    days = sorted({int(day) for batch in file.batches() for day in batch.days})
    tables = []
    for day in days:

        def lines(day: int = day):
            for batch in file.batches():
                yield from (rows for label, rows in batch.runs(batch.days) if label == day)

        night = NightTables(Night([LogPart("log", "0", lines)]), day=day_of(day), team="")
        night.drawn = list(night.events())
        tables.append(night)
    return file, tables


def accounted(tables: list[NightTables]) -> dict[str, int]:
    """Lines per category over all nights, once every small table could be built."""
    totals = dict.fromkeys(("event", "context", "ignored", "quarantined"), 0)
    for night in tables:
        small = {output.dataset.name: table for output, table in night.small_tables()}
        for row in small["line_accounting"].to_pylist():
            totals[row["category"]] += row["lines"]
        assert small["quarantined_lines"].num_rows == sum(
            row["lines"] for row in small["line_accounting"].to_pylist() if row["category"] == "quarantined"
        )
    return totals
