"""What a layout's front matter may say: the keys, their types and their defaults."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from gamelake.errors import UserError
from gamelake.model.checks import Check, CheckKind, Severity
from gamelake.model.names import DatasetName
from gamelake.model.schema import Column, ColumnType, Schema
from gamelake.model.steps import Mode, OnEmpty, QueryInput, Refresh, SourceInput, Split, TableInput

_NAME = r"^[a-z_][a-z0-9_]*$"
_TABLE = r"^[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*$"
Identifier = Annotated[str, Field(pattern=_NAME)]
"""A name that needs no quoting in SQL."""


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False)


class ColumnDocument(_Document):
    """One column: `bigint`, `bigint not null`, or a mapping with documentation."""

    type: ColumnType
    nullable: bool = True
    doc: str = ""

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        words = value.lower().split()
        if words[1:] in ([], ["not", "null"]):
            return {"type": words[0] if words else "", "nullable": len(words) == 1}
        problem = f"`{value}` is not a column type; write `bigint` or `bigint not null`"
        raise ValueError(problem)

    def column(self, name: str, *, required: bool) -> Column:
        """The model's column; slice and grain columns are `required` and never null."""
        return Column(name, self.type, self.nullable and not required, self.doc)


class SplitDocument(_Document):
    """Read in so many part-queries, told apart by a column."""

    column: Identifier
    parts: int = Field(ge=1, le=256)


class InputDocument(_Document):
    """One named input: the SQL sees it as a view called `name`.

    `dataset` is another layout's output; `table` and `query` are read from a connection, and `schema` says
    which columns and as what.
    """

    name: Identifier
    type: Literal["dataset", "table", "query"] = "dataset"
    dataset: str | None = None
    connection: Identifier | None = None
    table: Annotated[str, Field(pattern=r"^[^.]+\.[^.]+$")] | None = None
    sql: str | None = Field(default=None, min_length=1)
    columns: dict[Identifier, ColumnDocument] | None = Field(alias="schema", default=None, min_length=1)
    split: SplitDocument | None = None
    refresh: Refresh = Refresh.RUN
    version: str | None = Field(default=None, min_length=1)

    @field_validator("dataset")
    @classmethod
    def _is_a_dataset(cls, text: str) -> str:
        try:
            return str(DatasetName.parse(text))
        except UserError as err:
            problem = f"{err.problem}; {err.hint}"
            raise ValueError(problem) from err

    @property
    def misfits(self) -> list[tuple[str, str]]:
        """(key, problem) of keys that are missing or do not belong to the type."""
        source = {"connection", "columns"}
        needs = {"dataset": {"dataset"}, "table": {*source, "table"}, "query": {*source, "sql"}}[self.type]
        may = needs | ({"split", "refresh", "version"} if self.type != "dataset" else set())
        shown = {"columns": "schema"}
        keys = self.model_fields_set - {"name", "type"}
        found = [(shown.get(k, k), f"an input of type `{self.type}` needs it") for k in sorted(needs - keys)]
        found += [
            (shown.get(k, k), f"does not belong to an input of type `{self.type}`")
            for k in sorted(keys - may)
        ]
        if (self.refresh is Refresh.VERSION) != (self.version is not None):
            found.append(("version", "`refresh: version` and the query `version` go together"))
        if self.split and self.columns and self.split.column not in self.columns:
            found.append(("split", f"`{self.split.column}` is not a column of the input's schema"))
        return found

    @property
    def source(self) -> SourceInput | None:
        """The model's input; None for a dataset."""
        if self.type == "dataset" or self.columns is None or self.connection is None:
            return None
        read = (
            TableInput(self.connection, self.table or "")
            if self.type == "table"
            else QueryInput(self.connection, self.sql or "")
        )
        columns = tuple(c.column(name, required=False) for name, c in self.columns.items())
        split = Split(self.split.column, self.split.parts) if self.split else None
        return SourceInput(read, Schema(columns), split, self.refresh, self.version or "")


