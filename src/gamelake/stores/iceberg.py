"""What pyiceberg is told: catalogue, schema, partitions, data files, and a snapshot that replaces files."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyiceberg.catalog.sql import SqlCatalog, SqlCatalogBaseTable
from pyiceberg.exceptions import NamespaceAlreadyExistsError
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.expressions.visitors import manifest_evaluator
from pyiceberg.io.pyarrow import (
    compute_statistics_plan,
    data_file_statistics_from_parquet_metadata,
    parquet_path_to_id_mapping,
)
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat, ManifestEntry, ManifestEntryStatus
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema as IcebergSchema
from pyiceberg.table import TableProperties, Transaction
from pyiceberg.table.snapshots import Operation
from pyiceberg.table.update import update_table_metadata
from pyiceberg.table.update.snapshot import _ManifestMergeManager, _OverwriteFiles
from pyiceberg.transforms import IdentityTransform
from pyiceberg.typedef import Record
from pyiceberg.types import (
    BinaryType,
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    IntegerType,
    LongType,
    NestedField,
    PrimitiveType,
    StringType,
    TimestamptzType,
    UUIDType,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateTable

from gamelake import failpoints
from gamelake.model.schema import ByType, ColumnType
from gamelake.stores.drift import evolution
from gamelake.stores.footers import slice_values
from gamelake.stores.heads import BUSY_SECONDS, CATALOG_FILE, CATALOG_NAME

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow.parquet as pq
    from pyiceberg.io import FileIO
    from pyiceberg.manifest import ManifestFile
    from pyiceberg.table import Table
    from pyiceberg.table.metadata import TableMetadata
    from pyiceberg.table.update import TableUpdate

    from gamelake.model.slices import Slice
    from gamelake.model.steps import Output
    from gamelake.stores.heads import TableHead

TYPES: ByType[PrimitiveType] = ByType(
    {
        ColumnType.TEXT: StringType(),
        ColumnType.INT: IntegerType(),
        ColumnType.BIGINT: LongType(),
        ColumnType.DOUBLE: DoubleType(),
        ColumnType.BOOL: BooleanType(),
        ColumnType.DATE: DateType(),
        ColumnType.TIMESTAMP: TimestamptzType(),
        ColumnType.UUID: UUIDType(),
        ColumnType.BLOB: BinaryType(),
    },
    DecimalType,
)

_MERGE_AT = 16  # live manifests; fewer make a commit read less, more make it rewrite less
_MANIFEST_BYTES = 256 * 1024
_PRUNE_UP_TO = 32  # partitions; asking every manifest about more costs more than reading it
_EPOCH = date(1970, 1, 1)


class LakeCatalog(SqlCatalog):
    """pyiceberg's SQL catalogue on one SQLite file that many processes share."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / CATALOG_FILE
        _create_catalog(file)
        super().__init__(
            CATALOG_NAME,
            uri=f"sqlite:///{file}?timeout={BUSY_SECONDS:.0f}",
            warehouse=str(folder),
            **{"py-io-impl": "gamelake.stores.local_io.LocalFileIO"},
        )

    @staticmethod
    def _write_metadata(metadata: TableMetadata, io: FileIO, metadata_path: str) -> None:
        SqlCatalog._write_metadata(metadata, io, metadata_path)  # noqa: SLF001 – the step before the swap
        if metadata.current_snapshot_id is not None:  # not when the table is only being created
            failpoints.hit("publish.in_commit")

    def ensure_namespace(self, namespace: str) -> None:
        """Create a namespace unless it is there; several processes may do so at once."""
        if self.namespace_exists(namespace):
            return
        try:
            self.create_namespace(namespace)
        except NamespaceAlreadyExistsError:
            return
        except Exception:
            if not self.namespace_exists(namespace):
                raise


