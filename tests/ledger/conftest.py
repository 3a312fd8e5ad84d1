"""A ledger whose clock moves only when told."""

from datetime import UTC, datetime

import pytest

from gamelake.clock import CountingIds, FixedClock
from gamelake.ledger import Ledger

START = datetime(2026, 2, 16, 20, tzinfo=UTC)


@pytest.fixture
def clock():
    return FixedClock(START)


@pytest.fixture
def ledger(tmp_path, clock):
    with Ledger.open(tmp_path / "ledger.db", clock=clock, ids=CountingIds()) as opened:
        yield opened
