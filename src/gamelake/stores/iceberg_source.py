"""Reading tables of other Iceberg catalogues: only the files and columns that are needed, of one snapshot."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import date, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from gamelake.errors import GamelakeError, LayoutError, OperatorError, Place, StoreError, did_you_mean
from gamelake.model.schema import ByType, ColumnType
from gamelake.model.steps import TableInput
from gamelake.stores.source import ARROW, slice_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pyiceberg.catalog import Catalog
    from pyiceberg.expressions import BooleanExpression
    from pyiceberg.schema import Schema as IcebergSchema
    from pyiceberg.table import Table

    from gamelake.connections import IcebergConnection
    from gamelake.model.schema import Column
    from gamelake.model.slices import Slice
    from gamelake.model.steps import SourceInput
    from gamelake.stores.remote import Remote
    from gamelake.stores.source import Tell

_NESTED = ("list", "map", "struct")
_WHOLE = ("int", "long")
_TIMES = ("timestamp", "timestamptz", "timestamp_ns", "timestamptz_ns")
# declared type → types there that are read as it; what does not fit among their values is an error
_PLAIN: dict[ColumnType, tuple[str, ...]] = {
    ColumnType.TEXT: ("string", "uuid", "boolean", *_WHOLE, "decimal", "date", *_TIMES, *_NESTED),
    ColumnType.INT: _WHOLE,
    ColumnType.BIGINT: _WHOLE,
    ColumnType.DOUBLE: (*_WHOLE, "float", "double", "decimal"),
    ColumnType.BOOL: ("boolean",),
    ColumnType.DATE: ("date", "string", "timestamp"),
    ColumnType.TIMESTAMP: (*_TIMES, "date"),
    ColumnType.UUID: ("uuid", "string"),
    ColumnType.BLOB: ("binary", "fixed"),
}
_READABLE = ByType(_PLAIN, lambda _digits, _scale: ("decimal",))


class IcebergSource:
    """Reads what layouts declare as `table` inputs of a catalogue. Its snapshots tell what changed."""

    def __init__(self, connection: IcebergConnection, remote: Remote) -> None:
        self._connection = connection
        self._remote = remote

    def version(self, wanted: SourceInput) -> str:
        """Snapshot and schema: with both the same, the rows are."""

        def ask() -> str:
            with self._told(wanted):
                return _version(self._table(wanted))

        return self._remote.run(ask)

    def listing(self, wanted: SourceInput) -> Mapping[Slice, str]:
        """Slices there are, each with its version: the files that hold it where the table is partitioned by it."""

        def ask() -> Mapping[Slice, str]:
            with self._told(wanted):
                table = self._table(wanted)
                return _by_partition(table, wanted) or _by_column(table, wanted)

        return self._remote.run(ask)

    def read(self, wanted: SourceInput, folder: Path, tell: Tell, slices: Sequence[Slice] = ()) -> list[Path]:
        """See `SourceReader`: one file, of one snapshot."""

        def once() -> list[Path]:
            with self._told(wanted):
                table = self._table(wanted)
                _refuse_unreadable(table.schema(), wanted)
                path = folder / "part-0.parquet"
                _copy(table, wanted, slices, path, tell)
                return [path]

        return self._remote.run(once)

    def ping(self) -> str:
        """How many namespaces the catalogue has, in words."""
        with self._told(None):
            found = len(self._catalog().list_namespaces())
        return f"Iceberg catalogue of {found} namespace{'s' if found != 1 else ''}"

    def _table(self, wanted: SourceInput) -> Table:
        from pyiceberg.exceptions import NoSuchNamespaceError, NoSuchTableError

        assert isinstance(wanted.read, TableInput)  # the rest is refused when a project opens
        name, catalog = wanted.read.table, self._catalog()
        try:
            return catalog.load_table(name)
        except (NoSuchTableError, NoSuchNamespaceError) as error:
            namespace = name.partition(".")[0]
            try:
                known = [".".join(each) for each in catalog.list_tables(namespace)]
            except NoSuchNamespaceError:
                known = []
            problem = f"the catalogue has no table `{name}`"
            raise LayoutError(problem, hint=did_you_mean(name, known)) from error

    def _catalog(self) -> Catalog:
        from pyiceberg.catalog import load_catalog

        connection = self._connection
        properties = {**connection.properties, **connection.secrets(), "type": connection.catalog}
        if connection.warehouse is not None:
            properties["warehouse"] = connection.warehouse
        if connection.catalog == "sql":
            _refuse_missing_file(connection)
            properties["init_catalog_tables"] = "false"  # it is not ours to change
        return load_catalog(connection.catalog_name or connection.name, uri=_uri(connection), **properties)

    @contextmanager
    def _told(self, wanted: SourceInput | None) -> Iterator[None]:
        """Errors of the library, of databases and of file systems as ours."""
        try:
            yield
        except GamelakeError:
            raise
        except Exception as error:
            raise _translated(self._connection, wanted, error) from error


def _uri(connection: IcebergConnection) -> str:
    password = connection.password() if connection.catalog == "sql" else None
    if password is None:
        return connection.uri
    from sqlalchemy import make_url

    return make_url(connection.uri).set(password=password).render_as_string(hide_password=False)


def _refuse_missing_file(connection: IcebergConnection) -> None:
    """SQLite would make an empty catalogue of a mistyped path."""
    file = connection.uri.partition("sqlite:///")[2].partition("?")[0]
    if file and not Path(file).is_file():
        problem = f"there is no catalogue `{file}`"
        raise OperatorError(
            problem, Place(key=f"connections.{connection.name}.uri"), "SQLite catalogues are files"
        )


def _version(table: Table) -> str:
    snapshot = table.current_snapshot()
    return f"{snapshot.snapshot_id if snapshot else 'empty'}/{table.metadata.current_schema_id}"


def _by_partition(table: Table, wanted: SourceInput) -> Mapping[Slice, str] | None:
    """From the metadata alone; None when the table is not partitioned by the plain values of the slice columns."""
    from pyiceberg.transforms import IdentityTransform

    ids = [table.schema().find_field(name).field_id for name in wanted.sliced]
    positions: dict[int, list[int]] = {}  # of a partition's values; files may be of older specs
    for number, spec in table.specs().items():
        fields = enumerate(spec.fields)
        plain = {f.source_id: at for at, f in fields if isinstance(f.transform, IdentityTransform)}
        if {*ids} <= plain.keys():
            positions[number] = [plain[field_id] for field_id in ids]
    files: dict[Slice, list[str]] = {}
    for task in table.scan().plan_files():
        if task.file.spec_id not in positions:
            return None
        values = [task.file.partition[at] for at in positions[task.file.spec_id]]
        pairs = zip(wanted.sliced, values, strict=True)
        part = slice_of(wanted, [_plain(wanted, name, value) for name, value in pairs])
        deletes = sorted(deleted.file_path for deleted in task.delete_files)
        files.setdefault(part, []).append("+".join([task.file.file_path, *deletes]))
    schema_id = table.metadata.current_schema_id
    return {
        part: f"{blake2b('|'.join(sorted(found)).encode(), digest_size=12).hexdigest()}/{schema_id}"
        for part, found in files.items()
    }


def _by_column(table: Table, wanted: SourceInput) -> Mapping[Slice, str]:
    """From the columns by which it is sliced; any change of the table makes all of its slices worth a look."""
    found: set[Slice] = set()
    columns = [wanted.schema[name] for name in wanted.sliced]
    for batch in table.scan(selected_fields=wanted.sliced).to_arrow_batch_reader():
        values = [_fitted(batch.column(column.name), column).to_pylist() for column in columns]
        found |= {slice_of(wanted, row) for row in set(zip(*values, strict=True))}
    return dict.fromkeys(found, _version(table))


def _plain(wanted: SourceInput, name: str, value: Any) -> Any:
    """A partition's value as the rows have it: days are numbers there."""
    is_day = wanted.schema[name].type is ColumnType.DATE and isinstance(value, int)
    return date(1970, 1, 1) + timedelta(days=value) if is_day else value


