"""Run by Dagster's Python beside the exported file: what Dagster made of it, and one partition for real."""

import json
import sys
from datetime import datetime
from zoneinfo import ZoneInfo

import dagster as dg
import definitions

dg.Definitions.validate_loadable(definitions.defs)
repository = definitions.defs.get_repository_def()
graph = definitions.defs.resolve_asset_graph()
edges = {
    key.to_user_string(): sorted(parent.to_user_string() for parent in graph.get(key).parent_keys)
    for key in graph.get_all_asset_keys()
}
by_day = sorted(key.to_user_string() for key in graph.get_all_asset_keys() if graph.get(key).partitions_def)
with dg.DagsterInstance.ephemeral() as instance:
    job = definitions.defs.resolve_job_def("project_nightly")
    run = job.execute_in_process(instance=instance, partition_key="2026-01-02")
    rows = {
        event.asset_key.to_user_string(): event.materialization.metadata["rows"].value
        for event in run.get_asset_materialization_events()
    }
moment = datetime(2026, 1, 3, 2, 30, tzinfo=ZoneInfo("Asia/Ho_Chi_Minh"))
context = dg.build_schedule_context(scheduled_execution_time=moment, repository_def=repository)
due = {
    schedule.name: {
        "cron": schedule.cron_schedule,
        "zone": schedule.execution_timezone,
        "partitions": [request.partition_key for request in schedule.evaluate_tick(context).run_requests],
    }
    for schedule in repository.schedule_defs
}
sys.stdout.flush()
print(json.dumps({"edges": edges, "by_day": by_day, "success": run.success, "rows": rows, "due": due}))  # noqa: T201
