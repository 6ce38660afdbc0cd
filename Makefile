# The first line of each target's comment is its help.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
# Tests of real processes wait for most of their time. tests/conftest.py says which file is first.
SIDE_BY_SIDE := --dist loadfile --no-loadscope-reorder
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
# Together all of pyproject.toml's test paths: pytest would overrule an --ignore of one of them.
IN_PROCESS := tests/unit tests/contract tests/model tests/proof tests/worlds tests/integration tests/helm
REAL_PROCESS := tests/e2e tests/image
export UV_PYTHON_DOWNLOADS := never
# Where this is set, each of a dozen processes compiles all libraries and rewrites all tests for itself.
unexport PYTHONDONTWRITEBYTECODE
# The steps of a target are its prerequisites in their order, also with -j.
.NOTPARALLEL:

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | \
		while IFS='	' read -r name what; do printf '  make %-14s %s\n' "$$name" "$$what"; done

.PHONY: python
python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Python 3.11 or newer is needed; '$(PYTHON)' is $$($(PYTHON) -V 2>&1). Another: make PYTHON=/path/to/python3" >&2; \
		exit 1; }

.PHONY: setup
setup: python ## Make .venv with .venv/bin/iton-worker
	@$(PYTHON) -m scripts.set_up

.PHONY: demo
demo: setup ## See it work: a broker, a stand-in for the gateway, the worker, a campaign
	@$(BIN)/python -m scripts.demo

.PHONY: test
test: setup packages ## Everything that must pass, on a real RabbitMQ
	@$(BIN)/python -m scripts.side_by_side real-processes in-process lint worlds
	@printf '\n\033[1;32mAll passed.\033[0m\n'

.PHONY: packages
packages: python
	@$(PYTHON) -m scripts.debian

.PHONY: lint
lint: setup ## Style, types, the dependency rule, and whether generated files are current
	@printf '\n\033[1m== Lock file\033[0m\n' && $(PYTHON) -m scripts.lock check && echo "current"
	@printf '\n\033[1m== Style (ruff)\033[0m\n' && $(BIN)/ruff check . && $(BIN)/ruff format --check .
	@printf '\n\033[1m== Types (mypy)\033[0m\n' && $(BIN)/mypy
	@printf '\n\033[1m== Dependency rule (import-linter)\033[0m\n' && $(BIN)/lint-imports --no-logo
	@printf '\n\033[1m== Generated files\033[0m\n' && $(MAKE) --no-print-directory check-schemas
	@$(BIN)/python -m scripts.settings_table check && echo "the README's settings are current"
	@$(BIN)/python -m scripts.chart check && echo "the chart's files are current"
	@$(BIN)/python -m scripts.metrics_table check && echo "the list of metrics is current"
	@$(BIN)/python -m scripts.crash_table check && echo "the crash table is current"

.PHONY: real-processes
real-processes: setup packages ## Tests of the real process, killed and cut off, and of the image
	@$(BIN)/pytest -n 4 $(SIDE_BY_SIDE) $(REAL_PROCESS) $(ARGS)

.PHONY: in-process
in-process: setup packages ## Tests inside one process, their coverage gated
	@nice -n 5 $(BIN)/pytest -n 4 $(SIDE_BY_SIDE) --cov --cov-report=term:skip-covered $(IN_PROCESS) $(ARGS)

.PHONY: pytest
pytest: setup packages ## The tests alone; make pytest ARGS="tests/unit -k text" for some of them
	@$(BIN)/pytest $(ARGS)

.PHONY: worlds
worlds: setup ## The worker in made-up worlds, in virtual time: make worlds ARGS="--hours 1", ARGS="--seed 7 --trace"
	@nice -n 10 $(BIN)/python -m tests.worlds --processes 2 $(ARGS)

.PHONY: proof
proof: setup packages ## Check the model of the protocol to its last state, minutes long; make proof ARGS=small for seconds
	@$(BIN)/python -m proof $(or $(ARGS),large)

.PHONY: soak
soak: setup packages ## Kill workers and brokers at random: make soak ARGS="--minutes 10 --ledger redis"
	@$(BIN)/python -m tests.soak $(ARGS)

.PHONY: failover
failover: setup packages ## Kill the ledger's primary under load, ten times each PostgreSQL and Redis, and count what is lost
	@$(BIN)/python -m tests.failover $(ARGS)

.PHONY: fleet
fleet: setup packages ## Four workers on one broker and ledger: spread, rate limit, rolling restart, 1-4-1; make fleet ARGS="rate --ledger postgresql"
	@$(BIN)/python -m tests.fleet $(ARGS)

.PHONY: test-versions
test-versions: setup packages ## The worker on RabbitMQ 3.10, 4.0, 4.3 and a cluster of three nodes; needs root
	@$(BIN)/pytest tests/versions $(ARGS)

.PHONY: image
image: ## Build the container image iton-worker:VERSION; needs Docker
	@command -v docker >/dev/null || { echo "docker is not installed. Type: sudo apt-get install docker.io" >&2; exit 1; }
	@DOCKER_BUILDKIT=1 docker build --tag iton-worker:$(VERSION) --build-arg VERSION=$(VERSION) \
		--build-arg REVISION=$$(git describe --always --dirty --abbrev=40 2>/dev/null || echo unknown) $(ARGS) .

.PHONY: bench
bench: setup packages ## Measure the worker against what people would write instead; make bench ARGS=--quick
	@$(PYTHON) -m bench $(ARGS)

.PHONY: counts
counts: setup packages ## Trace one job in the running worker: the functions of ours that it runs, in their order
	@$(BIN)/python -m tests.counts

.PHONY: chart
chart: setup ## Check the Helm chart with its value sets, and pack it into dist/; CHART_HOME=https://... names its home
	@for values in helm/ci/*-values.yaml; do \
		$(BIN)/python -m scripts.helm_tool lint --strict helm --quiet --values "$$values" || exit 1; done
	@$(BIN)/python -m scripts.chart.pack dist $(CHART_HOME)

.PHONY: format
format: setup ## Let ruff write what it can decide
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

.PHONY: schemas
schemas: setup ## Write the JSON Schemas, the AsyncAPI document, the tables of settings, values, metrics and kills
	@$(BIN)/python -m schemas write && $(BIN)/python -m scripts.settings_table write
	@$(BIN)/python -m scripts.chart write && $(BIN)/python -m scripts.metrics_table write
	@$(BIN)/python -m scripts.crash_table write

.PHONY: check-schemas
check-schemas: setup ## Tell whether they are what the models say
	@$(BIN)/python -m schemas check

.PHONY: lock
lock: python ## Resolve the dependencies into requirements/; make lock ARGS=--upgrade for the newest
	@$(PYTHON) -m scripts.lock write $(ARGS)

.PHONY: lock-check
lock-check: python ## Tell whether requirements/ belongs to pyproject.toml
	@$(PYTHON) -m scripts.lock check

.PHONY: clean
clean: ## Remove everything that make made
	@rm -rf .venv .local dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.*
