"""Lineage events: read back by the standard's own client, in order, of bounded size."""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from openlineage.client import event_v2, generated
from openlineage.client.generated import (
    column_lineage_dataset,
    data_quality_assertions_dataset,
    error_message_run,
    parent_run,
    schema_dataset,
)

from gamelake.errors import CheckFailedError
from gamelake.jobs.announce import Announcer
from gamelake.jobs.local import run_now
from gamelake.model.slices import Slice
from gamelake.pipeline import openlineage
from gamelake.pipeline.execute import RunRequest
from gamelake.pipeline.source import source_run
from gamelake.settings import LineageTarget
from http_receiver import Receiver
from sample_project import RAW, import_days, scores

DAYS = {"2026-01-01": [("ann", 3), ("bob", 5)]}


def lines(project) -> list[dict[str, Any]]:
    file = openlineage.lineage_file(project.settings)
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def plain(facet: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in facet.items() if not key.startswith("_")}


def rebuilt(told: dict[str, Any]) -> event_v2.RunEvent:
    """The event as the client's own classes, which check ids, times and names."""
    run = event_v2.Run(told["run"]["runId"], told["run"]["facets"])
    job = event_v2.Job(told["job"]["namespace"], told["job"]["name"], told["job"]["facets"])
    for facets in (d["facets"] for d in (*told["inputs"], *told["outputs"])):
        schema_dataset.SchemaDatasetFacet(
            fields=[schema_dataset.SchemaDatasetFacetFields(**field) for field in facets["schema"]["fields"]]
        )
        for field in facets.get("columnLineage", {}).get("fields", {}).values():
            inputs = [column_lineage_dataset.InputField(**each) for each in field["inputFields"]]
            column_lineage_dataset.Fields(inputFields=inputs)
    for facets in (d.get("inputFacets", {}) for d in told["inputs"]):
        for assertion in facets.get("dataQualityAssertions", {}).get("assertions", []):
            data_quality_assertions_dataset.Assertion(**assertion)
    if "parent" in told["run"]["facets"]:
        parent = plain(told["run"]["facets"]["parent"])
        parent_run.ParentRunFacet(run=parent_run.Run(**parent["run"]), job=parent_run.Job(**parent["job"]))
    if "errorMessage" in told["run"]["facets"]:
        error_message_run.ErrorMessageRunFacet(**plain(told["run"]["facets"]["errorMessage"]))
    inputs = [event_v2.InputDataset(**each) for each in told["inputs"]]
    outputs = [event_v2.OutputDataset(**each) for each in told["outputs"]]
    kind = event_v2.RunState(told["eventType"])
    return event_v2.RunEvent(
        eventTime=told["eventTime"], producer=told["producer"], run=run, job=job, eventType=kind,
        inputs=inputs, outputs=outputs,
    )  # fmt: skip


