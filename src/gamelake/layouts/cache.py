"""Remembering what was made of layouts, so that a folder of a thousand loads in a moment."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gamelake.model.steps import SqlStep


@dataclass(frozen=True)
class Remembered:
    """A step without mistakes, and the bytes it was made from."""

    digest: str
    step: SqlStep
    sql_file: str = ""  # path of the file that holds the SQL, when it is another one
    sql_digest: str = ""


@dataclass
class StepCache:
    """The steps of one folder of layouts; one file on disk. Damaged or absent = nothing is known."""

    file: Path | None
    known: dict[str, Remembered] = field(default_factory=dict)
    used: dict[str, Remembered] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path | None, layouts: Path, pack: str) -> StepCache:
        """The cache of a folder of layouts below the cache folder; None remembers nothing."""
        if folder is None:
            return cls(None)
        where = sha256(f"{layouts.absolute()}\0{Path.cwd()}".encode()).hexdigest()[:12]
        file = folder / "layouts" / f"{pack}-{where}-{code_digest()}.steps"
        return cls(file, _read(file))

    def recall(self, file: Path, raw: bytes) -> SqlStep | None:
        """The step made of exactly these bytes (and of its SQL file as it is now)."""
        name = str(file)
        found = self.known.get(name)
        if found is None or found.digest != _digest(raw):
            return None
        if found.sql_file and found.sql_digest != _digest_of(Path(found.sql_file)):
            return None
        self.used[name] = found
        return found.step

    def remember(self, file: Path, raw: bytes, step: SqlStep, sql_file: Path | None) -> None:
        beside = "" if sql_file is None else str(sql_file)
        digest = "" if sql_file is None else _digest_of(sql_file)
        self.used[str(file)] = Remembered(_digest(raw), step, beside, digest)

    def save(self) -> None:
        """Write what was used, if that differs from what is there."""
        if self.file is None or self.used == self.known:
            return
        _write(self.file, pickle.dumps(self.used, protocol=5))
        for older in self.file.parent.glob(f"{self.file.stem.rpartition('-')[0]}-*.steps"):
            if older != self.file:  # made by other code than ours
                older.unlink(missing_ok=True)


@cache
def code_digest() -> str:
    """Changes with the code that reads layouts: what an older one made is not trusted."""
    here = Path(__file__).parent
    told = sha256()
    for file in sorted([*here.rglob("*.py"), *here.rglob("*.txt"), *(here.parent / "model").glob("*.py")]):
        found = file.stat()
        told.update(f"{file.name}:{found.st_size}:{found.st_mtime_ns}".encode())
    return told.hexdigest()[:12]


def _digest(raw: bytes) -> str:
    return sha256(raw).hexdigest()


def _digest_of(file: Path) -> str:
    try:
        return _digest(file.read_bytes())
    except OSError:
        return ""


class _OursOnly(pickle.Unpickler):
    """Builds nothing but the model's records: a tampered file is refused, not executed."""

    def find_class(self, module: str, name: str) -> Any:
        ours = module.startswith("gamelake.model.") or (module, name) == (__name__, "Remembered")
        if not ours or "." in name:
            problem = f"{module}.{name} does not belong into the cache"
            raise pickle.UnpicklingError(problem)
        found = super().find_class(module, name)
        if not isinstance(found, type):
            raise pickle.UnpicklingError(name)
        return found


def _read(file: Path) -> dict[str, Remembered]:
    try:
        found = _OursOnly(io.BytesIO(file.read_bytes())).load()
    except (OSError, pickle.PickleError, EOFError, ValueError, TypeError, AttributeError, LookupError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(file: Path, raw: bytes) -> None:
    """All or nothing: another process may read at the same time."""
    part = file.with_suffix(f".{os.getpid()}.part")
    with contextlib.suppress(OSError):  # a full or read-only disk costs speed, not the load
        file.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(raw)
        part.replace(file)
