"""OpenLineage events of runs, kept as lines of JSON: one job for each step, its runs below the run of gamelake.

A step that has nothing to build says nothing. What its checks found is an event of a job of its own,
`<step>.checks`, because the standard hangs assertions on what a job reads.
"""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from gamelake import __version__
from gamelake.errors import GamelakeError
from gamelake.layouts.fingerprint import fingerprint
from gamelake.model.steps import SqlStep

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from gamelake.model.steps import Output, Step
    from gamelake.pipeline.events import Listener, Progress
    from gamelake.pipeline.project import Project
    from gamelake.settings import Settings

PRODUCER = f"https://gamelake.example/{__version__}"  # who wrote an event: a name in the form of an address
_SPEC = "https://openlineage.io/spec"
_MOST_BYTES, _KEPT_FILES = 16 * 1_048_576, 4


def lineage_file(settings: Settings) -> Path:
    """Where the newest events are; older ones lie beside it as `.1` to `.4`."""
    return settings.state / "lineage" / "openlineage.jsonl"


def run_uuid(run_id: str, step: str = "") -> str:
    """OpenLineage's id of a run, or of a step in it: always the same for the same."""
    return str(uuid5(NAMESPACE_URL, f"gamelake:{run_id}/{step}"))


class LineageLog:
    """A listener that writes events, then passes on what it heard. An event that cannot be written is left out."""

    kind = "run"

    def __init__(self, project: Project, run_id: str, then: Listener | None = None) -> None:
        self._project = project
        self._run_id = run_id
        self._then = then
        self._open: dict[str, list[str]] = {}  # step → problems of its slices
        self._began = False
        self._lock = Lock()

    def __call__(self, progress: Progress) -> None:
        if self._then is not None:
            self._then(progress)
        with suppress(OSError, GamelakeError, RecursionError):
            self._hear(progress)

    def close(self, problem: str | None, *, cancelled: bool) -> None:
        """End what is open: the run, and steps that a cancel cut off."""
        with suppress(OSError, GamelakeError):
            for name in list(self._open):
                self._step_event("ABORT" if cancelled else "FAIL", name, problem)
            if self._began:
                kind = "ABORT" if cancelled else "FAIL" if problem else "COMPLETE"
                self._run_event(kind, problem)

    def _hear(self, progress: Progress) -> None:
        name = progress.step
        if progress.kind == "step_started":
            if not self._began:
                self._began = True
                self._run_event("START")
            self._open[name] = []
            self._step_event("START", name)
        elif progress.kind == "slice_failed":
            self._open.setdefault(name, []).append(progress.message)
        elif progress.kind == "step_finished":
            problems = self._open.pop(name, [])
            self._step_event(
                "FAIL" if problems else "COMPLETE", name, "; ".join(problems) or None, progress.rows
            )
            self._checks_event(name, self._project.graph.steps[name].outputs)

    def _run_event(self, kind: str, problem: str | None = None) -> None:
        facets = _error(problem)
        run = {"runId": run_uuid(self._run_id), "facets": facets}
        self._write(
            {"eventType": kind, "run": run, "job": self._job(self._parent), "inputs": [], "outputs": []}
        )

    def _step_event(self, kind: str, name: str, problem: str | None = None, rows: int | None = None) -> None:
        step = self._project.graph.steps[name]
        outputs = [self._output(step, output) for output in step.outputs]
        if rows is not None and len(outputs) == 1:
            outputs[0] |= _counted(rows)
        read = sorted({str(dataset) for dataset in step.inputs.values()})
        inputs = [self._dataset(self._project.graph.outputs[dataset]) for dataset in read]
        facets = {"parent": self._parent_facet(), **_error(problem)}
        job = self._job(name, step.description)
        if isinstance(step, SqlStep):
            job["facets"]["sql"] = _facet("SQLJobFacet", "1-1-0", query=step.sql)
        run = {"runId": run_uuid(self._run_id, name), "facets": facets}
        self._write({"eventType": kind, "run": run, "job": job, "inputs": inputs, "outputs": outputs})
        if kind != "START":
            self._open.pop(name, None)

    def _checks_event(self, name: str, outputs: Iterable[Output]) -> None:
        inputs = [self._judged(output) for output in outputs]
        inputs = [each for each in inputs if each["inputFacets"]["dataQualityAssertions"]["assertions"]]
        if inputs:
            job = f"{name}.checks"
            run = {"runId": run_uuid(self._run_id, job), "facets": {"parent": self._parent_facet()}}
            for kind in ("START", "COMPLETE"):
                self._write(
                    {"eventType": kind, "run": run, "job": self._job(job), "inputs": inputs, "outputs": []}
                )

    def _judged(self, output: Output) -> dict[str, Any]:
        """A dataset with the outcome of each of its checks over the slices of this run."""
        dataset = str(output.dataset)
        rows = self._project.ledger.checks(dataset=dataset, run_id=self._run_id, limit=10_000)
        slices, failed = Counter(row.name for row in rows), Counter(r.name for r in rows if not r.passed)
        assertions = [
            {
                "assertion": row.kind.value,
                "name": row.name,
                "success": not failed[row.name],
                "severity": row.severity.value,
                "expected": row.threshold,
                "actual": f"{failed[row.name]} of {slices[row.name]} slices did not pass",
            }
            for row in {row.name: row for row in rows}.values()
        ]
        facet = _facet("DataQualityAssertionsDatasetFacet", "1-1-0", assertions=assertions)
        return {**self._dataset(output), "inputFacets": {"dataQualityAssertions": facet}}

    def _dataset(self, output: Output) -> dict[str, Any]:
        fields = [
            {"name": c.name, "type": c.type.value, **({"description": c.doc} if c.doc else {})}
            for c in output.schema.columns
        ]
        facets = {"schema": _facet("SchemaDatasetFacet", "1-2-0", fields=fields)}
        return {"namespace": self._namespace, "name": str(output.dataset), "facets": facets}

    def _output(self, step: Step, output: Output) -> dict[str, Any]:
        told = self._dataset(output)
        if isinstance(step, SqlStep):
            fields = {
                column: {
                    "inputFields": [
                        {"namespace": self._namespace, "name": dataset, "field": source}
                        for dataset, source in sources
                    ]
                }
                for column, sources in self._columns(step).items()
            }
            told["facets"]["columnLineage"] = _facet("ColumnLineageDatasetFacet", "1-2-0", fields=fields)
        return told

    def _columns(self, step: SqlStep) -> Mapping[str, list[tuple[str, str]]]:
        """Column → (dataset, column) pairs; traced once for each text of the SQL and the schemas it reads."""
        schemas = {name: output.schema for name, output in self._project.graph.outputs.items()}
        key = fingerprint(step.fingerprint, *(repr(schemas[str(read)]) for read in step.inputs.values()))
        cache = self._project.settings.cache_folder / "lineage" / f"{step.name}-{key}.json"
        try:
            found: dict[str, list[tuple[str, str]]] = json.loads(cache.read_bytes())
        except (OSError, ValueError):
            from gamelake.layouts.lineage import columns_origins

            traced = columns_origins(step, schemas)
            found = {
                name: [(origin.dataset, origin.column) for origin in traced.get(name.lower(), [])]
                for name in step.outputs[0].schema.names
            }
            cache.parent.mkdir(parents=True, exist_ok=True)
            cache.write_text(json.dumps(found), encoding="utf-8")
        return found

    def _job(self, name: str, description: str = "") -> dict[str, Any]:
        facets = {"documentation": _facet("DocumentationJobFacet", "1-1-0", description=description)}
        return {"namespace": self._namespace, "name": name, "facets": facets if description else {}}

    def _parent_facet(self) -> dict[str, Any]:
        run, job = {"runId": run_uuid(self._run_id)}, {"namespace": self._namespace, "name": self._parent}
        return _facet("ParentRunFacet", "1-2-0", run=run, job=job)

    @property
    def _parent(self) -> str:
        return f"{self._project.settings.name or 'gamelake'}.{self.kind}"

    @property
    def _namespace(self) -> str:
        return self._project.settings.openlineage.namespace

    def _write(self, event: dict[str, Any]) -> None:
        head = {
            "eventTime": self._project.clock.now().isoformat(),
            "producer": PRODUCER,
            "schemaURL": f"{_SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent",
        }
        file = lineage_file(self._project.settings)
        line = json.dumps({**head, **event}, ensure_ascii=False) + "\n"
        with self._lock:
            file.parent.mkdir(parents=True, exist_ok=True)
            _rotate(file)
            with file.open("a", encoding="utf-8") as out:
                out.write(line)  # one write: lines of two processes do not mix


