"""What is missing for Spark is said in one error, before anything starts."""

from __future__ import annotations

import pytest

from gamelake.engines import spark_start
from gamelake.engines.duckdb import DuckDBEngine
from gamelake.engines.spark import SparkEngine, _translated
from gamelake.engines.spark_start import SparkOptions, _jvm_memory
from gamelake.errors import LayoutError, MissingExtraError, OperatorError


@pytest.mark.parametrize(
    ("found", "java", "remote", "said"),
    [
        ({"pyspark": None}, 17, False, "engine `spark` needs pyspark"),
        ({}, None, False, "engine `spark` needs Java, and there is none"),
        ({}, 11, False, "engine `spark` needs Java 17 or newer, found 11"),
        ({"grpc": None}, None, True, "Spark Connect (`sc://…`) needs a client of its own"),
    ],
)
def test_what_is_missing_is_named(monkeypatch, tmp_path, found, java, remote, said) -> None:
    monkeypatch.setattr(spark_start, "find_spec", lambda name: found.get(name, name))
    monkeypatch.setattr(spark_start, "java_version", lambda: java)
    driver = DuckDBEngine(tmp_path / "spill")

    with pytest.raises(MissingExtraError) as missing:
        SparkEngine(driver, SparkOptions(tmp_path, "sc://host" if remote else "local[*]"))

    driver.close()
    assert missing.value.problem == said
    assert "install" in missing.value.hint


def test_java_is_looked_for_where_spark_looks(monkeypatch) -> None:
    monkeypatch.setenv("JAVA_HOME", "/nowhere")

    assert spark_start.java_version() is None


@pytest.mark.parametrize(("text", "jvm"), [("2GB", "1907m"), ("4 GiB", "4096m"), ("10MB", "512m")])
def test_memory_reads_like_ours(text, jvm) -> None:
    assert _jvm_memory(text) == jvm


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (RuntimeError("[CAST_INVALID_INPUT] The value 'x' is malformed. SQLSTATE: 22018"), LayoutError),
        (RuntimeError("[FAILED_READ_FILE.NO_HINT] cannot read SQLSTATE: KD001"), OperatorError),
        (RuntimeError("connection refused"), OperatorError),
        (RuntimeError(""), OperatorError),
    ],
)
def test_an_error_of_spark_becomes_ours(error, kind) -> None:
    assert type(_translated(error)) is kind
