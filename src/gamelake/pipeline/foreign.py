"""What the footer of a Parquet file of others says about a slice whose rows it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from gamelake.engines.base import ColumnFacts, Written
from gamelake.engines.footers import footer_facts
from gamelake.errors import LayoutError, OperatorError, Place, did_you_mean
from gamelake.model.publish import StagedFile

if TYPE_CHECKING:
    from pathlib import Path

    from gamelake.model.slices import Slice
    from gamelake.model.steps import Output


def foreign_file(output: Output, for_slice: Slice, path: Path) -> Written:
    """The file as if it had been staged; LayoutError with every column it lacks."""
    try:
        with pq.ParquetFile(path) as file:
            footer, names = file.metadata, file.schema_arrow.names
    except (pa.ArrowException, OSError) as error:
        problem = f"not a whole Parquet file: {str(error).splitlines()[0]}"
        raise OperatorError(
            problem, Place(str(path)), "write it under another name first, then rename it"
        ) from error
    told = for_slice.as_dict()
    missing = [name for name in output.schema.names if name not in names and name not in told]
    if missing:
        listed = ", ".join(f"`{name}`" for name in missing)
        problem = f"the file has no column {listed}, it has: {', '.join(names)}"
        raise LayoutError(problem, Place(str(path)), did_you_mean(missing[0], names))
    facts = {name: found for name, found in footer_facts(footer).items() if name not in told}
    facts |= {name: ColumnFacts(0, value, value) for name, value in told.items()}
    return Written(StagedFile(str(path), footer.num_rows, path.stat().st_size, foreign=True), facts)
