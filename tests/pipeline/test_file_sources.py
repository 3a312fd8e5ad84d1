"""Folders of files as inputs of layouts: slices told by folders, read where they are, rebuilt when they change."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gamelake.errors import LayoutError
from gamelake.jobs.local import run_now
from gamelake.model.slices import Slice
from gamelake.packs import open_project
from gamelake.pipeline import step_run
from gamelake.pipeline.execute import RunRequest
from gamelake.pipeline.plan import plan
from gamelake.pipeline.rollback import rollback

DAILY = """/* ---
description: Players active on a day, whenever their rows arrived
inputSources:
  - name: logins
    type: file
    connection: game
    path: logins/ds={logDate}
    schema: {ds: date, logtime: timestamp not null, player: text not null, level: int}
    lookahead: 2
outputs:
  - slice: {active_date: logDate}
    grain: [player]
    on_empty: clear
    schema: {active_date: date, player: text, level: int}
--- */
SELECT {{ logDate | day }} AS active_date, player, max(level) AS level
FROM logins WHERE {{ business_day('logtime', '+07:00') }} = {{ logDate | day }} GROUP BY player
"""
WEEK = """/* ---
description: Active days of the last three days, beside the profile of today
inputSources:
  - {name: daily, dataset: ours.silver.daily, slice: {active_date: logDate}, lookback: 2}
  - {name: profile, type: file, connection: game, path: profile, schema: {player: text not null, country: text}}
outputs:
  - slice: {report_date: logDate}
    grain: [player]
    schema: {report_date: date, player: text, days: bigint not null, country: text}
--- */
SELECT {{ logDate | day }} AS report_date, player, count(*) AS days, max(country) AS country
FROM daily LEFT JOIN profile USING (player) GROUP BY player
"""
TOTAL = """/* ---
description: Rows by the day they arrived on
inputSources:
  - {name: logins, type: file, connection: game, path: "logins/ds={ds}", schema: {ds: date, player: text not null}}
outputs:
  - grain: [ds]
    allow_shrink: 0
    schema: {ds: date, logins: bigint not null}
--- */
SELECT ds, count(*) AS logins FROM logins GROUP BY ds
"""
SOURCE = "source.bronze.game_logins"


def login(day: str, player: str, level: int, *, hour: int = 12) -> dict[str, object]:
    """A row of a business day in UTC+7."""
    at = datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(hours=hour - 7)
    return {"logtime": at, "player": player, "level": level}


def logins(data: Path, ds: str, rows: list[dict[str, object]], name: str = "a.parquet") -> Path:
    """One file of one arrival day; levels wider than declared, the day not repeated as a column."""
    file = data / "logins" / f"ds={ds}" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    columns = {
        "player": pa.array([row["player"] for row in rows], pa.string()),
        "level": pa.array([row["level"] for row in rows], pa.int64()),
        "logtime": pa.array([row["logtime"] for row in rows], pa.timestamp("us", "UTC")),
    }
    pq.write_table(pa.table(columns), file)
    return file


def write(root: Path, name: str, text: str) -> None:
    file = root / "layouts" / "ours" / f"{name}.sql"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three days of logins, and who the players are."""
    folder = tmp_path / "data"
    for day in (1, 2, 3):
        ds = f"2026-01-0{day}"
        logins(folder, ds, [login(ds, "ann", day), login(ds, f"p{day}", 1)])
    (folder / "profile").mkdir()
    pq.write_table(pa.table({"player": ["ann"], "country": ["VN"]}), folder / "profile" / "all.parquet")
    return folder


@pytest.fixture
def root(tmp_path: Path, data: Path) -> Path:
    folder = tmp_path / "ours"
    folder.mkdir()
    (folder / "gamelake.toml").write_text(
        'packs = []\n[profiles.dev.connections.game]\nkind = "file"\nroot = "../data"\n'
    )
    write(folder, "silver/daily", DAILY)
    write(folder, "gold/week", WEEK)
    write(folder, "gold/total", TOTAL)
    return folder


def ask(project, sql: str) -> list[tuple[object, ...]]:
    with project.connect() as connection:
        return connection.execute(sql).fetchall()


