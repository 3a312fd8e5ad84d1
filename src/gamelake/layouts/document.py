"""What a layout's front matter may say: the keys, their types and their defaults."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from gamelake.errors import UserError
from gamelake.layouts.checks import CHECK_DOCUMENTS, CheckDocument, ToleranceDocument
from gamelake.layouts.paths import SLICE_TYPES, folder_mistakes, path_mistakes, split_folder
from gamelake.model.names import DatasetName
from gamelake.model.schema import (
    MAY_BE_STORED_AS,
    SEMANTIC_STORAGE,
    Column,
    ColumnType,
    Schema,
    SemanticType,
    is_column_type,
)
from gamelake.model.steps import (
    Chain,
    FileFormat,
    FileInput,
    FileTarget,
    Mode,
    OnEmpty,
    OnMissing,
    QueryInput,
    Reading,
    Refresh,
    SourceInput,
    Split,
    TableInput,
    Target,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NAME = r"^[a-z_][a-z0-9_]*$"
_TABLE = r"^[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*$"
Identifier = Annotated[str, Field(pattern=_NAME)]
"""A name that needs no quoting in SQL."""
VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
"""A variable of the SQL, such as `logDate`."""
_HIVE = re.compile(r"(?:^|/)([a-z_][a-z0-9_]*)=\{(\w+)\}(?=/|$)")
ConnectionName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
"""A connection of the project's profiles, such as `TSN_POSTGRES`."""
VariableType = Literal["date", "int", "text", "ident"]


_REQUIRED = {True: OnMissing.FAIL, False: OnMissing.EMPTY}


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False)


class ColumnDocument(_Document):
    """One column: `bigint`, `money<USD> not null`, or a mapping with documentation."""

    type: ColumnType
    nullable: bool = True
    doc: str = ""
    meaning: SemanticType | None = Field(default=None, exclude=True)
    storage: ColumnType | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = _column_of_words(value)
        return _with_meaning(value) if isinstance(value, dict) and "meaning" not in value else value

    def column(self, name: str, *, required: bool) -> Column:
        """The model's column; a `required` one is never null."""
        return Column(name, self.type, self.nullable and not required, self.doc, self.meaning)

    @property
    def may_be_null(self) -> bool:
        """True when the layout says so outright."""
        return self.nullable and "nullable" in self.model_fields_set


def _column_of_words(text: str) -> dict[str, Any]:
    found = re.fullmatch(r"\s*(?P<type>\w*(?:\s*<[^<>]*>|\s*\([\d\s,]*\))?)(?P<rest>.*)", text, re.DOTALL)
    words = found["rest"].lower().split() if found else ["?"]
    if found is None or words not in ([], ["not", "null"]):
        problem = f"`{text}` is not a column type; write `bigint` or `bigint not null`"
        raise ValueError(problem)
    kind = found["type"]
    said = {"nullable": False} if words else {}
    return {"type": kind if "<" in kind else kind.lower(), **said}


def _with_meaning(value: dict[str, Any]) -> dict[str, Any]:
    """A semantic type becomes its storage type and what it means; any other value stays as it is."""
    text = value.get("type")
    if not isinstance(text, str):
        return value
    meaning = SemanticType.parse(text)
    if meaning is None:
        kind = text.partition("<")[0].strip().lower()
        if kind in SEMANTIC_STORAGE and not is_column_type(text.lower()):
            problem = f"`{text}` is not a column type; write {_EXAMPLES[kind]}"
            raise ValueError(problem)
        if "storage" in value:
            problem = f"`storage` chooses how a semantic type is stored, and `{text}` is none"
            raise ValueError(problem)
        return value
    storage = value.get("storage", meaning.storage.value)
    known = ColumnType(storage) if is_column_type(storage) else None
    if known is None or not meaning.may_be_stored_as(known):
        allowed = [kind.value for kind in MAY_BE_STORED_AS[meaning.kind]]
        allowed += ["decimal(18,4)"] if meaning.kind == "money" else []
        problem = f"`{text}` cannot be stored as `{storage}`, expected one of: {', '.join(sorted(allowed))}"
        raise ValueError(problem)
    return {**value, "type": storage, "meaning": meaning}


_EXAMPLES = {
    "money": "`money<USD>`",
    "day": "`day<+07:00>` or `day<utc>`",
    "timestamp": "`timestamp<utc>` or `timestamp`",
    "id": "`id<user>`",
    "count": "`count`",
    "level": "`level`",
    "json": "`json`",
    "list": "`list<text>`",
}


