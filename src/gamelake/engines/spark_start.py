"""Starting Spark: Java, the session's settings, a process without network, pages or noise.

A process has one Spark: every engine in it shares the session, and it ends with the process. Killing the process ends
the Java beside it too, because that waits on our end of a pipe.
"""

from __future__ import annotations

import atexit
import logging
import os
import re
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from gamelake.errors import MissingExtraError, OperatorError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import SparkSession

LEAST_JAVA = 17
JAVA_HINT = "install Java 17: `apt-get install openjdk-17-jre-headless`, or set JAVA_HOME"
_LOG_SETTINGS = """\
rootLogger.level = error
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d{ISO8601} %p %c{1}: %m%n
"""
# what values depend on; a project cannot set these otherwise
_MEANING = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.caseSensitive": "false",
    "spark.sql.decimalOperations.allowPrecisionLoss": "false",
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_LTZ",
}
_LOCAL = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.eventLog.enabled": "false",
    "spark.sql.catalogImplementation": "in-memory",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}


@dataclass(frozen=True)
class SparkOptions:
    """How to start Spark; `folder` is where it keeps shuffle files, its log and nothing else."""

    folder: Path
    master: str = "local[*]"
    memory: str | None = None
    conf: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def remote(self) -> bool:
        """True for a Spark Connect URL, behind which somebody else's Java runs."""
        return self.master.startswith("sc://")


_lock = Lock()
_started: tuple[tuple[Any, ...], SparkSession] | None = None


def spark_session(options: SparkOptions) -> SparkSession:
    """The session of this process, started on first use; other options than the first start it anew."""
    global _started  # noqa: PLW0603 - Spark itself is one in a process
    key = (options.master, options.memory, tuple(sorted(options.conf.items())))
    with _lock:
        if _started is not None and _started[0] == key:
            return _started[1]
        _stop()
        require_spark(remote=options.remote)
        session = _connect(options) if options.remote else _launch(options)
        for name, value in _MEANING.items():
            session.conf.set(name, value)
        _started = (key, session)
        return session


def stop_spark() -> None:
    """End the session of this process; the next use starts another."""
    with _lock:
        _stop()


def require_spark(*, remote: bool = False) -> None:
    """MissingExtraError that says what to install when pyspark or Java is absent."""
    if find_spec("pyspark") is None:
        raise MissingExtraError(
            "engine `spark` needs pyspark", hint="pip install 'gamelake[spark]'; Java 17 is needed too"
        )
    if remote:
        if find_spec("grpc") is None or find_spec("pandas") is None:
            raise MissingExtraError(
                "Spark Connect (`sc://…`) needs a client of its own",
                hint="pip install 'pyspark[connect]' 'pandas<3'",
            )
        return
    found = java_version()
    if found is None:
        raise MissingExtraError("engine `spark` needs Java, and there is none", hint=JAVA_HINT)
    if found < LEAST_JAVA:
        raise MissingExtraError(
            f"engine `spark` needs Java {LEAST_JAVA} or newer, found {found}", hint=JAVA_HINT
        )


def java_version() -> int | None:
    """Major version of the Java that Spark would use; None when there is none."""
    home = os.environ.get("JAVA_HOME")
    program = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    if program is None or not Path(program).exists():
        return None
    told = subprocess.run(
        [program, "-version"], capture_output=True, text=True, check=False, timeout=30
    ).stderr
    found = re.search(r'version "(?:1\.)?(\d+)', told)
    return int(found[1]) if found else None


def _stop() -> None:
    global _started  # noqa: PLW0603 - as above
    if _started is None:
        return
    _, session = _started
    _started = None
    gateway = getattr(getattr(session, "_sc", None), "_gateway", None)
    with suppress(Exception):  # it may be gone already, and then nothing is left to stop
        session.stop()
    if gateway is not None:
        with suppress(Exception):
            gateway.shutdown()
        process = getattr(gateway, "proc", None)
        if process is not None:
            process.stdin.close()  # what Java waits for
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
        from pyspark import SparkContext

        SparkContext._gateway = None  # noqa: SLF001 - or the next start would use the closed one
        SparkContext._jvm = None  # noqa: SLF001 - same


def _launch(options: SparkOptions) -> SparkSession:
    from pyspark import SparkConf, SparkContext
    from pyspark.java_gateway import launch_gateway
    from pyspark.sql import SparkSession

    _quiet()
    options.folder.mkdir(parents=True, exist_ok=True)
    settings = options.folder / "log4j2.properties"
    settings.write_text(_LOG_SETTINGS, encoding="utf-8")
    chosen = {
        **(_LOCAL if options.master.startswith("local") else {"spark.ui.showConsoleProgress": "false"}),
        "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={settings.as_uri()}",
        "spark.driver.memory": _jvm_memory(options.memory),
        "spark.local.dir": str(options.folder / "local"),
        "spark.sql.shuffle.partitions": str(2 * (os.cpu_count() or 1)),
        "spark.sql.warehouse.dir": str(options.folder / "warehouse"),
        **options.conf,
        **_MEANING,
    }
    conf = SparkConf().setMaster(options.master).setAppName("gamelake").setAll(list(chosen.items()))
    log = options.folder / "spark.log"
    try:
        with log.open("ab") as noise:  # Java warns of its own modules before any log setting is read
            gateway = launch_gateway(conf, popen_kwargs={"stdout": noise, "stderr": noise})
        context = SparkContext(gateway=gateway, conf=conf)
    except Exception as err:  # whatever Java and py4j throw, the log has the cause
        problem = f"Spark does not start with master `{options.master}`: {str(err).splitlines()[0]}"
        raise OperatorError(problem, hint=f"the end of {log} says why") from err
    atexit.register(stop_spark)
    return SparkSession(context)


def _connect(options: SparkOptions) -> SparkSession:
    from pyspark.sql import SparkSession

    _quiet()
    try:
        builder = SparkSession.builder.remote(options.master).appName("gamelake")
        for name, value in options.conf.items():
            builder = builder.config(name, value)
        session = builder.getOrCreate()
        session.range(1).count()
    except Exception as err:  # the client raises what its transport raises
        problem = f"Spark Connect at `{options.master}` does not answer: {str(err).splitlines()[0]}"
        raise OperatorError(
            problem, hint="is the server up, and of the same Spark version as pyspark here?"
        ) from err
    atexit.register(stop_spark)
    return session


def _quiet() -> None:
    """Pyspark prints each failing query with its Java trace; we raise the error and it is told once."""
    logging.getLogger("SQLQueryContextLogger").disabled = True
    logging.getLogger("DataFrameQueryContextLogger").disabled = True
    logging.getLogger("py4j").setLevel(logging.CRITICAL)


def _jvm_memory(memory: str | None) -> str:
    """Spark's `2048m` from our `2GB` or `30%`; without one, 30 % of the machine, which DuckDB leaves free.

    >>> _jvm_memory("2 GiB")
    '2048m'
    """
    text = (memory or "30%").replace(" ", "")
    if text.endswith("%"):
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        size = total * float(text[:-1]) / 100
    else:
        found = re.fullmatch(r"([\d.]+)([KMGT])(i?)B", text)
        assert found is not None  # the settings accept nothing else
        size = float(found[1]) * (1024 if found[3] else 1000) ** ("KMGT".index(found[2]) + 1)
    return f"{max(512, int(size // 1_048_576))}m"
