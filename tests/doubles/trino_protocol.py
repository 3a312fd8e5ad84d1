"""A test double of Trino's client protocol: a real HTTP server whose answers come from a DuckDB.

It is no Trino. It keeps what the protocol promises (POST a statement, follow `nextUri` page by page, DELETE to
cancel, columns with Trino's type names, values as Trino writes them in JSON, errors by name, type and place, a
page asked for twice is the same page), refuses what breaks it, and remembers every request. The SQL is Trino's,
made DuckDB's by sqlglot.
"""

from __future__ import annotations

import base64
import json
import re
import ssl
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import UUID

import duckdb
import sqlglot
from sqlglot.errors import ParseError, TokenError

from gamelake.connections import TrinoConnection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

CATALOG = "hive"
# what Trino has and DuckDB calls something else; the checksum differs, its promise (a number of 32 bits) does not
_MACROS = (
    "CREATE MACRO to_utf8(x) AS encode(x)",
    "CREATE MACRO crc32(x) AS CAST(hash(x) % 4294967296 AS BIGINT)",
    "CREATE MACRO json_format(x) AS CAST(x AS VARCHAR)",
)
_TYPES = {
    "BIGINT": "bigint",
    "INTEGER": "integer",
    "SMALLINT": "smallint",
    "TINYINT": "tinyint",
    "HUGEINT": "bigint",  # sum(bigint) is a bigint in Trino
    "DOUBLE": "double",
    "FLOAT": "real",
    "BOOLEAN": "boolean",
    "VARCHAR": "varchar",
    "DATE": "date",
    "TIME": "time(6)",
    "TIMESTAMP": "timestamp(6)",
    "TIMESTAMP WITH TIME ZONE": "timestamp(6) with time zone",
    "UUID": "uuid",
    "BLOB": "varbinary",
    "JSON": "json",
    "BIT": "HyperLogLog",  # nothing of DuckDB's is like it; so it can be met at all
}


@dataclass
class Statement:
    """One statement that was posted, and how it ended."""

    sql: str
    headers: Mapping[str, str]
    pages: int = 0  # different pages that were fetched
    cancelled: bool = False

    @property
    def reads(self) -> bool:
        """False for what only asks for types, or for numbers about the whole."""
        return "LIMIT 0" not in self.sql and not re.match(r"SELECT (count|min|DISTINCT)\b", self.sql)


@dataclass
class Fault:
    """Something that goes wrong `times` times, on requests whose statement holds `about`."""

    kind: str  # `drop`, `503`, `404`, `garbage`, or the name of a Trino error such as `CLUSTER_OUT_OF_MEMORY`
    about: str = ""
    page: int = 0  # from which page on
    times: int = 1
    message: str = "so the test wants it"


_ERROR_TYPES = {
    "SYNTAX_ERROR": "USER_ERROR",
    "TABLE_NOT_FOUND": "USER_ERROR",
    "COLUMN_NOT_FOUND": "USER_ERROR",
    "TYPE_MISMATCH": "USER_ERROR",
    "INVALID_CAST_ARGUMENT": "USER_ERROR",
    "PERMISSION_DENIED": "USER_ERROR",
    "USER_CANCELED": "USER_ERROR",
    "ADMINISTRATIVELY_KILLED": "INSUFFICIENT_RESOURCES",
    "EXCEEDED_TIME_LIMIT": "INSUFFICIENT_RESOURCES",
    "CLUSTER_OUT_OF_MEMORY": "INSUFFICIENT_RESOURCES",
    "HIVE_CANNOT_OPEN_SPLIT": "EXTERNAL",
    "REMOTE_TASK_ERROR": "INTERNAL_ERROR",
    "GENERIC_INTERNAL_ERROR": "INTERNAL_ERROR",
}


@dataclass
class _Query:
    id: str
    statement: Statement
    columns: list[dict[str, Any]] = field(default_factory=list)
    pages: list[list[list[Any]]] = field(default_factory=list)
    error: dict[str, Any] | None = None
    seen: int = 0


