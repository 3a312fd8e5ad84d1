"""Sessions with a Trino, and its errors as ours."""

from __future__ import annotations

import re
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from gamelake.errors import GamelakeError, LayoutError, MissingExtraError, OperatorError, Place, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gamelake.connections import TrinoConnection

_TRIES_OF_A_REQUEST = 3  # the protocol says: a page answered with 502, 503 or 504 is asked for again at once
_ANOTHER_TIME = frozenset({"QUERY_QUEUE_FULL", "CLUSTER_OUT_OF_MEMORY", "SERVER_STARTING_UP"})
_STOPPED = frozenset({"USER_CANCELED", "ADMINISTRATIVELY_KILLED", "ADMINISTRATIVELY_PREEMPTED"})
_UNFIT = frozenset(
    {"INVALID_CAST_ARGUMENT", "NUMERIC_VALUE_OUT_OF_RANGE", "DIVISION_BY_ZERO", "INVALID_FUNCTION_ARGUMENT"}
)
_STATUS = re.compile(r"error (\d{3})")


def driver() -> Any:
    """The client; MissingExtraError when the extra is not installed."""
    try:
        import trino
    except ImportError as error:
        problem = f"Trino needs the package `{error.name}`"
        raise MissingExtraError(problem, hint="pip install 'gamelake[trino]'") from error
    return trino


class Answer:
    """Rows of one statement, as they come."""

    def __init__(self, connection: TrinoConnection, cursor: Any) -> None:
        self._connection = connection
        self._cursor = cursor

    @property
    def types(self) -> list[str]:
        """Types of the columns, as Trino names them."""
        with _told(self._connection):
            return [str(column.type_code) for column in self._cursor.description]

    def batches(self, rows: int) -> Iterator[list[list[Any]]]:
        """So many rows at a time, the last batch has fewer."""
        while True:
            with _told(self._connection):
                batch = self._cursor.fetchmany(rows)
            if not batch:
                return
            yield batch


class Link:
    """A client; its errors come out as ours."""

    def __init__(self, connection: TrinoConnection, client: Any) -> None:
        self._connection = connection
        self._client = client

    @contextmanager
    def asking(self, sql: str) -> Iterator[Answer]:
        """The answer to one statement; left before its end, the statement is cancelled in Trino."""
        cursor = self._client.cursor()
        try:
            with _told(self._connection):
                cursor.execute(sql)
            yield Answer(self._connection, cursor)
        finally:
            with suppress(Exception):  # what it answers to that changes nothing for us
                cursor.cancel()


@contextmanager
def session(connection: TrinoConnection) -> Iterator[Link]:
    """A client for the block, closed after it."""
    trino = driver()
    client = trino.dbapi.connect(
        host=connection.host,
        port=connection.port,
        user=connection.user,
        catalog=connection.catalog,
        schema=connection.default_schema,
        source="gamelake",
        http_scheme=connection.http_scheme,
        auth=_authentication(connection, trino),
        http_session=_http_session(connection),
        timezone="UTC",
        request_timeout=connection.request_timeout,
        max_attempts=_TRIES_OF_A_REQUEST,
        legacy_primitive_types=True,  # values as Trino writes them: Python's dates and times hold less
        encoding=None,  # rows in the answers themselves, not in a store that we may be unable to reach
    )
    try:
        yield Link(connection, client)
    finally:
        client.close()


def ping(connection: TrinoConnection) -> str:
    """Version of the server; any error of reaching it is raised, whatever a breaker says."""
    with session(connection) as link, link.asking("SELECT node_version FROM system.runtime.nodes") as answer:
        return next((str(row[0]) for batch in answer.batches(1) for row in batch), "")


@contextmanager
def _told(connection: TrinoConnection) -> Iterator[None]:
    """Errors of the client in the block, and answers it cannot make sense of, as ours."""
    try:
        yield
    except GamelakeError:
        raise
    except Exception as error:  # its own, those of the HTTP library, and of JSON
        raise translated(connection, error) from error


def translated(connection: TrinoConnection, error: Exception) -> GamelakeError:
    """Our error for one of the client's, by who can act on it."""
    trino = driver()
    place = Place(key=f"connections.{connection.name}")
    if isinstance(error, trino.exceptions.TrinoQueryError):
        return _of_query(connection, error)
    if _STATUS.match(str(error)):
        return _of_status(connection, error)
    message = _reason(error)
    if "CERTIFICATE_VERIFY_FAILED" in message or "SSLError" in message:
        problem = f"the certificate of Trino at {connection.where} cannot be verified"
        return OperatorError(
            problem, place, "`ca_file` names the file of who signed it; nothing turns this off"
        )
    if isinstance(error, (ValueError, LookupError, TypeError)) and not isinstance(error, OSError):
        problem = f"{connection.where} answers something that is not of Trino's protocol"
        return StoreError(problem, place, "look at host and port: is it a Trino?")
    if isinstance(error, (trino.exceptions.TrinoConnectionError, OSError)):
        problem = f"the connection to Trino at {connection.where} failed: {message}"
        return StoreError(problem, place, "is it running, and does the network lead there?")
    return StoreError(f"Trino at {connection.where} failed: {message}", place, "run again")


