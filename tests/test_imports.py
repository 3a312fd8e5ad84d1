"""The rooms of the house stand in one order of imports, and the core knows no game."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import gamelake

SOURCE = Path(gamelake.__file__).parent
# Each may import itself and those before it. Rooms of one line are equals and may import each other.
ORDER = (
    ("errors", "clock", "connections", "failpoints", "jit", "settings"),
    ("model",),
    ("layouts",),
    ("ledger",),
    ("stores",),
    ("engines",),
    ("pipeline",),
    ("jobs",),
    ("http",),
    ("ingest",),
    ("containers",),
    ("strategies",),
    ("present",),
    ("packs",),
    ("games",),
    ("web",),
    ("cli",),
)
RANK = {room: rank for rank, rooms in enumerate(ORDER) for room in rooms}
FILES = sorted(path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py"))
CORE = [file for file in FILES if not file.startswith("games/")]
GAME_WORDS = re.compile(r"(?<![a-z])(wow|l2m|valheim|raids?|boss(es)?|warcraft)(?![a-z])", re.IGNORECASE)
HEAVY = {"duckdb", "pyarrow", "pyiceberg", "sqlalchemy", "numba", "numpy", "fastapi", "polars", "sqlglot"}


def imported(file: str) -> set[str]:
    """Full names of everything a file imports, at any depth, also for annotations only."""
    found = set()
    for node in ast.walk(ast.parse((SOURCE / file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: write the import in full"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room_of(name: str) -> str | None:
    parts = name.split(".")
    return parts[1] if parts[0] == "gamelake" and len(parts) > 1 and parts[1] in RANK else None


def test_every_file_stands_in_a_known_room() -> None:
    rooms = {file.partition("/")[0].removesuffix(".py") for file in FILES} - {"__init__"}

    assert rooms <= set(RANK)


@pytest.mark.parametrize("file", [file for file in FILES if file != "__init__.py"])
def test_a_room_imports_only_those_above_it(file: str) -> None:
    own = RANK[file.partition("/")[0].removesuffix(".py")]

    wrong = {name for name in imported(file) if (room := room_of(name)) and RANK[room] > own}

    assert not wrong, f"{file} imports from rooms below it: {sorted(wrong)}"


@pytest.mark.parametrize("file", CORE)
def test_the_core_names_no_game(file: str) -> None:
    """Sentences (docstrings, hints) may give an example; names, keys, paths and datasets in code may not."""
    wrong = []
    for node in ast.walk(ast.parse((SOURCE / file).read_text(encoding="utf-8"))):
        word = ""
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and not re.search(r"\s", node.value)
        ):
            word = node.value
        elif isinstance(node, ast.Name):
            word = node.id.replace("_", " ")
        elif isinstance(node, ast.Attribute):
            word = node.attr.replace("_", " ")
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)):
            word = node.name.replace("_", " ")
        if GAME_WORDS.search(word):
            wrong.append(f"{file}:{getattr(node, 'lineno', '?')}: {word}")

    assert not wrong


def test_core_templates_name_no_game() -> None:
    texts = [
        path
        for room in ("present", "web")
        for suffix in ("html", "css", "js", "j2")
        for path in (SOURCE / room).rglob(f"*.{suffix}")
        if "vendor" not in path.parts
    ]

    wrong = [
        str(path.relative_to(SOURCE)) for path in texts if GAME_WORDS.search(path.read_text(encoding="utf-8"))
    ]

    assert not wrong


@pytest.mark.parametrize("file", [file for file in FILES if file.endswith("__init__.py")])
def test_a_package_holds_imports_and_nothing_that_acts(file: str) -> None:
    body = ast.parse((SOURCE / file).read_text(encoding="utf-8")).body

    acting = [
        node
        for node in body
        if not isinstance(node, (ast.Import, ast.ImportFrom))
        # numba reads where its cache is when it is imported: the one call that must come first
        and not (file.endswith("kernels/__init__.py") and ast.unparse(node) == "jit.prepare()")
        and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        and not (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in {"__all__", "__version__"})
        and not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    ]

    assert not acting, f"{file}: {[ast.unparse(node)[:60] for node in acting]}"


def test_the_command_line_imports_nothing_heavy_at_module_level() -> None:
    wrong = {
        f"{file}: {name}"
        for file in FILES
        if file.startswith("cli/") or file in {"packs.py", "errors.py", "clock.py"}
        for node in ast.parse((SOURCE / file).read_text(encoding="utf-8")).body
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in (
            [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
        )
        if name.partition(".")[0] in HEAVY
    }

    assert not wrong
