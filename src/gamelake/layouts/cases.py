"""Tests of layouts as people write them: files of cases, rows in and rows expected out."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gamelake.errors import LayoutError, Place, did_you_mean
from gamelake.layouts.frontmatter import FrontMatter, dotted, read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pydantic_core import ErrorDetails

    from gamelake.layouts.frontmatter import KeyPath

Row = dict[str, Any]


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ExpectDocument(_Document):
    """What must come out: rows, or an error with these words, or failed checks of these names."""

    rows: list[Row] | None = None
    columns: list[str] | None = Field(default=None, min_length=1)
    error: str | None = Field(default=None, min_length=1)
    failed: list[str] | None = Field(default=None, min_length=1)
    warned: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _one_outcome(self) -> ExpectDocument:
        if sum(value is not None for value in (self.rows, self.error, self.failed)) != 1:
            problem = "a test expects either `rows`, or an `error`, or `failed` checks"
            raise ValueError(problem)
        if self.columns is not None and self.rows is None:
            problem = "`columns` says which columns of `rows` are compared, and there are no `rows`"
            raise ValueError(problem)
        return self


class CaseDocument(_Document):
    """One test: what the inputs and the target hold, the slice to build, what must come out."""

    name: str = Field(min_length=1)
    slice: dict[str, Any] = Field(default_factory=dict)
    vars: dict[str, Any] = Field(default_factory=dict)
    now: datetime | None = None
    inputs: dict[str, list[Row]]
    prior: list[Row] = Field(default_factory=list)
    others: dict[str, list[Row]] = Field(default_factory=dict)
    expect: ExpectDocument


class FileDocument(_Document):
    """A file of tests of one layout."""

    layout: str
    tests: list[CaseDocument] = Field(min_length=1)


_KEYS: dict[str, type[BaseModel]] = {"": FileDocument, "tests": CaseDocument, "expect": ExpectDocument}


@dataclass(frozen=True)
class Case:
    """A test with the place it stands at."""

    layout: str
    document: CaseDocument
    file: str
    index: int
    lines: dict[KeyPath, int] = field(hash=False, repr=False)

    @property
    def name(self) -> str:
        """Its name, which is unique in its file."""
        return self.document.name

    def place(self, *path: str | int) -> Place:
        """Where a key of this test stands; without one, the test itself."""
        whole: KeyPath = ("tests", self.index, *path)
        front = FrontMatter(None, self.lines, "", 1)
        return Place(self.file, front.line_of(whole), dotted(whole))

    @property
    def layout_place(self) -> Place:
        """Where the file names its layout."""
        return Place(self.file, self.lines.get(("layout",), 1), "layout")


def load_cases(files: Iterable[Path], shown: Path | None = None) -> list[Case]:
    """Every test of the files, in their order; raises one LayoutError with every mistake of all of them."""
    cases: list[Case] = []
    errors: list[LayoutError] = []
    for file in files:
        try:
            cases += _load_file(file, shown)
        except LayoutError as err:
            errors.append(err)
    if errors:
        raise LayoutError.all_of(errors)
    return cases


def _load_file(file: Path, shown: Path | None) -> list[Case]:
    name = str(file.relative_to(shown)) if shown and file.is_relative_to(shown) else str(file)
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as err:
        problem = "the file is not UTF-8 text"
        raise LayoutError(problem, Place(name)) from err
    data, lines, _ = read_yaml(text, name, what="the file")
    try:
        document = FileDocument.model_validate(data)
    except ValidationError as err:
        raise LayoutError.all_of([_explain(detail, lines, name) for detail in err.errors()]) from err
    cases = [Case(document.layout, case, name, index, lines) for index, case in enumerate(document.tests)]
    names = [case.name for case in cases]
    twice = [case for index, case in enumerate(cases) if case.name in names[:index]]
    if twice:
        problem = "two tests of this file are called `{}`"
        raise LayoutError.all_of(
            [LayoutError(problem.format(case.name), case.place("name")) for case in twice]
        )
    return cases


def _explain(detail: ErrorDetails, lines: dict[KeyPath, int], file: str) -> LayoutError:
    path: KeyPath = tuple(detail["loc"])
    place = Place(file, FrontMatter(None, lines, "", 1).line_of(path), dotted(path))
    key = str(path[-1]) if path else ""
    if detail["type"] == "extra_forbidden":
        around = [part for part in path[:-1] if part in _KEYS]
        known = sorted(_KEYS[str(around[-1]) if around else ""].model_fields)
        problem = f"unknown key `{key}`, expected one of: {', '.join(known)}"
        return LayoutError(problem, place, did_you_mean(key, known))
    if detail["type"] == "missing":
        return LayoutError(f"the key `{key}` is missing", place)
    message = re.sub(r"^(Value error|Assertion failed), ", "", detail["msg"])
    return LayoutError(f"{message[:1].lower()}{message[1:]}", place)