class TrinoDouble:
    """The server. `tables` is the DuckDB behind it; make `CREATE SCHEMA l2m` and tables there."""

    def __init__(self, page_rows: int = 1000, password: str | None = None, token: str | None = None) -> None:
        self.tables = duckdb.connect(":memory:")
        self.tables.execute("SET TimeZone = 'UTC'")
        for macro in _MACROS:
            self.tables.execute(macro)
        self.page_rows = page_rows
        self.statements: list[Statement] = []
        self.faults: list[Fault] = []
        self.broken_rules: list[str] = []  # of the protocol, by the client
        self.before: Callable[[Statement], None] | None = None
        self._wanted = {
            f"Basic {base64.b64encode(f'etl:{password}'.encode()).decode()}" if password else None,
            f"Bearer {token}" if token else None,
        } - {None}
        self._queries: dict[str, _Query] = {}
        self._numbers = count(1)
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._scheme = "http"

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    @property
    def url(self) -> str:
        return f"{self._scheme}://localhost:{self.port}"

    def reads(self) -> list[Statement]:
        """Statements that read rows of tables."""
        return [statement for statement in self.statements if statement.reads]

    def connection(self, name: str = "game", **keys: Any) -> TrinoConnection:
        told = {"host": "localhost", "port": self.port, "user": "etl", "catalog": CATALOG, "kind": "trino"}
        return TrinoConnection.model_validate({"name": name, "http_scheme": self._scheme, **told, **keys})

    def with_tls(self, folder: Path) -> Path:
        """Speak TLS, with a certificate that nobody knows; its file."""
        key, certificate = folder / "key.pem", folder / "certificate.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
             "-keyout", key, "-out", certificate],
            check=True, capture_output=True,
        )  # fmt: skip
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self._scheme = "https"
        return certificate

    @contextmanager
    def serving(self) -> Iterator[TrinoDouble]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()
            self.tables.close()
        assert not self.broken_rules, self.broken_rules

    def clear(self) -> None:
        """Forget requests, faults and tables: a new test begins."""
        self.statements.clear()
        self.faults.clear()
        self.before = None
        for (schema,) in self.tables.execute(
            "SELECT schema_name FROM duckdb_schemas() WHERE database_name = 'memory' AND NOT internal"
        ).fetchall():
            if schema != "main":
                self.tables.execute(f"DROP SCHEMA {schema} CASCADE")

    # what the handler asks for

    def admits(self, headers: Mapping[str, str]) -> bool:
        return not self._wanted or headers.get("Authorization") in self._wanted

    def fault(self, statement: Statement, page: int) -> Fault | None:
        with self._lock:
            for fault in self.faults:
                if fault.times > 0 and fault.about in statement.sql and page >= fault.page:
                    fault.times -= 1
                    return fault
        return None

    def post(self, sql: str, headers: Mapping[str, str]) -> dict[str, Any]:
        statement = Statement(sql, dict(headers))
        for name in ("X-Trino-User", "X-Trino-Source", "X-Trino-Catalog"):
            if not headers.get(name):
                self.broken_rules.append(f"a statement without {name}")
        with self._lock:
            query = _Query(f"20261122_{next(self._numbers):06d}_abcde", statement)
            self._queries[query.id] = query
            self.statements.append(statement)
        return self._answer(query, "QUEUED", token=0, columns=False)

    def page(self, query_id: str, token: int) -> tuple[int, dict[str, Any]]:
        query = self._queries.get(query_id)
        if query is None:
            return 404, {}
        if query.statement.cancelled:
            return 200, self._failed(query, self._error("USER_CANCELED", "Query was canceled"))
        if token not in {query.seen, query.seen + 1}:
            return 410, {}
        query.seen = max(query.seen, token)
        query.statement.pages = max(query.statement.pages, token)
        if token == 1 and not query.columns and query.error is None:
            self._run(query)
        fault = self.fault(query.statement, token)
        if fault is not None:
            if not fault.kind.isupper():
                return 0, {"kind": fault.kind}
            query.error = self._error(fault.kind, fault.message)
        if query.error is not None:
            return 200, self._failed(query, query.error)
        state = "RUNNING" if token < len(query.pages) else "FINISHED"
        return 200, self._answer(query, state, token=token, columns=True)

    def cancel(self, query_id: str) -> None:
        self._queries[query_id].statement.cancelled = True

    def _answer(self, query: _Query, state: str, *, token: int, columns: bool) -> dict[str, Any]:
        body: dict[str, Any] = {
            "id": query.id,
            "infoUri": f"{self.url}/ui/query.html?{query.id}",
            "stats": {"state": state, "nodes": 1},
            "warnings": [],
        }
        if state != "FINISHED":
            phase = "queued" if token == 0 else "executing"
            body["nextUri"] = f"{self.url}/v1/statement/{phase}/{query.id}/y{token + 1}/{token + 1}"
        if columns:
            body["columns"] = query.columns
            if token <= len(query.pages) and query.pages[token - 1]:
                body["data"] = query.pages[token - 1]
        return body

    def _failed(self, query: _Query, error: dict[str, Any]) -> dict[str, Any]:
        return {
            **self._answer(query, "FINISHED", token=0, columns=False),
            "stats": {"state": "FAILED"},
            "error": error,
        }

    def _error(self, name: str, message: str, line: int | None = None, column: int = 1) -> dict[str, Any]:
        made: dict[str, Any] = {
            "message": message, "errorCode": 1, "errorName": name, "errorType": _ERROR_TYPES[name],
            "failureInfo": {"type": "io.trino.spi.TrinoException"},
        }  # fmt: skip
        if line is not None:
            made["errorLocation"] = {"lineNumber": line, "columnNumber": column}
            made["message"] = f"line {line}:{column}: {message}"
        return made

    def _run(self, query: _Query) -> None:
        if self.before is not None:
            self.before(query.statement)
        sql = query.statement.sql
        if sql == "SELECT node_version FROM system.runtime.nodes":
            sql = "SELECT '480-double' AS node_version"
        try:
            if sql.rstrip().endswith(";"):
                self._raise("mismatched input ';'")
            made = sqlglot.transpile(sql, read="trino", write="duckdb")[0]
            cursor = self.tables.cursor()
            cursor.execute("SET TimeZone = 'UTC'; SET integer_division = true")  # as Trino divides
            answer = cursor.execute(made)
            kinds = [str(column[1]) for column in answer.description]
            names = [column[0] for column in answer.description]
            rows = [[_json(value) for value in row] for row in answer.fetchall()]
        except (ParseError, TokenError) as error:
            found = (
                error.errors[0] if isinstance(error, ParseError) and error.errors else {"line": 1, "col": 1}
            )
            query.error = self._error("SYNTAX_ERROR", "mismatched input", found["line"], found["col"])
        except duckdb.Error as error:
            query.error = self._of_duckdb(error, sql)
        else:
            query.columns = [
                _column(name, _trino_type(kind)) for name, kind in zip(names, kinds, strict=True)
            ]
            starts = range(0, max(len(rows), 1), self.page_rows)
            query.pages = [rows[start : start + self.page_rows] for start in starts]

    def _raise(self, message: str) -> None:
        raise ParseError(message, [{"line": 1, "col": 1}])

    def _of_duckdb(self, error: duckdb.Error, sql: str) -> dict[str, Any]:
        message = str(error).splitlines()[0]
        named = re.search(r'"(\w+)"|name (\w+)', message)
        word = next((w for w in named.groups() if w), "") if named else ""
        line = next((n for n, text in enumerate(sql.splitlines(), 1) if word and word in text), 1)
        if isinstance(error, duckdb.CatalogException):
            return self._error("TABLE_NOT_FOUND", f"Table '{CATALOG}.{word}' does not exist", line)
        if isinstance(error, duckdb.BinderException):
            return self._error("COLUMN_NOT_FOUND", f"Column '{word}' cannot be resolved", line)
        if isinstance(error, duckdb.ConversionException | duckdb.OutOfRangeException):
            return self._error("INVALID_CAST_ARGUMENT", message)
        return self._error("GENERIC_INTERNAL_ERROR", message)


