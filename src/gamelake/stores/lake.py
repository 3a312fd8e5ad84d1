"""Tables on the lake: Iceberg on a local disk, committed slice by slice under a lease."""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING, TypeVar

from gamelake.errors import NotFoundError, Place, StoreError, did_you_mean
from gamelake.model.publish import Receipt
from gamelake.stores import receipts as words
from gamelake.stores.drift import drifts, refuse_bad_slice_columns, refuse_drift
from gamelake.stores.heads import StaleHeadError, TableHead, read_head, table_location, table_locations
from gamelake.stores.receipts import TableState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pyiceberg.table import Table

    from gamelake.clock import Clock
    from gamelake.ledger.rows import Lease, SliceVersion
    from gamelake.model.publish import PublishedSlice, StagedFile, StagedSlice
    from gamelake.model.schema import Schema
    from gamelake.model.slices import Slice
    from gamelake.model.steps import Output
    from gamelake.stores.iceberg import LakeCatalog

_T = TypeVar("_T")


class Lake:
    """See `TableStore` for what each method promises. Safe in many threads and processes.

    Reading needs no Iceberg library and costs a few small files. Writing loads pyiceberg.
    Snapshots are expired while committing: once there are twice `keep_snapshots`, down to that many,
    never one whose receipt `recorded` does not know.
    """

    def __init__(
        self,
        folder: Path,
        *,
        clock: Clock,
        recorded: Callable[[str], bool] | None = None,
        keep_snapshots: int = 10,
    ) -> None:
        self.folder = folder.absolute()
        self.recorded = recorded or (lambda _: False)
        self.keep_snapshots = keep_snapshots
        self._clock = clock
        self._catalog: LakeCatalog | None = None
        self._heads: dict[str, TableHead] = {}  # newest seen of each table; heads never change
        self._lock = RLock()

    def ensure_table(self, output: Output) -> None:
        head = self._head(str(output.dataset))
        if head is not None and head.is_blank and drifts(output, head.columns, _slice_columns_of(head)):
            self.catalog.forget(head.dataset, head.recorded(head.metadata_file))
            head = self._head(str(output.dataset))
        if head is None:
            self._create(output)
            head = self.head(str(output.dataset))
        refuse_drift(output, head.columns, _slice_columns_of(head))

    def datasets(self) -> list[str]:
        return sorted(table_locations(self.folder))

    def schema(self, dataset: str) -> Schema:
        return self.head(dataset).columns

    def slice_columns(self, dataset: str) -> tuple[str, ...]:
        """Columns that name the table's slices, in order."""
        return _slice_columns_of(self.head(dataset))

    def evolved(self, dataset: str) -> bool:
        """True when older files of the table may lack columns it has now, or have narrower types."""
        return self._read(dataset, lambda head: head.schema.get("schema-id", 0) > 0, missing=False)

    def staging_folder(self, dataset: str, run_id: str) -> Path:
        folder = self.table_folder(dataset) / "data" / run_id
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def table_folder(self, dataset: str) -> Path:
        """Where the table's data and metadata lie, existing or not."""
        return self.folder.joinpath(*dataset.split("."))

    def verify(self, output: Output, slice: Slice, files: Sequence[StagedFile]) -> None:
        from gamelake.stores.footers import verify_files

        verify_files(output, slice, files)

    def commit(
        self,
        output: Output,
        slices: Sequence[StagedSlice],
        *,
        receipt_id: str,
        run_id: str,
        step: str,
        lease: Lease,
    ) -> Receipt:
        from gamelake.stores.commit import Commit

        receipt = Receipt(receipt_id, run_id, step, str(output.dataset), (), self._clock.now())
        return Commit(self, output, slices, receipt, lease).run()

    def restage(self, version: SliceVersion) -> StagedSlice:
        from gamelake.stores.memory import restage

        return restage(version)

    def find_receipt(self, dataset: str, receipt_id: str) -> Receipt | None:
        return self._read(dataset, lambda head: head.find_receipt(receipt_id), None)

    def receipts(self, dataset: str) -> list[Receipt]:
        return self._read(dataset, lambda head: head.receipts(), [])

    def current(self, dataset: str) -> dict[Slice, PublishedSlice]:
        return dict(self._read(dataset, lambda head: head.state, TableState()).slices)

    def files(self, dataset: str) -> dict[Slice, list[str]]:
        return {part.slice: list(part.files) for part in self.current(dataset).values() if part.files}

    def iceberg_table(self, dataset: str) -> Table:
        """The pyiceberg table, for maintenance and for tools that speak Iceberg."""
        return self.catalog.load_table(tuple(dataset.split(".")))

    @property
    def catalog(self) -> LakeCatalog:
        """Pyiceberg's catalogue, opened (and created) on first use."""
        with self._lock:
            if self._catalog is None:
                from gamelake.stores.iceberg import LakeCatalog

                self._catalog = LakeCatalog(self.folder)
            return self._catalog

    def close(self) -> None:
        """Give back the catalogue's connections; the lake opens them again when used."""
        with self._lock:
            if self._catalog is not None:
                self._catalog.engine.dispose()
                self._catalog = None

    # reading

    def _head(self, dataset: str) -> TableHead | None:
        head = read_head(self.folder, dataset, self._heads.get(dataset))
        if head is not None:
            self._heads[dataset] = head
        return head

    def head(self, dataset: str) -> TableHead:
        """One consistent state of a table; NotFoundError when there is no such table."""
        head = self._head(dataset)
        if head is None:
            problem = f"the lake has no table `{dataset}`"
            raise NotFoundError(problem, hint=did_you_mean(dataset, self.datasets()))
        return head

    def _read(self, dataset: str, ask: Callable[[TableHead], _T], missing: _T) -> _T:
        """Answer from one head; start over when maintenance took its files away meanwhile."""
        while True:
            head = self._head(dataset)
            if head is None:
                return missing
            try:
                return ask(head)
            except StaleHeadError as error:
                if table_location(self.folder, dataset) == head.metadata_file:
                    problem = f"a file of table `{dataset}` is missing"
                    hint = "restore the lake folder from a backup"
                    raise StoreError(problem, Place(str(error)), hint) from error

    # writing

    def _create(self, output: Output) -> None:
        from pyiceberg.exceptions import TableAlreadyExistsError

        from gamelake.stores.iceberg import table_partitions, table_properties, table_schema

        refuse_bad_slice_columns(output)
        name = output.dataset
        schema = table_schema(output)
        self.catalog.ensure_namespace(f"{name.pack}.{name.layer.value}")
        properties = {**table_properties(schema), words.SLICE_COLUMNS: ",".join(output.slice_columns)}
        try:
            self.catalog.create_table(
                (name.pack, name.layer.value, name.name),
                schema=schema,
                location=str(self.table_folder(str(name))),
                partition_spec=table_partitions(output, schema),
                properties=properties,
            )
        except TableAlreadyExistsError:
            return


def _slice_columns_of(head: TableHead) -> tuple[str, ...]:
    return tuple(filter(None, head.properties.get(words.SLICE_COLUMNS, "").split(",")))
