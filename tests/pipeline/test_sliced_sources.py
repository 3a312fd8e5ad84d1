"""Inputs of other systems that are read by slices: the same promises for Postgres, Trino and Iceberg."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import DateType, LongType, NestedField
from trino_protocol import TrinoDouble

from gamelake.clock import FixedClock
from gamelake.errors import LayoutError
from gamelake.jobs.local import run_now
from gamelake.layouts.load import load_file
from gamelake.model.slices import Slice
from gamelake.pipeline.execute import RunRequest
from gamelake.pipeline.plan import plan
from gamelake.pipeline.project import Project
from gamelake.settings import Settings
from postgres_server import USER
from sample_project import create, members

if TYPE_CHECKING:
    from pathlib import Path

DAYS = ("2026-03-01", "2026-03-02", "2026-03-03")
SOURCE = "source.bronze.game_l2m_logins_by_ds"
LOGINS = """/* ---
description: Logins of each day
inputSources:
  - name: logins
    type: table
    connection: game
    table: l2m.logins
    slice: {ds: logDate}
    schema: {ds: date, user_id: bigint}
outputs:
  - slice: {report_date: logDate}
    grain: [user_id]
    on_empty: clear
    schema: {report_date: date, user_id: bigint, logins: bigint}
--- */
SELECT ds AS report_date, user_id, count(*) AS logins FROM logins GROUP BY ds, user_id
"""


@dataclass
class Game:
    """A table `l2m.logins` somewhere; `statements` are those that read rows of it."""

    toml: str
    execute: Any
    statements: Any = None

    def add(self, day: str, *users: int) -> None:
        self.execute("add", day, users)

    def remove(self, day: str) -> None:
        self.execute("remove", day, ())


@pytest.fixture(scope="module")
def double():
    with TrinoDouble(page_rows=50).serving() as server:
        yield server


def trino(double) -> Game:
    double.clear()
    double.tables.execute("CREATE SCHEMA l2m; CREATE TABLE l2m.logins (ds date, user_id bigint)")

    def execute(what, day, users):
        if what == "remove":
            double.tables.execute("DELETE FROM l2m.logins WHERE ds = ?", [day])
        for user in users:
            double.tables.execute("INSERT INTO l2m.logins VALUES (?, ?)", [day, user])

    toml = (
        'kind = "trino"\nhost = "localhost"\nuser = "etl"\ncatalog = "hive"\nhttp_scheme = "http"\n'
        f"port = {double.port}\n"
    )
    return Game(toml, execute, lambda: [s.sql for s in double.reads()])


def postgres(server) -> Game:
    database = f"db_{uuid4().hex}"
    server.execute(f"CREATE DATABASE {database}")
    server.execute("CREATE SCHEMA l2m", database=database)
    server.execute("CREATE TABLE l2m.logins (ds date, user_id bigint)", database=database)

    def execute(what, day, users):
        if what == "remove":
            server.execute("DELETE FROM l2m.logins WHERE ds = %s", day, database=database)
        for user in users:
            server.execute("INSERT INTO l2m.logins VALUES (%s, %s)", day, user, database=database)

    return Game(
        f'kind = "postgres"\nhost = "{server.folder}"\ndatabase = "{database}"\nuser = "{USER}"\n', execute
    )


def iceberg(folder) -> Game:
    folder.mkdir()
    catalog = SqlCatalog("theirs", uri=f"sqlite:///{folder}/catalog.db", warehouse=str(folder))
    catalog.create_namespace("l2m")
    schema = Schema(NestedField(1, "ds", DateType()), NestedField(2, "user_id", LongType()))
    by_day = PartitionSpec(PartitionField(1, 1000, IdentityTransform(), "ds"))
    table = catalog.create_table("l2m.logins", schema, partition_spec=by_day)

    def execute(what, day, users):
        if what == "remove":
            table.delete(f"ds = '{day}'")
        else:
            rows = {"ds": [date.fromisoformat(day)] * len(users), "user_id": users}
            table.append(pa.table(rows, schema=pa.schema({"ds": pa.date32(), "user_id": pa.int64()})))

    return Game(
        f'kind = "iceberg"\ncatalog = "sql"\ncatalog_name = "theirs"\nuri = "sqlite:///{folder}/catalog.db"\n',
        execute,
    )


@pytest.fixture(params=["trino", "postgres", "iceberg"])
def game(request, tmp_path) -> Game:
    if request.param == "trino":
        made = trino(request.getfixturevalue("double"))
    elif request.param == "postgres":
        made = postgres(request.getfixturevalue("postgres_server"))
    else:
        made = iceberg(tmp_path / "theirs")
    for day in DAYS:
        made.add(day, 1, 2, 2)
    return made


@pytest.fixture
def of_trino(double) -> Game:
    made = trino(double)
    for day in DAYS:
        made.add(day, 1, 2, 2)
    return made


def project_of(game: Game, folder: Path, text: str = LOGINS) -> Path:
    root = create(folder / "toy")
    for file in (root / "layouts" / "gold").iterdir():
        file.unlink()
    (root / "gamelake.toml").write_text(f"packs = []\n[profiles.dev.connections.game]\n{game.toml}")
    (root / "layouts" / "gold" / "logins.sql").write_text(text)
    return root


def opened(root: Path, now: str = "2026-03-04T10:00:00") -> Project:
    clock = FixedClock(datetime.fromisoformat(now).replace(tzinfo=UTC))
    return Project.open(Settings.load(root), members(root), clock=clock)


def built(result) -> dict[str, list[str]]:
    assert result.error is None, result.error
    return {step.step: [str(part) for part in step.built] for step in result.steps if step.built}


def query(project, text):
    with project.connect() as connection:
        return connection.execute(text).fetchall()


def test_each_slice_is_read_published_and_goes_stale_by_itself(game, tmp_path):
    with opened(project_of(game, tmp_path)) as project:
        first = built(run_now(project, RunRequest()))
        assert first == {
            SOURCE: [f"ds={day}" for day in DAYS],
            "toy.gold.logins": [f"report_date={day}" for day in DAYS],
        }
        assert built(run_now(project, RunRequest())) == {}

        game.add(DAYS[1], 2)  # a row that was there before, once more
        assert built(run_now(project, RunRequest())) == {
            SOURCE: [f"ds={DAYS[1]}"],
            "toy.gold.logins": [f"report_date={DAYS[1]}"],
        }
        counted = "SELECT report_date::text, logins FROM toy.gold.logins WHERE user_id = 2 ORDER BY ALL"
        assert query(project, counted) == [(DAYS[0], 2), (DAYS[1], 3), (DAYS[2], 2)]

        game.remove(DAYS[1])
        game.add(DAYS[1], 2, 2, 1, 2)  # the same rows in another order
        assert "toy.gold.logins" not in built(run_now(project, RunRequest()))

        game.remove(DAYS[0])
        game.add("2026-03-04", 7)
        assert built(run_now(project, RunRequest()))["toy.gold.logins"] == [
            f"report_date={DAYS[0]}",
            "report_date=2026-03-04",
        ]
        assert query(project, "SELECT DISTINCT report_date::text FROM toy.gold.logins ORDER BY ALL") == [
            (DAYS[1],),
            (DAYS[2],),
            ("2026-03-04",),
        ]


def test_a_request_for_one_day_reads_only_that_day(game, tmp_path):
    with opened(project_of(game, tmp_path)) as project:
        result = built(run_now(project, RunRequest(variables={"logDate": DAYS[1]})))

        assert result == {SOURCE: [f"ds={DAYS[1]}"], "toy.gold.logins": [f"report_date={DAYS[1]}"]}
    if game.statements:
        (read,) = game.statements()
        assert read.endswith('FROM "l2m"."logins"\nWHERE ("ds" = DATE \'2026-03-02\')')


def test_a_batch_of_slices_is_one_scan(of_trino, tmp_path):
    with opened(project_of(of_trino, tmp_path)) as project:
        run_now(project, RunRequest())

    (read,) = of_trino.statements()
    assert read.count("DATE '2026-") == 3


def test_the_window_of_a_layout_is_read_with_its_day(of_trino, tmp_path):
    text = LOGINS.replace("slice: {ds: logDate}", "slice: {ds: logDate}\n    lookback: 1").replace(
        "SELECT ds AS report_date, user_id, count(*) AS logins FROM logins GROUP BY ds, user_id",
        "SELECT {{ logDate | day }} AS report_date, user_id, count(*) AS logins FROM logins GROUP BY user_id",
    )
    with opened(project_of(of_trino, tmp_path, text)) as project:
        result = built(run_now(project, RunRequest(variables={"logDate": DAYS[1]})))

        assert result[SOURCE] == [f"ds={DAYS[0]}", f"ds={DAYS[1]}"]
        asked = f"SELECT logins FROM toy.gold.logins WHERE user_id = 2 AND report_date = '{DAYS[1]}'"
        assert query(project, asked) == [(4,)]


def test_a_version_for_each_slice_says_which_to_read(of_trino, tmp_path):
    text = LOGINS.replace(
        "    slice:",
        "    refresh: version\n    version: SELECT ds, count(*), max(user_id) FROM l2m.logins GROUP BY ds\n    slice:",
    )
    with opened(project_of(of_trino, tmp_path, text)) as project:
        run_now(project, RunRequest())
        assert plan(project).work == ()
        of_trino.add(DAYS[2], 9)
        (work,) = plan(project).work
        assert (str(work.slice), work.reason) == (f"ds={DAYS[2]}", "it changed there")
        assert built(run_now(project, RunRequest()))[SOURCE] == [f"ds={DAYS[2]}"]

    assert sum("CAST" in sql for sql in of_trino.statements()) == 2


def test_a_version_without_the_slice_columns_is_told(of_trino, tmp_path):
    text = LOGINS.replace("    slice:", "    refresh: version\n    version: SELECT 1\n    slice:")
    with (
        opened(project_of(of_trino, tmp_path, text)) as project,
        pytest.raises(LayoutError, match=r"the query `version` gives 1 columns, expected `ds` and then"),
    ):
        plan(project)


def test_parts_of_a_slice_are_its_whole(of_trino, tmp_path):
    of_trino.add(DAYS[0], *range(100))
    text = LOGINS.replace("    slice:", "    split: {column: user_id, parts: 3}\n    slice:")
    with opened(project_of(of_trino, tmp_path, text)) as project:
        run_now(project, RunRequest(variables={"logDate": DAYS[0]}))

        assert query(project, f"SELECT count(*) FROM {SOURCE}") == [(103,)]
    assert len(of_trino.statements()) == 3
    assert all("(\"ds\" = DATE '2026-03-01') AND (" in sql for sql in of_trino.statements())


QUERY = (
    LOGINS.replace(
        "    type: table\n    connection: game\n    table: l2m.logins\n    slice: {ds: logDate}\n    schema: {ds: date, user_id: bigint}",
        "    type: query\n    connection: game\n    query: SELECT user_id FROM l2m.logins WHERE ds = {{ logDate | day }}\n    schema: {user_id: bigint}",
    )
    .replace("SELECT ds AS report_date", "SELECT report_date")
    .replace("GROUP BY ds,", "GROUP BY report_date,")
)


def pushed(project) -> str:
    (name,) = [name for name in project.graph.outputs if name.startswith("source.")]
    return name


@pytest.mark.parametrize("kind", ["trino", "postgres"])
def test_a_query_of_a_variable_reads_the_slices_asked_for(kind, tmp_path, double, request):
    game = trino(double) if kind == "trino" else postgres(request.getfixturevalue("postgres_server"))
    for day in DAYS:
        game.add(day, 1, 2, 2)
    with opened(project_of(game, tmp_path, QUERY)) as project:
        name = pushed(project)
        usual = built(run_now(project, RunRequest()))  # the day before the clock's
        assert usual == {name: [f"report_date={DAYS[2]}"], "toy.gold.logins": [f"report_date={DAYS[2]}"]}

        asked = built(run_now(project, RunRequest(days=(DAYS[0], DAYS[1]))))
        assert asked[name] == [f"report_date={day}" for day in DAYS[:2]]
        assert query(
            project, f"SELECT report_date::text, count(*) FROM {name} GROUP BY ALL ORDER BY ALL"
        ) == [(day, 3) for day in DAYS]

        game.add(DAYS[0], 5)
        again = built(run_now(project, RunRequest(variables={"logDate": DAYS[0]})))
        assert again == {name: [f"report_date={DAYS[0]}"], "toy.gold.logins": [f"report_date={DAYS[0]}"]}

        late = run_now(project, RunRequest(slices=(Slice.of(report_date="2026-04-01"),)))
        assert "`not empty` found 0, expected at least 1" in str(late.error)
    if kind == "trino":
        assert "WHERE ds = CAST('2026-03-03' AS DATE)" in game.statements()[0] or (
            "WHERE ds = DATE '2026-03-03'" in game.statements()[0]
        )


def test_a_variable_without_a_default_waits_to_be_given(of_trino, tmp_path):
    text = (
        QUERY.replace("slice: {report_date: logDate}", "slice: {report_date: logDate, level: lvl}")
        .replace("ds = {{ logDate | day }}", "ds = {{ logDate | day }} AND user_id = {{ lvl | lit }}")
        .replace("schema: {report_date: date,", "schema: {report_date: date, level: int,")
        .replace("SELECT report_date,", "SELECT report_date, level,")
        .replace("GROUP BY report_date,", "GROUP BY report_date, level,")
    )
    with opened(project_of(of_trino, tmp_path, text)) as project:
        assert plan(project).work == ()
        asked = built(run_now(project, RunRequest(variables={"logDate": DAYS[0], "lvl": "2"})))

        assert asked["toy.gold.logins"] == [f"report_date={DAYS[0]}/level=2"]
        assert query(project, "SELECT level, user_id, logins FROM toy.gold.logins") == [(2, 2, 2)]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("logDate | day", "logDte | day", "undefined variable `logDte`, defined are: `logDate`"),
        ("logDate | day", "logDate", "pasted without a filter"),
        ("{ds: logDate}", "{dss: logDate}", "`dss` is not a column of the input's schema"),
        ("{ds: logDate}", "{ds: day}", "the variable `day` chooses no slice of the output"),
    ],
)
def test_mistakes_in_what_is_pushed_down_are_told_at_load(of_trino, tmp_path, old, new, words):
    text = QUERY if "day" in old else LOGINS
    root = project_of(of_trino, tmp_path, text.replace(old, new))

    with pytest.raises(LayoutError) as caught:
        load_file(root / "layouts" / "gold" / "logins.sql", "toy")

    assert words in str(caught.value)
    assert of_trino.statements() == []
