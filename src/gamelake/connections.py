"""Connections to other systems, named in the project file by profile; secrets never stand there."""

from __future__ import annotations

import json
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, cast
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from gamelake.errors import LayoutError, OperatorError, Place, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic_core import ErrorDetails

TABLE = "profiles"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_SECRET_KEYS = frozenset({"password", "secret", "token", "dsn", "url", "uri"})


class _Connection(BaseModel, ABC):
    """What every connection has. Holds no secret, so it may be shown."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    name: str

    @property
    @abstractmethod
    def where(self) -> str:
        """Place of the store, for messages."""

    @property
    def variable(self) -> str:
        """Variable of the environment that holds the password; the same with `_FILE` names a file."""
        return self._variable("PASSWORD")

    def password(self) -> str | None:
        """The secret, read when it is needed and kept nowhere; None when there is none to give."""
        return secret(self.variable)

    def _variable(self, word: str) -> str:
        return f"GAMELAKE_CONNECTION_{self.name.upper()}_{word}"


class PostgresConnection(_Connection):
    """Where a Postgres is and who we are there."""

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
        return f"{self.user}@{self.host}:{self.port}/{self.database}"


class TrinoConnection(_Connection):
    """Where a Trino is and who we are there. Its certificate is always verified; `ca_file` may say by whom."""

    kind: Literal["trino"]
    host: str = Field(pattern=r"^[^\s/:@]+$")  # the scheme and the port have keys of their own
    port: int | None = Field(None, ge=1, le=65_535)  # None = 443, or 8080 without TLS
    user: str = Field(min_length=1)
    catalog: str = Field(min_length=1)
    default_schema: str | None = Field(None, alias="schema")  # for queries that name none
    http_scheme: Literal["https", "http"] = "https"
    ca_file: str | None = None
    request_timeout: int = Field(60, ge=1, le=3_600)  # seconds without an answer to one request

    @property
    def where(self) -> str:
        default = 443 if self.http_scheme == "https" else 8080
        return f"{self.http_scheme}://{self.user}@{self.host}:{self.port or default}/{self.catalog}"

    @property
    def token_variable(self) -> str:
        """Variable of the environment that holds a token, for those who have no password."""
        return self._variable("TOKEN")

    def token(self) -> str | None:
        """A JSON web token; OperatorError when there is a password as well."""
        found = secret(self.token_variable)
        if found and self.password():
            problem = f"both `{self.variable}` and `{self.token_variable}` are set"
            raise OperatorError(problem, hint="unset one of them")
        return found


class FileConnection(_Connection):
    """A folder of files: on this machine, or behind a URL that fsspec knows (`s3://`, `webhdfs://`)."""

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
        return self._variable("OPTIONS")

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


class IcebergConnection(_Connection):
    """A catalogue of Iceberg tables that others write. What is secret comes from the environment."""

    kind: Literal["iceberg"]
    catalog: Literal["rest", "sql"] = "rest"
    uri: str = Field(min_length=1)
    catalog_name: str | None = None  # as a `sql` catalogue calls itself; else the connection's name
    warehouse: str | None = None
    properties: dict[str, str] = Field(default_factory=dict)  # pyiceberg's: `s3.endpoint`, `s3.region`, …

    @property
    def where(self) -> str:
        return f"{self.catalog} catalogue {self.uri}"

    @model_validator(mode="after")
    def _no_secrets(self) -> Self:
        if urlsplit(self.uri).password:
            problem = f"the `uri` holds a password; set `{self.variable}` instead"
            raise ValueError(problem)
        for key in sorted(SECRET_PROPERTIES & self.properties.keys()):
            problem = f"`{key}` does not belong into the project file; set `{self.property_variable(key)}`"
            raise ValueError(problem)
        return self

    def property_variable(self, key: str) -> str:
        """Variable of the environment that holds a secret property.

        >>> IcebergConnection(name="lake", kind="iceberg", uri="http://x").property_variable("s3.access-key-id")
        'GAMELAKE_CONNECTION_LAKE_S3_ACCESS_KEY_ID'
        """
        return self._variable(re.sub(r"[.-]", "_", key).upper())

    def secrets(self) -> dict[str, str]:
        """Secret properties that the environment gives."""
        found = {key: secret(self.property_variable(key)) for key in sorted(SECRET_PROPERTIES)}
        return {key: value for key, value in found.items() if value is not None}


class DuckDBConnection(_Connection):
    """Tables on this machine in place of another system's: a folder of Parquet files, or a DuckDB file."""

    kind: Literal["duckdb"]
    folder: str | None = None  # SCHEMA/TABLE.parquet, or SCHEMA/TABLE/**/*.parquet; seen from the project
    database: str | None = None  # read only
    default_schema: str | None = Field(None, alias="schema")  # for queries that name none
    dialect: Literal["duckdb", "trino", "postgres"] = "duckdb"  # what the queries are written in

    @property
    def where(self) -> str:
        return self.folder or self.database or ""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.folder is None) == (self.database is None):
            problem = "a `duckdb` connection has either the key `folder` or the key `database`"
            raise ValueError(problem)
        return self


class LakeConnection(_Connection):
    """Stands for another system where there is none: outputs that name it stay in the lake alone."""

    kind: Literal["lake"]

    @property
    def where(self) -> str:
        return "the project's lake"


SECRET_PROPERTIES = frozenset(
    {"token", "credential", "s3.access-key-id", "s3.secret-access-key", "s3.session-token"}
)
"""Properties of an Iceberg catalogue that never stand in a file."""

Connection = Annotated[
    PostgresConnection
    | FileConnection
    | TrinoConnection
    | IcebergConnection
    | DuckDBConnection
    | LakeConnection,
    Field(discriminator="kind"),
]
"""Any kind there is."""

KINDS: Mapping[str, type[_Connection]] = {
    "postgres": PostgresConnection,
    "file": FileConnection,
    "trino": TrinoConnection,
    "iceberg": IcebergConnection,
    "duckdb": DuckDBConnection,
    "lake": LakeConnection,
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
        secrets = _SECRET_KEYS - KINDS[kind].model_fields.keys()
        for key in sorted(secrets & keys.keys()):
            variable = f"GAMELAKE_CONNECTION_{name.upper()}_PASSWORD"
            if kind == "file":
                variable = f"GAMELAKE_CONNECTION_{name.upper()}_OPTIONS"
            hint = f"set `{variable}`, or `{variable}_FILE` to the path of a file that holds it"
            self._wrong("a secret does not belong into the project file", (*path, key), hint)
        plain = {key: value for key, value in keys.items() if key not in secrets}
        try:
            made = KINDS[kind].model_validate({**plain, "name": name})
        except ValidationError as error:
            for detail in error.errors():
                self._explain(path, KINDS[kind], detail)
            return None
        return cast("Connection", made) if len(self.errors) == before else None

    def _explain(self, path: tuple[str, ...], model: type[_Connection], detail: ErrorDetails) -> None:
        if not detail["loc"]:
            self._wrong(detail["msg"].removeprefix("Value error, "), path)
            return
        key = str(detail["loc"][0])
        known = [field.alias or name for name, field in model.model_fields.items() if name != "name"]
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