class SourceLog(LineageLog):
    """The events of an import: one job for the source, which writes every dataset that it publishes to."""

    kind = "import"

    def __init__(self, project: Project, run_id: str, name: str, then: Listener | None = None) -> None:
        super().__init__(project, run_id, then)
        self._name = name
        self._rows: dict[str, int] = {}
        self._outputs: dict[str, Output] = {}

    def publishing(self, output: Output) -> None:
        """Rows of this dataset are about to be staged; the first time the source starts."""
        self._outputs[str(output.dataset)] = output
        self._rows.setdefault(str(output.dataset), 0)
        if not self._began:
            self._began = True
            with suppress(OSError):
                self._run_event("START")
                self._source_event("START")

    def published(self, output: Output, rows: int) -> None:
        """So many rows of it are new."""
        self._rows[str(output.dataset)] += rows

    def close(self, problem: str | None, *, cancelled: bool) -> None:
        """End what is open; an import that published nothing says nothing."""
        with suppress(OSError, GamelakeError):
            if self._began:
                self._source_event("ABORT" if cancelled else "FAIL" if problem else "COMPLETE", problem)
                self._checks_event(self._name, self._outputs.values())
        super().close(problem, cancelled=cancelled)

    def _source_event(self, kind: str, problem: str | None = None) -> None:
        outputs = [self._dataset(output) for output in self._outputs.values()]
        for told in outputs if kind == "COMPLETE" else []:
            told |= _counted(self._rows[told["name"]])
        source = self._project.graph.sources.get(self._name)
        job = self._job(self._name, source.description if source else "")
        facets = {"parent": self._parent_facet(), **_error(problem)}
        run = {"runId": run_uuid(self._run_id, self._name), "facets": facets}
        self._write({"eventType": kind, "run": run, "job": job, "inputs": [], "outputs": outputs})