class SplitDocument(_Document):
    """One massive source table, read as parallel part-queries that a column tells apart."""

    column: Identifier
    parts: int = Field(ge=2, le=256)


_SOURCE_KEYS = ("split", "refresh", "version")
_READING_KEYS = ("slice", "lookback", "lookahead", "days", "required", "on_missing", "current_state")
_COUNT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)\s*(?:([+-])\s*(\d+))?")


def _number_of_days(value: int | str) -> int | str:
    if not (0 <= value <= 3_660 if isinstance(value, int) else _COUNT.fullmatch(value)):
        problem = f"`{value}` is no number of days; write 0 to 3660, or a variable, as `window - 1`"
        raise ValueError(problem)
    return value


Days = Annotated[int | str, AfterValidator(_number_of_days)]
"""A number of days, or a variable of type `int` that holds it, as `window - 1`."""
_INPUT_KEYS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "dataset": (("dataset",), _READING_KEYS),
    "file": (("path", "schema"), ("connection", "format", *_READING_KEYS)),
    "table": (("connection", "table", "schema"), (*_SOURCE_KEYS, *_READING_KEYS)),
    "query": (("connection", "query", "schema"), (*_SOURCE_KEYS, *_READING_KEYS)),
}
_INPUT_ONLY = {key for needed, optional in _INPUT_KEYS.values() for key in (*needed, *optional)}


