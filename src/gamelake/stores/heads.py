"""The newest metadata of a table, read without Iceberg's library: reading must not cost its import.

The catalogue names one metadata file per table; that file never changes once written, so whatever is
derived from one head is one consistent state.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gamelake.errors import Place, StoreError
from gamelake.model.schema import Column, ColumnType, Schema
from gamelake.stores import receipts as words
from gamelake.stores.receipts import TableState, fold, parse_index, parse_receipt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gamelake.model.publish import Receipt

CATALOG_FILE = "catalog.db"
CATALOG_NAME = "gamelake"
BUSY_SECONDS = 30.0
_ICEBERG_NAMES = {
    "string": ColumnType.TEXT,
    "int": ColumnType.INT,
    "long": ColumnType.BIGINT,
    "double": ColumnType.DOUBLE,
    "boolean": ColumnType.BOOL,
    "date": ColumnType.DATE,
    "timestamptz": ColumnType.TIMESTAMP,
    "uuid": ColumnType.UUID,
    "binary": ColumnType.BLOB,
}


@dataclass(frozen=True)
class SnapshotHead:
    """A snapshot as the metadata lists it."""

    id: int
    sequence: int
    manifest_list: str
    summary: Mapping[str, str]

    @property
    def receipt_id(self) -> str | None:
        """Receipt this snapshot carries; None for one that others made."""
        return self.summary.get(words.RECEIPT_ID)


@dataclass(frozen=True)
class TableHead:
    """One table as of one metadata file."""

    dataset: str
    metadata_file: str
    root: str
    properties: Mapping[str, str]
    snapshots: tuple[SnapshotHead, ...]  # by sequence, newest last
    current_snapshot: int | None
    tagged: frozenset[int]
    schema: Mapping[str, Any]

    @cached_property
    def columns(self) -> Schema:
        """The table's columns in our types."""
        return Schema(
            tuple(
                Column(
                    field["name"],
                    _ICEBERG_NAMES.get(field["type"]) or ColumnType(field["type"]),
                    nullable=not field["required"],
                    doc=field.get("doc") or "",
                )
                for field in self.schema["fields"]
            )
        )

    def receipts(self) -> list[Receipt]:
        """Receipts of all snapshots, oldest first."""
        found = (self.receipt_of(snapshot) for snapshot in self.snapshots)
        return [receipt for receipt in found if receipt is not None]

    def receipt_of(self, snapshot: SnapshotHead) -> Receipt | None:
        """The receipt a snapshot carries, inline or in its file."""
        inline = snapshot.summary.get(words.RECEIPT)
        if inline is not None:
            return parse_receipt(inline, self.root, self.metadata_file)
        name = snapshot.summary.get(words.RECEIPT_FILE)
        if name is None:
            return None
        text = self._read_beside(name, snapshot.summary[words.RECEIPT_HASH])
        return parse_receipt(text, self.root, name)

    def find_receipt(self, receipt_id: str) -> Receipt | None:
        """Receipt with that id, None when no snapshot holds it."""
        for snapshot in reversed(self.snapshots):
            if snapshot.receipt_id == receipt_id:
                return self.receipt_of(snapshot)
        return None

    @cached_property
    def state(self) -> TableState:
        """What all receipts of the table add up to, expired ones by way of the index file."""
        base = TableState()
        name = self.properties.get(words.INDEX_FILE)
        if name is not None:
            text = self._read_beside(name, self.properties[words.INDEX_HASH])
            base = parse_index(text, self.root, name)
        later = [snapshot for snapshot in self.snapshots if snapshot.sequence > base.sequence]
        commits = []
        for snapshot in later:
            receipt = self.receipt_of(snapshot)
            if receipt is None:
                raise _foreign(self, snapshot)
            commits.append((snapshot.sequence, receipt))
        state = fold(base, commits)
        self._compare_file_count(state)
        return state

    def side_files(self) -> set[str]:
        """Absolute paths of receipt and index files this head refers to."""
        names = {snapshot.summary.get(words.RECEIPT_FILE) for snapshot in self.snapshots}
        names.add(self.properties.get(words.INDEX_FILE))
        return {f"{self.root}/{name}" for name in names if name}

    def _compare_file_count(self, state: TableState) -> None:
        """Cheap proof that nobody else has changed the table: Iceberg counts files too."""
        if not self.snapshots:
            return
        counted = self.snapshots[-1].summary.get("total-data-files")
        if counted is not None and int(counted) != state.file_count:
            raise _foreign(self, self.snapshots[-1])

    def _read_beside(self, name: str, expected: str) -> str:
        path = Path(self.root, name)
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise StaleHeadError(str(path)) from error
        if words.digest(text) != expected:
            problem = f"a file of table `{self.dataset}` was changed after it was written"
            raise StoreError(problem, Place(str(path)), hint="restore the lake folder from a backup")
        return text


