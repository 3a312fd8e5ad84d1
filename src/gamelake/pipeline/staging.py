"""Where a batch writes before anybody looks: SQL results, and what Python steps hand over."""

from __future__ import annotations

import shutil
import tempfile
from collections import defaultdict, deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from gamelake.engines.base import SLICE_DIGEST
from gamelake.errors import LayoutError, NotFoundError, did_you_mean
from gamelake.pipeline.events import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import duckdb
    import pyarrow as pa

    from gamelake.engines.base import Session, Written
    from gamelake.model.slices import Slice
    from gamelake.model.steps import Output, Step
    from gamelake.pipeline.events import Cancel, Reporter
    from gamelake.pipeline.freshness import InputIndex
    from gamelake.pipeline.publish import Publisher

    Rows: TypeAlias = pa.Table | pa.RecordBatch | pa.RecordBatchReader
    _Target: TypeAlias = tuple[str, Slice]

_FLUSH_BYTES = 64 * 1_048_576  # rows held back so that many small writes make one file
_WRITERS = 2


class RowStage:
    """Collects rows by output and slice, and writes them to staged files in pieces of useful size.

    Writing goes on in the background while the step makes more. What goes wrong there is kept for the slice it
    happened to. Close it, or use it in a `with`.
    """

    def __init__(self, publisher: Publisher, outputs: Sequence[Output]) -> None:
        self._publisher = publisher
        self._outputs = {str(output.dataset): output for output in outputs}
        self._waiting: dict[_Target, _Pile] = defaultdict(_Pile)
        self._writers = ThreadPoolExecutor(_WRITERS, thread_name_prefix="staging")
        self._pieces: dict[_Target, list[_Piece]] = defaultdict(list)
        self._open: deque[tuple[_Target, _Piece]] = deque()  # not known to be written
        self._errors: dict[_Target, BaseException] = {}
        self._referred: dict[_Target, list[Written]] = defaultdict(list)
        self._contents: dict[_Target, str] = {}

    def add(self, dataset: str, for_slice: Slice, rows: Rows) -> None:
        """Stage rows; a reader is streamed to disk at once, tables wait until there are enough of them.

        Rows that do not fit are told by `written`: until then the step goes on for its other slices.
        """
        import pyarrow as pa

        output = self._output(dataset)
        _refuse_other_columns(output, rows.schema.names)
        if (dataset, for_slice) in self._errors:
            return  # nobody will publish this slice
        if isinstance(rows, pa.RecordBatch):
            rows = pa.Table.from_batches([rows])
        if not isinstance(rows, pa.Table):
            self._write(output, for_slice, _gathered(rows), 0)
            self._settle(0)  # the reader may be bound to the caller's thread of work
            return
        pile = self._waiting[dataset, for_slice]
        pile.tables.append(rows)
        pile.bytes += rows.nbytes
        if pile.bytes >= _FLUSH_BYTES:
            self._flush(output, for_slice)
        elif sum(other.bytes for other in self._waiting.values()) >= 2 * _FLUSH_BYTES:
            largest = max(self._waiting, key=lambda target: self._waiting[target].bytes)
            self._flush(self._output(largest[0]), largest[1])

    def refer(self, dataset: str, for_slice: Slice, files: Sequence[Path]) -> None:
        """Files of others that hold the slice's rows, as they are: counted by their footers, never read."""
        from gamelake.pipeline.foreign import foreign_file

        output = self._output(dataset)
        self._referred[dataset, for_slice] += [foreign_file(output, for_slice, file) for file in files]

    def content(self, dataset: str, for_slice: Slice, content_hash: str) -> None:
        """What the slice holds is known by this hash, however its rows come to be divided and ordered."""
        self._contents[dataset, for_slice] = SLICE_DIGEST + content_hash

    def finish(self, for_slice: Slice) -> None:
        """No more rows come for this slice: write what waits while the step goes on with the next."""
        for output in self._outputs.values():
            self._flush(output, for_slice)

    def written(self, dataset: str, for_slice: Slice) -> list[Written]:
        """Files of one output slice, everything added so far included; raises what writing any of it raised."""
        self._flush(self._output(dataset), for_slice)
        target = (dataset, for_slice)
        pieces = self._pieces[target]
        while any(not piece.settled for piece in pieces):
            self._settle_oldest()
        if target in self._errors:
            raise self._errors[target]
        made = [piece.work.result() for piece in pieces]
        found = self._referred[target] + [part for part in made if part is not None]
        known = self._contents.get(target)
        return found if known is None else [replace(part, digest=known) for part in found]

    def close(self) -> None:
        """End the background work; rows that were not asked for are lost."""
        self._writers.shutdown(cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _output(self, dataset: str) -> Output:
        if dataset not in self._outputs:
            problem = (
                f"the step wrote `{dataset}`, which is not among its outputs: {', '.join(self._outputs)}"
            )
            raise LayoutError(problem, hint=did_you_mean(dataset, self._outputs))
        return self._outputs[dataset]

    def _flush(self, output: Output, for_slice: Slice) -> None:
        pile = self._waiting.pop((str(output.dataset), for_slice), None)
        if pile is not None:
            import pyarrow as pa

            self._write(output, for_slice, [pa.concat_tables(pile.tables)], pile.bytes)

    def _write(self, output: Output, for_slice: Slice, tables: Iterable[pa.Table], size: int) -> None:
        self._settle(2 * _FLUSH_BYTES - size)  # that bounds memory
        target = (str(output.dataset), for_slice)
        work = self._writers.submit(self._write_now, output, tables)
        piece = _Piece(work, size)
        self._pieces[target].append(piece)
        self._open.append((target, piece))

    def _settle(self, most: int) -> None:
        """Wait until at most so many bytes are being written (with 0: until nothing is)."""
        while self._open and (not most or sum(piece.size for _, piece in self._open) > most):
            self._settle_oldest()

    def _settle_oldest(self) -> None:
        """Wait for a piece; raises at once what is not the fault of its rows (a full disk, a cancel)."""
        target, piece = self._open.popleft()
        error = piece.work.exception()
        piece.settled = True
        if error is not None:
            self._errors.setdefault(target, error)
            if not isinstance(error, LayoutError):
                raise error

    def _write_now(self, output: Output, tables: Iterable[pa.Table]) -> Written | None:
        from gamelake.engines.arrow import write_rows

        return write_rows(tables, output.schema, self._publisher.stage_path(output))


@dataclass
class _Piece:
    """Rows of one target on their way into one file."""

    work: Future[Written | None]
    size: int
    settled: bool = False


@dataclass
class _Pile:
    """Tables that wait to become one file."""

    tables: list[pa.Table] = field(default_factory=list)
    bytes: int = 0


def _gathered(batches: pa.RecordBatchReader) -> Iterator[pa.Table]:
    """The batches of a stream in pieces of useful size."""
    import pyarrow as pa

    pile: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        pile.append(batch)
        size += batch.nbytes
        if size >= _FLUSH_BYTES:
            yield pa.Table.from_batches(pile)
            pile, size = [], 0
    if pile:
        yield pa.Table.from_batches(pile)


def _refuse_other_columns(output: Output, names: Sequence[str]) -> None:
    missing = [name for name in output.schema.names if name not in names]
    extra = [name for name in names if name not in output.schema.names]
    if missing or extra:
        told = [f"without `{name}`" for name in missing] + [f"with `{name}`" for name in extra]
        problem = f"rows for `{output.dataset}` came {', '.join(told)}"
        raise LayoutError(problem, hint="the columns handed over and the output's schema have the same names")


class BatchContext:
    """What a Python step works with (see `StepContext`), for one batch of output slices."""

    def __init__(
        self,
        step: Step,
        slices: Sequence[Slice],
        index: InputIndex,
        stage: RowStage,
        session: Session,
        settings: Mapping[str, Any],
        scratch_root: Path,
        tell: Callable[[float, float, str], None],
    ) -> None:
        self.slices = slices
        self.settings = settings
        self._step = step
        self._index = index
        self._stage = stage
        self._session = session
        self._tell = tell
        self._scratch_root = scratch_root
        self._scratch: Path | None = None

    def files(self, dataset: str, for_slice: Slice | None = None) -> list[str]:
        """See `StepContext.files`. `dataset` is the input's name in the step or the dataset's."""
        name = str(self._step.inputs.get(dataset, dataset))
        known = {str(d) for d in self._step.inputs.values()}
        if name not in known:
            problem = f"`{self._step.name}` does not declare the input `{dataset}`"
            raise NotFoundError(problem, hint=did_you_mean(dataset, [*self._step.inputs, *known]))
        parts = self.slices if for_slice is None else [for_slice]
        versions = [version for part in parts for version in self._index.feeding(name, part)]
        return list(dict.fromkeys(file for version in versions for file in version.files))

    def connection(self) -> duckdb.DuckDBPyConnection:
        """See `StepContext.connection`."""
        return self._session.connection

    def scratch(self) -> Path:
        """See `StepContext.scratch`."""
        if self._scratch is None:
            self._scratch = Path(tempfile.mkdtemp(dir=self._scratch_root))
        return self._scratch

    def write(self, dataset: str, for_slice: Slice, rows: Rows) -> None:
        """See `StepContext.write`."""
        if for_slice not in self.slices:
            problem = f"`{self._step.name}` wrote slice {for_slice}, which is not in its batch"
            raise LayoutError(problem, hint="write only the slices in `context.slices`")
        self._stage.add(dataset, for_slice, rows)

    def finish(self, for_slice: Slice) -> None:
        """See `StepContext.finish`."""
        self._stage.finish(for_slice)

    def refer(self, dataset: str, for_slice: Slice, files: Sequence[Path]) -> None:
        """See `StepContext.refer`."""
        self._stage.refer(dataset, for_slice, files)

    def content(self, dataset: str, for_slice: Slice, content_hash: str) -> None:
        """See `StepContext.content`."""
        self._stage.content(dataset, for_slice, content_hash)

    def progress(self, done: float, total: float, unit: str = "rows") -> None:
        """See `StepContext.progress`."""
        self._tell(done, total, unit)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        """Remove the scratch folder."""
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)


def progress_teller(reporter: Reporter, cancel: Cancel, step: str) -> Callable[[float, float, str], None]:
    """A callback for `progress` that also stops a cancelled run."""

    def tell(done: float, total: float, unit: str) -> None:
        cancel.check()
        reporter.tell(Progress("step_progress", step, done, total, unit))

    return tell