class InputDocument(_Document):
    """One named input: the SQL sees it as a view called `name`.

    `dataset` is another layout's output; `table`, `query` and `file` are read from a connection, and `schema` says
    which columns and as what. `slice` pairs slice columns of the input with variables, as that of the output does.
    """

    name: Identifier
    type: Literal["dataset", "file", "table", "query", "jdbc"] = "dataset"
    dataset: str | None = None
    connection: ConnectionName | None = None
    table: Annotated[str, Field(pattern=r"^[^.]+\.[^.]+$")] | None = None
    query: str | None = Field(default=None, min_length=1)
    columns: dict[Identifier, ColumnDocument] | None = Field(alias="schema", default=None, min_length=1)
    path: str | None = None
    format: FileFormat = FileFormat.PARQUET
    slice: dict[Identifier, VariableName] = Field(default_factory=dict)
    split: SplitDocument | None = None
    refresh: Refresh = Refresh.RUN
    version: str | None = Field(default=None, min_length=1)
    lookback: Days = 0
    lookahead: Days = 0
    days: list[Annotated[int, Field(ge=-3_660, le=3_660)]] = Field(default_factory=list)
    current_state: bool = False
    required: bool | None = None
    on_missing: OnMissing | None = None

    @model_validator(mode="after")
    def _one_opinion(self) -> Self:
        if self.required is not None and self.on_missing not in (None, _REQUIRED[self.required]):
            told = f"`required: {str(self.required).lower()}` means `on_missing: {_REQUIRED[self.required]}`"
            problem = f"{told}, and the input says `on_missing: {self.on_missing}`"
            raise ValueError(problem)
        return self

    def reading(self, bound: Mapping[str, str]) -> Reading:
        """The model's word for what the keys say together; `bound` is variable → slice column of the output."""
        pairs = [(name, bound.get(variable, name)) for name, variable in self.pairs.items()]
        differing = tuple((theirs, ours) for theirs, ours in pairs if theirs != ours)
        spans = {"lookback": self.lookback, "lookahead": self.lookahead}
        back, ahead = (count if isinstance(count, int) else 0 for count in spans.values())
        told = tuple((key, *counted) for key, count in spans.items() if (counted := _counted(count)))
        days = tuple(sorted(set(self.days)))
        return Reading(back, self._on_missing, ahead, differing, days, self.current_state, told)

    @property
    def counting(self) -> dict[str, str]:
        """`lookback` or `lookahead` → the variable that holds its number of days."""
        spans = {"lookback": self.lookback, "lookahead": self.lookahead}
        return {key: counted[0] for key, count in spans.items() if (counted := _counted(count))}

    @property
    def pairs(self) -> dict[str, str]:
        """Slice column of the input → variable: those of `slice`, and of the path's `column={variable}`."""
        told = dict(_HIVE.findall(self.path or ""))
        return {name: word for name, word in told.items() if name != word} | self.slice

    @property
    def _on_missing(self) -> OnMissing:
        return self.on_missing or _REQUIRED[self.required is not False]

    @field_validator("slice", mode="before")
    @classmethod
    def _same_names(cls, value: Any) -> Any:
        return {name: name for name in value} if isinstance(value, list) else value

    @field_validator("dataset")
    @classmethod
    def _is_a_dataset(cls, text: str) -> str:
        try:
            return str(DatasetName.parse(text))
        except UserError as err:
            problem = f"{err.problem}; {err.hint}"
            raise ValueError(problem) from err

    @property
    def resolved_type(self) -> str:
        """The type; `jdbc` is the older name of `table` and `query`."""
        if self.type == "jdbc":
            return "query" if self.query is not None else "table"
        return self.type

    def mistakes(self) -> Iterator[tuple[str, str]]:
        """(problem, key) of keys that this type of input lacks or does not take, or that do not fit together."""
        kind = self.resolved_type
        needed, optional = _INPUT_KEYS[kind]
        given = {type(self).model_fields[name].alias or name for name in self.model_fields_set}
        for key in needed:
            if key not in given:
                yield f"an input of type `{kind}` needs the key `{key}`", "name"
        for key in sorted(given & _INPUT_ONLY - {*needed, *optional}):
            yield f"`{key}` does not belong to an input of type `{kind}`", key
        if (self.refresh is Refresh.VERSION) != (self.version is not None):
            yield "`refresh: version` and the query `version` go together", "version"
        if self.days and (self.lookback or self.lookahead):
            yield (
                "`days` lists the days one by one, `lookback` and `lookahead` all of a span: give one",
                "days",
            )
        if self.split and self.columns and self.split.column not in self.columns:
            yield f"`{self.split.column}` is not a column of the input's schema", "split"
        if kind in {"table", "query"} and self.columns:
            yield from self._slice_mistakes(self.columns)
        if kind == "file" and self.path is not None and self.columns:
            yield from path_mistakes(self.path, self.pattern, self.columns, self.slice)

    def _slice_mistakes(self, columns: Mapping[str, ColumnDocument]) -> Iterator[tuple[str, str]]:
        for name in self.slice:
            if name not in columns:
                yield f"`{name}` is not a column of the input's schema", "slice"
            elif columns[name].type not in SLICE_TYPES:
                listed = ", ".join(kind.value for kind in SLICE_TYPES)
                yield f"`{name}` is `{columns[name].type.value}`; a slice column is one of: {listed}", "slice"

    @property
    def pattern(self) -> str:
        """The path with its variables replaced by the slice columns they stand for."""
        by_variable = {variable: name for name, variable in self.pairs.items()}
        words = {*self.columns} if self.columns else set()
        return re.sub(
            r"\{(\w+)\}",
            lambda m: m[0] if m[1] in words else f"{{{by_variable.get(m[1], m[1])}}}",
            self.path or "",
        )

    @property
    def source(self) -> SourceInput | None:
        """The model's input of a table, a query or files elsewhere; None for all others."""
        if self.resolved_type == "dataset" or self.columns is None:
            return None
        read = self._read
        sliced = read.slice_columns if isinstance(read, FileInput) else tuple(self.slice)
        columns = tuple(c.column(name, required=name in sliced) for name, c in self.columns.items())
        lax = self._on_missing is OnMissing.EMPTY
        if isinstance(read, FileInput):
            return SourceInput(read, Schema(columns), may_lack=lax)
        split = Split(self.split.column, self.split.parts) if self.split else None
        version = self.version or ""
        return SourceInput(read, Schema(columns), split, self.refresh, version, lax, sliced)

    @property
    def _read(self) -> TableInput | QueryInput | FileInput:
        connection = self.connection or ""
        if self.resolved_type == "file":
            return FileInput(connection, self.pattern, self.format)
        if self.resolved_type == "table":
            return TableInput(connection, self.table or "")
        return QueryInput(connection, self.query or "")


def _counted(count: int | str) -> tuple[str, int] | None:
    """(variable, what is added to it) of a number of days that a variable holds."""
    found = None if isinstance(count, int) else _COUNT.fullmatch(count)
    if found is None:
        return None
    return found[1], int(f"{found[2] or '+'}{found[3] or 0}")


