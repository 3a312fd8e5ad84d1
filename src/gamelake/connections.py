"""Connections to other systems, named in the project file by profile; secrets never stand there."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from gamelake.errors import LayoutError, OperatorError, Place, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic_core import ErrorDetails

TABLE = "profiles"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_SECRET_KEYS = frozenset({"password", "secret", "token", "dsn", "url", "uri"})


class PostgresConnection(BaseModel):
    """Where a Postgres is and who we are there. Holds no secret, so it may be shown."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Literal["postgres"]
    host: str = "localhost"  # a folder = the Unix socket in it
    port: int = Field(5432, ge=1, le=65_535)
    database: str = Field(min_length=1)
    user: str = Field(min_length=1)
    sslmode: Literal["disable", "prefer", "require", "verify-ca", "verify-full"] = "prefer"
    sslrootcert: str | None = None
    connect_timeout: int = Field(10, ge=1, le=600)  # seconds

    @property
    def where(self) -> str:
        """Place of the database, for messages."""
        return f"{self.user}@{self.host}:{self.port}/{self.database}"

    @property
    def variable(self) -> str:
        """Variable of the environment that holds the password; the same with `_FILE` names a file."""
        return f"GAMELAKE_CONNECTION_{self.name.upper()}_PASSWORD"

    def password(self) -> str | None:
        """The secret, read when it is needed and kept nowhere; None when there is none to give."""
        return secret(self.variable)


class FileConnection(BaseModel):
    """A folder of files: on this machine, or behind a URL that fsspec knows (`s3://`, `webhdfs://`)."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Literal["file"] = "file"
    root: str = Field(min_length=1)  # a folder, seen from the project's, or a URL
    options: dict[str, Any] = Field(default_factory=dict)  # of the file system; no secrets

    @field_validator("options")
    @classmethod
    def _no_secrets(cls, options: dict[str, Any]) -> dict[str, Any]:
        for key in options:
            if any(word in key.lower() for word in ("secret", "password", "token", "credential")):
                problem = f"the option `{key}` is a secret, which does not belong into the project file"
                raise ValueError(problem)
        return options

    @property
    def is_local(self) -> bool:
        """True for a folder of this machine."""
        return "://" not in self.root or self.root.startswith("file://")

    @property
    def folder(self) -> Path:
        """The local folder; a relative one is seen from the project's."""
        return Path(self.root.removeprefix("file://")).expanduser()

    @property
    def where(self) -> str:
        """The root, for messages."""
        return self.root

    @property
    def variable(self) -> str:
        """Variable of the environment that holds further options as JSON; the same with `_FILE` names a file."""
        return f"GAMELAKE_CONNECTION_{self.name.upper()}_OPTIONS"

    def all_options(self) -> dict[str, Any]:
        """Options of the file and of the environment, which may hold secrets: read when needed, kept nowhere."""
        text = secret(self.variable)
        try:
            found = json.loads(text) if text else {}
        except ValueError:
            found = None
        if not isinstance(found, dict):
            problem = f"`{self.variable}` is no JSON object"
            raise OperatorError(problem, hint="""write `{"key": "…", "secret": "…"}`""")
        return {**self.options, **found}


Connection = PostgresConnection | FileConnection
"""Any kind there is; others will join it here."""

KINDS: Mapping[str, type[PostgresConnection | FileConnection]] = {
    "postgres": PostgresConnection,
    "file": FileConnection,
}


def secret(variable: str) -> str | None:
    """A secret from the environment, or from the file that `<variable>_FILE` names.

    Both at once, or a file that cannot be read: OperatorError, which shows names and never contents.
    """
    value, file = os.environ.get(variable), os.environ.get(f"{variable}_FILE")
    if value and file:
        problem = f"both `{variable}` and `{variable}_FILE` are set"
        raise OperatorError(problem, hint="unset one of them")
    if not file:
        return value or None
    try:
        return Path(file).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        problem = f"the file of `{variable}_FILE` cannot be read: {reason}"
        raise OperatorError(problem, Place(file), "it holds the password and nothing else") from None