def _refuse_unreadable(schema: IcebergSchema, wanted: SourceInput) -> None:
    """LayoutError for all columns that the table lacks, or has as another type."""
    errors = []
    for column in wanted.schema.columns:
        place = Place(key=f"schema.{column.name}")
        try:
            kind = str(schema.find_field(column.name).field_type)
        except ValueError:
            problem = f"the table has no column `{column.name}`"
            near = did_you_mean(column.name, [field.name for field in schema.fields])
            errors.append(LayoutError(problem, place, near))
            continue
        base = kind.partition("<")[0].partition("(")[0].partition("[")[0]
        if base not in _READABLE[column.type]:
            problem = f"`{column.name}` is {kind} in the table, which cannot be read as {column.type.value}"
            readable = [known.value for known, types in _PLAIN.items() if base in types]
            hint = f"declare it as {' or '.join(readable)}" if readable else "leave it out"
            errors.append(LayoutError(problem, place, hint))
    if errors:
        raise LayoutError.all_of(errors)


def _copy(table: Table, wanted: SourceInput, slices: Sequence[Slice], path: Path, tell: Tell) -> None:
    from pyiceberg.expressions import AlwaysTrue, Or

    condition: BooleanExpression = AlwaysTrue()
    if slices and slices[0].keys:
        conditions = [_condition(table.schema(), wanted, part) for part in slices]
        condition = conditions[0] if len(conditions) == 1 else Or(*conditions)
    columns = wanted.schema.columns
    schema = pa.schema([(column.name, ARROW[column.type]) for column in columns])
    scan = table.scan(row_filter=condition, selected_fields=wanted.schema.names)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in scan.to_arrow_batch_reader():
            values = [_fitted(batch.column(column.name), column) for column in columns]
            writer.write_batch(pa.RecordBatch.from_arrays(values, schema=schema))
            tell(batch.num_rows)


