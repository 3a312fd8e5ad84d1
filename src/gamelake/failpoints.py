"""Named places where a test may kill the process, to prove that a restart loses nothing.

`GAMELAKE_FAILPOINT=publish.before_verify` kills at the first hit, `…:3` at the third.
Unset (always, outside tests) a failpoint costs one comparison.
"""

from __future__ import annotations

import os
import signal
from threading import Lock

VARIABLE = "GAMELAKE_FAILPOINT"

ALL = frozenset(
    {
        "publish.after_stage",  # files written, no check has seen them
        "publish.after_audit",  # checks passed, nothing committed
        "publish.before_verify",  # lease held, footers not read yet
        "publish.before_commit",  # files verified and synced, table unchanged
        "publish.in_commit",  # new table metadata written, catalogue still points at the old
        "publish.after_commit",  # the table holds the receipt, the ledger does not
        "publish.after_record",  # the ledger knows, the run does not say so yet
        "target.after_copy",  # rows lie in an open transaction of the other system, the lake knows nothing
        "target.in_commit",  # lake committed, the target's transaction is complete and still open
        "target.mid_files",  # lake committed, a file is in its place and its receipt is not
        "target.after_commit",  # lake and target hold the version, the ledger does not
        "ledger.before_commit",  # inside a ledger transaction, nothing durable
        "schedules.after_due",  # a due time is noted and its run queued, nothing has begun it
        "maintenance.before_delete",  # files chosen, none removed
        "maintenance.mid_delete",  # some files removed
    }
)

_hits: dict[str, int] = {}
_lock = Lock()


def hit(name: str) -> None:
    """Die by SIGKILL when the environment names this failpoint and its count is reached."""
    wanted = os.environ.get(VARIABLE)
    if not wanted:
        return
    chosen, _, count = wanted.partition(":")
    if chosen not in ALL or name not in ALL:
        unknown = name if name not in ALL else chosen
        problem = f"`{unknown}` is no declared failpoint, see gamelake/failpoints.py"
        raise LookupError(problem)
    if chosen != name:
        return
    with _lock:
        _hits[name] = _hits.get(name, 0) + 1
        reached = _hits[name] >= int(count or 1)
    if reached:
        os.kill(os.getpid(), signal.SIGKILL)