def _trino_type(kind: str) -> str:
    if kind.endswith("[]"):
        return f"array({_trino_type(kind[:-2])})"
    if kind.startswith("DECIMAL"):
        return kind.lower()
    if kind.startswith("STRUCT"):
        return "row(a bigint)"
    return _TYPES[kind]


def _column(name: str, kind: str) -> dict[str, Any]:
    raw = re.sub(r"\([^)]*\)", "", kind) if not kind.startswith(("array", "row")) else kind.partition("(")[0]
    numbers = [int(number) for number in re.findall(r"\d+", kind)] if raw != "varchar" else [2_147_483_647]
    if raw in {"array", "row"}:
        inner = kind[6:-1]
        arguments = [{"kind": "TYPE", "value": _column("", inner)["typeSignature"]}] if raw == "array" else []
    else:
        arguments = [{"kind": "LONG", "value": number} for number in numbers]
    return {"name": name, "type": kind, "typeSignature": {"rawType": raw, "arguments": arguments}}


def _json(value: Any) -> Any:
    """As Trino writes it: numbers that JSON lacks, times and days are texts."""
    if isinstance(value, bool | int | str) or value is None:
        return value
    if isinstance(value, float):
        if value != value:  # noqa: PLR0124 – NaN
            return "NaN"
        return value if abs(value) != float("inf") else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, datetime):
        text = (
            value.replace(tzinfo=None) if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
        )
        return text.isoformat(" ", "microseconds") + (" UTC" if value.tzinfo else "")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Decimal | UUID):
        return str(value)
    if isinstance(value, list):
        return [_json(each) for each in value]
    return str(value)


