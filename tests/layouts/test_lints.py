"""Lints that know what columns mean: each with what it stops and what it leaves alone."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest

from gamelake.errors import LayoutError
from gamelake.games.wow.pack import PACK
from gamelake.layouts.frontmatter import split
from gamelake.layouts.functions.dialects import called, known_functions, lacking
from gamelake.layouts.load import load_folder, make_step
from gamelake.layouts.semantics import examine, examine_all
from gamelake.settings import Settings

INPUTS = {
    "pays": (
        "[day, user_id, pay_no]",
        (
            "{day: day<+07:00>, user_id: id<user>, pay_no: int, usd: money<USD>, vnd: money<VND>, n: count, "
            "ds: int, at: timestamp<utc>, utc_day: day<utc>, server_id: id<server>, level: level, note: text}"
        ),
    ),
    "users": ("[user_id]", "{user_id: id<user>, country: text, usd: money<USD>, born: date}"),
    "rates": ("[month, currency]", "{month: text, currency: text, to_usd: double, day: day<+07:00>}"),
    "visits": ("[visit_id]", "{visit_id: bigint, user_id: id<user>, day: day<+07:00>}"),
    "plain": ("[]", "{user_id: text, x: bigint}"),
}


def front(name: str, inputs: list[str], rest: str, slice_text: str = "") -> str:
    listed = "".join(f"  - {{name: {view}, dataset: toy.silver.{view}}}\n" for view in inputs)
    return f"/* ---\ndescription: {name}\ninputSources:\n{listed}outputs:\n  - {slice_text}{rest}\n--- */\n"


def outputs_of_inputs() -> dict:
    """The datasets that the cases read."""
    found = {}
    for name, (grain, schema) in INPUTS.items():
        columns = ", ".join(column.split(":")[0].strip() for column in schema.strip("{}").split(","))
        sliced = "slice: [day]\n    " if name in {"pays", "visits"} else ""
        text = front(name, ["raw"], f"grain: {grain}\n    schema: {schema}", sliced)
        step = make_step(
            Path(f"silver/{name}.sql"), split(f"{text}SELECT {columns} FROM raw", f"{name}.sql"), "toy"
        )
        found[step.name] = step.outputs[0]
    return found


OUTPUTS = outputs_of_inputs()


def found(sql: str, schema: str = "{x: double}", grain: str = "[]", sliced: str = "") -> list[str]:
    """What the lints say of a query over the inputs above."""
    views = [name for name in INPUTS if name in {word.strip("(),") for word in sql.split()}]
    text = front("case", views, f"grain: {grain}\n    schema: {schema}", sliced) + sql
    step = make_step(Path("gold/case.sql"), split(text, "case.sql"), "toy")
    return [str(error) for error in examine(step, OUTPUTS)]


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT usd + vnd AS x FROM pays", "`pays.usd + pays.vnd` mixes `money<USD>` and `money<VND>`"),
        ("SELECT sum(usd) - sum(vnd) AS x FROM pays", "mixes `money<USD>` and `money<VND>`"),
        ("SELECT COALESCE(usd, vnd) AS x FROM pays", "COALESCE mixes `money<USD>` and `money<VND>`"),
        ("SELECT CASE WHEN n > 1 THEN usd ELSE vnd END AS x FROM pays", "CASE mixes"),
        ("SELECT greatest(usd, max(vnd) OVER ()) AS x FROM pays", "GREATEST mixes"),
        (
            "SELECT usd AS x FROM pays UNION ALL SELECT vnd AS y FROM pays",
            "column `x` of a UNION mixes `money<USD>` and `money<VND>`",
        ),
        ("WITH a AS (SELECT sum(vnd) AS v FROM pays) SELECT v + usd AS x FROM a, users", "mixes"),
        ("SELECT usd AS x FROM pays WHERE usd > vnd", "`pays.usd > pays.vnd` mixes"),
        ("SELECT usd AS x FROM pays WHERE usd > (SELECT max(vnd) FROM pays)", "mixes"),
        ("SELECT abs(-round(CAST(vnd AS DOUBLE), 2)) + usd AS x FROM pays", "mixes"),
        ("SELECT n AS x FROM pays WHERE day = utc_day", "mixes `day<+07:00>` and `day<utc>`"),
        ("SELECT n AS x FROM pays WHERE user_id = server_id", "mixes `id<user>` and `id<server>`"),
        ("SELECT p.n AS x FROM pays AS p JOIN users AS u ON u.user_id = p.server_id", "`id<user>`"),
    ],
)
def test_mixed_meanings_are_refused(sql, words) -> None:
    [message] = found(sql)

    assert message.startswith("gold/case.sql:")
    assert words in message
    assert "\n\nhint: " in message


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT usd + usd AS x FROM pays",
        "SELECT vnd / 25000.0 + usd AS x FROM pays",
        "SELECT vnd * rates.to_usd + usd AS x FROM pays, rates",
        "SELECT sum(usd) / sum(vnd) AS x FROM pays",
        "SELECT COALESCE(usd, 0) + 1 AS x FROM pays",
        "SELECT usd AS x, vnd AS y FROM pays",
        "SELECT CASE WHEN vnd > 0 THEN usd END AS x FROM pays",
        "SELECT sum(n) + max(level) AS x FROM pays WHERE n > level",
        "SELECT date_diff('day', day, utc_day) AS x FROM pays",
        "SELECT users.usd + pays.usd AS x FROM pays JOIN users USING (user_id)",
        "SELECT x FROM plain JOIN users ON users.user_id = plain.user_id",
        "SELECT count(DISTINCT user_id) + count(DISTINCT server_id) AS x FROM pays",
    ],
)
def test_what_fits_together_is_left_alone(sql) -> None:
    schema = "{x: double, y: double}" if " AS y" in sql else "{x: double}"

    assert found(sql, schema) == []


def test_the_declared_meaning_is_compared_with_the_computed_one() -> None:
    [message] = found("SELECT\n  sum(vnd) AS x\nFROM pays", "{x: money<USD>}")

    assert message.startswith(
        "gold/case.sql:10: `x` is declared `money<USD>`, and the SQL computes `money<VND>`"
    )
    assert found("SELECT sum(vnd) / 25000.0 AS x FROM pays", "{x: money<USD>}") == []


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        (
            "SELECT n AS x FROM pays WHERE day = 20260101",
            "compares the integer `20260101` with the date `pays.day`",
        ),
        (
            "SELECT n AS x FROM pays WHERE ds >= day",
            "compares the integer `pays.ds` with the date `pays.day`",
        ),
        ("SELECT n AS x FROM pays WHERE day BETWEEN 20260101 AND 20260131", "compares the integer"),
        ("SELECT n AS x FROM pays WHERE at IN (1, 2)", 'compares the integer `1` with the date `pays."at"`'),
        ("SELECT n AS x FROM pays JOIN users ON users.born = pays.ds", "compares the integer"),
    ],
)
def test_an_integer_is_not_compared_with_a_date(sql, words) -> None:
    messages = found(sql)

    assert len(messages) == 1
    assert words in messages[0]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT n AS x FROM pays WHERE day = DATE '2026-01-01'",
        "SELECT n AS x FROM pays WHERE ds = 20260101",
        "SELECT n AS x FROM pays WHERE day = '2026-01-01'",
        "SELECT n AS x FROM pays WHERE year(day) = 2026",
        "SELECT n AS x FROM pays WHERE CAST(strftime(day, '%Y%m%d') AS INTEGER) = ds",
        "SELECT n AS x FROM pays WHERE day - 1 = DATE '2026-01-01'",
    ],
)
def test_dates_among_dates_are_left_alone(sql) -> None:
    assert found(sql) == []


@pytest.mark.parametrize(
    ("sql", "stopped"),
    [
        ("SELECT n / ds AS x FROM pays", True),
        ("SELECT count(*) / count(DISTINCT user_id) AS x FROM pays", True),
        ("WITH a AS (SELECT sum(n) AS s FROM pays) SELECT s / 7 AS x FROM a", True),
        ("SELECT n / 2 AS x FROM pays", True),
        ("SELECT n / 2.0 AS x FROM pays", False),
        ("SELECT n * 1.0 / ds AS x FROM pays", False),
        ("SELECT CAST(n AS DOUBLE) / ds AS x FROM pays", False),
        ("SELECT n // ds AS x FROM pays", False),
        ("SELECT usd / n AS x FROM pays", False),
    ],
)
def test_integers_are_divided_only_on_purpose(sql, stopped) -> None:
    assert ["divides integers" in message for message in found(sql)] == [True] * stopped


DAILY = "{day: date, user_id: text, x: double}"


@pytest.mark.parametrize(
    ("sql", "grain", "joined"),
    [
        (
            "SELECT u.user_id, v.day, usd AS x FROM users AS u JOIN visits AS v ON v.user_id = u.user_id",
            "[user_id]",
            "v",
        ),
        (
            "SELECT u.user_id, v.day, u.usd AS x FROM users AS u LEFT JOIN pays AS v USING (user_id)",
            "[user_id]",
            "v",
        ),
        ("SELECT users.user_id, day, usd AS x FROM users, rates", "[user_id]", "rates"),
        (
            "WITH a AS (SELECT u.user_id, v.day, usd AS x FROM users AS u JOIN visits AS v ON v.user_id = u.user_id) SELECT * FROM a",
            "[user_id]",
            "v",
        ),
    ],
)
def test_a_join_that_repeats_the_grain_is_refused(sql, grain, joined) -> None:
    [message] = found(sql, DAILY, grain)

    assert f"joining `{joined}` repeats rows" in message
    assert "hint: join it also on" in message


@pytest.mark.parametrize(
    ("sql", "grain"),
    [
        # the key of what is joined is fixed by the join
        ("SELECT p.user_id, p.day, p.usd AS x FROM pays AS p JOIN users AS u USING (user_id)", "[user_id, pay_no]"),
        ("SELECT v.user_id, v.day, u.usd AS x FROM visits AS v JOIN users AS u USING (user_id)", "[visit_id]"),
        # several rows are part of the grain
        ("SELECT u.user_id, v.day, v.visit_id, usd AS x FROM users AS u JOIN visits AS v USING (user_id)", "[visit_id]"),
        # aggregated before, or after
        (
            "WITH s AS (SELECT user_id, max(day) AS day FROM visits GROUP BY user_id) SELECT user_id, s.day, usd AS x FROM users JOIN s USING (user_id)",
            "[user_id]",
        ),
        ("SELECT user_id, max(v.day) AS day, max(usd) AS x FROM users JOIN visits AS v USING (user_id) GROUP BY user_id", "[user_id]"),
        # numbered
        (
            "WITH s AS (SELECT user_id, day, row_number() OVER (PARTITION BY user_id ORDER BY day) AS age FROM visits) SELECT users.user_id, s.day, usd AS x FROM users JOIN s ON s.user_id = users.user_id AND s.age = 1",
            "[user_id]",
        ),
        # a filter may leave one row
        ("SELECT u.user_id, v.day, usd AS x FROM users AS u JOIN visits AS v ON v.user_id = u.user_id AND v.visit_id = 1", "[user_id]"),
        ("SELECT u.user_id, r.day, usd AS x FROM users AS u JOIN rates AS r ON r.month = '2026-01' AND r.currency = u.country", "[user_id]"),
        ("SELECT u.user_id, v.day, usd AS x FROM users AS u SEMI JOIN pays AS p USING (user_id) JOIN rates AS v ON v.currency = u.country WHERE v.month LIKE '2026%'", "[user_id]"),
        # nothing is known of what is joined
        ("SELECT u.user_id, born AS day, x FROM users AS u JOIN plain ON plain.user_id = u.user_id", "[user_id]"),
        # no grain, no promise
        ("SELECT u.user_id, v.day, usd AS x FROM users AS u JOIN visits AS v USING (user_id)", "[]"),
    ],
)  # fmt: skip
def test_a_join_that_keeps_the_grain_is_left_alone(sql, grain) -> None:
    schema = DAILY
    for extra, kind in (("visit_id", "bigint"), ("pay_no", "int")):
        if extra in grain:
            schema = schema.replace("}", f", {extra}: {kind}}}")
            sql = sql if f"{extra}," in sql else sql.replace(" AS x FROM", f" AS x, {extra} FROM")

    assert found(sql, schema, grain) == []


def test_a_slice_column_is_constant_for_what_is_read_by_slice() -> None:
    sql = "SELECT v.day, v.user_id, v.visit_id, p.usd AS x FROM visits AS v JOIN pays AS p ON p.user_id = v.user_id AND p.pay_no = 1"
    schema = "{day: date, user_id: text, visit_id: bigint, x: double}"

    assert found(sql, schema, "[visit_id]", "slice: [day]\n    ") == []


@pytest.mark.parametrize(
    ("sql", "engine", "words"),
    [
        ("SELECT date_parse('x') AS x FROM plain", "duckdb", "DuckDB has no function `date_parse`"),
        ("SELECT\n median(x) AS x FROM plain", "postgres", "Postgres has no function `median`"),
        ("SELECT max_by(x, user_id) AS x FROM plain", "postgres", "Postgres has no function `max_by`"),
        ("SELECT list_sum([x]) AS x FROM plain", "postgres", "Postgres has no function `list_sum`"),
        ("SELECT quantile_cont(x, 0.5) AS x FROM plain", "trino", "Trino has no function `quantile_cont`"),
        (
            "SELECT time_bucket(INTERVAL 1 DAY, x) AS x FROM plain",
            "spark",
            "Spark has no function `time_bucket`",
        ),
    ],
)
def test_a_function_that_an_engine_lacks_is_refused(sql, engine, words) -> None:
    assert [problem.text for problem in lacking(sql, engine)] == [words]


@pytest.mark.parametrize(
    "sql",
    [
        "WITH a(x) AS (SELECT count(*) FROM t), b (y) AS (SELECT 1) SELECT max_by(x, y), coalesce(x, if(y, 1, 2)) FROM a, b",
        "SELECT u.x, row_number() OVER (PARTITION BY x), sum(x) FILTER (WHERE x IN (1)), CAST(x AS DECIMAL(10, 2)) FROM unnest([1]) AS u(x)",
        "SELECT extract(day FROM d), d::VARCHAR(10), EXISTS (SELECT 1), nullif(x, 1), list_transform(y, lambda z: z) FROM t u(x, y)",
        "SELECT left(x, 3), date_trunc('month', d), x LIKE 'a(b)', trim(x), substring(x, 1, 2), position('a' IN x) FROM t",
    ],
)  # fmt: skip
def test_functions_that_duckdb_has_are_known(sql) -> None:
    assert lacking(sql) == []


def test_the_list_of_functions_is_that_of_the_installed_engine() -> None:
    rows = duckdb.connect().execute("SELECT DISTINCT function_name FROM duckdb_functions()").fetchall()

    assert known_functions() == {name for (name,) in rows if re.fullmatch(r"[A-Za-z_]\w*", name)}


def test_names_are_taken_as_they_were_written() -> None:
    assert [name for name, _ in called("SELECT approx_distinct(x),\n ARG_MAX(a, b) FROM t")] == [
        "approx_distinct",
        "arg_max",
    ]


def test_the_shipped_layouts_are_clean_and_remembered(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "gamelake.toml").write_text('packs = ["wow"]\n')
    steps = load_folder(PACK.layouts, "wow")
    members = [*steps, *PACK.steps(Settings.load(tmp_path))]
    outputs = {str(output.dataset): output for member in members for output in member.outputs}

    assert examine_all(steps, outputs, tmp_path) == []
    monkeypatch.setattr("gamelake.layouts.semantics.examine", None)
    assert examine_all(steps, outputs, tmp_path) == []


def test_a_project_with_a_mixed_meaning_does_not_open(tmp_path: Path) -> None:
    from sample_project import create, open_sample

    create(tmp_path)
    file = tmp_path / "layouts" / "gold" / "daily.sql"
    file.write_text(
        file.read_text().replace("count(*) AS games", "CAST(sum(score) / count(*) AS BIGINT) AS games")
    )

    with pytest.raises(LayoutError) as caught:
        open_sample(tmp_path)

    assert "daily.sql:13: `SUM(clean.score) / COUNT(*)` divides integers" in str(caught.value)