class OutputDocument(_Document):
    """Where the rows go and what they must look like."""

    type: Literal["table", "file"] = "table"
    connection: ConnectionName | None = None
    table: Annotated[str, Field(pattern=_TABLE)] | None = None
    path: str | None = None
    format: FileFormat = FileFormat.PARQUET
    mode: Mode | None = None
    slice: dict[Identifier, VariableName] = Field(default_factory=dict)
    grain: list[Identifier] = Field(default_factory=list)
    columns: dict[Identifier, ColumnDocument] = Field(alias="schema", min_length=1)
    on_empty: OnEmpty = OnEmpty.FAIL
    allow_shrink: float = Field(default=0.5, ge=0, le=1)
    evolve: bool = False

    @field_validator("slice", mode="before")
    @classmethod
    def _same_names(cls, value: Any) -> Any:
        return {name: name for name in value} if isinstance(value, list) else value

    def mistakes(self) -> Iterator[tuple[str, str]]:
        """(problem, key) of keys that this type of output lacks or does not take."""
        given = self.model_fields_set
        if self.type == "file" and self.path is None:
            yield "an output of type `file` needs the key `path`", "type"
        if self.type == "file":
            yield from ((problem, "path") for problem in folder_mistakes(self.path or "rows", self.slice))
        elif (self.connection is None) != (self.table is None):
            key = "connection" if self.table is None else "table"
            other = "table" if self.table is None else "connection"
            yield f"`{key}` needs `{other}` beside it", key
        foreign = {"file": ("table",), "table": ("path", "format")}[self.type]
        for key in foreign:
            if key in given:
                yield f"`{key}` does not belong to an output of type `{self.type}`", key

    @property
    def target(self) -> Target | FileTarget | None:
        """The model's word for where the rows go beside the lake."""
        if self.type == "file":
            folder, words = split_folder(self.path or "", self.slice)
            return FileTarget(self.connection or "", folder, self.format, tuple(words) or tuple(self.slice))
        return Target(self.connection, self.table) if self.connection and self.table else None

    @property
    def resolved_mode(self) -> Mode:
        """The declared mode, or the only harmless one for this slice."""
        if self.mode is not None:
            return self.mode
        return Mode.REPLACE_SLICE if self.slice else Mode.SNAPSHOT_REPLACE


class VariableDocument(_Document):
    """A variable of the SQL: `int`, or a mapping with a default that holds where nobody gives a value."""

    type: VariableType
    default: str | int | date | None = None
    doc: str = ""

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return {"type": value} if isinstance(value, str) else value

    @field_validator("default", mode="before")
    @classmethod
    def _no_truth_values(cls, value: Any) -> Any:
        return str(value).lower() if isinstance(value, bool) else value

    @property
    def default_text(self) -> str | None:
        """The default as `--var` would give it; None when there is none."""
        return None if self.default is None else str(self.default)


class ChainDocument(_Document):
    """How slices that carry state follow each other: `true`, or a mapping for a chain without gaps."""

    gaps: Literal["fail", "skip"] = "skip"
    first: VariableName | None = None

    @property
    def chain(self) -> Chain:
        """The model's chain."""
        return Chain(self.gaps == "fail", self.first or "")


class LayoutDocument(_Document):
    """The whole front matter of one layout, or a whole YAML or JSON layout without its SQL."""

    description: str = Field(min_length=1)
    layer: Literal["etl", "std", "cons", "bronze", "silver", "gold"] | None = None
    dialect: Literal["duckdb", "spark", "trino", "postgres"] = "duckdb"
    variables: dict[VariableName, VariableDocument] = Field(default_factory=dict)
    inputs: list[InputDocument] = Field(alias="inputSources", min_length=1)
    outputs: list[OutputDocument] = Field(min_length=1, max_length=1)
    checks: list[CheckDocument] = Field(default_factory=list)
    strategy: Identifier | None = None
    maturity: Literal["experimental", "candidate", "champion", "archived"] | None = None
    carries: bool | ChainDocument = False

    @property
    def chain(self) -> Chain:
        """How slices follow each other, where the layout carries."""
        return self.carries.chain if isinstance(self.carries, ChainDocument) else Chain()


def known_keys(path: tuple[str | int, ...]) -> list[str]:
    """Keys that may stand at a place of the document, for the hint of an unknown one."""
    models: dict[str, list[type[BaseModel]]] = {
        "": [LayoutDocument],
        "inputSources": [InputDocument],
        "outputs": [OutputDocument],
        "schema": [ColumnDocument],
        "variables": [VariableDocument],
        "split": [SplitDocument],
        "checks": list(CHECK_DOCUMENTS),
        "tolerance": [ToleranceDocument],
        "carries": [ChainDocument],
    }
    names = [part for part in path if isinstance(part, str) and part in models]
    fields = [model.model_fields.items() for model in models[names[-1] if names else ""]]
    known = {field.alias or name for items in fields for name, field in items if not field.exclude}
    return sorted(known | ({"transformSql", "sqlFile"} if not names else set()))