def test_a_run_tells_its_steps_columns_and_checks(project) -> None:
    import_days(project, DAYS)
    imported = len(lines(project))
    result = run_now(project, RunRequest())
    told = lines(project)[imported:]

    assert [rebuilt(each).eventTime for each in told] == sorted(each["eventTime"] for each in told)
    assert (told[0]["job"]["name"], told[0]["eventType"]) == ("toy.run", "START")
    assert (told[-1]["job"]["name"], told[-1]["eventType"]) == ("toy.run", "COMPLETE")
    parent = openlineage.run_uuid(result.run_id)
    assert {each["run"]["facets"]["parent"]["run"]["runId"] for each in told[1:-1]} == {parent}
    daily = next(e for e in told if e["job"]["name"] == "toy.gold.daily" and e["eventType"] == "COMPLETE")
    assert [each["name"] for each in daily["inputs"]] == ["toy.silver.clean"]
    fields = daily["outputs"][0]["facets"]["columnLineage"]["fields"]
    assert fields["score"]["inputFields"] == [
        {"namespace": "gamelake", "name": "toy.silver.clean", "field": "score"}
    ]
    assert daily["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"] == 2
    checks = next(e for e in told if e["job"]["name"] == "toy.gold.daily.checks")
    assertions = checks["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert {"range(score)": True}.items() <= {each["name"]: each["success"] for each in assertions}.items()


def test_an_import_tells_what_it_published(project) -> None:
    import_days(project, DAYS)
    with pytest.raises(CheckFailedError), source_run(project, "wrong", name="scores") as run:
        run.publish(RAW, {Slice.of(day="2026-01-01", part="a"): [scores("2026-01-02", "a", [("p", 1)])]})
    with source_run(project, "nothing new", name="scores"):
        pass
    told = lines(project)

    jobs = [(each["job"]["name"], each["eventType"]) for each in told]
    checked = [("scores.checks", kind) for kind in ("START", "COMPLETE")]
    for ended in ("COMPLETE", "FAIL"):
        started = [("toy.import", "START"), ("scores", "START"), ("scores", ended)]
        assert jobs[: len(started)] == started
        del jobs[: len(started)]
        assert jobs[:2] == checked
        assert jobs[2] == ("toy.import", ended)
        del jobs[:3]
    assert jobs == []
    done = next(each for each in told if each["job"]["name"] == "scores" and each["eventType"] == "COMPLETE")
    (output,) = done["outputs"]
    assert (output["name"], output["outputFacets"]["outputStatistics"]["rowCount"]) == (
        "toy.bronze.scores",
        2,
    )
    for each in told:
        rebuilt(each)


def facets_in(told: Any) -> Iterator[dict[str, Any]]:
    """Every facet of an event, wherever it hangs."""
    for value in told.values() if isinstance(told, dict) else told if isinstance(told, list) else []:
        if isinstance(value, dict) and "_schemaURL" in value:
            yield value
        yield from facets_in(value)


def test_facets_are_of_the_versions_that_the_standards_client_knows(project) -> None:
    import_days(project, DAYS)
    run_now(project, RunRequest())
    known = {
        name: made._get_schema()
        for module in pkgutil.iter_modules(generated.__path__, f"{generated.__name__}.")
        for name, made in vars(import_module(module.name)).items()
        if isinstance(made, type) and hasattr(made, "_get_schema")
    }
    told = lines(project)
    found = {
        url.rpartition("/")[2]: url for each in told for url in (f["_schemaURL"] for f in facets_in(each))
    }

    assert found == {name: known[name] for name in found}
    assert found.keys() == {
        "SchemaDatasetFacet",
        "ColumnLineageDatasetFacet",
        "DataQualityAssertionsDatasetFacet",
        "OutputStatisticsOutputDatasetFacet",
        "ParentRunFacet",
        "SQLJobFacet",
        "DocumentationJobFacet",
    }
    assert {each["schemaURL"] for each in told} == {known["RunEvent"]}


def test_a_failed_step_fails_and_a_run_without_work_says_nothing(project) -> None:
    import_days(project, {"2026-01-01": [("ann", -3)]})
    run_now(project, RunRequest())
    told = lines(project)

    clean = next(e for e in told if e["job"]["name"] == "clean" and e["eventType"] != "START")
    assert clean["eventType"] == "FAIL"
    assert "scores are positive" in clean["run"]["facets"]["errorMessage"]["message"]
    assert told[-1]["eventType"] == "FAIL"
    for each in told:
        rebuilt(each)
    import_days(project, DAYS)
    run_now(project, RunRequest())
    before = len(lines(project))
    run_now(project, RunRequest())
    assert len(lines(project)) == before


def test_old_events_go(project, monkeypatch) -> None:
    monkeypatch.setattr(openlineage, "_MOST_BYTES", 2000)
    import_days(project, DAYS)
    run_now(project, RunRequest())

    names = {file.name for file in openlineage.lineage_file(project.settings).parent.iterdir()}

    assert names == {"openlineage.jsonl", *(f"openlineage.jsonl.{i}" for i in (1, 2, 3, 4))}


@pytest.mark.parametrize("status", [201, 404])
def test_events_go_to_an_endpoint_in_their_order(project, monkeypatch, status) -> None:
    monkeypatch.setattr("gamelake.pipeline.lifecycle.tell_others", lambda *_: None)
    monkeypatch.setenv("OPENLINEAGE_API_KEY", "t0ken")
    import_days(project, DAYS)
    result = run_now(project, RunRequest())
    with Receiver(status) as receiver:
        settings = project.settings.model_copy(update={"openlineage": LineageTarget(url=receiver.url)})
        Announcer(settings, project.ledger, project.clock, project.ids, pause=0).run_ended(result.run_id)

    got = [json.loads(body) for _, _, body in receiver.got]
    told = project.ledger.events(run_id=result.run_id)[-1]
    if status == 201:
        assert got == [json.loads(line) for line in openlineage.events_of(settings, result.run_id)]
        assert {headers["authorization"] for _, headers, _ in receiver.got} == {"Bearer t0ken"}
        assert (told.kind, told.data["sent"]) == ("lineage.delivered", len(got))
    else:
        assert (len(got), told.kind, told.data["sent"]) == (1, "lineage.failed", 0)
