"""Tables of the ledger as the newest migration leaves them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

metadata = sa.MetaData()


class Utc(sa.types.TypeDecorator[datetime]):
    """Aware UTC time as fixed-width text: sorts by time, and reads the same in every database."""

    impl = sa.String(27)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> str | None:  # noqa: ARG002
        return None if value is None else value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def process_result_value(self, value: str | None, dialect: Any) -> datetime | None:  # noqa: ARG002
        return None if value is None else datetime.fromisoformat(value)


# BIGINT on Postgres; SQLite numbers rows by itself only for the exact type INTEGER
_Sequence = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

schema_version = sa.Table(
    "schema_version",
    metadata,
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("applied_at", Utc, nullable=False),
)

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("request", sa.JSON, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("error", sa.JSON(none_as_null=True)),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("started_at", Utc),
    sa.Column("ended_at", Utc),
    sa.Column("heartbeat_at", Utc),
    sa.Column("process", sa.Text),
    sa.Column("cancel_requested", sa.Boolean, nullable=False),
    sa.Index("runs_by_state", "state"),
)

tasks = sa.Table(
    "tasks",
    metadata,
    sa.Column("run_id", sa.Text, sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("step", sa.Text, nullable=False),
    sa.Column("slices", sa.JSON, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("rows", sa.BigInteger),
    sa.Column("seconds", sa.Float),
    sa.Column("sql", sa.Text),
    sa.Column("error", sa.JSON(none_as_null=True)),
    sa.Column("detail", sa.JSON, nullable=False),
    sa.Column("changed_at", Utc, nullable=False),
)

receipts = sa.Table(
    "receipts",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("dataset", sa.Text, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("step", sa.Text, nullable=False),
    sa.Column("published_at", Utc, nullable=False),
    sa.Column("recorded_at", Utc, nullable=False),
    sa.Index("receipts_by_run", "run_id"),
)

slice_versions = sa.Table(
    "slice_versions",
    metadata,
    sa.Column("dataset", sa.Text, primary_key=True),
    sa.Column("slice", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("receipt_id", sa.Text, sa.ForeignKey("receipts.id"), nullable=False),
    sa.Column("files", sa.JSON, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("content_hash", sa.Text, nullable=False),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("inputs", sa.JSON, nullable=False),
    sa.Index("slice_versions_by_receipt", "receipt_id"),
)

slice_states = sa.Table(
    "slice_states",
    metadata,
    sa.Column("dataset", sa.Text, primary_key=True),
    sa.Column("slice", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("changed_at", Utc, nullable=False),
)

checks = sa.Table(
    "checks",
    metadata,
    sa.Column("seq", _Sequence, primary_key=True, autoincrement=True),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("step", sa.Text, nullable=False),
    sa.Column("dataset", sa.Text, nullable=False),
    sa.Column("slice", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("severity", sa.Text, nullable=False),
    sa.Column("value", sa.Float, nullable=False),
    sa.Column("threshold", sa.Text, nullable=False),
    sa.Column("passed", sa.Boolean, nullable=False),
    sa.Column("sample", sa.JSON, nullable=False),
    sa.Column("checked_at", Utc, nullable=False),
    sa.Index("checks_by_dataset", "dataset", "seq"),
    sa.Index("checks_by_run", "run_id", "seq"),
    sqlite_autoincrement=True,
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("seq", _Sequence, primary_key=True, autoincrement=True),
    sa.Column("at", Utc, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("run_id", sa.Text),
    sa.Column("data", sa.JSON, nullable=False),
    sa.Index("events_by_run", "run_id", "seq"),
    sqlite_autoincrement=True,
)

leases = sa.Table(
    "leases",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("token", sa.BigInteger, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("process", sa.Text, nullable=False),
    sa.Column("taken_at", Utc, nullable=False),
    sa.Column("expires_at", Utc),  # null once given back
)
