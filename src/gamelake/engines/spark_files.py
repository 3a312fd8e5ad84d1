"""What Spark wrote, as staged files of the exact types the lake verifies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from gamelake.engines.arrow import ParquetFile
from gamelake.engines.base import Written
from gamelake.engines.footers import footer_facts
from gamelake.errors import OperatorError, Place
from gamelake.model.publish import StagedFile
from gamelake.model.schema import ColumnType

if TYPE_CHECKING:
    from pathlib import Path

    from gamelake.model.schema import Schema


def adopt(folder: Path, schema: Schema, file: Path) -> list[Written]:
    """Move the parts that hold rows to `file` and numbered files beside it; UUIDs become 16 bytes on the way.

    OperatorError when the folder lacks Spark's mark of success: then a cluster wrote where we cannot see.
    """
    if not (folder / "_SUCCESS").exists():
        problem = "Spark finished and its files are not here"
        raise OperatorError(
            problem, Place(str(folder)), "a cluster must see the project under the same path as we do"
        )
    convert = any(column.type is ColumnType.UUID for column in schema.columns)
    found: list[Written] = []
    for part in sorted(folder.glob("part-*.parquet")):
        footer = pq.read_metadata(part)
        if not footer.num_rows:
            continue
        target = file if not found else file.with_name(f"{file.stem}-{len(found)}{file.suffix}")
        if convert:
            written = _converted(part, schema, target)
            found += [written] if written else []
            continue
        part.rename(target)
        found.append(
            Written(StagedFile(str(target), footer.num_rows, target.stat().st_size), footer_facts(footer))
        )
    return found


def _converted(part: Path, schema: Schema, target: Path) -> Written | None:
    """The part written again by Arrow, row group by row group, with the schema's types."""
    with pq.ParquetFile(part) as source, ParquetFile(target, schema) as made:
        for group in range(source.num_row_groups):
            made.write(source.read_row_group(group))
        written = made.close()
    # the digest would tell bytes that depend on how Spark split the rows
    return Written(written.file, written.facts) if written else None
