"""A dataset as a folder that any tool reads: one file for each slice, in folders `column=value`."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from gamelake.errors import OperatorError, Place, UserError
from gamelake.pipeline.assess import chosen
from gamelake.pipeline.slice_files import shape, slice_file, write_rows
from gamelake.pipeline.views import is_in_place, parts_of, reading_files, show
from gamelake.stores.file_writes import replace_later

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
_WRITERS_WAIT = 30.0  # seconds for another export into the same folder


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
        name, file = str(version.slice), self._out / slice_file(version.slice, self._kind)
        mark = {
            "content": version.content_hash,
            "shape": shape(self._output),
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
        new = file.with_name(f".{file.name}.{os.getpid()}")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with reading_files(self._project, dataset, [version]):
                if is_in_place(self._project, dataset):
                    session.outside("exported", self._output.schema, parts_of([version]))
                else:
                    show(self._project, session, "exported", dataset, list(version.files))
                write_rows(session, "exported", self._output, self._kind, new)
            replace_later(new, file)
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
