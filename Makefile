# `make` lists the targets. `make demo` and `make test` work as the first command of a fresh clone.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help setup test-setup demo test chaos test-integrations lint format docs docs-check bench

help:  ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-17s %s\n", $$1, $$2}' Makefile

setup:  ## prepare .venv (needs the network only when pyproject.toml or constraints.txt changed)
	@$(PYTHON) scripts/setup.py

test-setup:
	@$(PYTHON) scripts/setup.py --tests

demo: setup  ## twelve simulated raid nights, refined and served (LOG=path: your own log; NO_SERVE=1: do not serve)
	@LOG="$(LOG)" NO_SERVE="$(NO_SERVE)" scripts/demo.sh

test: test-setup  ## what CI runs: format, lint, types, docs, tests
	@$(MAKE) --no-print-directory lint & lint=$$!; \
	$(BIN)/python -m pytest -q -n 2 --dist loadgroup --no-loadscope-reorder -m "not chaos and not integrations"; tests=$$?; \
	wait $$lint && exit $$tests

chaos: test-setup  ## random kills, long fuzzing and load; minutes, not part of `make test`
	@$(BIN)/python -m pytest -q -m chaos

test-integrations: test-setup  ## Airflow, Dagster and an S3 server, in environments of their own
	@$(BIN)/python scripts/integrations.py
	@$(BIN)/python -m pytest -q -m integrations tests/integrations tests/pipeline/test_remote_files.py

lint: setup  ## ruff and mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: setup  ## mend what ruff can
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

docs: setup  ## rewrite the generated pages of docs/reference
	@$(BIN)/python scripts/docs.py

docs-check: setup  ## fail when a generated page is stale
	@$(BIN)/python scripts/docs.py --check

bench: setup  ## every figure of docs/benchmarks.md, one file each
	@for file in bench/[a-z]*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done