def _handler(double: TrinoDouble) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_POST(self) -> None:
            sql = self.rfile.read(int(self.headers["Content-Length"])).decode("utf-8")
            if not self._is_admitted():
                return
            statement = Statement(sql, {})
            fault = double.fault(statement, -1)
            if fault is not None and not fault.kind.isupper():
                self._misbehave(fault.kind)
            elif self.path == "/v1/statement":
                self._send(200, double.post(sql, self.headers))
            else:
                double.broken_rules.append(f"POST {self.path}")
                self._send(404, {})

        def do_GET(self) -> None:
            found = re.fullmatch(r"/v1/statement/(?:queued|executing)/(\w+)/y(\d+)/(\d+)", self.path)
            if found is None or found[2] != found[3]:
                double.broken_rules.append(f"GET {self.path}")
                self._send(404, {})
            elif self._is_admitted():
                status, body = double.page(found[1], int(found[3]))
                if status == 0:
                    self._misbehave(body["kind"])
                else:
                    self._send(status, body)

        def do_DELETE(self) -> None:
            double.cancel(self.path.split("/")[4])
            self.send_response(204)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _is_admitted(self) -> bool:
            if double.admits(self.headers):
                return True
            self._send(401, {"message": "a page of a proxy that may hold anything"})
            return False

        def _misbehave(self, kind: str) -> None:
            if kind == "drop":
                self.close_connection = True
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b'{"id": "half an ans')
            elif kind == "garbage":
                self._send(200, None)
            else:
                self._send(int(kind), {})

        def _send(self, status: int, body: Any) -> None:
            raw = b"<html>login</html>" if body is None else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 – its name there
            """Tests are quiet."""

    return Handler