def built(result) -> dict[str, list[str]]:
    assert result.error is None, result.error
    return {step.step: [str(part) for part in step.built] for step in result.steps if step.built}


def test_days_are_told_by_folders_and_rows_by_their_own_time(root, data):
    logins(data, "2026-01-02", [login("2026-01-01", "late", 9)], "late.parquet")
    logins(data, "2026-01-04", [login("2026-01-01", "too late", 9), login("2026-01-02", "p2", 7)])
    with open_project(root) as project:
        result = built(run_now(project, RunRequest()))

        assert result[SOURCE] == [f"ds=2026-01-0{day}" for day in (1, 2, 3, 4)]
        assert ask(project, "SELECT active_date::text, player, level FROM ours.silver.daily ORDER BY ALL") == [
            ("2026-01-01", "ann", 1), ("2026-01-01", "late", 9), ("2026-01-01", "p1", 1),
            ("2026-01-02", "ann", 2), ("2026-01-02", "p2", 7),
            ("2026-01-03", "ann", 3), ("2026-01-03", "p3", 1),
        ]  # fmt: skip
        assert ask(
            project, "SELECT * FROM ours.gold.week WHERE player = 'ann' AND report_date = '2026-01-03'"
        ) == [(datetime(2026, 1, 3, tzinfo=UTC).date(), "ann", 3, "VN")]
        assert ask(project, f"SELECT count(*), min(ds)::text FROM {SOURCE}") == [(9, "2026-01-01")]
        assert ask(project, "SELECT sum(logins) FROM ours.gold.total") == [(9,)]
        assert plan(project).work == ()
        assert not (root / ".gamelake" / "lake" / "source").exists()  # nothing was copied


def test_a_later_arrival_reopens_the_days_it_may_hold_rows_of_and_stops_where_nothing_changed(root, data):
    with open_project(root) as project:
        run_now(project, RunRequest())
        logins(data, "2026-01-04", [login("2026-01-02", "late", 5)])
        states = {(i.step, str(i.slice)): i.state.value for i in plan(project).items}
        result = built(run_now(project, RunRequest()))

        assert states[SOURCE, "ds=2026-01-04"] == "missing"
        assert states["ours.silver.daily", "active_date=2026-01-01"] == "fresh"
        assert states["ours.silver.daily", "active_date=2026-01-02"] == "depends"
        assert result["ours.silver.daily"] == [f"active_date=2026-01-0{day}" for day in (2, 3, 4)]
        # the third day came out as it was, and is read by week 3 to 5; the second one is not
        assert result["ours.gold.week"] == [f"report_date=2026-01-0{day}" for day in (2, 3, 4)]
        assert ask(project, "SELECT count(*) FROM ours.silver.daily WHERE player = 'late'") == [(1,)]
        assert plan(project).work == ()


def test_what_is_touched_is_looked_at_and_what_is_the_same_stays(root, data):
    with open_project(root) as project:
        run_now(project, RunRequest())
        file = data / "logins" / "ds=2026-01-02" / "a.parquet"
        os.utime(file, ns=(1, 1))
        file.rename(file.with_name("renamed.parquet"))
        assert [(str(i.slice), i.reason) for i in plan(project).work] == [
            ("ds=2026-01-02", "its files changed")
        ]
        result = built(run_now(project, RunRequest()))

        assert result == {SOURCE: ["ds=2026-01-02"]}
        assert plan(project).work == ()
        assert len(ask(project, "FROM ours.silver.daily")) == 6


def test_a_day_that_vanishes_becomes_empty_and_files_of_others_are_never_removed(root, data):
    with open_project(root) as project:
        run_now(project, RunRequest())
        shutil.rmtree(data / "logins" / "ds=2026-01-02")
        (item,) = plan(project).work
        assert (str(item.slice), item.reason) == ("ds=2026-01-02", "its files are gone")
        run_now(project, RunRequest())

        assert ask(project, f"SELECT DISTINCT ds::text FROM {SOURCE} ORDER BY 1") == [
            ("2026-01-01",),
            ("2026-01-03",),
        ]
        assert ask(project, "SELECT count(*) FROM ours.silver.daily") == [(4,)]
        assert plan(project).work == ()
        assert len(list(data.rglob("*.parquet"))) == 3


