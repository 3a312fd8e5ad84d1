"""Sessions with a Postgres, and its errors as ours."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from gamelake.errors import GamelakeError, LayoutError, MissingExtraError, OperatorError, Place, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from gamelake.connections import PostgresConnection

    Session = psycopg.Connection[tuple[Any, ...]]

_SETTINGS = {
    "TimeZone": "UTC",
    "DateStyle": "ISO",
    # a client that hangs with its rows in an open transaction must not hold the slice for ever
    "idle_in_transaction_session_timeout": "15min",
}
_KEEPALIVE = {"keepalives": 1, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
# Postgres names the class of an error only once a session exists; before that there are words alone
_REFUSALS = ("authentication failed", "no password supplied", "does not exist", "no pg_hba.conf entry")


def driver() -> Any:
    """Psycopg; MissingExtraError when the extra is not installed."""
    try:
        import pgpq  # noqa: F401 – both or none
        import psycopg
    except ImportError as error:
        problem = f"Postgres needs the package `{error.name}`"
        raise MissingExtraError(problem, hint="pip install 'gamelake[postgres]'") from error
    return psycopg


@contextmanager
def session(connection: PostgresConnection) -> Iterator[Session]:
    """An open session for the block, closed after it; every error of the driver comes out as ours.

    Each statement commits by itself unless a `transaction()` is open.
    """
    psycopg = driver()
    try:
        link = psycopg.connect(
            host=connection.host,
            port=connection.port,
            dbname=connection.database,
            user=connection.user,
            password=connection.password(),
            sslmode=connection.sslmode,
            sslrootcert=connection.sslrootcert,
            connect_timeout=connection.connect_timeout,
            application_name="gamelake",
            options=" ".join(f"-c {name}={value}" for name, value in _SETTINGS.items()),
            autocommit=True,
            **_KEEPALIVE,
        )
    except psycopg.Error as error:
        raise _unreachable(connection, error) from None  # the driver's own text repeats what it was given
    try:
        yield link
    except psycopg.Error as error:
        raise translated(connection, error) from error
    finally:
        link.close()


def ping(connection: PostgresConnection) -> str:
    """Version of the server; any error of reaching it is raised, whatever a breaker says."""
    with session(connection) as link:
        row = link.execute("SHOW server_version").fetchone()
    return str(row[0]) if row else ""


def translated(connection: PostgresConnection, error: psycopg.Error) -> GamelakeError:
    """Our error for one of the driver's, by who can act on it."""
    psycopg = driver()
    place = Place(key=f"connections.{connection.name}")
    message = first_line(error)
    known = psycopg.errors
    if isinstance(error, known.QueryCanceled):
        return OperatorError(f"Postgres stopped the statement: {message}", place)
    if isinstance(error, psycopg.IntegrityError):
        return LayoutError(f"the table refuses the rows: {message}", place, _detail(error))
    if isinstance(error, (psycopg.DataError, known.ProgramLimitExceeded)):
        return LayoutError(f"a value does not fit: {message}", place, _detail(error))
    if isinstance(error, known.InsufficientPrivilege):
        hint = f"grant `{connection.user}` what it lacks"
        return OperatorError(f"Postgres refuses: {message}", place, hint)
    if isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)):
        return StoreError(f"Postgres at {connection.where} failed: {message}", place, "run again")
    if isinstance(error, psycopg.ProgrammingError):
        return LayoutError(f"Postgres cannot run the SQL: {message}", place, _detail(error))
    return StoreError(f"Postgres at {connection.where} failed: {message}", place, "run again")


def first_line(error: Exception) -> str:
    """The error's first line, without the class that Postgres puts before it."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _detail(error: psycopg.Error) -> str | None:
    return error.diag.message_hint or error.diag.message_detail


def _unreachable(connection: PostgresConnection, error: Exception) -> OperatorError:
    place = Place(key=f"connections.{connection.name}")
    message = str(error).strip().splitlines()[-1].strip() if str(error).strip() else type(error).__name__
    problem = f"no connection to Postgres at {connection.where}: {message}"
    if any(words in message for words in _REFUSALS):
        hint = f"look at the connection in gamelake.toml, and at `{connection.variable}`"
        return OperatorError(problem, place, hint)
    return StoreError(problem, place, "is it running, and does the network lead there?")
