"""Column types of a dataset, and what they are in Arrow and in SQL."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class ColumnType(StrEnum):
    """Storage types; everything the lake holds is one of these, or a decimal such as `decimal(18,4)`.

    >>> ColumnType("decimal(18, 4)") is ColumnType("decimal(18,4)")
    True
    """

    TEXT = "text"
    INT = "int"  # 32 bit
    BIGINT = "bigint"
    DOUBLE = "double"
    BOOL = "bool"
    DATE = "date"
    TIMESTAMP = "timestamp"  # UTC, microseconds, zone aware
    UUID = "uuid"  # 16 bytes in Parquet
    BLOB = "blob"

    @property
    def sql(self) -> str:
        """Name of the type in DuckDB."""
        return _SQL[self]

    @property
    def size(self) -> tuple[int, int] | None:
        """Digits of a decimal, and how many of them stand after the point; None for every other type."""
        found = _DECIMAL.fullmatch(self.value)
        return (int(found[1]), int(found[2])) if found else None

    @property
    def is_number(self) -> bool:
        """True for what can be added up."""
        return self in {ColumnType.INT, ColumnType.BIGINT, ColumnType.DOUBLE} or self.size is not None

    @classmethod
    def _missing_(cls, value: object) -> ColumnType | None:
        """A decimal, made when it is first named; as with the others, there is one of each."""
        found = _DECIMAL.fullmatch(value.strip().lower()) if isinstance(value, str) else None
        if found is None or not 1 <= int(found[1]) <= 38 or int(found[2]) > int(found[1]):
            return None
        text = f"decimal({int(found[1])},{int(found[2])})"
        known = cls._value2member_map_.get(text)
        if known is None:
            known = str.__new__(cls, text)
            known._name_, known._value_ = text.upper(), text
            known = cls._value2member_map_.setdefault(text, known)
        assert isinstance(known, cls)
        return known


def is_column_type(text: str) -> bool:
    """True for the name of a storage type."""
    try:
        ColumnType(text)
    except ValueError:
        return False
    return True


_DECIMAL = re.compile(r"decimal\s*\(\s*(\d{1,2})\s*,\s*(\d{1,2})\s*\)")
_T = TypeVar("_T")


class ByType(dict[ColumnType, _T]):
    """What stands for each type, and what makes it for a decimal of so many digits."""

    def __init__(self, plain: Mapping[ColumnType, _T], decimal: Callable[[int, int], _T]) -> None:
        super().__init__(plain)
        self._decimal = decimal

    def __missing__(self, kind: ColumnType) -> _T:
        if kind.size is None:
            raise KeyError(kind)
        return self.setdefault(kind, self._decimal(*kind.size))


_PLAIN_SQL = {
    ColumnType.TEXT: "VARCHAR",
    ColumnType.INT: "INTEGER",
    ColumnType.BIGINT: "BIGINT",
    ColumnType.DOUBLE: "DOUBLE",
    ColumnType.BOOL: "BOOLEAN",
    ColumnType.DATE: "DATE",
    ColumnType.TIMESTAMP: "TIMESTAMPTZ",
    ColumnType.UUID: "UUID",
    ColumnType.BLOB: "BLOB",
}
_SQL = ByType(_PLAIN_SQL, "DECIMAL({},{})".format)
MONEY = ColumnType("decimal(18,4)")
"""How money is stored unless a layout says otherwise."""


@dataclass(frozen=True)
class SemanticType:
    """What a column's values mean: `money<USD>` is the kind `money` with the parameter `USD`."""

    kind: str
    parameter: str = ""

    @classmethod
    def parse(cls, text: str) -> SemanticType | None:
        """The semantic type a text names; None when it names none (a storage type, or a mistake).

        >>> SemanticType.parse("day<+07:00>")
        SemanticType(kind='day', parameter='+07:00')
        >>> SemanticType.parse("bigint") is None
        True
        """
        found = _SEMANTIC.fullmatch(text.strip())
        if found is None or (kind := found["kind"].lower()) not in SEMANTIC_STORAGE:
            return None
        parameter = (found["parameter"] or "").strip()
        if bool(parameter) != (kind in PARAMETERS) or not re.fullmatch(PARAMETERS.get(kind, ""), parameter):
            return None
        return cls(kind, parameter.upper() if kind == "money" else parameter.lower())

    @property
    def storage(self) -> ColumnType:
        """Type the lake stores it as, when the layout names none."""
        return SEMANTIC_STORAGE[self.kind]

    def may_be_stored_as(self, kind: ColumnType) -> bool:
        """True for the storage types a layout may choose."""
        return kind in MAY_BE_STORED_AS[self.kind] or (self.kind == "money" and kind.size is not None)

    def __str__(self) -> str:
        return f"{self.kind}<{self.parameter}>" if self.parameter else self.kind


_SEMANTIC = re.compile(r"(?P<kind>[A-Za-z]+)\s*(?:<(?P<parameter>[^<>]*)>)?")
SEMANTIC_STORAGE = {
    "money": MONEY,
    "day": ColumnType.DATE,
    "timestamp": ColumnType.TIMESTAMP,
    "id": ColumnType.TEXT,
    "count": ColumnType.BIGINT,
    "level": ColumnType.INT,
    "json": ColumnType.TEXT,
    "list": ColumnType.TEXT,  # the SQL writes a JSON array, and who asks is shown a list
}
"""Every kind of semantic type, and what it is stored as by default."""
PARAMETERS = {
    "money": r"[A-Za-z]{3}",  # an ISO 4217 code
    "day": r"utc|UTC|[+-]\d\d:\d\d|[A-Za-z_]+(/[A-Za-z_]+)+",  # the zone that decides the day
    "timestamp": r"utc|UTC",
    "id": r"[A-Za-z_][A-Za-z0-9_]*",
    "list": r"text|TEXT",
}
"""What stands between the angle brackets, for kinds that have any."""
MAY_BE_STORED_AS = {
    "money": {ColumnType.DOUBLE, ColumnType.BIGINT, ColumnType.INT},
    "day": {ColumnType.DATE},
    "timestamp": {ColumnType.TIMESTAMP},
    "id": {ColumnType.TEXT, ColumnType.BIGINT, ColumnType.INT, ColumnType.UUID},
    "count": {ColumnType.BIGINT, ColumnType.INT},
    "level": {ColumnType.INT, ColumnType.BIGINT},
    "json": {ColumnType.TEXT},
    "list": {ColumnType.TEXT},
}
"""Storage types a layout may choose with `storage`; for money any decimal as well."""


@dataclass(frozen=True)
class Column:
    """One column: name, storage type, whether it may be null, a line of documentation, what its values mean."""

    name: str
    type: ColumnType
    nullable: bool = True
    doc: str = ""
    meaning: SemanticType | None = None

    @property
    def is_list(self) -> bool:
        """True for a text that holds a JSON array of texts."""
        return self.meaning is not None and self.meaning.kind == "list"


@dataclass(frozen=True)
class Schema:
    """Ordered columns of a dataset."""

    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(column.name for column in self.columns)

    def __getitem__(self, name: str) -> Column:
        """Column of that name; KeyError when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)
