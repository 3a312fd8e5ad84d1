"""One exception tree, split by who can act.

GamelakeError
├── UserError            the person at the keyboard or the caller of the API (exit 2, HTTP 4xx)
│   ├── LayoutError      the author of a layout, a project file or a pack
│   ├── InputError       whoever handed us a file or bytes we cannot read
│   ├── NotFoundError    asked for something that is not there (404)
│   └── ConflictError    asked for something that the present state forbids (409)
├── CheckFailedError     the data: a blocking check said no, the old rows stay (exit 1)
├── CancelledRunError    somebody asked the run to stop, and it did (exit 130)
└── OperatorError        whoever runs the machine (exit 1, HTTP 5xx)
    ├── StoreError       a lake, a disk or a database did not answer as promised
    ├── LeaseLostError   somebody else holds what we thought was ours (retryable)
    └── MissingExtraError an optional dependency is not installed
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Place:
    """Where something is wrong: a file, a line in it (1-based), a key path or a row."""

    file: str | None = None
    line: int | None = None
    key: str | None = None

    def __str__(self) -> str:
        text = self.file or ""
        if self.line is not None:
            text += f":{self.line}"
        if self.key:
            text += f" ({self.key})" if text else self.key
        return text


class GamelakeError(Exception):
    """Root of everything we raise on purpose: what, where, expected, and what to do."""

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1
    http_status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        problem: str,
        at: Place | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(problem, at, hint)  # same arguments in: survives pickling to a worker
        self.problem = problem
        self.at = at
        self.hint = hint

    def __str__(self) -> str:
        where = str(self.at) if self.at else ""
        text = f"{where}: {self.problem}" if where else self.problem
        return f"{text}\n\nhint: {self.hint}" if self.hint else text


class UserError(GamelakeError):
    """The caller can mend it."""

    code = "user_error"
    exit_code = 2
    http_status = 400


class LayoutError(UserError):
    """A layout, project file or pack says something we cannot build."""

    code = "layout_error"
    http_status = 422

    def __init__(
        self,
        problem: str,
        at: Place | None = None,
        hint: str | None = None,
        others: tuple[LayoutError, ...] = (),
    ) -> None:
        super().__init__(problem, at, hint)
        self.args = (problem, at, hint, others)
        self.others = others

    @classmethod
    def all_of(cls, errors: Iterable[LayoutError]) -> LayoutError:
        """Fold everything one author can fix in one sitting into one error."""
        first, *rest = errors
        return cls(first.problem, first.at, first.hint, (*first.others, *rest))

    def __str__(self) -> str:
        return "\n\n".join([super().__str__(), *(str(other) for other in self.others)])


class InputError(UserError):
    """A file or a body holds bytes we cannot read."""

    code = "input_error"
    http_status = 422


class NotFoundError(UserError):
    """The named thing does not exist."""

    code = "not_found"
    http_status = 404


class ConflictError(UserError):
    """The present state forbids what was asked."""

    code = "conflict"
    http_status = 409


class CheckFailedError(GamelakeError):
    """A blocking check failed; the target keeps its old rows."""

    code = "check_failed"
    http_status = 422


class CancelledRunError(GamelakeError):
    """The run was asked to stop; what it had published by then stays."""

    code = "cancelled"
    exit_code = 130
    http_status = 409


class OperatorError(GamelakeError):
    """The machine or a service it depends on did not do its part."""

    code = "operator_error"


class StoreError(OperatorError):
    """A store (disk, lake, database) failed."""

    code = "store_error"
    http_status = 503
    retryable = True


class LeaseLostError(OperatorError):
    """The lease we worked under belongs to somebody else now; our writes are refused."""

    code = "lease_lost"
    http_status = 409
    retryable = True


class MissingExtraError(OperatorError):
    """An optional dependency is needed and not installed."""

    code = "missing_extra"


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Hint naming the nearest known word, or None when nothing is near.

    >>> did_you_mean("replace_slce", ["replace_slice", "merge"])
    'did you mean `replace_slice`?'
    """
    near = get_close_matches(word, list(known), n=1)
    return f"did you mean `{near[0]}`?" if near else None
