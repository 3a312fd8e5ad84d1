"""Rows of tests: typed by a schema, and compared whatever their order."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any

from gamelake.model.schema import ColumnType

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from gamelake.model.schema import Schema

Row = dict[str, Any]
_EQUAL = 1e-9  # share by which doubles may differ


@dataclass
class Difference:
    """Rows that only one side has, and rows of the same key with the columns in which they differ."""

    missing: list[Row] = field(default_factory=list)
    extra: list[Row] = field(default_factory=list)
    differing: list[tuple[Row, Row]] = field(default_factory=list)  # (expected, seen)
    columns: list[str] = field(default_factory=list)

    def words(self) -> str:
        """The difference in one line; empty when there is none."""
        counts = [
            (len(self.missing), "missing"),
            (len(self.extra), "not expected"),
            (len(self.differing), "different"),
        ]
        told = [f"{count} {'row' if count == 1 else 'rows'} {word}" for count, word in counts if count]
        return ", ".join(told)

    def changed(self, expected: Row, seen: Row) -> list[str]:
        """Columns in which two rows of one key differ."""
        return [name for name in self.columns if not _equal(expected[name], seen[name])]

    def to_json(self) -> dict[str, Any]:
        """The rows, as `test --json` shows them."""
        differing = [
            {
                "expected": {k: one[k] for k in self.columns},
                "seen": {k: other[k] for k in self.columns},
                "columns": self.changed(one, other),
            }
            for one, other in self.differing
        ]
        return {"missing": self.missing, "extra": self.extra, "differing": differing}


def compare(
    expected: Sequence[Row], seen: Sequence[Row], columns: list[str], key: Sequence[str]
) -> Difference:
    """What differs between two tables, each row counted as often as it is there; `key` pairs what is left."""
    missing = list(expected)
    extra = []
    for row in seen:
        found = next((i for i, other in enumerate(missing) if _same(row, other, columns)), None)
        if found is None:
            extra.append(row)
        else:
            missing.pop(found)
    difference = Difference(columns=columns)
    for row in missing:
        partner = next((o for o in extra if key and _same(row, o, key)), None)
        if partner is None:
            difference.missing.append(row)
        else:
            extra.remove(partner)
            difference.differing.append((row, partner))
    difference.extra = extra
    return difference


def table_of(rows: Sequence[Mapping[str, Any]], schema: Schema) -> pa.Table:
    """Typed rows as a table with all columns of the schema; what a row lacks is null."""
    import pyarrow as pa

    from gamelake.engines.arrow import arrow_type

    return pa.table(
        {
            column.name: pa.array([row.get(column.name) for row in rows], arrow_type(column.type))
            for column in schema.columns
        }
    )


def typed_row(row: Mapping[str, Any], schema: Schema) -> Row:
    """Values as the schema's types want them; ValueError names the column of one that does not fit."""
    typed: Row = {}
    for name, value in row.items():
        kind = schema[name].type
        try:
            if schema[name].is_list and isinstance(value, list):
                typed[name] = json.dumps([_instance(each, str) for each in value], separators=(",", ":"))
                continue
            typed[name] = None if value is None else _typed(value, kind)
        except (ValueError, TypeError, AttributeError, OverflowError) as err:
            problem = f"`{value}` in column `{name}` is not a value of type `{kind.value}`"
            raise ValueError(problem) from err
    return typed


def _typed(value: Any, kind: ColumnType) -> Any:
    if kind in {ColumnType.INT, ColumnType.BIGINT}:
        bits = 31 if kind is ColumnType.INT else 63
        number = int(value)
        if isinstance(value, bool) or number != float(value) or not -(2**bits) <= number < 2**bits:
            raise ValueError
        return number
    if kind is ColumnType.DOUBLE:
        return _number(value)
    if kind is ColumnType.BOOL:
        return _instance(value, bool)
    if kind is ColumnType.DATE:
        if isinstance(value, datetime):
            raise ValueError
        return value if isinstance(value, date) else date.fromisoformat(value)
    if kind is ColumnType.TIMESTAMP:
        moment = _moment(value)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    if kind is ColumnType.BLOB:
        return value if isinstance(value, bytes) else value.encode()
    if kind is ColumnType.UUID:
        from uuid import UUID

        return UUID(str(value)).bytes
    if kind.size is not None:
        return _decimal(value, *kind.size)
    return _instance(value, str) if not isinstance(value, int | float | date) else str(value)


def _decimal(value: Any, digits: int, scale: int) -> Decimal:
    """An exact number; ValueError when it has more digits than fit. A float means what it shows."""
    found = value if isinstance(value, Decimal) else Decimal(str(value))
    if isinstance(value, bool) or not found.is_finite():
        raise ValueError
    exact = found.quantize(Decimal(1).scaleb(-scale), context=Context(prec=76))
    if exact != found or len(exact.as_tuple().digits) > digits:
        raise ValueError
    return exact


def _moment(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    return datetime.fromisoformat(value)


def _number(value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError
    return float(value)


def _instance(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise TypeError
    return value


def _same(one: Row, other: Row, columns: Sequence[str]) -> bool:
    return all(_equal(one[name], other[name]) for name in columns)


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=_EQUAL) or (math.isnan(one) and math.isnan(other))
    return type(one) is type(other) and one == other
