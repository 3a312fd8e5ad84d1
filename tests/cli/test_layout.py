"""`gamelake layout`: check, format, schema, import, export."""

from __future__ import annotations

import json
import re

import pytest

LAYOUT = """/* ---
outputs:
  - slice: [day]
    grain: [player]
    schema: {day: date, player: text, share: double}
inputSources:
  - {name: ladder, dataset: toy.gold.ladder}
description: Share of the games
--- */
select day, player, days / days as share from ladder;
"""


@pytest.fixture
def project(gamelake):
    gamelake.ok("init", "p", "--pack", "toy")
    gamelake.folder /= "p"
    (gamelake.folder / "layouts" / "ours" / "gold").mkdir(parents=True)
    return gamelake


def write(project, text: str = LAYOUT, name: str = "share.sql"):
    file = project.folder / "layouts" / "ours" / "gold" / name
    file.write_text(text)
    return file


def test_check_tells_every_mistake_of_the_project(project) -> None:
    write(project, LAYOUT.replace("grain: [player]", "grain: [playr]"))
    write(project, LAYOUT.replace("toy.gold.ladder", "ladder"), "other.sql")

    done = project("layout", "check")
    told = json.loads(project("layout", "check", "--json").out)

    assert done.code == 2
    assert (
        "layouts/ours/gold/other.sql:7 (inputSources[0].dataset): `ladder` is not a dataset name" in done.err
    )
    assert "layouts/ours/gold/share.sql:4 (outputs[0].grain): `playr` is not a column" in done.err
    assert [(error["line"], error["key"]) for error in told["errors"]] == [
        (7, "inputSources[0].dataset"),
        (4, "outputs[0].grain"),
    ]
    assert (told["files"], told["ok"]) == (4, False)


def test_check_of_a_file_knows_the_project_around_it(project) -> None:
    write(project, LAYOUT.replace("days / days", "days / 2.0"))
    clean = project("layout", "check", "layouts/ours/gold/share.sql")
    write(project)
    done = project("layout", "check", "layouts/ours/gold/share.sql", "--json")

    problems = [error["problem"] for error in json.loads(done.out)["errors"]]
    assert (clean.code, done.code) == (0, 2)
    assert any("divides integers" in problem for problem in problems)
    assert project("layout", "check", "nowhere.sql").code == 2


def test_check_knows_other_engines(project) -> None:
    write(
        project,
        LAYOUT.replace("days / days", "median(days)").replace("ladder;", "ladder group by day, player"),
    )

    assert project("layout", "check").code == 0
    done = project("layout", "check", "--engine", "postgres")
    assert "Postgres has no function `median`" in done.err


def test_format_changes_text_and_check_says_so(project) -> None:
    file = write(project)
    assert project("layout", "format", "--check").code == 1
    assert file.read_text() == LAYOUT

    told = json.loads(project.ok("layout", "format", "--json"))

    assert told == {"files": 1, "changed": ["layouts/ours/gold/share.sql"]}
    assert file.read_text().startswith("/* ---\ndescription: Share of the games\ninputSources:")
    assert file.read_text().endswith("SELECT day, player, days / days AS share FROM ladder\n")
    assert project("layout", "format", "--check").code == 0


def test_the_schema_names_every_key(gamelake) -> None:
    from gamelake.layouts.document import known_keys

    made = json.loads(gamelake.ok("layout", "schema"))

    assert set(made["properties"]) == set(known_keys(()))
    pattern = made["$defs"]["ColumnDocument"]["anyOf"][0]["pattern"]
    for good in (
        "bigint",
        "bigint not null",
        "money<USD> not null",
        "day<+07:00>",
        "day<Asia/Tokyo>",
        "level",
    ):
        assert re.search(pattern, good), good
    for bad in ("bigit", "money", "money<US>", "bigint null"):
        assert not re.search(pattern, bad), bad
    assert "meaning" not in made["$defs"]["ColumnDocument"]["anyOf"][1]["properties"]


def test_export_and_import_come_back_to_the_same_layouts(project) -> None:
    write(project)
    project.ok("layout", "format")
    told = json.loads(project.ok("layout", "export", "--classic", "old", "--json"))
    assert "layouts/re-standardization/ours/cons/ours_share.json" in told["files"]
    assert "templates/re-standardization/ours/cons_share.sql.j2" in told["files"]

    file = "old/layouts/re-standardization/ours/cons/ours_share.json"
    blocked = project("layout", "import", file, "--pack", "ours")
    made = json.loads(project.ok("layout", "import", file, "--pack", "ours", "--out", "new", "--json"))

    assert blocked.code == 2
    assert "is there already" in blocked.err
    assert made["layouts"][0]["layout"] == "ours/gold/share.sql"
    one = (project.folder / "new/ours/gold/share.sql").read_text()
    assert one.partition("--- */")[2] == write(project).read_text().partition("--- */")[2].replace(
        "select", "SELECT"
    ).replace(" as ", " AS ").replace("from", "FROM").replace(";", "")


def test_import_reports_what_was_wrong(project) -> None:
    file = project.folder / "old.json"
    file.write_text(json.dumps({"inputSources": [], "enrichments": [{"name": "a"}], "outputs": [{}]}))

    done = project("layout", "import", "old.json", "--pack", "ours")

    assert done.code == 0
    assert "fault: enrichments" in done.out
    assert "open: schema" in done.out
    assert "1 layout written to" in done.err
