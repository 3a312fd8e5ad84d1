"""The pack's step in Python: shared addresses without those a project allows, which SQL cannot tell for IPv6."""

from __future__ import annotations

import json
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING

from gamelake.games.l2m.rules import AllowList, read_rules
from gamelake.model.names import DatasetName
from gamelake.model.schema import Column, ColumnType, Schema, SemanticType
from gamelake.model.steps import OnEmpty, Output, PythonStep

if TYPE_CHECKING:
    from gamelake.model.steps import StepContext
    from gamelake.settings import Settings

SHARED = DatasetName.parse("l2m.bronze.shared_addresses")
CLUSTERS = Output(
    DatasetName.parse("l2m.silver.address_clusters"),
    Schema(
        (
            Column("report_date", ColumnType.DATE, nullable=False, meaning=SemanticType.parse("day<+07:00>")),
            Column("address", ColumnType.TEXT, nullable=False),
            Column("user_id", ColumnType.TEXT, nullable=False, meaning=SemanticType.parse("id<user>")),
            Column("users", ColumnType.BIGINT, nullable=False, doc="different users of the address that day"),
        )
    ),
    slice_columns=("report_date",),
    grain=("report_date", "address", "user_id"),
    grain_proven=True,
    on_empty=OnEmpty.CLEAR,
    description="Shared addresses outside the networks that the project allows",
)


def step(settings: Settings) -> PythonStep:
    """The step with the allow-list of the project; another list makes other rows, so it is part of the version."""
    cidrs = sorted(read_rules(settings.root).allow_cidrs)
    mark = sha256(json.dumps(cidrs).encode()).hexdigest()[:12]
    return PythonStep(
        name=str(CLUSTERS.dataset),
        inputs={"shared": SHARED},
        outputs=(CLUSTERS,),
        version=f"1-{mark}",
        run=partial(leave_out_allowed, AllowList(cidrs)),
        description=CLUSTERS.description,
    )


def leave_out_allowed(allowed: AllowList, context: StepContext) -> None:
    """Copy the rows of each day whose address is not allowed; each address is looked at once."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.dataset as ds

    for place in context.slices:
        files = context.files(str(SHARED), place)
        if not files:
            continue
        rows = ds.dataset(files, format="parquet").to_table(columns=list(CLUSTERS.schema.names))
        addresses = rows["address"].unique().to_pylist()
        kept = pa.array([address for address in addresses if not allowed.holds(address)], pa.string())
        context.write(str(CLUSTERS.dataset), place, rows.filter(pc.is_in(rows["address"], kept)))
