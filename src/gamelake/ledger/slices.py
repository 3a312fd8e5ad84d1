"""Slices: their versions as published, and where the last attempt stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa

from gamelake.errors import NotFoundError, OperatorError
from gamelake.ledger.part import LedgerPart
from gamelake.ledger.rows import SliceStateRow, SliceSummary, SliceVersion
from gamelake.ledger.tables import receipts, slice_states, slice_versions
from gamelake.model.names import moved_path
from gamelake.model.runs import SliceState
from gamelake.model.slices import Slice

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from gamelake.ledger.rows import AnyVersion
    from gamelake.model.publish import PublishedSlice, Receipt

_T = TypeVar("_T")
_VERSIONS = sa.select(slice_versions, receipts.c.run_id, receipts.c.step, receipts.c.published_at).join(
    receipts, slice_versions.c.receipt_id == receipts.c.id
)


class SliceBook(LedgerPart):
    """What was published when, by which run, from what."""

    def record_publish(self, receipt: Receipt) -> None:
        """Enter a receipt; a receipt entered before changes nothing.

        Assigns nothing: versions come from the table that gave the receipt. Another receipt for a
        version we know means that ledger and lake are not of the same project: OperatorError.
        """
        with self._database.write() as connection:
            if _has_receipt(connection, receipt.id):
                return
            self._refuse_known_versions(connection, receipt)
            self._enter(connection, receipt)

    def has_receipt(self, receipt_id: str) -> bool:
        """True once `record_publish` has entered that receipt."""
        with self._database.read() as connection:
            return _has_receipt(connection, receipt_id)

    def current(self, dataset: str) -> dict[Slice, SliceVersion]:
        """Newest version of every slice that was ever published."""
        return self._newest(dataset)

    def summaries(self, datasets: Iterable[str]) -> dict[str, dict[Slice, SliceSummary]]:
        """`current` of many datasets at once, in short; one never published has no slices."""
        found: dict[str, dict[Slice, SliceSummary]] = {dataset: {} for dataset in datasets}
        columns = slice_versions.c[
            "dataset", "slice", "version", "rows", "bytes", "content_hash", "fingerprint"
        ]
        with self._database.read() as connection:
            for batch in _batches(list(found)):
                newest = _newest_numbers(slice_versions.c.dataset.in_(batch)).subquery()
                query = sa.select(*columns).join(newest, _same_version(newest))
                for dataset, text, *rest in connection.execute(query).all():
                    part = Slice.parse(text)
                    found[dataset][part] = SliceSummary._make((dataset, part, *rest))
        return found

    def whole(self, versions: Iterable[AnyVersion]) -> list[SliceVersion]:
        """The versions with their files and all else, in the same order."""
        given = list(versions)
        wanted: dict[str, list[tuple[str, int]]] = {}
        for version in given:
            if isinstance(version, SliceSummary):
                wanted.setdefault(version.dataset, []).append((str(version.slice), version.version))
        if not wanted:
            return [version for version in given if isinstance(version, SliceVersion)]
        known: dict[tuple[str, Slice, int], SliceVersion] = {}
        with self._database.read() as connection:
            for dataset, numbers in wanted.items():
                for batch in _batches(numbers):
                    numbered = sa.tuple_(slice_versions.c.slice, slice_versions.c.version).in_(batch)
                    query = _VERSIONS.where(slice_versions.c.dataset == dataset, numbered)
                    found = map(self._version, connection.execute(query).mappings())
                    known |= {(row.dataset, row.slice, row.version): row for row in found}
        return [known[v.dataset, v.slice, v.version] if isinstance(v, SliceSummary) else v for v in given]

    def contents(self, dataset: str) -> dict[tuple[str, int], str]:
        """Slice as text and version → hash of its rows, of every version there was."""
        query = sa.select(*slice_versions.c["slice", "version", "content_hash"])
        with self._database.read() as connection:
            rows = connection.execute(query.where(slice_versions.c.dataset == dataset))
            return {(part, version): content for part, version, content in rows}

    def versions(
        self, dataset: str, slice: Slice | None = None, *, limit: int | None = None
    ) -> list[SliceVersion]:
        """Versions, newest first; of one slice when given, so many at most when limited."""
        query = _VERSIONS.where(slice_versions.c.dataset == dataset)
        if slice is not None:
            query = query.where(slice_versions.c.slice == str(slice))
        query = query.order_by(
            receipts.c.published_at.desc(), slice_versions.c.version.desc(), slice_versions.c.slice
        ).limit(limit)
        with self._database.read() as connection:
            return [self._version(row) for row in connection.execute(query).mappings()]

    def as_of(
        self, dataset: str, *, at: datetime | None = None, run_id: str | None = None
    ) -> dict[Slice, SliceVersion]:
        """Versions that were current at a time (inclusive), or when a run had published its last.

        A run that published nothing to the dataset counts from its end, or its creation if it is still
        under way; an unknown run raises NotFoundError.
        """
        if run_id is not None:
            at = self._moment_of(run_id)
        if at is None:
            return self.current(dataset)
        return self._newest(dataset, at=at)

    def published_by(self, run_id: str) -> list[SliceVersion]:
        """Everything a run has published, oldest first: what a resumed run need not do again."""
        query = _VERSIONS.where(receipts.c.run_id == run_id).order_by(
            receipts.c.published_at, slice_versions.c.slice
        )
        with self._database.read() as connection:
            return [self._version(row) for row in connection.execute(query).mappings()]

    def datasets(self) -> list[str]:
        """Names of all datasets that were ever published, sorted."""
        query = sa.select(receipts.c.dataset).distinct().order_by(receipts.c.dataset)
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())

    def last_published(self) -> dict[str, datetime]:
        """Dataset → when it was published last."""
        query = sa.select(receipts.c.dataset, sa.func.max(receipts.c.published_at).label("moment"))
        with self._database.read() as connection:
            rows = connection.execute(query.group_by(receipts.c.dataset))
            return {row.dataset: row.moment for row in rows}

    def failed_slices(self) -> dict[str, int]:
        """Dataset → how many of its slices failed when they were last built."""
        query = sa.select(slice_states.c.dataset, sa.func.count().label("failed"))
        query = query.where(slice_states.c.state == SliceState.FAILED.value).group_by(slice_states.c.dataset)
        with self._database.read() as connection:
            return {row.dataset: row.failed for row in connection.execute(query)}

    def mark_slice(
        self,
        dataset: str,
        slice: Slice,
        state: SliceState,
        run_id: str,
        detail: str = "",
    ) -> None:
        """Note where an attempt at a slice stands; adds an event `slice.<state>`."""
        self.mark_slices(dataset, [slice], state, run_id, detail)

    def mark_slices(
        self, dataset: str, slices: Iterable[Slice], state: SliceState, run_id: str, detail: str = ""
    ) -> None:
        """`mark_slice` for many slices in one transaction, with one event for all of them."""
        names = [str(part) for part in slices]
        if not names:
            return
        with self._database.write() as connection:
            self._mark(connection, dataset, names, state, run_id, detail)
            told = {"dataset": dataset, "slices": names[:20], "count": len(names), "detail": detail}
            self._event(connection, f"slice.{state.value}", run_id, told)

    def slice_states(self, dataset: str | None = None) -> list[SliceStateRow]:
        """Where the last attempt at each slice stands, by dataset and slice."""
        query = sa.select(slice_states).order_by(slice_states.c.dataset, slice_states.c.slice)
        if dataset is not None:
            query = query.where(slice_states.c.dataset == dataset)
        with self._database.read() as connection:
            return [_state_row(row) for row in connection.execute(query).mappings()]

    def _newest(self, dataset: str, *, at: datetime | None = None) -> dict[Slice, SliceVersion]:
        highest = _newest_numbers(slice_versions.c.dataset == dataset)
        if at is not None:
            known = slice_versions.c.receipt_id == receipts.c.id
            highest = highest.join(receipts, known).where(receipts.c.published_at <= at)
        newest = highest.subquery()
        query = _VERSIONS.join(newest, _same_version(newest))
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(slice_versions.c.slice)).mappings()
            found = [self._version(row) for row in rows]
        return {row.slice: row for row in found}

    def _version(self, row: sa.RowMapping) -> SliceVersion:
        files: Iterable[str] = row["files"]
        if self._lake:
            files = (moved_path(self._lake, row["dataset"], file) for file in files)
        return SliceVersion(**{**row, "slice": Slice.parse(row["slice"]), "files": tuple(files)})

    def _moment_of(self, run_id: str) -> datetime:
        published = sa.select(sa.func.max(receipts.c.published_at)).where(receipts.c.run_id == run_id)
        with self._database.read() as connection:
            moment: datetime | None = connection.execute(published).scalar()
        if moment is not None:
            return moment
        run = getattr(self, "run", None)  # a whole Ledger has it, this part alone has not
        if run is None:
            problem = f"run `{run_id}` has published nothing"
            raise NotFoundError(problem)
        row = run(run_id)
        found: datetime = row.ended_at or row.created_at
        return found

    def _refuse_known_versions(self, connection: sa.Connection, receipt: Receipt) -> None:
        versions = {str(part.slice): part.version for part in receipt.slices}
        for batch in _batches(list(versions)):
            query = sa.select(*slice_versions.c["slice", "version", "receipt_id"]).where(
                slice_versions.c.dataset == receipt.dataset, slice_versions.c.slice.in_(batch)
            )
            for row in connection.execute(query):
                if row.version == versions[row.slice]:
                    problem = (
                        f"version {row.version} of `{receipt.dataset}` {row.slice} has receipt "
                        f"`{row.receipt_id}` in the ledger and `{receipt.id}` in the lake"
                    )
                    hint = "the lake folder was removed or replaced: remove ledger.db too, and import again"
                    raise OperatorError(problem, hint=hint)

    def _enter(self, connection: sa.Connection, receipt: Receipt) -> None:
        head = {
            "id": receipt.id,
            "dataset": receipt.dataset,
            "run_id": receipt.run_id,
            "step": receipt.step,
            "published_at": receipt.published_at,
            "recorded_at": self._clock.now(),
        }
        connection.execute(receipts.insert().values(head))
        rows = [_values(receipt, part) for part in receipt.slices]
        if rows:
            connection.execute(slice_versions.insert(), rows)
        names = [str(part.slice) for part in receipt.slices]
        self._mark(connection, receipt.dataset, names, SliceState.PUBLISHED, receipt.run_id, "")
        told = {
            "dataset": receipt.dataset,
            "step": receipt.step,
            "slices": names[:20],
            "count": len(names),
            "rows": receipt.rows,
            "receipt": receipt.id,
        }
        self._event(connection, "slice.published", receipt.run_id, told)

    def _mark(
        self,
        connection: sa.Connection,
        dataset: str,
        names: list[str],
        state: SliceState,
        run_id: str,
        detail: str,
    ) -> None:
        now = self._clock.now()
        for batch in _batches(names):
            connection.execute(
                slice_states.delete().where(
                    slice_states.c.dataset == dataset, slice_states.c.slice.in_(batch)
                )
            )
            rows: list[dict[str, Any]] = [
                {
                    "dataset": dataset,
                    "slice": name,
                    "state": state.value,
                    "run_id": run_id,
                    "detail": detail,
                    "changed_at": now,
                }
                for name in batch
            ]
            connection.execute(slice_states.insert(), rows)


def _newest_numbers(where: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """Newest version number of each slice."""
    columns = slice_versions.c["dataset", "slice"]
    highest = sa.func.max(slice_versions.c.version).label("version")
    return sa.select(*columns, highest).where(where).group_by(*columns)


def _same_version(numbers: sa.Subquery) -> sa.ColumnElement[bool]:
    return sa.and_(*(slice_versions.c[name] == numbers.c[name] for name in ("dataset", "slice", "version")))


def _batches(values: list[_T]) -> Iterator[list[_T]]:
    """So few at a time that any database takes them as parameters."""
    for start in range(0, len(values), 500):
        yield values[start : start + 500]


def _has_receipt(connection: sa.Connection, receipt_id: str) -> bool:
    return connection.execute(sa.select(receipts.c.id).where(receipts.c.id == receipt_id)).first() is not None


def _values(receipt: Receipt, part: PublishedSlice) -> dict[str, Any]:
    return {
        "dataset": receipt.dataset,
        "slice": str(part.slice),
        "version": part.version,
        "receipt_id": receipt.id,
        "files": list(part.files),
        "rows": part.rows,
        "bytes": part.bytes,
        "content_hash": part.content_hash,
        "fingerprint": part.fingerprint,
        "inputs": {dataset: dict(read) for dataset, read in part.inputs.items()},
    }


def _state_row(row: sa.RowMapping) -> SliceStateRow:
    return SliceStateRow(**{**row, "slice": Slice.parse(row["slice"]), "state": SliceState(row["state"])})
