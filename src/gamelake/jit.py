"""One place for compiled kernels: their cache follows their sources.

numba notices a changed function, not a changed callee in another file, and would silently run old code.
So the cache folder is named by the hash of every kernel source; it must be set before numba is imported.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

_PACKAGE = Path(__file__).parent
KEPT_VERSIONS = 4


def kernel_sources() -> list[Path]:
    """Every file below a folder named `kernels`, in a stable order."""
    return sorted(_PACKAGE.glob("games/*/kernels/*.py"))


def cache_folder() -> Path:
    """Writable folder for this version of the kernels; a temporary one where home cannot be written."""
    digest = hashlib.sha256(sys.version.encode())
    for source in kernel_sources():
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    base = os.environ.get("GAMELAKE_CACHE") or os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(base) / "gamelake" / "kernels" / digest.hexdigest()[:16]
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    if os.access(folder, os.W_OK):
        return folder
    owner = getattr(os, "getuid", lambda: 0)()
    fallback = Path(tempfile.gettempdir()) / f"gamelake-{owner}" / digest.hexdigest()[:16]
    fallback.mkdir(parents=True, exist_ok=True)
    return fallback


def prepare() -> Path:
    """Point numba at our cache; call before the first `import numba` of a kernel file. Returns the folder."""
    folder = cache_folder()
    _forget_old(folder)
    os.environ["NUMBA_CACHE_DIR"] = str(folder)
    if "numba" in sys.modules:  # somebody else imported it first: its configuration is already read
        from numba.core import config

        config.CACHE_DIR = str(folder)
    return folder


def _forget_old(folder: Path) -> None:
    """Remove the caches of versions that have not been used for long; this one counts as just used."""
    with suppress(OSError):  # another process may be tidying too
        os.utime(folder)
        others = sorted(folder.parent.iterdir(), key=lambda other: other.stat().st_mtime, reverse=True)
        for old in others[KEPT_VERSIONS:]:
            shutil.rmtree(old, ignore_errors=True)


def is_warm(folder: Path | None = None) -> bool:
    """True when compiled kernels of exactly these sources lie in the cache."""
    return any((folder or cache_folder()).rglob("*.nbi"))
