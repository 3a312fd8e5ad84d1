"""A dataset as a folder that any tool reads: one file for each slice, in folders `column=value`."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

import duckdb

from gamelake.engines.duckdb import quoted, text_literal, translated
from gamelake.errors import OperatorError, Place, UserError
from gamelake.pipeline.assess import chosen
from gamelake.pipeline.views import is_in_place, parts_of, reading_files, show

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from gamelake.engines.base import Session
    from gamelake.ledger.rows import SliceVersion
    from gamelake.model.slices import Slice
    from gamelake.model.steps import Output
    from gamelake.pipeline.project import Project

    Format = Literal["parquet", "csv"]

MANIFEST = "_gamelake.json"
_NOTHING = "__HIVE_DEFAULT_PARTITION__"  # what Hive's folders call an empty value
_WRITERS_WAIT = 30.0  # seconds for another export into the same folder
_OPTIONS = {"parquet": "FORMAT parquet, COMPRESSION zstd", "csv": "FORMAT csv, HEADER"}


@dataclass
class Exported:
    """What an export did, by slice; bytes of the files it wrote."""

    written: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    rows: int = 0
    bytes: int = 0


def export_hive(
    project: Project,
    dataset: str,
    out: Path,
    *,
    kind: Format = "parquet",
    slices: Sequence[Slice] | None = None,
) -> Exported:
    """Bring the folder up to date with the newest version of each slice; what has not changed is not written.

    Each slice is one file, which is replaced at one moment: who opens it gets the old rows or the new ones. Two
    slices are two moments. UserError when the folder holds something else.
    """
    output = project.graph.output(dataset)
    if ":/" in str(out):
        raise UserError(
            f"`{out}` is no folder of this machine", hint="export to a folder, and copy it from there"
        )
    out = out.absolute()
    lease = f"export:{out}"
    ttl = project.settings.lease_seconds
    with project.ledger.lease(lease, project.ids.new("export"), ttl=ttl, wait=_WRITERS_WAIT):
        known = _manifest(out, dataset)
        export = _Export(project, output, out, kind, known)
        try:
            with project.engine.session() as session:
                export.run(session, slices)
        finally:
            export.save()
    return export.done


class _Export:
    def __init__(
        self, project: Project, output: Output, out: Path, kind: Format, known: dict[str, Any]
    ) -> None:
        self.done = Exported()
        self._project = project
        self._output = output
        self._out = out
        self._kind = kind
        self._known = known

    def run(self, session: Session, slices: Sequence[Slice] | None) -> None:
        current = self._project.ledger.current(str(self._output.dataset))
        for part in sorted(current):
            if chosen(part, slices):
                self._slice(session, current[part])
        gone = [text for text in self._known if text not in {str(part) for part in current}]
        for text in gone if slices is None else []:
            self._remove(text)

    def _slice(self, session: Session, version: SliceVersion) -> None:
        name, file = str(version.slice), self._file(version.slice)
        mark = {
            "content": version.content_hash,
            "shape": self._shape(),
            "file": str(file.relative_to(self._out)),
        }
        if not version.rows:
            if name in self._known:
                self._remove(name)
            return
        if self._known.get(name) == mark and file.exists():
            self.done.unchanged.append(name)
            return
        if self._known.get(name, mark)["file"] != mark["file"]:
            self._remove(name, told=False)
        self._write(session, version, file)
        self._known[name] = mark
        self.done.written.append(name)
        self.done.rows += version.rows
        self.done.bytes += file.stat().st_size

    def _write(self, session: Session, version: SliceVersion, file: Path) -> None:
        """Under a name that readers pass over, then in one moment under its own."""
        dataset = str(self._output.dataset)
        sliced = set(self._output.slice_columns)
        columns = ", ".join(quoted(name) for name in self._output.schema.names if name not in sliced)
        new = file.with_name(f".{file.name}.{os.getpid()}")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with reading_files(self._project, dataset, [version]):
                if is_in_place(self._project, dataset):
                    session.outside("exported", self._output.schema, parts_of([version]))
                else:
                    show(self._project, session, "exported", dataset, list(version.files))
                target = f"{text_literal(str(new))} ({_OPTIONS[self._kind]})"
                session.connection.execute(f"COPY (SELECT {columns} FROM exported) TO {target}")
            _later(new, file)
            new.replace(file)
        except duckdb.Error as error:
            raise translated(error) from error
        except OSError as error:
            problem = f"the folder cannot be written: {error.strerror}"
            raise OperatorError(
                problem, Place(str(file.parent)), "is it read-only, or the disk full?"
            ) from error
        finally:
            new.unlink(missing_ok=True)

    def _remove(self, name: str, *, told: bool = True) -> None:
        file = self._out / self._known.pop(name)["file"]
        file.unlink(missing_ok=True)
        with suppress(OSError):  # the folder holds something else as well
            for folder in file.relative_to(self._out).parents[:-1]:
                (self._out / folder).rmdir()
        if told:
            self.done.removed.append(name)

    def _file(self, part: Slice) -> Path:
        folders = [f"{name}={quote(value, safe='-_.:+ ') or _NOTHING}" for name, value in part.keys]
        return self._out.joinpath(*folders, f"data.{self._kind}")

    def _shape(self) -> str:
        columns = [(column.name, column.type.value) for column in self._output.schema.columns]
        return hashlib.sha256(repr(columns).encode()).hexdigest()[:16]

    def save(self) -> None:
        """Note what lies in the folder, also after a failure: the next export goes on from there."""
        if not self._out.exists():
            if not self._known:
                return
            self._out.mkdir(parents=True)
        told = {"dataset": str(self._output.dataset), "slices": self._known}
        new = self._out / f".{MANIFEST}.{os.getpid()}"
        new.write_text(json.dumps(told, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        new.replace(self._out / MANIFEST)


def _later(new: Path, old: Path) -> None:
    """Readers that keep what they read tell files apart by path and second: no two versions share one."""
    if old.exists() and int(new.stat().st_mtime) <= (before := int(old.stat().st_mtime)):
        os.utime(new, (before + 1, before + 1))


def _manifest(out: Path, dataset: str) -> dict[str, Any]:
    """What an earlier export wrote there; UserError when the folder is not one's own."""
    try:
        told: Mapping[str, Any] = json.loads((out / MANIFEST).read_bytes())
        known, other = dict(told["slices"]), str(told["dataset"])
    except FileNotFoundError:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            problem = f"`{out}` holds files that no export wrote"
            raise UserError(problem, hint="name an empty folder, or one that is not there yet") from None
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        hint = "remove the folder and export again"
        raise OperatorError(f"the file is damaged: {error}", Place(str(out / MANIFEST)), hint) from error
    if other != dataset:
        raise UserError(f"`{out}` holds `{other}`", hint="a folder holds one dataset: name another")
    return known