class ProfileReader:
    """Reads `[profiles.PROFILE.connections.NAME]` tables of one file; collects every mistake."""

    def __init__(self, file: Path, text: str) -> None:
        self.errors: list[LayoutError] = []
        self._file = file
        self._lines = [line.partition("#")[0].strip() for line in text.splitlines()]

    def read(self, value: Any) -> dict[str, dict[str, Connection]]:
        """Profile → name → connection, those that are right."""
        found: dict[str, dict[str, Connection]] = {}
        for profile, body in self._tables((TABLE,), value):
            found[profile] = {}
            for key, inner in self._tables((TABLE, profile), body):
                if key != "connections":
                    problem = f"unknown key `{key}`, expected one of: connections"
                    self._wrong(problem, (TABLE, profile, key), did_you_mean(key, ["connections"]))
                    continue
                for name, keys in self._tables((TABLE, profile, key), inner):
                    made = self._connection((TABLE, profile, key, name), name, keys)
                    if made is not None:
                        found[profile][name] = made
        return found

    def _tables(self, path: tuple[str, ...], value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
        if not isinstance(value, Mapping):
            self._wrong(f"`{path[-1]}` is a value, expected a table", path)
            return
        for key, body in value.items():
            if not isinstance(body, Mapping):
                hint = f"write `[{TABLE}.dev.connections.NAME]` above the keys of a connection"
                self._wrong(f"`{key}` is a value, expected a table", (*path, key), hint)
            else:
                yield key, body

    def _connection(self, path: tuple[str, ...], name: str, keys: Mapping[str, Any]) -> Connection | None:
        before = len(self.errors)
        if not _NAME.match(name):
            self._wrong(
                f"`{name}` is not a connection name, expected lower-case letters, digits and `_`", path
            )
        kind = str(keys.get("kind", ""))
        if kind not in KINDS:
            known = ", ".join(KINDS)
            problem = (
                f"the key `kind` is missing, expected one of: {known}"
                if not kind
                else f"unknown kind `{kind}`, expected one of: {known}"
            )
            self._wrong(problem, (*path, "kind"), did_you_mean(kind, KINDS))
            return None
        for key in sorted(_SECRET_KEYS & keys.keys()):
            variable = f"GAMELAKE_CONNECTION_{name.upper()}_PASSWORD"
            if kind == "file":
                variable = f"GAMELAKE_CONNECTION_{name.upper()}_OPTIONS"
            hint = f"set `{variable}`, or `{variable}_FILE` to the path of a file that holds it"
            self._wrong("a secret does not belong into the project file", (*path, key), hint)
        plain = {key: value for key, value in keys.items() if key not in _SECRET_KEYS}
        try:
            made = KINDS[kind].model_validate({**plain, "name": name})
        except ValidationError as error:
            for detail in error.errors():
                self._explain(path, KINDS[kind], detail)
            return None
        return made if len(self.errors) == before else None

    def _explain(self, path: tuple[str, ...], model: type[BaseModel], detail: ErrorDetails) -> None:
        key = str(detail["loc"][0])
        known = [field for field in model.model_fields if field != "name"]
        if detail["type"] == "extra_forbidden":
            problem = f"unknown key `{key}`, expected one of: {', '.join(known)}"
            self._wrong(problem, (*path, key), did_you_mean(key, known))
        elif detail["type"] == "missing":
            self._wrong(f"the key `{key}` is missing", path)
        else:
            message = detail["msg"][:1].lower() + detail["msg"][1:]
            self._wrong(f"{message}, got `{detail['input']}`", (*path, key))

    def _wrong(self, problem: str, path: tuple[str, ...], hint: str | None = None) -> None:
        place = Place(str(self._file), self._line(path), ".".join(path))
        self.errors.append(LayoutError(problem, place, hint))

    def _line(self, path: tuple[str, ...]) -> int | None:
        """Line of a table, or of a key in it; a header further out when it is written in another way."""
        for depth in range(len(path), 0, -1):
            header = f"[{'.'.join(path[:depth])}]"
            if header not in self._lines:
                continue
            start = self._lines.index(header)
            if depth == len(path):
                return start + 1
            for number, line in enumerate(self._lines[start + 1 :], start=start + 2):
                if line.startswith("["):
                    break
                if line.partition("=")[0].strip().strip("\"'") == path[depth]:
                    return number
            return start + 1
        return None
