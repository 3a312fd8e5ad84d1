"""What an entry of `checks` may say, kind by kind, and what must fit the output it stands for."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from gamelake.errors import UserError, did_you_mean
from gamelake.model.checks import Check, CheckKind, Severity, Tolerance
from gamelake.model.names import DatasetName
from gamelake.model.schema import ColumnType

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Identifier = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*$")]
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")
_TIMES = {ColumnType.DATE, ColumnType.TIMESTAMP}
_ORDERED_SLICES = {ColumnType.DATE, ColumnType.INT, ColumnType.BIGINT}


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Columns = Annotated[list[Identifier], BeforeValidator(_listed), Field(min_length=1)]
"""One column, or several."""


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ToleranceDocument(_Document):
    """`0.01` is a share, `5` an amount; a mapping says which is meant."""

    share: float | None = Field(default=None, ge=0, le=1)
    amount: float | None = Field(default=None, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _from_number(cls, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return value
        return {"share": value} if 0 < value < 1 else {"amount": value}

    @model_validator(mode="after")
    def _one_of_them(self) -> ToleranceDocument:
        if (self.share is None) == (self.amount is None):
            problem = "a tolerance has either `share` or `amount`"
            raise ValueError(problem)
        return self


class CheckBase(_Document):
    """What every check has."""

    name: str = ""
    severity: Severity = Severity.ERROR

    def check(self) -> Check:
        """The model's check, named after what it looks at when the author gave no name."""
        left_out = {"name", "severity", "kind", "tolerance"}
        content = self.model_dump(exclude=left_out, exclude_none=True)
        kind = CheckKind(getattr(self, "kind"))  # noqa: B009 - every subclass declares its own literal
        given: ToleranceDocument | None = getattr(self, "tolerance", None)
        tolerance = Tolerance() if given is None else Tolerance(given.amount or 0.0, given.share)
        return Check(self.name or _default_name(kind, content), kind, content, self.severity, tolerance)

    def columns_named(self) -> Iterator[str]:
        """Columns of the output that the check looks at."""
        for key in ("column", "columns", "gain", "spend", "balance", "opening", "key", "order", "by"):
            value = getattr(self, key, None)
            yield from [value] if isinstance(value, str) else value or []


class _RowsCheck(CheckBase):
    """A check that counts rows which break it."""

    tolerance: ToleranceDocument | None = None


class ColumnsCheck(_RowsCheck):
    """Columns that are never null, or unique together."""

    kind: Literal["not_null", "unique"]
    columns: Columns


class AcceptedValuesCheck(_RowsCheck):
    """A column holds only these values (or null)."""

    kind: Literal["accepted_values"]
    column: Identifier
    values: list[str | int | float | bool | date] = Field(min_length=1)


class _Bounded(BaseModel):
    """Something with bounds, at least one of which is given, in their order."""

    @model_validator(mode="after")
    def _has_bounds(self) -> _Bounded:
        pairs = [("min", "max"), ("min_ratio", "max_ratio")]
        known = [(low, high) for low, high in pairs if low in type(self).model_fields]
        if all(getattr(self, key) is None for pair in known for key in pair):
            problem = f"the check needs {' or '.join(f'`{key}`' for pair in known for key in pair)}"
            raise ValueError(problem)
        for low, high in known:
            least, most = getattr(self, low), getattr(self, high)
            if least is not None and most is not None and type(least) is type(most) and least > most:
                problem = f"`{low}` is greater than `{high}`"
                raise ValueError(problem)
        return self


class RangeCheck(_RowsCheck, _Bounded):
    """A column stays between `min` and `max`, both included."""

    kind: Literal["range"]
    column: Identifier
    min: float | int | date | None = None
    max: float | int | date | None = None


