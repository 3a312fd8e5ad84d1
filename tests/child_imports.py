"""What the processes that tests start need, imported once by the server they are forked from.

Only imports: a thread or a connection of the server would be broken in its children.
"""

from __future__ import annotations

import jinja2.sandbox
import pytest
import sqlglot.dialects.duckdb
import sqlglot.optimizer.qualify

import lake_world
import modes_project
import sample_project
from gamelake.cli import build
from gamelake.engines import arrow, duckdb
from gamelake.games.wow import pack
from gamelake.jobs import local
from gamelake.layouts import lineage, lint, query
from gamelake.pipeline import plan, step_run
from gamelake.pipeline import query as statements
from gamelake.stores import commit, maintenance

IMPORTED = (
    *(jinja2, lake_world, modes_project, pytest, sample_project, sqlglot),
    *(
        build,
        arrow,
        duckdb,
        pack,
        local,
        lineage,
        lint,
        query,
        plan,
        step_run,
        statements,
        commit,
        maintenance,
    ),
)