def _create_catalog(file: Path) -> None:
    """Create pyiceberg's tables race-free, which it does not, and let readers never wait for writers."""
    with closing(sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
        tables = SqlCatalogBaseTable.metadata.sorted_tables
        known = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        if known >= {table.name for table in tables}:
            return
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("BEGIN IMMEDIATE")
        for table in tables:
            statement = CreateTable(table, if_not_exists=True).compile(dialect=sqlite.dialect())
            connection.execute(str(statement))
        connection.execute("COMMIT")


def table_schema(output: Output) -> IcebergSchema:
    """The declared columns, numbered from 1 in their order."""
    fields = [
        NestedField(
            number, column.name, TYPES[column.type], required=not column.nullable, doc=column.doc or None
        )
        for number, column in enumerate(output.schema.columns, start=1)
    ]
    return IcebergSchema(*fields)


def table_partitions(output: Output, schema: IcebergSchema) -> PartitionSpec:
    """One identity partition per slice column."""
    fields = [
        PartitionField(
            source_id=schema.find_field(name).field_id,
            field_id=1000 + number,
            transform=IdentityTransform(),
            name=name,
        )
        for number, name in enumerate(output.slice_columns)
    ]
    return PartitionSpec(*fields)


def table_properties(schema: IcebergSchema) -> dict[str, str]:
    """Engines write no field ids into their files, so columns are found by name."""
    return {
        TableProperties.DEFAULT_NAME_MAPPING: schema.name_mapping.model_dump_json(),
        # we retry ourselves: after a conflict the versions and the lease must be looked at again
        TableProperties.COMMIT_NUM_RETRIES: "0",
        TableProperties.METADATA_PREVIOUS_VERSIONS_MAX: "20",
    }


class DataFiles:
    """Turns verified files into what Iceberg registers: the partition is the slice's, statistics are the footer's."""

    def __init__(self, metadata: TableMetadata, output: Output) -> None:
        self._output = output
        self._spec = metadata.spec()
        schema = metadata.schema()
        self._plan = compute_statistics_plan(schema, metadata.properties)
        self._ids = parquet_path_to_id_mapping(schema)

    def entry(self, for_slice: Slice, path: str, footer: pq.FileMetaData) -> DataFile:
        """One file of a slice."""
        statistics = data_file_statistics_from_parquet_metadata(footer, self._plan, self._ids)
        file = DataFile.from_args(
            content=DataFileContent.DATA,
            file_path=path,
            file_format=FileFormat.PARQUET,
            partition=self.partition(for_slice),
            file_size_in_bytes=Path(path).stat().st_size,
            sort_order_id=None,
            spec_id=self._spec.spec_id,
            equality_ids=None,
            key_metadata=None,
            **statistics.to_serialized_dict(),
        )
        file.spec_id = self._spec.spec_id
        return file

    def partition(self, for_slice: Slice) -> Record:
        """The partition that holds exactly the rows of a slice."""
        values = slice_values(self._output, for_slice)
        return Record(*[_partition_value(values[field.name]) for field in self._spec.fields])


def evolve(transaction: Transaction, output: Output, head: TableHead) -> None:
    """Stage what the declared schema adds to the table's, so that it comes with the rows or not at all."""
    new, wider = evolution(output, head.columns)
    if not new and not wider:
        return
    with transaction.update_schema() as update:
        for column in new:
            update.add_column(column.name, TYPES[column.type], doc=column.doc or None)
        for column in wider:
            update.update_column(column.name, field_type=TYPES[column.type])


def _partition_value(value: Any) -> Any:
    return (value - _EPOCH).days if isinstance(value, date) else value


def all_files(table: Table) -> set[str]:
    """Paths of all data files of the current snapshot, by its manifests: the truth other engines read."""
    snapshot = table.current_snapshot()
    if snapshot is None:
        return set()
    return {
        entry.data_file.file_path
        for manifest in snapshot.manifests(table.io)
        for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True)
    }


class SteadyTransaction(Transaction):
    """A transaction that works out its metadata once per staged change.

    pyiceberg copies all snapshots of the table each of the twenty times a commit asks for it.
    """

    _known: tuple[tuple[TableUpdate, ...], TableMetadata] | None = None

    @property
    def table_metadata(self) -> TableMetadata:
        """The table's metadata with what is staged; not to be changed."""
        if not self._updates:
            return self._table.metadata
        if self._known is None or self._known[0] is not self._updates:
            self._known = (self._updates, update_table_metadata(self._table.metadata, self._updates))
        return self._known[1]


