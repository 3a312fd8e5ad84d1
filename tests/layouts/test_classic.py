"""The older JSON layouts: what the importer makes of them, what it says, and the way back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gamelake.errors import LayoutError
from gamelake.layouts.classic.exporting import export_layout
from gamelake.layouts.classic.importing import import_layout
from gamelake.layouts.classic.reading import modern_sql
from gamelake.layouts.frontmatter import split
from gamelake.layouts.load import load_file, make_step, validated
from gamelake.model.names import DatasetName

TEMPLATE = "templates/re-standardization/toy/item_gain.sql.j2"
CLASSIC = {
    "description": "Items gained",
    "inputSources": [
        {
            "name": "main_data",
            "type": "file",
            "path": "{lake}/toy/etl/raw/{logDate}",
            "format": "parquet",
        }
    ],
    "sqlTemplate": TEMPLATE,
    "outputs": [
        {
            "type": "file",
            "path": "{lake}/toy/std/item_gain/{logDate}",
            "mode": "append",
            "deleteCondition": "report_date = '{logDate}'",
            "tableKey": ["report_date", "user_id"],
        }
    ],
}
SQL = """select report_date, user_id, count(*) as n from main_data
where report_date = '{logDate}' and game = '{{ gameId }}' group by report_date, user_id
"""


def imported(folder: Path, changes: dict | None = None, sql: str = SQL):
    """Import the layout above with some keys changed (None removes one)."""
    data = {key: value for key, value in {**CLASSIC, **(changes or {})}.items() if value is not None}
    file = folder / "layouts" / "re-standardization" / "toy" / "std" / "toy_item_gain.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(data, indent=2))
    (folder / TEMPLATE).parent.mkdir(parents=True, exist_ok=True)
    (folder / TEMPLATE).write_text(sql)
    return import_layout(file, file.name, "toy")


def step_of(made):
    return make_step(Path(f"{made.layer}/{made.name}.sql"), split(made.text, "x.sql"), made.pack)


def codes(made, kind: str = "fault") -> set[str]:
    return {finding.code for finding in made.findings if finding.kind == kind}


def test_an_older_layout_becomes_one_that_loads(tmp_path: Path) -> None:
    made = imported(tmp_path)
    step = step_of(made)

    assert made.path == "toy/silver/item_gain.sql"
    assert step.inputs == {"main_data": DatasetName.parse("toy.bronze.raw")}
    assert step.bindings == {"logDate": "report_date"}
    assert step.variables == {"logDate": "date", "gameId": "text"}
    assert step.outputs[0].grain == ("report_date", "user_id")
    assert [c.type.value for c in step.outputs[0].schema.columns] == ["date", "text", "bigint"]
    assert "report_date = {{ logDate | day }} AND game = {{ gameId | lit }}" in step.sql


@pytest.mark.parametrize(
    ("old", "new", "variables"),
    [
        ("d = '{logDate}'", "d = {{ logDate | day }}", {"logDate": "date"}),
        ("d = DATE '{{ logDate }}'", "d = {{ logDate | day }}", {"logDate": "date"}),
        ("a > {least}", "a > {{ least | lit }}", {"least": "int"}),
        ("FROM {table}", "FROM {{ table | ident }}", {"table": "ident"}),
        ('"{col}" = 1', "{{ col | ident }} = 1", {"col": "ident"}),
        ("x LIKE 'a-{g}%'", "x LIKE ('a-' || {{ g | lit }} || '%')", {"g": "text"}),
        (
            "p = '/x/{logDate}'",
            "p = ('/x/' || CAST({{ logDate | day }} AS VARCHAR))",
            {"logDate": "date"},
        ),
        ("a = '{x}' -- {y}", "a = {{ x | lit }} -- {y}", {"x": "text"}),
        ("a = {{ x | lit }}", "a = {{ x | lit }}", {}),
        ("{'a': 1}", "{'a': 1}", {}),
    ],
)
def test_pasted_text_becomes_bound_values(old, new, variables) -> None:
    made = modern_sql(old)

    assert (made.sql, made.variables) == (new, variables)


def test_every_key_keeps_its_meaning_or_the_report_says_why_not(tmp_path: Path) -> None:
    output = {
        "type": "jdbc",
        "connection": "PG",
        "table": "public.x",
        "mode": "append",
        "deleteCondition": "report_date = '{logDate}' AND server = '{server}'",
        "numPartitions": 4,
        "add_updated_at": True,
    }
    sources = [
        {"name": "history", "type": "file", "path": "{lake}/toy/cons/history/{logDate(-29,0)}"},
        {"name": "rates", "type": "file", "path": "s3://x/rates.csv", "format": "csv"},
        {"name": "users", "type": "jdbc", "connection": "PG", "query": "SELECT 1"},
        {"name": "worlds", "type": "jdbc", "connection": "PG", "table": "public.worlds"},
    ]
    changes = {"inputSources": sources, "outputs": [output], "sparkConfig": {"a": 1}, "owner": "me"}
    made = imported(tmp_path, changes)
    keys = split(made.text, "x.sql").data

    assert keys["inputSources"] == [
        {"name": "history", "dataset": "toy.gold.history", "lookback": 29},
        {"name": "rates", "type": "file", "path": "s3://x/rates.csv", "format": "csv"},
        {"name": "users", "type": "query", "connection": "PG", "query": "SELECT 1"},
        {"name": "worlds", "type": "table", "connection": "PG", "table": "public.worlds"},
    ]
    assert keys["outputs"][0]["slice"] == {"report_date": "logDate", "server": "server"}
    assert (keys["outputs"][0]["connection"], keys["outputs"][0]["table"]) == ("PG", "public.x")
    assert codes(made, "dropped") == {"numPartitions", "add_updated_at", "sparkConfig", "owner"}
    assert all(finding.ours for finding in made.findings)


def test_what_cannot_be_carried_over_is_left_to_the_author_by_name(tmp_path: Path) -> None:
    odd = {"type": "file", "path": "/x", "mode": "append", "deleteCondition": "a < 1 OR b = 2"}
    made = imported(tmp_path, {"outputs": [odd, odd]}, "select * from main_data where {{ a + 1 }} = 2")

    assert codes(made, "open") == {"several_outputs", "delete_condition", "grain", "schema", "template"}


def test_a_missing_template_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match=r"there is no file `templates/none\.sql`") as caught:
        imported(tmp_path, {"sqlTemplate": "templates/none.sql"})

    assert caught.value.at is not None
    assert caught.value.at.key == "sqlTemplate"


# The rows of the older engine's faults that concern loading: what it did, and what happens here.


@pytest.mark.parametrize("key", ["sqlFile", "transformSql", "variables"])
def test_keys_that_were_never_read_work(tmp_path: Path, key) -> None:
    """Before: `sqlFile`, `transformSql` and `variables` were ignored, and the first input copied to the output."""
    value = {"sqlFile": TEMPLATE, "transformSql": SQL, "variables": {"gameId": "toy"}}[key]
    made = imported(tmp_path, {key: value, **({} if key == "variables" else {"sqlTemplate": None})})
    step = step_of(made)

    assert "ignored_key" in codes(made)
    assert "count(*) AS n FROM main_data" in step.sql
    assert step.defaults == ({"gameId": "toy"} if key == "variables" else {})


def test_an_unknown_key_fails(tmp_path: Path) -> None:
    """Before: any key was accepted and most were ignored."""
    file = tmp_path / "gold" / "x.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"sqlTemplat": "x", "description": "x"}))

    with pytest.raises(LayoutError, match=r"unknown key `sqlTemplat`"):
        load_file(file, "toy")


def test_nothing_replaces_history_by_default(tmp_path: Path) -> None:
    """Before: `overwrite` was the default and ignored `deleteCondition`: one day replaced all history."""
    output = {key: value for key, value in CLASSIC["outputs"][0].items() if key != "mode"}
    made = imported(tmp_path, {"outputs": [output]})

    assert "overwrite" in codes(made)
    assert step_of(made).outputs[0].mode.value == "replace_slice"


def test_an_empty_result_is_decided_by_a_key(tmp_path: Path) -> None:
    """Before: an empty result skipped the delete too, so wrong rows stayed."""
    made = imported(tmp_path)

    assert "empty_result" in codes(made)
    assert step_of(made).outputs[0].on_empty.value == "fail"


def test_columns_are_bound_by_name(tmp_path: Path) -> None:
    """Before: INSERT by position: two columns that changed places changed their values."""
    jdbc = {**CLASSIC["outputs"][0], "type": "jdbc", "connection": "PG", "table": "x"}
    assert {"by_position", "shared_staging"} <= codes(imported(tmp_path, {"outputs": [jdbc]}))

    swapped = SQL.replace("report_date, user_id, count(*) as n", "count(*) as n, user_id, report_date", 1)
    assert set(step_of(imported(tmp_path, sql=swapped)).outputs[0].schema.names) == {
        "report_date",
        "user_id",
        "n",
    }


def test_an_undefined_variable_is_an_error(tmp_path: Path) -> None:
    """Before: an undefined `{var}` stayed in the SQL as text, an undefined `{{ var }}` became empty."""
    made = imported(tmp_path)
    made.text = made.text.replace("{{ logDate | day }}", "{{ logDat | day }}")

    assert "undefined_variable" in codes(made)
    with pytest.raises(LayoutError, match="undefined variable `logDat`, defined are: `gameId`, `logDate`"):
        step_of(made)


def test_enrichments_are_inputs(tmp_path: Path) -> None:
    """Before: the engine never knew the key `enrichments`, and the SQL failed on its tables."""
    extra = [{"name": "users", "type": "file", "path": "{lake}/toy/std/users"}]
    made = imported(
        tmp_path,
        {"enrichments": extra},
        SQL.replace("from main_data", "from main_data join users using (user_id)"),
    )

    assert "enrichments" in codes(made)
    assert str(step_of(made).inputs["users"]) == "toy.silver.users"


@pytest.mark.parametrize(
    "day", ["date(ds)", "occurred + interval '7' hour", "cast(x at time zone 'utc' as date)"]
)
def test_days_are_cut_by_one_macro(tmp_path: Path, day) -> None:
    """Before: each job cut days its own way: event time + 7 h, `ds`, `DATE(ds)`."""
    made = imported(tmp_path, sql=SQL.replace("report_date = '", f"{day} = '"))

    [finding] = [finding for finding in made.findings if finding.code == "day_boundary"]
    assert (finding.line, "business_day" in finding.ours) == (2, True)


def test_a_missing_rate_is_pointed_out(tmp_path: Path) -> None:
    """Before: a currency without a rate gave NULL, which SUM dropped silently."""
    sql = "select report_date, user_id, sum(a * r.rate) as n from main_data left join rates r using (c) group by 1, 2"

    assert "missing_rate" in codes(imported(tmp_path, sql=sql))


def test_scans_and_order_are_pointed_out(tmp_path: Path) -> None:
    """Before: every input was counted and then read again; layers were barriers ordered by hand."""
    assert {"counted_first", "order_by_hand"} <= codes(imported(tmp_path))


WORD = st.from_regex(r"[a-z][a-z0-9_]{0,6}", fullmatch=True)
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20)
COLUMN = st.sampled_from(
    ["text", "bigint not null", "money<USD>", "id<user> not null", "day<+07:00>", "double"]
)


@st.composite
def layouts(draw) -> tuple[dict, str]:
    columns = draw(st.dictionaries(WORD.filter(lambda w: w != "day"), COLUMN, min_size=1, max_size=4))
    sliced = draw(st.booleans())
    output: dict = {"schema": {**({"day": "date"} if sliced else {}), **columns}}
    if sliced:
        output["slice"] = {"day": draw(st.sampled_from(["day", "logDate"]))}
    if draw(st.booleans()):
        output["grain"] = [next(iter(columns))]
    data = {
        "description": draw(TEXT),
        "inputSources": [{"name": "raw", "dataset": "toy.silver.raw"}],
        "outputs": [output],
    }
    if draw(st.booleans()):
        data["variables"] = {"least": {"type": "int", "default": draw(st.integers())}, "note": "text"}
        if draw(st.booleans()):
            data["variables"]["since"] = {"type": "date", "default": draw(st.dates())}
    if draw(st.booleans()):
        data["checks"] = [{"kind": "not_null", "columns": [next(iter(columns))], "severity": "warn"}]
    note = draw(TEXT).replace("'", "''").replace("{", "").replace("\\", "")
    selected = ", ".join(f'"{name}"' for name in output["schema"])
    where = " WHERE x > {{ least | lit }}" if "variables" in data else ""
    return data, draw(st.sampled_from(["", f"SELECT {selected} FROM raw{where} -- {note}\n"]))


@given(layouts())
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_export_and_import_keep_the_model(tmp_path_factory, layout) -> None:
    data, sql = layout
    folder = tmp_path_factory.mktemp("classic")
    text = f"/* ---\n{yaml.safe_dump(data, sort_keys=False, allow_unicode=True)}--- */\n{sql}"
    front = split(text, "daily.sql")
    step = make_step(Path("gold/daily.sql"), front, "toy")
    paths = []
    for name, content in export_layout(DatasetName.parse("toy.gold.daily"), validated(front, "x"), front):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
        paths.append(folder / name)

    again = step_of(import_layout(paths[0], paths[0].name, "toy"))

    place = {"file": "", "sql_line": 1}
    assert paths[0].parent.name == "cons"
    assert replace(again, **place) == replace(step, **place)
