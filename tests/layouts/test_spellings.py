"""SQL with front matter, YAML and JSON are one language."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gamelake.errors import LayoutError
from gamelake.layouts.json_lines import read_json
from gamelake.layouts.load import load_file, load_folder

KEYS = {
    "description": "Score of each player and day",
    "inputSources": [{"name": "clean", "dataset": "toy.silver.clean"}],
    "variables": {"least": {"type": "int", "default": 3}, "since": {"type": "date", "default": "yesterday"}},
    "outputs": [
        {
            "slice": {"day": "logDate"},
            "grain": ["player"],
            "schema": {"day": "date", "player": "id<player> not null", "score": "bigint not null"},
        }
    ],
    "checks": [{"kind": "range", "column": "score", "min": 0}],
}
SQL = (
    "SELECT day, player, CAST(sum(score) AS BIGINT) AS score\nFROM clean\n"
    "WHERE day = {{ logDate | day }} AND score > {{ least | lit }} GROUP BY day, player\n"
)


def spelled(folder: Path, kind: str) -> Path:
    """The layout above in one of its spellings."""
    layer = folder / kind / "gold"
    layer.mkdir(parents=True)
    if kind == "sql":
        text = f"/* ---\n{yaml.safe_dump(KEYS, sort_keys=False)}--- */\n{SQL}"
    elif kind == "yaml":
        block = "".join(f"  {line}\n" for line in SQL.splitlines())
        text = yaml.safe_dump(KEYS, sort_keys=False) + f"transformSql: |\n{block}"
    elif kind == "json":
        text = json.dumps({**KEYS, "transformSql": SQL}, indent="\t")
    else:
        (layer / "daily.sql").write_text(SQL)
        text = json.dumps({**KEYS, "sqlFile": "daily.sql"})
    ending = "json" if kind == "beside" else kind
    file = layer / f"daily.{ending}"
    file.write_text(text)
    return file


@pytest.mark.parametrize("kind", ["yaml", "json", "beside"])
def test_every_spelling_gives_the_same_step(tmp_path: Path, kind: str) -> None:
    plain = {"file": "", "sql_file": "", "sql_line": 1, "sql_on_one_line": False}

    one, other = load_file(spelled(tmp_path, "sql"), "toy"), load_file(spelled(tmp_path, kind), "toy")

    assert replace(one, **plain) == replace(other, **plain)
    assert one.defaults == {"least": "3", "since": "yesterday"}
    assert str(one.outputs[0].schema["player"].meaning) == "id<player>"


def test_the_sql_beside_a_layout_is_no_layout_of_its_own(tmp_path: Path) -> None:
    file = spelled(tmp_path, "beside")

    assert [step.name for step in load_folder(file.parent.parent, "toy")] == ["toy.gold.daily"]


def test_a_mistake_is_told_where_it_stands(tmp_path: Path) -> None:
    for kind in ("yaml", "json", "beside"):
        file = spelled(tmp_path, kind)
        place = file.with_suffix(".sql") if kind == "beside" else file
        place.write_text(place.read_text().replace("FROM clean", "FROM cleen"))

        with pytest.raises(LayoutError) as caught:
            load_file(file, "toy")

        at = caught.value.at
        lines = place.read_text().splitlines()
        assert at is not None
        assert "cleen" in lines[(at.line or 0) - 1], kind


def test_one_input_without_sql_is_passed_through(tmp_path: Path) -> None:
    file = tmp_path / "silver" / "copied.yaml"
    file.parent.mkdir()
    file.write_text(
        "description: x\ninputSources: [{name: raw, dataset: toy.bronze.raw}]\n"
        "outputs: [{slice: [day], schema: {day: date, score: bigint}}]\n"
    )

    assert load_file(file, "toy").sql == 'SELECT "day", "score" FROM "raw"'


@pytest.mark.parametrize(
    ("folder", "key", "dataset"),
    [
        ("gold", "cons", "toy.gold.x"),
        ("cons", None, "toy.gold.x"),
        ("std", "silver", "toy.silver.x"),
        ("jobs", "etl", "toy.bronze.x"),
    ],
)
def test_the_layer_comes_from_the_folder_or_from_its_key(tmp_path: Path, folder, key, dataset) -> None:
    file = tmp_path / folder / "x.yaml"
    file.parent.mkdir()
    layer = f"layer: {key}\n" if key else ""
    file.write_text(
        f"description: x\n{layer}inputSources: [{{name: raw, dataset: toy.bronze.raw}}]\n"
        "outputs: [{schema: {score: bigint}}]\n"
    )

    assert load_file(file, "toy").name == dataset


def test_a_remembered_step_is_read_again_when_its_sql_file_changes(tmp_path: Path) -> None:
    file = spelled(tmp_path, "beside")
    folder, cache = file.parent.parent, tmp_path / "cache"
    [before] = load_folder(folder, "toy", cache=cache)
    [again] = load_folder(folder, "toy", cache=cache)
    file.with_suffix(".sql").write_text(SQL.replace(">", ">="))

    [after] = load_folder(folder, "toy", cache=cache)

    assert before == again
    assert ">=" in after.sql


def test_a_damaged_or_tampered_cache_is_read_past(tmp_path: Path) -> None:
    import pickle

    folder, cache = spelled(tmp_path, "sql").parent.parent, tmp_path / "cache"
    [before] = load_folder(folder, "toy", cache=cache)
    [file] = (cache / "layouts").iterdir()
    for raw in (b"", b"\x80\x05garbage", pickle.dumps({"x": Path("y")}), b"cos\nsystem\n(S'exit 1'\ntR."):
        file.write_bytes(raw)

        assert load_folder(folder, "toy", cache=cache) == [before]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=5), JSON, min_size=1, max_size=4), st.sampled_from([None, 1, "\t"]))
def test_every_key_of_any_json_has_its_line(value, indent) -> None:
    text = json.dumps(value, indent=indent)
    lines = text.splitlines() if indent else [text]

    data, found = read_json(text, "x.json")

    assert data == value
    for path, line in found.items():
        if path and isinstance(path[-1], str):
            assert json.dumps(path[-1]) + ":" in lines[line - 1]
