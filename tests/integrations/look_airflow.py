"""Run by Airflow's Python beside the exported file: what Airflow made of it, and one DAG run for real."""

import json
import subprocess
import sys

subprocess.run(["airflow", "db", "migrate"], check=True, capture_output=True)

import pendulum  # noqa: E402 – Airflow wants its database first
import project_dag  # noqa: E402
from airflow.sdk import DAG  # noqa: E402

found = {name: value for name, value in vars(project_dag).items() if isinstance(value, DAG)}
told = {
    name: {
        "edges": {task.task_id: sorted(task.upstream_task_ids) for task in dag.tasks},
        "retries": sorted({task.retries for task in dag.tasks}),
        "schedule": type(dag.timetable).__name__,
        "catchup": dag.catchup,
    }
    for name, dag in found.items()
}
# due on the 3rd at half past two in Vietnam: the interval begins on the 2nd
run = found["project_nightly"].test(logical_date=pendulum.datetime(2026, 1, 2, 19, 30))
states = {task.task_id: str(task.state) for task in run.get_task_instances()}
sys.stdout.flush()
print(json.dumps({"dags": told, "run": str(run.state), "tasks": states}))  # noqa: T201