class StaleHeadError(Exception):
    """A file of this head is gone, so there is a newer head: maintenance removes nothing the newest one names."""


def table_locations(folder: Path) -> dict[str, str]:
    """Dataset → its newest metadata file, for all tables; empty when there is no lake yet."""
    query = (
        "SELECT table_namespace || '.' || table_name, metadata_location FROM iceberg_tables"
        " WHERE catalog_name = ? ORDER BY 1"
    )
    return dict(_catalog_rows(folder, query, CATALOG_NAME))


def table_location(folder: Path, dataset: str) -> str | None:
    """The table's newest metadata file; None when there is no such table."""
    namespace, _, name = dataset.rpartition(".")
    query = (
        "SELECT metadata_location FROM iceberg_tables"
        " WHERE catalog_name = ? AND table_namespace = ? AND table_name = ?"
    )
    rows = _catalog_rows(folder, query, CATALOG_NAME, namespace, name)
    return str(rows[0][0]) if rows else None


def read_head(folder: Path, dataset: str, known: TableHead | None = None) -> TableHead | None:
    """The table's newest head, `known` itself when that is still it; None when there is no such table."""
    location = None
    for _ in range(10):
        location = table_location(folder, dataset)
        if location is None:
            return None
        if known is not None and known.metadata_file == location:
            return known
        _refuse_moved(folder, dataset, location)
        try:
            return parse_head(dataset, location)
        except StaleHeadError:
            continue
    problem = f"the newest metadata file of table `{dataset}` is missing"
    raise StoreError(problem, Place(location), hint="restore the lake folder from a backup")


def _refuse_moved(folder: Path, dataset: str, location: str) -> None:
    """A lake's files name each other by absolute paths; a copy would write into the original's folders."""
    if location.startswith(f"{folder}/"):
        return
    made = Path(location).parents[1 + len(dataset.split("."))]
    if made.resolve() != folder.resolve():
        problem = f"the lake was made in `{made}`, and its files name that place"
        raise StoreError(
            problem, Place(str(folder)), hint="move the project folder back there, or import again here"
        )


def parse_head(dataset: str, metadata_file: str) -> TableHead:
    """Read one metadata file; StaleHeadError when it is gone."""
    try:
        body = json.loads(Path(metadata_file.removeprefix("file://")).read_bytes())
    except FileNotFoundError as error:
        raise StaleHeadError(metadata_file) from error
    except ValueError as error:
        problem = f"the metadata of table `{dataset}` is damaged"
        raise StoreError(
            problem, Place(metadata_file), hint="restore the lake folder from a backup"
        ) from error
    snapshots = [
        SnapshotHead(
            id=part["snapshot-id"],
            sequence=part.get("sequence-number", 0),
            manifest_list=part["manifest-list"],
            summary=part.get("summary") or {},
        )
        for part in body.get("snapshots", [])
    ]
    schema = next(part for part in body["schemas"] if part["schema-id"] == body["current-schema-id"])
    tagged = {ref["snapshot-id"] for ref in body.get("refs", {}).values() if ref["type"] == "tag"}
    return TableHead(
        dataset=dataset,
        metadata_file=metadata_file.removeprefix("file://"),
        root=body["location"].removeprefix("file://"),
        properties=body.get("properties", {}),
        snapshots=tuple(sorted(snapshots, key=lambda snapshot: snapshot.sequence)),
        current_snapshot=body.get("current-snapshot-id"),
        tagged=frozenset(tagged),
        schema=schema,
    )


def _catalog_rows(folder: Path, query: str, *values: str) -> list[tuple[Any, ...]]:
    file = folder / CATALOG_FILE
    if not file.exists():
        return []
    try:
        with closing(sqlite3.connect(file, timeout=BUSY_SECONDS)) as connection:
            return connection.execute(query, values).fetchall()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):  # another process is just creating the catalogue
            return []
        problem = f"the lake's catalogue could not be read: {error}"
        raise StoreError(problem, Place(str(file))) from error
    except sqlite3.DatabaseError as error:
        problem = f"the lake's catalogue is damaged: {error}"
        raise StoreError(problem, Place(str(file)), hint="restore the lake folder from a backup") from error


def _foreign(head: TableHead, snapshot: SnapshotHead) -> StoreError:
    problem = f"table `{head.dataset}` was changed by something else than gamelake (snapshot {snapshot.id})"
    hint = "roll the table back to the snapshot before it, with the tool that wrote it"
    return StoreError(problem, Place(head.metadata_file), hint)