def _http_session(connection: TrinoConnection) -> Any:
    """One that verifies certificates; the library alone would let a variable of the environment outvote `ca_file`."""
    import requests

    class Verifying(requests.Session):
        def merge_environment_settings(self, *given: Any, **named: Any) -> Any:
            found = super().merge_environment_settings(*given, **named)
            return {**found, "verify": connection.ca_file or found["verify"] or True}

    return Verifying()


def _authentication(connection: TrinoConnection, trino: Any) -> Any:
    token, password = connection.token(), connection.password()
    if (token or password) and connection.http_scheme == "http":
        variable = connection.token_variable if token else connection.variable
        problem = f"`{variable}` is set, and without TLS everybody on the way could read it"
        place = Place(key=f"connections.{connection.name}.http_scheme")
        raise OperatorError(problem, place, "use `https`, or unset it")
    if token:
        return trino.auth.JWTAuthentication(token)
    return trino.auth.BasicAuthentication(connection.user, password) if password else None


def _of_query(connection: TrinoConnection, error: Any) -> GamelakeError:
    name = str(error.error_name)
    message = re.sub(r"^line \d+:\d+: ", "", str(error.message).strip())  # of the text we sent, see `place`
    place = Place(line=_line(error), key=f"connections.{connection.name}")
    if name == "PERMISSION_DENIED":
        return OperatorError(f"Trino refuses: {message}", place, f"grant `{connection.user}` what it lacks")
    if name in _STOPPED:
        told = f"Trino stopped the query {error.query_id}: {message}"
        return OperatorError(told, place, "somebody or a rule there ended it; run again when that is settled")
    if name in _UNFIT:
        hint = "`TRY_CAST` in a query gives null for what does not fit, or declare the column wider"
        return LayoutError(f"a value does not fit: {message}", place, hint)
    if error.error_type == "USER_ERROR":
        return LayoutError(f"Trino cannot run the SQL: {message}", place, _HINTS.get(name))
    if name in _ANOTHER_TIME or error.error_type in {"INTERNAL_ERROR", "EXTERNAL"}:
        return StoreError(f"Trino at {connection.where} failed: {name}: {message}", place, "run again")
    if error.error_type == "INSUFFICIENT_RESOURCES":
        hint = "read less at once: `split`, `slice`, or a query that leaves out what is not needed"
        return OperatorError(f"the query is too large for Trino: {name}: {message}", place, hint)
    return StoreError(f"Trino at {connection.where} failed: {name}: {message}", place, "run again")


_HINTS = {
    "TABLE_NOT_FOUND": "`table` is `schema.table` in the catalogue of the connection",
    "SCHEMA_NOT_FOUND": "`table` is `schema.table` in the catalogue of the connection",
    "CATALOG_NOT_FOUND": "look at the key `catalog` of the connection in gamelake.toml",
    "COLUMN_NOT_FOUND": "the columns of `schema` are those of the table, by name",
}


def _line(error: Any) -> int | None:
    location = error.error_location
    return int(location[0]) if location else None


def _of_status(connection: TrinoConnection, error: Exception) -> GamelakeError:
    """Answers that are not of the protocol; their bodies may be pages of a proxy, so only the status is told."""
    place = Place(key=f"connections.{connection.name}")
    found = _STATUS.search(str(error))
    status = found[1] if found else "?"
    if status in {"401", "403"}:
        problem = f"Trino at {connection.where} does not let us in (HTTP {status})"
        hint = f"look at `{connection.variable}` or `{connection.token_variable}`, and at the user"
        return OperatorError(problem, place, hint)
    if status in {"404", "410"}:
        problem = f"Trino at {connection.where} has forgotten the query (HTTP {status})"
        return StoreError(problem, place, "was it started again? Run again")
    return StoreError(f"Trino at {connection.where} answered HTTP {status}", place, "run again")


def _reason(error: Exception) -> str:
    """The innermost words of an error that the HTTP library has wrapped several times."""
    text = (str(error).strip().splitlines() or [type(error).__name__])[0]
    found = re.search(
        r"(CERTIFICATE_VERIFY_FAILED|SSLError|Connection refused|Name or service not known|timed out)", text
    )
    if found:
        return found[1]
    return "the answer broke off" if "Connection" in text or "aborted" in text else text[:200]
