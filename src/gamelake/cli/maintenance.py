"""`gamelake maintenance`: keeping a lake small."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gamelake.packs import open_project
from gamelake.present import formats
from gamelake.present.console import Col, print_json, print_table, say
from gamelake.present.options import JsonOption, ProjectOption, group

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gamelake.pipeline.project import Project

app = group("Keep a lake small. Nothing is removed that a snapshot, a kept version or a live run refers to.")
RemoveOption = Annotated[bool, typer.Option("--remove", help="Remove them; without it they are only listed.")]


@app.command("orphans")
def orphans(remove: RemoveOption = False, project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """List (or remove) files nothing refers to any more, such as those a killed run left.

    Only files older than `grace_seconds` count.
    """
    from gamelake.stores.maintenance import plan_orphans, remove_orphans

    with open_project(project) as opened:
        rules: dict[str, Any] = {
            "grace": opened.settings.grace_seconds,
            "keep_versions": opened.settings.keep_versions,
            "clock": opened.clock,
        }
        if remove:
            with recorded(opened, "remove orphan files") as run_id:
                found = remove_orphans(opened.lake, opened.ledger, owner=run_id, **rules)
        else:
            found = plan_orphans(opened.lake, opened.ledger, **rules)
    size = sum(orphan.bytes for orphan in found)
    if as_json:
        print_json({"removed": remove, "bytes": size, "files": [vars(orphan) for orphan in found]})
        return
    if found and not remove:
        print_table(
            [
                Col("dataset", style="name"),
                Col("age", form=formats.duration),
                Col("size", form=formats.size, right=True),
                Col("file"),
            ],
            [(orphan.dataset, orphan.age, orphan.bytes, orphan.path) for orphan in found],
        )
    words = f"{formats.plural(len(found), 'orphan file')}, {formats.size(size)}"
    say(f"removed {words}" if remove else f"{words}{': `--remove` removes them' if found else ''}")


@app.command("expire")
def expire(project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Cut every table down to `keep_snapshots` snapshots. Removes no file: `orphans` does, later."""
    from gamelake.stores.maintenance import expire_snapshots

    with open_project(project) as opened, recorded(opened, "expire snapshots") as run_id:
        found = expire_snapshots(opened.lake, opened.ledger, owner=run_id)
    if as_json:
        print_json({"tables": [vars(each) for each in found]})
        return
    changed = [each for each in found if each.expired or each.held_back]
    if changed:
        columns = [Col("dataset", style="name"), Col("expired", right=True), Col("kept", right=True)]
        print_table(
            [*columns, Col("held back", right=True)],
            [(each.dataset, each.expired, each.kept, each.held_back) for each in changed],
        )
    say(f"expired {formats.plural(sum(each.expired for each in found), 'snapshot')}")


@app.command("compact")
def compact(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would be merged.")] = False,
    dataset: Annotated[
        list[str] | None, typer.Option("--dataset", help="Only this one; repeatable.", show_default=False)
    ] = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Merge the small files of a slice into one, as a new version with the same rows."""
    from gamelake.stores.maintenance import compact as merge
    from gamelake.stores.maintenance import plan_compaction

    with open_project(project) as opened:
        for name in dataset or ():
            opened.graph.output(name)
        found = plan_compaction(opened.lake, datasets=dataset)
        if found and not dry_run:
            with recorded(opened, "merge small files") as run_id:
                found = merge(
                    opened.lake, opened.ledger, found, run_id=run_id, receipt_id=opened.ids.new("rcpt")
                )
    if as_json:
        listed = [{**vars(each), "slice": str(each.slice)} for each in found]
        print_json({"merged": not dry_run, "slices": listed})
        return
    if found:
        columns = [Col("dataset", style="name"), Col("slice"), Col("files", right=True)]
        print_table(
            [*columns, Col("size", form=formats.size, right=True)],
            [(each.dataset, str(each.slice), each.files, each.bytes) for each in found],
        )
    say(f"{'would merge' if dry_run else 'merged'} the files of {formats.plural(len(found), 'slice')}")


@contextmanager
def recorded(project: Project, title: str) -> Iterator[str]:
    """A run of its own around the work, so that lists show it and leases name it."""
    from gamelake.pipeline.lifecycle import running

    run_id = project.ledger.create_run("maintenance", title, {})
    with running(project, run_id):
        yield run_id
