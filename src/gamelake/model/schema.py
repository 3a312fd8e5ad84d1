"""Column types of a dataset, and what they are in Arrow and in SQL."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ColumnType(StrEnum):
    """Closed set of storage types; everything the lake holds is one of these."""

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


_SQL = {
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


@dataclass(frozen=True)
class Column:
    """One column: name, storage type, whether it may be null, and a line of documentation."""

    name: str
    type: ColumnType
    nullable: bool = True
    doc: str = ""


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
