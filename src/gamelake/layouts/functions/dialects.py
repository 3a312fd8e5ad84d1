"""Functions an engine lacks, so that a layout is refused before the engine is asked."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from sqlglot.dialects.duckdb import DuckDB
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import TokenType

from gamelake.errors import did_you_mean
from gamelake.layouts.query import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlglot.tokenizer_core import Token

ENGINES = ("duckdb", "spark", "postgres", "trino")
# Grammar that looks like a function; DuckDB lists none of it among its functions.
_GRAMMAR = frozenset(
    [
        "any",
        "all",
        "array",
        "case",
        "cast",
        "coalesce",
        "columns",
        "cube",
        "default",
        "exclude",
        "except",
        "exists",
        "extract",
        "filter",
        "glob",
        "grouping",
        "grouping_id",
        "if",
        "ifnull",
        "in",
        "interval",
        "lambda",
        "map",
        "not",
        "nullif",
        "on",
        "or",
        "over",
        "overlay",
        "partition",
        "position",
        "replace",
        "rollup",
        "row",
        "set",
        "sets",
        "similar",
        "some",
        "struct",
        "substring",
        "table",
        "time",
        "timestamp",
        "timestamptz",
        "trim",
        "try",
        "try_cast",
        "union",
        "unnest",
        "using",
        "values",
        "when",
        "where",
        "with",
        "within",
    ]
)
_WINDOWS = frozenset(
    [
        "row_number",
        "rank",
        "dense_rank",
        "rank_dense",
        "percent_rank",
        "cume_dist",
        "ntile",
        "lag",
        "lead",
        "first_value",
        "last_value",
        "nth_value",
        "fill",
    ]
)
_LISTS = ("list_", "array_", "map_", "struct_", "json_", "regexp_extract_all", "string_split")
_ARG = ("arg_max", "arg_min", "max_by", "min_by", "argmax", "argmin")
_APPROXIMATE = ("approx_count_distinct", "approx_quantile", "approx_top_k", "reservoir_quantile")
_LACKS: dict[str, tuple[str, ...]] = {
    "duckdb": (),
    "postgres": (
        *(*_ARG, *_APPROXIMATE, *_LISTS),
        *("median", "quantile", "quantile_cont", "quantile_disc", "mad", "entropy", "kurtosis", "skewness"),
        *(
            "histogram",
            "product",
            "fsum",
            "favg",
            "sumkahan",
            "geomean",
            "count_if",
            "countif",
            "bitstring_agg",
        ),
        *("time_bucket", "date_diff", "datediff", "try_strptime", "strptime", "strftime", "epoch_ms", "hash"),
        *(
            "to_milliseconds",
            "to_seconds",
            "to_minutes",
            "to_hours",
            "to_days",
            "ifnull",
            "list",
            "levenshtein",
        ),
    ),
    "spark": (
        *(
            "time_bucket",
            "quantile_cont",
            "quantile_disc",
            "reservoir_quantile",
            "approx_top_k",
            "list_reduce",
        ),
        *(
            "fsum",
            "favg",
            "sumkahan",
            "geomean",
            "entropy",
            "mad",
            "bitstring_agg",
            "histogram_exact",
            "hash",
        ),
    ),
    "trino": (
        *(
            "time_bucket",
            "quantile_cont",
            "quantile_disc",
            "median",
            "mad",
            "entropy",
            "fsum",
            "favg",
            "sumkahan",
        ),
        *("approx_top_k", "reservoir_quantile", "bitstring_agg", "product", "hash"),
    ),
}
_INSTEAD = {
    **dict.fromkeys(_ARG, "use the macro `latest(value, order)`, which is written for each engine"),
    "approx_count_distinct": "use the macro `distinct_about(x)`, which is written for each engine",
    "strftime": "use the macro `month_text(day)` for months",
}


def lacking(sql: str, engine: str = "duckdb") -> list[Problem]:
    """One problem for each function of DuckDB's SQL that an engine has under no name."""
    known = known_functions()
    found: dict[str, Problem] = {}
    for name, line in called(sql):
        if name in found:
            continue
        if name not in known and name not in _GRAMMAR and name not in _WINDOWS:
            hint = did_you_mean(name, sorted(known)) or _INSTEAD.get(name)
            found[name] = Problem(f"DuckDB has no function `{name}`", line, hint)
        elif _is_lacking(name, engine):
            found[name] = Problem(f"{_TITLES[engine]} has no function `{name}`", line, _INSTEAD.get(name))
    return list(found.values())


_TITLES = {"duckdb": "DuckDB", "spark": "Spark", "postgres": "Postgres", "trino": "Trino"}


def _is_lacking(name: str, engine: str) -> bool:
    return any(name == word or (word.endswith("_") and name.startswith(word)) for word in _LACKS[engine])


@cache
def known_functions() -> frozenset[str]:
    """Names of all functions of DuckDB, its scalar macros and aggregates included."""
    text = (files("gamelake.layouts.functions") / "duckdb.txt").read_text(encoding="utf-8")
    return frozenset(text.split())


def called(sql: str) -> Iterator[tuple[str, int]]:
    """(name in lower case, line) of every function as the author wrote it, which parsing would not keep.

    >>> list(called("SELECT Max_By(a, b) FROM t AS u(x) WHERE c IN (1)"))
    [('max_by', 1)]
    """
    try:
        tokens = DuckDB().tokenize(sql)
    except TokenError:
        return
    for index, token in enumerate(tokens[:-1]):
        follows = tokens[index + 1].token_type is TokenType.L_PAREN
        if follows and token.token_type is TokenType.VAR and not _names_something(tokens, index):
            yield token.text.lower(), token.line


_BEFORE_A_NAME = {
    *(TokenType.VAR, TokenType.IDENTIFIER, TokenType.ALIAS, TokenType.R_PAREN, TokenType.WITH),
    *(TokenType.RECURSIVE, TokenType.DOT, TokenType.DCOLON),
}


def _names_something(tokens: Sequence[Token], index: int) -> bool:
    """True for an alias with its columns (`AS u(x)`), a CTE with its columns, a method or a type."""
    if index and tokens[index - 1].token_type in _BEFORE_A_NAME:
        return True
    depth = 0
    for position in range(index + 1, len(tokens)):
        kind = tokens[position].token_type
        depth += (kind is TokenType.L_PAREN) - (kind is TokenType.R_PAREN)
        if depth == 0:
            after = [token.token_type for token in tokens[position + 1 : position + 3]]
            return after == [TokenType.ALIAS, TokenType.L_PAREN]
    return False