class RowCountCheck(CheckBase, _Bounded):
    """Rows of a slice: between `min` and `max`, or their ratio to the mean of the `previous` slices."""

    kind: Literal["row_count"]
    min: int | None = Field(default=None, ge=0)
    max: int | None = Field(default=None, ge=0)
    min_ratio: float | None = Field(default=None, ge=0)
    max_ratio: float | None = Field(default=None, ge=0)
    previous: int | None = Field(default=None, ge=1, le=1000)

    @model_validator(mode="after")
    def _one_way(self) -> RowCountCheck:
        absolute = self.min is not None or self.max is not None
        relative = self.min_ratio is not None or self.max_ratio is not None
        if absolute and relative:
            problem = "give `min`/`max` or `min_ratio`/`max_ratio`; for both, write two checks"
            raise ValueError(problem)
        if self.previous is not None and not relative:
            problem = (
                "`previous` says with how many earlier slices a ratio is made; add `min_ratio` or `max_ratio`"
            )
            raise ValueError(problem)
        return self

    @property
    def compares(self) -> bool:
        """True when it needs earlier slices."""
        return self.min_ratio is not None or self.max_ratio is not None


class _OtherDataset(BaseModel):
    """Names another dataset."""

    dataset: str

    @field_validator("dataset")
    @classmethod
    def _is_a_dataset(cls, text: str) -> str:
        try:
            return str(DatasetName.parse(text))
        except UserError as err:
            problem = f"{err.problem}; {err.hint}"
            raise ValueError(problem) from err


class RelationshipCheck(_RowsCheck, _OtherDataset):
    """The values of `columns` exist in columns `to` of another dataset; rows with a null are not asked."""

    kind: Literal["relationship"]
    columns: Columns
    to: Columns | None = None

    @model_validator(mode="after")
    def _pairs(self) -> RelationshipCheck:
        if self.to is not None and len(self.to) != len(self.columns):
            problem = (
                f"{len(self.columns)} in `columns` and {len(self.to)} in `to`; they are compared in pairs"
            )
            raise ValueError(problem)
        return self


class FreshnessCheck(CheckBase):
    """The newest value of a date or timestamp column is no older than `max_age` when the slice is built."""

    kind: Literal["freshness"]
    column: Identifier
    max_age: str

    @field_validator("max_age")
    @classmethod
    def _is_an_age(cls, text: str) -> str:
        age_of(text)
        return text


class SqlCheck(_RowsCheck):
    """A predicate every row satisfies; null counts as a violation."""

    kind: Literal["sql"]
    predicate: str = Field(min_length=1)


class BalanceCheck(_RowsCheck):
    """gain − spend = change of `balance`, row by row; nulls of gain and spend count as nothing.

    The balance before is the column `opening`; or the one of the row before with the same `key` in the order of
    `order`, and for the first row of a key the last one of the slice before. Without a row before, none is judged.
    """

    kind: Literal["balance"]
    gain: Columns
    spend: Columns
    balance: Identifier
    opening: Identifier | None = None
    key: Columns | None = None
    order: Columns | None = None
    within: float | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _one_way(self) -> BalanceCheck:
        if (self.opening is None) == (self.key is None):
            problem = (
                "the balance before is either a column (`opening`) or the row before with the same `key`"
            )
            raise ValueError(problem)
        if self.order is not None and self.key is None:
            problem = "`order` puts the rows of one `key` in order, and there is no `key`"
            raise ValueError(problem)
        return self


class ConservationCheck(CheckBase, _OtherDataset):
    """The sum of `column` equals the sum of column `to` in those slices of another dataset that agree.

    With `by` the sums are compared group by group. A tolerance is a share of the larger sum, or an amount.
    """

    kind: Literal["conservation"]
    column: Identifier
    to: Identifier | None = None
    by: Columns | None = None
    tolerance: ToleranceDocument | None = None


CHECK_DOCUMENTS: tuple[type[CheckBase], ...] = (
    ColumnsCheck,
    AcceptedValuesCheck,
    RangeCheck,
    RowCountCheck,
    RelationshipCheck,
    FreshnessCheck,
    SqlCheck,
    BalanceCheck,
    ConservationCheck,
)
CheckDocument = Annotated[
    ColumnsCheck
    | AcceptedValuesCheck
    | RangeCheck
    | RowCountCheck
    | RelationshipCheck
    | FreshnessCheck
    | SqlCheck
    | BalanceCheck
    | ConservationCheck,
    Field(discriminator="kind"),
]
"""Any of the checks, told apart by `kind`."""