def test_only_the_days_that_are_needed_are_looked_at(root, data):
    for day in range(4, 9):
        logins(data, f"2026-01-0{day}", [login(f"2026-01-0{day}", "ann", day)])
    with open_project(root) as project:
        wanted = RunRequest(("ours.silver.daily",), variables={"logDate": "2026-01-03"}).bound(project)
        one = built(run_now(project, wanted))
        some = built(run_now(project, RunRequest(("ours.silver.daily",), days=("2026-01-06", "2026-01-07"))))

        assert one == {
            SOURCE: [f"ds=2026-01-0{d}" for d in (3, 4, 5)],
            "ours.silver.daily": ["active_date=2026-01-03"],
        }
        assert some["ours.silver.daily"] == ["active_date=2026-01-06", "active_date=2026-01-07"]
        assert some[SOURCE] == [f"ds=2026-01-0{d}" for d in (6, 7, 8)]


def test_a_file_that_changes_while_it_is_read_is_told_and_the_next_run_mends_it(root, data, monkeypatch):
    genuine, file = step_run.show_inputs, data / "logins" / "ds=2026-01-03" / "a.parquet"

    def meddle(project, session, step, index, part):
        genuine(project, session, step, index, part)
        if step.name == "ours.silver.daily" and part == Slice.of(active_date="2026-01-03"):
            pq.write_table(
                pa.table({"player": ["zed"], "level": [1], "logtime": [datetime(2026, 1, 3, tzinfo=UTC)]}),
                file,
            )

    with open_project(root) as project:
        with monkeypatch.context() as patched:
            patched.setattr(step_run, "show_inputs", meddle)
            result = run_now(project, RunRequest(("ours.silver.daily",)))
        assert result.error is not None
        assert result.error.problem == "files changed while they were read"
        assert result.error.at.file == str(file.parent)
        failed = next(s for s in result.steps if s.step == "ours.silver.daily")
        assert [str(f.slice) for f in failed.failed] == [f"active_date=2026-01-0{d}" for d in (1, 2, 3)]

        assert len(built(run_now(project, RunRequest()))["ours.silver.daily"]) == 3
        assert ask(project, "SELECT player FROM ours.silver.daily WHERE active_date = '2026-01-03'") == [
            ("zed",)
        ]


def test_nothing_there_is_an_error_with_a_hint_or_no_rows(root, data):
    shutil.rmtree(data / "profile")
    with open_project(root) as project:
        with pytest.raises(
            Exception, match=r"`profile` is not there: the input `source.bronze.game_profile`"
        ) as caught:
            plan(project)
        assert "`on_missing: empty`" in caught.value.hint
        result = run_now(project, RunRequest())
        assert result.exit_code == 1
        assert "is not there" in result.error.problem

    write(root, "gold/week", WEEK.replace("path: profile,", "path: profile, on_missing: empty,"))
    with open_project(root) as project:
        assert "ours.gold.week" in built(run_now(project, RunRequest()))
        assert ask(project, "SELECT count(*), count(country) FROM ours.gold.week") == [(9, 0)]


