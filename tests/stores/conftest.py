"""One lake with its ledger per test."""

import pytest

from lake_world import open_world


@pytest.fixture
def world(tmp_path):
    with open_world(tmp_path) as made:
        yield made