class ReplaceFiles(_OverwriteFiles):
    """One snapshot that drops files and adds files, reads each manifest once, and keeps their list short.

    pyiceberg's own overwrite keeps every manifest of deleted entries for ever, which makes the
    thousandth commit read a thousand of them; its merging belongs to appends only.
    """

    def __init__(self, transaction: Transaction, io: FileIO, summary: dict[str, str]) -> None:
        super().__init__(
            operation=Operation.OVERWRITE, transaction=transaction, io=io, snapshot_properties=summary
        )
        self._untouched: list[ManifestFile] = []
        self._surviving: list[ManifestEntry] = []  # entries that shared a manifest with a dropped file
        self._dropped: list[ManifestEntry] = []

    def replace(self, partitions: set[Record], removed: set[str], added: Iterable[DataFile]) -> set[str]:
        """Stage the whole change; nothing happens before the transaction commits.

        `partitions` are those of the removed paths. Returns paths that were to be removed and are not there.
        """
        self._find(partitions, removed)
        for entry in self._dropped:
            self.delete_data_file(entry.data_file)
        for file in added:
            self.append_data_file(file)
        missing = removed - {entry.data_file.file_path for entry in self._dropped}
        if not missing:
            self.commit()
        return missing

    def _find(self, partitions: set[Record], removed: set[str]) -> None:
        metadata = self._transaction.table_metadata
        snapshot = metadata.current_snapshot()
        if snapshot is None:
            return
        names = [field.name for field in metadata.spec().fields]
        few = len(names) > 0 and len(partitions) <= _PRUNE_UP_TO
        touches = manifest_evaluator(
            metadata.spec(),
            metadata.schema(),
            self._transaction._build_partition_predicate(partitions, names) if few else AlwaysTrue(),  # noqa: SLF001
        )
        for manifest in filter(_alive, snapshot.manifests(self._io)):
            entries = (
                manifest.fetch_manifest_entry(self._io, discard_deleted=True)
                if removed and touches(manifest)
                else []
            )
            dropped = [entry for entry in entries if entry.data_file.file_path in removed]
            if dropped:
                self._dropped += dropped
                self._surviving += [entry for entry in entries if entry.data_file.file_path not in removed]
            else:
                self._untouched.append(manifest)

    def _deleted_entries(self) -> list[ManifestEntry]:
        return [self._as(entry, ManifestEntryStatus.DELETED, self._snapshot_id) for entry in self._dropped]

    def _existing_manifests(self) -> list[ManifestFile]:
        if not self._surviving:
            return self._untouched
        with self.new_manifest_writer(self._transaction.table_metadata.spec()) as writer:
            for entry in self._surviving:
                writer.add_entry(self._as(entry, ManifestEntryStatus.EXISTING, entry.snapshot_id))
        return [*self._untouched, writer.to_manifest_file()]

    def _process_manifests(self, manifests: list[ManifestFile]) -> list[ManifestFile]:
        if len(manifests) < _MERGE_AT:
            return manifests
        merger = _ManifestMergeManager(
            target_size_bytes=_MANIFEST_BYTES,
            min_count_to_merge=2,
            merge_enabled=True,
            snapshot_producer=self,
        )
        return merger.merge_manifests(manifests)

    @staticmethod
    def _as(entry: ManifestEntry, status: ManifestEntryStatus, snapshot_id: int | None) -> ManifestEntry:
        return ManifestEntry.from_args(
            status=status,
            snapshot_id=snapshot_id,
            sequence_number=entry.sequence_number,
            file_sequence_number=entry.file_sequence_number,
            data_file=entry.data_file,
        )


def _alive(manifest: ManifestFile) -> bool:
    return manifest.has_added_files() or manifest.has_existing_files()
