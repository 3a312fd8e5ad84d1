"""`gamelake status`."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gamelake.packs import open_project
from gamelake.present import formats
from gamelake.present.console import Col, print_json, print_table, say, state
from gamelake.present.options import JsonOption, ProjectOption

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from gamelake.ledger.rows import CheckRow, RunRow
    from gamelake.pipeline.project import Project

WORK = ("failed", "missing", "stale", "depends")  # worst first; `depends` may become work


def status(
    dataset: Annotated[
        str | None, typer.Argument(help="Show the slices of one dataset.", show_default=False)
    ] = None,
    runs: Annotated[int, typer.Option("--runs", min=0, help="Last runs to show.")] = 5,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show datasets, how fresh they are, and the last runs. Changes nothing."""
    with open_project(project) as opened:
        opened.ledger.interrupt_dead_runs()
        if dataset is not None:
            show_slices(opened, dataset, as_json=as_json)
            return
        troubles: dict[str, list[CheckRow]] = defaultdict(list)
        for row in opened.ledger.open_troubles():
            troubles[row.dataset].append(row)
        found: dict[str, Any] = {
            "project": opened.settings.name,
            "datasets": datasets_facts(opened, troubles),
            "runs": [run_facts(row) for row in opened.ledger.runs(limit=runs)] if runs else [],
            "schedules": schedule_facts(opened),
        }
        now = opened.clock.now()
    if as_json:
        print_json(found)
        return
    show_datasets(found["datasets"], now)
    if found["runs"]:
        say("")
        show_runs(found["runs"], now)
    if found["schedules"]:
        say("")
        show_schedules(found["schedules"], now)


def schedule_facts(project: Project) -> list[dict[str, Any]]:
    """Schedules with their last and next due times, as `status --json` prints them."""
    if not project.settings.schedules:
        return []
    from gamelake.jobs.schedules import outlook

    return [each.to_json() for each in outlook(project)]


def show_schedules(found: list[dict[str, Any]], now: datetime) -> None:
    """Schedules as a table, the next first."""
    columns = [
        Col("schedule", style="name"),
        Col("when"),
        Col("targets", wrap=True),
        Col("last"),
        Col("next due"),
    ]
    rows = [
        (
            each["schedule"],
            each["when"],
            ", ".join(each["targets"]) or "everything",
            formats.ago(each["last_due"], now) if each["last_due"] else "",
            each["next_due"].strftime("%Y-%m-%d %H:%M UTC") if each["next_due"] > now else "now",
        )
        for each in sorted(found, key=lambda each: each["next_due"])
    ]
    print_table(columns, rows)


def dataset_states(project: Project) -> dict[str, Counter[str]]:
    """Dataset → number of slices in each state, in the order of the graph."""
    from gamelake.pipeline.plan import plan

    states: dict[str, Counter[str]] = {name: Counter() for name in project.graph.outputs}
    for item in plan(project, ask=False).items:
        for output in project.graph.steps[item.step].outputs:
            states[str(output.dataset)][item.state.value] += 1
    order = {"bronze": 0, "silver": 1, "gold": 2}
    return dict(sorted(states.items(), key=lambda pair: (order.get(pair[0].split(".")[1], 3), pair[0])))


def datasets_facts(project: Project, troubles: Mapping[str, list[CheckRow]]) -> list[dict[str, Any]]:
    """Every dataset, as `status --json` prints it."""
    found = dataset_states(project)
    current = project.ledger.summaries(found)
    published, failed = project.ledger.last_published(), project.ledger.failed_slices()
    return [
        {
            "dataset": name,
            "made_by": project.graph.producers[name],
            "state": word_for(states, failed=name in failed, any_slice=bool(current[name])),
            "slices": len(current[name]),
            "missing": states["missing"],
            "stale": states["stale"],
            "failed": failed.get(name, 0),
            "rows": sum(version.rows for version in current[name].values()),
            "bytes": sum(version.bytes for version in current[name].values()),
            "published_at": published.get(name),
            "checks": check_facts(troubles.get(name, [])),
        }
        for name, states in found.items()
    ]


