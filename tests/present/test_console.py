"""The terminal: results on stdout, talk on stderr, one error style."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from io import StringIO

import pytest

from gamelake.errors import LayoutError, Place
from gamelake.present import console, formats


def test_a_table_goes_to_stdout_and_keeps_brackets(capsys):
    columns = (
        console.Col("dataset"),
        console.Col("rows", formats.number, right=True),
        console.Col("state", console.state),
    )

    console.print_table(columns, [("toy.gold.ranks[a]", 1_234_567, "failed")], title="Datasets")

    out, err = capsys.readouterr()
    assert "toy.gold.ranks[a]" in out
    assert "1.23 M" in out
    assert "✗ failed" in out
    assert not err


def test_json_is_one_object_on_stdout(capsys):
    console.print_json({"at": datetime(2026, 1, 1, tzinfo=UTC), "names": {"b", "a"}, "text": "Ö"})

    out, err = capsys.readouterr()
    assert json.loads(out) == {"at": "2026-01-01T00:00:00+00:00", "names": ["a", "b"], "text": "Ö"}
    assert not err


def test_errors_say_what_where_and_what_to_do(capsys):
    second = LayoutError("unknown key `grian`", Place("layouts/a.sql", 3), "did you mean `grain`?")
    first = LayoutError("unknown type `int46` [a]", Place("layouts/a.sql", 14, "columns[3].type"))

    console.print_error(LayoutError.all_of([first, second]))

    out, err = capsys.readouterr()
    assert not out
    assert "error: layouts/a.sql:14 (columns[3].type): unknown type `int46` [a]" in err
    assert "error: layouts/a.sql:3: unknown key `grian`\n\nhint: did you mean `grain`?" in err
    assert "Traceback" not in err


def test_an_unexpected_error_shows_no_traceback_without_debug(capsys):
    console.print_error(ValueError("boo"))

    err = capsys.readouterr().err
    assert "error: ValueError: boo" in err
    assert "--debug" in err
    assert "Traceback" not in err


def test_progress_is_silent_when_nobody_watches(capsys):
    with console.progress("Reading", unit="bytes") as meter:
        meter(5, 10, "half")

    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("width", "shown"), [(60, "name size when"), (26, "name when"), (14, "name")])
def test_a_narrow_terminal_shows_no_spare_columns(monkeypatch, width: int, shown: str):
    screen = console.data()
    screen.file, screen.width, screen._force_terminal = StringIO(), width, True
    monkeypatch.setattr(console, "data", lambda: screen)
    columns = [
        console.Col("name"),
        console.Col("size", right=True, spare=True),
        console.Col("when", spare=True),
    ]

    console.print_table(columns, [("damage dealt", 12_345, "3 days ago")])

    head, row = screen.file.getvalue().splitlines()
    assert head.split() == shown.split()
    assert "…" not in row