class OutputDocument(_Document):
    """Where the rows go and what they must look like."""

    type: Literal["table"] = "table"
    mode: Mode | None = None
    slice: dict[Identifier, Identifier] = Field(default_factory=dict)
    grain: list[Identifier] = Field(default_factory=list)
    columns: dict[Identifier, ColumnDocument] = Field(alias="schema", min_length=1)
    on_empty: OnEmpty = OnEmpty.FAIL
    allow_shrink: float = Field(default=0.5, ge=0, le=1)
    connection: Identifier | None = None
    table: Annotated[str, Field(pattern=_TABLE)] | None = None

    @field_validator("slice", mode="before")
    @classmethod
    def _same_names(cls, value: Any) -> Any:
        return {name: name for name in value} if isinstance(value, list) else value

    @property
    def resolved_mode(self) -> Mode:
        """The declared mode, or the only harmless one for this slice."""
        if self.mode is not None:
            return self.mode
        return Mode.REPLACE_SLICE if self.slice else Mode.SNAPSHOT_REPLACE


class _CheckDocument(_Document):
    name: str = ""
    severity: Severity = Severity.ERROR

    def check(self) -> Check:
        """The model's check, named after what it looks at when the author gave no name."""
        content = self.model_dump(exclude={"name", "severity", "kind"}, exclude_none=True)
        kind = CheckKind(getattr(self, "kind"))  # noqa: B009 - every subclass declares its own literal
        return Check(self.name or _default_name(kind, content), kind, content, self.severity)


class ColumnsCheck(_CheckDocument):
    """Columns that are never null, or unique together."""

    kind: Literal["not_null", "unique"]
    columns: list[Identifier] = Field(min_length=1)


class AcceptedValuesCheck(_CheckDocument):
    """A column holds only these values (or null)."""

    kind: Literal["accepted_values"]
    column: Identifier
    values: list[str | int | float | bool] = Field(min_length=1)


class RangeCheck(_CheckDocument):
    """A column stays between `min` and `max`, both included."""

    kind: Literal["range"]
    column: Identifier
    min: float | int | None = None
    max: float | int | None = None


class RowCountCheck(_CheckDocument):
    """A slice has between `min` and `max` rows, both included."""

    kind: Literal["row_count"]
    min: int | None = None
    max: int | None = None


class SqlCheck(_CheckDocument):
    """A predicate every row satisfies; null counts as a violation."""

    kind: Literal["sql"]
    predicate: str = Field(min_length=1)


CheckDocument = Annotated[
    ColumnsCheck | AcceptedValuesCheck | RangeCheck | RowCountCheck | SqlCheck,
    Field(discriminator="kind"),
]
"""Any of the checks, told apart by `kind`."""


class LayoutDocument(_Document):
    """The whole front matter of one layout."""

    description: str = Field(min_length=1)
    dialect: Literal["duckdb"] = "duckdb"
    inputs: list[InputDocument] = Field(alias="inputSources", min_length=1)
    outputs: list[OutputDocument] = Field(min_length=1, max_length=1)
    checks: list[CheckDocument] = Field(default_factory=list)


def known_keys(path: tuple[str | int, ...]) -> list[str]:
    """Keys that may stand at a place of the document, for the hint of an unknown one."""
    models: dict[str, list[type[BaseModel]]] = {
        "": [LayoutDocument],
        "inputSources": [InputDocument],
        "split": [SplitDocument],
        "outputs": [OutputDocument],
        "schema": [ColumnDocument],
        "checks": [ColumnsCheck, AcceptedValuesCheck, RangeCheck, RowCountCheck, SqlCheck],
    }
    names = [part for part in path if isinstance(part, str) and part in models]
    fields = [model.model_fields.items() for model in models[names[-1] if names else ""]]
    return sorted({field.alias or name for items in fields for name, field in items})


def _default_name(kind: CheckKind, content: dict[str, Any]) -> str:
    about = content.get("columns") or [content.get("column") or content.get("predicate")]
    return f"{kind.value}({', '.join(str(word) for word in about)})" if about != [None] else kind.value
