"""Where a batch writes before anybody looks: SQL results, and what Python steps hand over."""

from __future__ import annotations

import shutil
import tempfile
from collections import defaultdict
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from gamelake.errors import LayoutError, NotFoundError, did_you_mean
from gamelake.pipeline.events import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import duckdb
    import pyarrow as pa

    from gamelake.engines.base import Session, Written
    from gamelake.model.slices import Slice
    from gamelake.model.steps import Output, Step
    from gamelake.pipeline.events import Cancel, Reporter
    from gamelake.pipeline.freshness import InputIndex
    from gamelake.pipeline.publish import Publisher

    Rows: TypeAlias = pa.Table | pa.RecordBatch | pa.RecordBatchReader
    _Piece: TypeAlias = list[pa.Table] | pa.RecordBatchReader
    _Target: TypeAlias = tuple[str, Slice]

_FLUSH_BYTES = 64 * 1_048_576  # rows held back so that many small writes make one file
_HANDED_OVER = "gamelake_rows"


class RowStage:
    """Collects rows by output and slice, and writes them to staged files in pieces of useful size.

    Writing goes on in the background, at most one piece at a time, while the step makes the next one. What
    goes wrong there is kept for the slice it happened to.
    Needs a session that nobody else uses. Close it, or use it in a `with`.
    """

    def __init__(self, session: Session, publisher: Publisher, outputs: Sequence[Output]) -> None:
        self._session = session
        self._publisher = publisher
        self._outputs = {str(output.dataset): output for output in outputs}
        self._waiting: dict[_Target, _Pile] = defaultdict(_Pile)
        self._written: dict[_Target, list[Written]] = defaultdict(list)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="staging")
        self._under_way: tuple[_Target, Future[None]] | None = None
        self._errors: dict[_Target, BaseException] = {}

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
            self._write(output, for_slice, rows)
            self._settle()  # the reader may be bound to the caller's thread of work
            return
        pile = self._waiting[dataset, for_slice]
        pile.tables.append(rows)
        pile.bytes += rows.nbytes
        if pile.bytes >= _FLUSH_BYTES:
            self._flush(output, for_slice)
        elif sum(other.bytes for other in self._waiting.values()) >= 2 * _FLUSH_BYTES:
            largest = max(self._waiting, key=lambda target: self._waiting[target].bytes)
            self._flush(self._output(largest[0]), largest[1])

    def written(self, dataset: str, for_slice: Slice) -> list[Written]:
        """Files of one output slice, everything added so far included; raises what writing any of it raised."""
        self._flush(self._output(dataset), for_slice)
        self._settle()
        if (dataset, for_slice) in self._errors:
            raise self._errors[dataset, for_slice]
        return self._written[dataset, for_slice]

    def close(self) -> None:
        """End the background work; rows that were not asked for are lost."""
        self._writer.shutdown(cancel_futures=True)

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
            self._write(output, for_slice, pile.tables)

    def _write(self, output: Output, for_slice: Slice, rows: _Piece) -> None:
        self._settle()  # one piece at a time: that bounds memory, and one session does one thing
        target = (str(output.dataset), for_slice)
        self._under_way = target, self._writer.submit(self._write_now, output, for_slice, rows)

    def _settle(self) -> None:
        """Wait for the piece under way; raises at once what is not the fault of its rows (a full disk, a cancel)."""
        if self._under_way is None:
            return
        (target, future), self._under_way = self._under_way, None
        error = future.exception()
        if error is None:
            return
        self._errors.setdefault(target, error)
        if not isinstance(error, LayoutError):
            raise error

    def _write_now(self, output: Output, for_slice: Slice, piece: _Piece) -> None:
        import pyarrow as pa

        rows = pa.concat_tables(piece) if isinstance(piece, list) else piece
        connection = self._session.connection
        connection.register(_HANDED_OVER, rows)
        try:
            path = self._publisher.stage_path(output)
            written = self._session.write(f"SELECT * FROM {_HANDED_OVER}", output.schema, path)
        finally:
            connection.unregister(_HANDED_OVER)
        if written is not None:
            self._written[str(output.dataset), for_slice].append(written)


@dataclass
class _Pile:
    """Tables that wait to become one file."""

    tables: list[pa.Table] = field(default_factory=list)
    bytes: int = 0


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
