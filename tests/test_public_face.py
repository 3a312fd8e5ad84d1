"""What the package says it exports is there."""

from __future__ import annotations

import importlib
import pkgutil
from importlib.metadata import version

import pytest

import gamelake

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(gamelake.__path__, "gamelake.")
    if not module.name.endswith("__main__")
)


def test_the_version_is_the_one_of_the_distribution() -> None:
    assert gamelake.__version__ == version("gamelake")


@pytest.mark.parametrize("name", ["gamelake", *MODULES])
def test_all_lists_only_what_exists(name: str) -> None:
    module = importlib.import_module(name)

    listed = getattr(module, "__all__", [])

    assert [each for each in listed if not hasattr(module, each)] == []
    assert len(set(listed)) == len(listed)