def known_check_keys(location: Sequence[str | int]) -> list[str]:
    """Keys of the kind of check that a pydantic location goes through; none when it goes through no check."""
    for kind in CHECK_DOCUMENTS:
        if location[:1] == ("checks",) and location[2:-1] and location[2] in _kinds_of(kind):
            inner = ToleranceDocument if "tolerance" in location[3:-1] else kind
            return sorted(inner.model_fields)
    return []


def _kinds_of(document: type[CheckBase]) -> tuple[str, ...]:
    return get_args(document.model_fields["kind"].annotation)


def age_of(text: str) -> timedelta:
    """Read an age such as `36h`; ValueError when it is none.

    >>> age_of("1.5h")
    datetime.timedelta(seconds=5400)
    """
    found = _AGE.fullmatch(text.strip())
    if found is None or float(found[1]) == 0:
        problem = f"`{text}` is not an age; write a number and s, m, h or d, such as `36h`"
        raise ValueError(problem)
    return timedelta(seconds=float(found[1]) * _UNITS[found[2]])


def mistakes(
    check: CheckBase, types: Mapping[str, ColumnType], slice_columns: Sequence[str]
) -> Iterator[tuple[str, str | None]]:
    """What a check says of its own output that cannot be: (problem, hint)."""
    named = list(dict.fromkeys(check.columns_named()))
    unknown = [name for name in named if name not in types]
    for name in unknown:
        problem = f"the check names `{name}`, which is not a column of the schema"
        yield problem, did_you_mean(name, types)
    if unknown:
        return
    if isinstance(check, RangeCheck):
        yield from _range_mistakes(check, types[check.column])
    if isinstance(check, FreshnessCheck) and types[check.column] not in _TIMES:
        yield (
            f"`{check.column}` is `{types[check.column].value}`; freshness is of a date or a timestamp",
            None,
        )
    summed: list[str] = []
    if isinstance(check, ConservationCheck):
        summed = [check.column]
    if isinstance(check, BalanceCheck):
        summed = [*check.gain, *check.spend, check.balance, *([check.opening] if check.opening else [])]
    for name in summed:
        if not types[name].is_number:
            yield f"`{name}` is `{types[name].value}`; the check adds it up, so it is a number", None
    ordered = [name for name in slice_columns if types.get(name) in _ORDERED_SLICES]
    if isinstance(check, RowCountCheck) and check.compares and slice_columns and not ordered:
        problem = "no slice is earlier than another: the slice has no column of type date, int or bigint"
        yield problem, "use `min` and `max`"
    if isinstance(check, BalanceCheck) and check.key and not check.order and not ordered:
        problem = (
            "there is no row before: the rows of a key have no `order`, and slices follow no date or number"
        )
        yield problem, "add `order`, the columns that put the rows of one key in order, or `opening`"


def _range_mistakes(check: RangeCheck, kind: ColumnType) -> Iterator[tuple[str, str | None]]:
    for bound in (check.min, check.max):
        if isinstance(bound, date) and kind not in _TIMES:
            yield f"`{check.column}` is `{kind.value}`, and the bound `{bound}` is a date", None
        if isinstance(bound, int | float) and not kind.is_number:
            yield f"`{check.column}` is `{kind.value}`, and the bound `{bound:g}` is a number", None


def _default_name(kind: CheckKind, content: dict[str, Any]) -> str:
    about = content.get("columns") or [
        content.get("column") or content.get("predicate") or content.get("balance")
    ]
    if about == [None]:
        compared = kind is CheckKind.ROW_COUNT and ("min_ratio" in content or "max_ratio" in content)
        return f"{kind.value}(previous)" if compared else kind.value
    target = f" in {content['dataset']}" if "dataset" in content else ""
    return f"{kind.value}({', '.join(str(word) for word in about)}{target})"
