"""Texts of any form: read alike by both engines, or refused where only one of them reads them."""

from __future__ import annotations

import random
import re

import pytest
from both_engines import same

from gamelake.errors import LayoutError
from gamelake.layouts import spark_casts
from gamelake.model.schema import Column, ColumnType, Schema

TEXTS = Schema((Column("id", ColumnType.BIGINT), Column("t", ColumnType.TEXT)))
FORMS = {
    ColumnType.INT: (spark_casts._WHOLE, spark_casts._DOUBTFUL_WHOLE, "0123456789+-.eE x"),
    ColumnType.BIGINT: (spark_casts._WHOLE, spark_casts._DOUBTFUL_WHOLE, "0123456789+-.eE_"),
    ColumnType.DOUBLE: (spark_casts._NUMBER, spark_casts._DOUBTFUL_NUMBER, "0123456789+-.eEfdn "),
    ColumnType.DATE: (spark_casts._DATE, spark_casts._DOUBTFUL_DATE, "012-"),
    ColumnType.TIMESTAMP: (spark_casts._TIME, spark_casts._DOUBTFUL_DATE, "012-: TZ+."),
    ColumnType.BOOL: (spark_casts._BOOL, spark_casts._DOUBTFUL_BOOL, "truefalsynoTF10"),
}
NEAR = {
    ColumnType.DATE: ["2026-02-29", "2026-2-3", "2026-13-01", "0001-01-01", "2024-02-29", "today", "2026", "1999-1-1", "2000-12-31"],
    ColumnType.TIMESTAMP: ["2026-02-16 10:00:00", "2026-02-16T10:00:00Z", "2026-02-16 10:00:00.123456+02:00", "2026-02-16",
                           "2026-02-30 10:00:00", "2026-02-16 10:61:00"],
    ColumnType.INT: ["2147483647", "2147483648", "2.5", "-2.5", ".5", "-.5", "1e3", "5.", "+7", "007", "-0", "true"],
    ColumnType.BIGINT: ["9223372036854775807", "9223372036854775808", "-9223372036854775808", "1.5e1", "0.499999999"],
    ColumnType.DOUBLE: ["1e400", "-1e-400", "0.1", "1e15", "123456789.123456789", "-0.0", "4.9e-324"],
    ColumnType.BOOL: ["true", "T", "yes", "N", "1", "0", "2", "no", "tru"],
}  # fmt: skip


def texts(kind: ColumnType) -> list[str]:
    """Texts near the form and random ones, without those that only one engine reads."""
    form, doubtful, letters = FORMS[kind]
    draws = random.Random(7)
    made = ["".join(draws.choices(letters, k=draws.randint(1, 7))) for _ in range(300)]
    kept = [text for text in made if not re.search(_python(doubtful), text) or re.search(form, text)]
    return [*NEAR[kind], *kept]


def _python(pattern: str) -> str:
    """Java takes an option from where it stands, Python only at the start."""
    return "|".join(
        f"(?i:{part[4:]})" if part.startswith("(?i)") else part for part in _alternatives(pattern)
    )


def _alternatives(pattern: str) -> list[str]:
    parts, depth = [""], 0
    for letter in pattern:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "|" and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


@pytest.mark.parametrize("kind", FORMS, ids=str)
def test_a_text_is_read_alike(both, kind) -> None:
    both.view("texts", TEXTS, list(enumerate(texts(kind))))
    schema = Schema((Column("t", ColumnType.TEXT), Column("x", kind)))
    sql = f"SELECT t, TRY_CAST(t AS {kind.sql}) AS x FROM texts"

    found = {engine: both.rows(engine, sql, schema) for engine in ("duckdb", "spark")}

    different = [pair for pair in zip(found["duckdb"], found["spark"], strict=True) if not same(*pair)]
    assert different == []
    assert sum(value is not None for _, value in found["duckdb"]) > 3


@pytest.mark.parametrize(
    ("text", "kind"),
    [("0x1F", "INTEGER"), ("1_000", "BIGINT"), (" 12", "INTEGER"), ("1.5d", "DOUBLE"), ("2026-02-16 10:00", "DATE"),
     ("2026/02/16", "DATE"), (" true", "BOOLEAN"), ("ß", "upper"), ("abc", "substr")],
)  # fmt: skip
def test_a_text_that_one_engine_reads_differently_stops_the_query(both, text, kind) -> None:
    both.view("texts", TEXTS, [(0, text)])
    sql = {"upper": "upper(t)", "substr": "substr(t, id)"}.get(
        kind, f"CAST(TRY_CAST(t AS {kind}) AS VARCHAR)"
    )
    if kind == "DOUBLE":
        sql = "CAST(TRY_CAST(t AS DOUBLE) > 0 AS VARCHAR)"

    with pytest.raises(LayoutError, match="a value does not fit"):
        both.rows("spark", f"SELECT {sql} AS k FROM texts", Schema((Column("k", ColumnType.TEXT),)))