def _condition(schema: IcebergSchema, wanted: SourceInput, part: Slice) -> BooleanExpression:
    from pyiceberg.expressions import AlwaysTrue, And, EqualTo, GreaterThanOrEqual, LessThan

    found: BooleanExpression = AlwaysTrue()
    for name, text in part.keys:
        kind = str(schema.find_field(name).field_type)
        if kind == "timestamp" and wanted.schema[name].type is ColumnType.DATE:
            after = (date.fromisoformat(text) + timedelta(days=1)).isoformat()
            found = And(
                found,
                GreaterThanOrEqual(term=name, value=f"{text}T00:00:00"),
                LessThan(term=name, value=f"{after}T00:00:00"),
            )
        else:
            found = And(found, EqualTo(term=name, value=int(text) if kind in _WHOLE else text))
    return found


def _fitted(values: pa.Array, column: Column) -> pa.Array:
    """A column as its declared type; LayoutError when a value does not fit."""
    wanted = ARROW[column.type]
    try:
        if pa.types.is_nested(values.type):
            texts = [
                None if v is None else json.dumps(v, default=str, ensure_ascii=False)
                for v in values.to_pylist()
            ]
            return pa.array(texts, wanted)
        if isinstance(values.type, pa.UuidType) or (
            column.type is ColumnType.UUID and pa.types.is_fixed_size_binary(values.type)
        ):
            return pa.array([None if v is None else str(v) for v in values.to_pylist()], wanted)
        if pa.types.is_timestamp(values.type) and column.type is ColumnType.TIMESTAMP:
            return values.cast(pa.timestamp("us", values.type.tz)).cast(wanted)
        return values.cast(wanted)
    except (pa.ArrowException, ValueError) as error:
        problem = f"a value does not fit: {str(error).splitlines()[0]}"
        hint = f"the column is declared as {column.type.value}"
        raise LayoutError(problem, Place(key=f"schema.{column.name}"), hint) from error


def _translated(connection: IcebergConnection, wanted: SourceInput | None, error: Exception) -> GamelakeError:
    from pyiceberg import exceptions

    place = Place(key=f"connections.{connection.name}")
    message = (str(error).strip().splitlines() or [type(error).__name__])[0]
    password = connection.password()
    if password:
        message = message.replace(password, "…")
    if isinstance(error, (exceptions.UnauthorizedError, exceptions.ForbiddenError, exceptions.OAuthError)):
        hint = f"look at `{connection.property_variable('token')}` or `{connection.property_variable('credential')}`"
        return OperatorError(f"the {connection.where} does not let us in", place, hint)
    if "equality deletes" in message:
        read = wanted.read.table if wanted is not None and isinstance(wanted.read, TableInput) else ""
        problem = f"`{read}` has equality deletes, which cannot be read"
        return OperatorError(problem, place, "whoever writes it must compact it first (rewrite_data_files)")
    if isinstance(error, exceptions.NotInstalledError | ImportError):
        return OperatorError(f"a package is missing for this catalogue: {message}", place)
    return StoreError(f"the {connection.where} failed: {type(error).__name__}: {message}", place, "run again")
