"""The rows of `constructs.py` on both engines, once for the whole test process."""

from __future__ import annotations

import pytest
from both_engines import Both
from constructs import NAMES, NAMES_SCHEMA, ROWS, ROWS_SCHEMA

from gamelake.engines.duckdb import DuckDBEngine
from gamelake.engines.spark import SparkEngine


@pytest.fixture(scope="session")
def both(spark_options, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rows")
    driver = DuckDBEngine(folder / "spill", memory="1GB")
    with driver.session() as duckdb, SparkEngine(driver, spark_options).session() as spark:
        made = Both(duckdb, spark, folder)
        made.view("v", ROWS_SCHEMA, ROWS)
        made.view("names", NAMES_SCHEMA, NAMES)
        made.view("nothing", NAMES_SCHEMA, [])
        yield made
    driver.close()