def events_of(settings: Settings, run_id: str) -> list[str]:
    """Lines of one run, oldest first, as far as they are kept."""
    mark = run_uuid(run_id)
    newest = lineage_file(settings)
    files = [newest.with_name(f"{newest.name}.{i}") for i in range(_KEPT_FILES, 0, -1)] + [newest]
    return [
        line
        for file in files
        if file.exists()
        for line in file.read_text(encoding="utf-8").splitlines()
        if mark in line
    ]


def _rotate(file: Path) -> None:
    """Begin a new file when this one is large; the oldest of those kept goes."""
    if not file.exists() or file.stat().st_size < _MOST_BYTES:
        return
    for number in range(_KEPT_FILES, 0, -1):
        older = file.with_name(f"{file.name}.{number}")
        source = file if number == 1 else file.with_name(f"{file.name}.{number - 1}")
        if source.exists():
            source.replace(older)


def _facet(name: str, version: str, **content: Any) -> dict[str, Any]:
    url = f"{_SPEC}/facets/{version}/{name}.json#/$defs/{name}"
    return {"_producer": PRODUCER, "_schemaURL": url, **content}


def _counted(rows: int) -> dict[str, Any]:
    """What a dataset of outputs says beside its name."""
    statistics = _facet("OutputStatisticsOutputDatasetFacet", "1-0-2", rowCount=rows)
    return {"outputFacets": {"outputStatistics": statistics}}


def _error(problem: str | None) -> dict[str, Any]:
    if problem is None:
        return {}
    facet = _facet("ErrorMessageRunFacet", "1-0-1", message=problem, programmingLanguage="SQL")
    return {"errorMessage": facet}