def test_texts_are_parsed_once_into_the_lake(root, data):
    folder = data / "scores"
    folder.mkdir()
    (folder / "day=2026-01-01.csv").write_text(
        'name,points,when\n"a, ""b""",1.50,2026-01-01T00:30:00Z\nc,,\n'
    )
    with gzip.open(folder / "day=2026-01-02.csv.gz", "wt") as file:
        file.write("points,name,when\n7,d,2026-01-02 01:00:00+07\n")
    (data / "shop").mkdir()
    rows = [{"item": "x", "price": 12345678901.25, "tags": [1]}, {"item": "y"}]
    (data / "shop" / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    write(
        root,
        "gold/scores",
        """/* ---
description: Points of each day
inputSources:
  - name: scores
    type: file
    connection: game
    path: "scores/day={day}.csv"
    format: csv
    schema: {day: date, name: text, points: double, when: timestamp}
outputs:
  - slice: [day]
    schema: {day: date, name: text, points: double, when: timestamp}
--- */
""",
    )
    write(
        root,
        "gold/shop",
        """/* ---
description: Prices
inputSources:
  - {name: shop, type: file, connection: game, path: shop, format: json, schema: {item: text, price: double, tags: text}}
outputs:
  - grain: [item]
    schema: {item: text, price: double, tags: text}
--- */
""",
    )
    with open_project(root) as project:
        run_now(project, RunRequest(("ours.gold.scores", "ours.gold.shop")))
        os.utime(folder / "day=2026-01-01.csv", ns=(1, 1))
        again = built(run_now(project, RunRequest(("ours.gold.scores", "ours.gold.shop"))))

        assert ask(
            project, 'SELECT day::text, name, points, epoch("when") FROM ours.gold.scores ORDER BY ALL'
        ) == [
            ("2026-01-01", 'a, "b"', 1.5, 1767227400.0),
            ("2026-01-01", "c", None, None),
        ]
        assert ask(project, "FROM ours.gold.shop ORDER BY item") == [
            ("x", 12345678901.25, "[1]"),
            ("y", None, None),
        ]
        assert [*again] == [
            next(name for name in project.graph.outputs if "scores" in name and "source" in name)
        ]
        (folder / "day=2026-01-01.csv").write_text("name,points,when\nc,many,\n")
        assert "a value does not fit" in run_now(project, RunRequest(("ours.gold.scores",))).error.problem


def test_mistakes_of_files_and_layouts_are_told_where_they_are(root, data):
    write(
        root,
        "silver/daily",
        DAILY.replace("path: logins/ds={logDate}", "path: logins/{day}/*").replace(
            "    lookahead: 2\n", "    slice: {arrived: logDat}\n    split: {column: ds, parts: 2}\n"
        ),
    )
    with pytest.raises(LayoutError) as caught, open_project(root):
        pass
    told = str(caught.value)
    assert "`split` does not belong to an input of type `file`" in told
    assert "no wildcards" in told
    assert "`{day}` is neither a column of the input's schema nor paired with one" in told
    assert "the variable `logDat` chooses no slice of the output" in told
    assert "did you mean `logDate`?" in told

    write(root, "silver/daily", DAILY.replace("level: int}\n    look", "rank: int}\n    look"))
    with open_project(root) as project:
        error = run_now(project, RunRequest((SOURCE,))).error
        assert error.problem.startswith("the file has no column `rank`, it has: player, level, logtime")
        assert error.at.file.endswith("a.parquet")
    write(root, "silver/daily", DAILY)
    (data / "logins" / "ds=2026-01-03" / "a.parquet").write_bytes(b"PAR1 torn")
    with open_project(root) as project:
        result = run_now(project, RunRequest((SOURCE,)))
        assert result.error.problem.startswith("not a whole Parquet file")
        (step,) = result.steps
        assert [str(part) for part in step.built] == ["ds=2026-01-01", "ds=2026-01-02"]
        with pytest.raises(Exception, match="have no earlier versions"):
            rollback(project, SOURCE, Slice.of(ds="2026-01-01"))
    (data / "logins" / "ds=soon").mkdir()
    with (
        open_project(root) as project,
        pytest.raises(Exception, match="`soon` is no value of the slice column `ds`"),
    ):
        plan(project)


def test_files_of_others_give_the_same_rows_on_spark(root, data, spark_options):
    logins(data, "2026-01-02", [login("2026-01-01", "late", 9)], "late.parquet")
    file = logins(data, "2026-01-04", [login("2026-01-02", "p2", 7)])
    table = pq.read_table(file)  # the folder's day counts, and a narrower number is widened
    pq.write_table(
        table.set_column(1, "level", table["level"].cast(pa.int16())).append_column("ds", [["x"]]), file
    )
    with open_project(root) as project:
        run_now(project, RunRequest())
        expected = (
            ask(project, "FROM ours.silver.daily ORDER BY ALL"),
            ask(project, "FROM ours.gold.total ORDER BY ALL"),
        )
        result = run_now(
            project, RunRequest(("ours.silver.daily", "ours.gold.total"), force=True, engine="spark")
        )

        assert len(built(result)["ours.silver.daily"]) == 4
        assert expected == (
            ask(project, "FROM ours.silver.daily ORDER BY ALL"),
            ask(project, "FROM ours.gold.total ORDER BY ALL"),
        )
