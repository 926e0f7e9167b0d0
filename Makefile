# Two commands matter: `make demo` and `make test`. Both set up everything that they need.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RETENTION_HOME ?= $(CURDIR)/data
DATA ?= ../shared/data
export RETENTION_HOME
export DAGSTER_DISABLE_TELEMETRY := yes
export DO_NOT_TRACK := 1
export DBT_SEND_ANONYMOUS_USAGE_STATS := false

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-real dev test lint format clean lock

help: ## Show this help.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

# The environment is rebuilt when the lock or the project file changes. uv comes from pip where the
# machine has none; it lives in an environment of its own.
$(VENV)/.installed: requirements.lock pyproject.toml
	@command -v uv >/dev/null 2>&1 || test -x .venv-uv/bin/uv || \
		{ $(PYTHON) -m venv .venv-uv && .venv-uv/bin/python -m pip install --quiet uv; }
	@UV=$$(command -v uv || echo .venv-uv/bin/uv); \
		test -x $(BIN)/python || "$$UV" venv --quiet --python "$(PYTHON)" $(VENV) && \
		"$$UV" pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock && \
		"$$UV" pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

setup: $(VENV)/.installed ## Make the virtual environment from the lock.

demo: setup ## Run the whole loop on a synthetic operator.
	@$(BIN)/retention demo

demo-real: setup ## Run it on public data: make demo-real DATA=../shared/data
	@$(BIN)/retention demo-real "$(DATA)"

dev: setup ## Open the Dagster UI on http://localhost:3000.
	@$(BIN)/retention dev

test: setup ## Run all tests.
	@$(BIN)/python -m pytest

lint: setup ## Check style and types of Python and SQL.
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/sqlfluff lint --processes 2 dbt_project/models

format: setup ## Format Python and SQL.
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .
	@$(BIN)/sqlfluff fix --processes 2 dbt_project/models

lock: setup ## Resolve the dependencies anew into requirements.lock.
	@$$(command -v uv || echo .venv-uv/bin/uv) pip compile pyproject.toml --quiet --group dev \
		--generate-hashes --no-emit-index-url --no-annotate --universal --python-version 3.11 \
		--upgrade --output-file requirements.lock

clean: ## Remove the environment, caches and runtime data.
	rm -rf $(VENV) .venv-uv data .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