def check_facts(troubles: list[CheckRow]) -> dict[str, Any]:
    """Checks that did not pass when their slice was last built; `last` is the newest of them."""
    failed = sum(row.severity.value == "error" for row in troubles)
    newest = troubles[0] if troubles else None
    last = newest and {
        "check": newest.name,
        "slice": str(newest.slice),
        "severity": newest.severity.value,
        "value": newest.value,
        "threshold": newest.threshold,
        "run": newest.run_id,
        "checked_at": newest.checked_at,
    }
    return {"failed": failed, "warned": len(troubles) - failed, "last": last}


def check_words(facts: dict[str, Any]) -> str:
    """Failed and warning checks in a few words; empty when all passed."""
    counts = [
        f"{facts[key]} {word}" for key, word in (("failed", "failed"), ("warned", "warn")) if facts[key]
    ]
    return f"{', '.join(counts)}: {clipped(facts['last']['check'], 40)}" if counts else ""


def word_for(states: Counter[str], *, failed: bool, any_slice: bool) -> str:
    """The one word for a dataset: the worst that is true of any of its slices."""
    if failed:
        return "failed"
    for word in ("stale", "missing"):
        if states[word]:
            return word
    return "fresh" if any_slice else "empty"


def run_facts(row: RunRow) -> dict[str, Any]:
    """One run, as `status --json` and `jobs list --json` print it."""
    ended = row.ended_at
    return {
        "run": row.id,
        "kind": row.kind,
        "title": row.title,
        "state": row.state.value,
        "created_at": row.created_at,
        "started_at": row.started_at,
        "ended_at": ended,
        "seconds": (ended - row.started_at).total_seconds() if ended and row.started_at else None,
        "error": row.error,
    }


def show_datasets(found: list[dict[str, Any]], now: datetime) -> None:
    """Datasets as a table; checks in trouble get a column when there are any."""
    troubled = any(each["checks"]["last"] for each in found)
    columns = [
        Col("dataset", style="name"),
        Col("state", form=state),
        Col("slices", form=formats.count, right=True),
        Col("to do", right=True),
        Col("rows", form=formats.number, right=True),
        Col("size", form=formats.size, right=True, spare=True),
        Col("published", spare=True),
        *([Col("checks", wrap=True)] if troubled else []),
    ]
    rows = [
        (
            each["dataset"],
            each["state"],
            each["slices"],
            formats.count(each["missing"] + each["stale"]) if each["missing"] + each["stale"] else "",
            each["rows"],
            each["bytes"],
            formats.ago(each["published_at"], now),
            *([check_words(each["checks"])] if troubled else []),
        )
        for each in found
    ]
    print_table(columns, rows)


def show_runs(found: list[dict[str, Any]], now: datetime) -> None:
    """Runs as a table, newest first."""
    columns = [
        Col("run", style="name"),
        Col("state", form=state),
        Col("what", wrap=True),
        Col("started"),
        Col("took", right=True, spare=True),
    ]
    rows = [
        (
            each["run"],
            each["state"],
            clipped(each["title"]),
            formats.ago(each["started_at"] or each["created_at"], now),
            formats.duration(each["seconds"]),
        )
        for each in found
    ]
    print_table(columns, rows)


def clipped(text: str, most: int = 60) -> str:
    """Text cut to a length that leaves room for the other columns."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def show_slices(project: Project, dataset: str, *, as_json: bool) -> None:
    """Slices of one dataset with the versions still kept."""
    project.graph.output(dataset)
    current = project.ledger.current(dataset)
    versions = Counter(version.slice for version in project.ledger.versions(dataset))
    rows: list[dict[str, Any]] = [
        {
            "slice": str(part),
            "version": version.version,
            "versions_kept": min(versions[part], project.settings.keep_versions),
            "rows": version.rows,
            "bytes": version.bytes,
            "run": version.run_id,
            "published_at": version.published_at,
            "inputs": version.inputs,
        }
        for part, version in sorted(current.items())
    ]
    if as_json:
        print_json({"dataset": dataset, "slices": rows})
        return
    if not rows:
        say(f"{dataset} has no slice yet")
        return
    columns = [
        Col("slice", style="name"),
        Col("version", right=True),
        Col("kept", right=True),
        Col("rows", form=formats.count, right=True),
        Col("size", form=formats.size, right=True),
        Col("published"),
        Col("by run", style="quiet"),
    ]
    now = project.clock.now()
    keys = ("slice", "version", "versions_kept", "rows", "bytes")
    print_table(
        columns,
        [(*(row[key] for key in keys), formats.ago(row["published_at"], now), row["run"]) for row in rows],
    )
