# Everything a machine needs beyond Python 3.11, make and git is installed here, into .venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
USABLE := $(VENV)/.usable
READY  := $(VENV)/.ready
BENCH  := build/bench
CHECKS := types content style contracts
# The checks run side by side; what each prints is kept together, where make can do that.
APART  := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)

.DEFAULT_GOAL := help
.PHONY: help setup test check unit demo heal heal-tools bench docs clean lab lab-down lab-tools lab-image matrix crash fuzz scale lock licences audit container $(CHECKS)

help: ## Show what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## Build the environment in .venv

# What runs the program is half of what develops it: the demonstration need not wait for the rest.
$(USABLE): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "runbook needs Python 3.11 or later; name one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[demo]'
	@touch $@

$(READY): $(USABLE)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group dev
	@touch $@

# Where the environment forbids Python to keep what it compiles, each start would compile it again.
define RUN_TESTS
@$(BIN)/python -m compileall -q runbook
$(BIN)/python -m pytest --numprocesses auto --dist loadscope $(ARGS)
endef

test: $(READY) ## Check style, types and contracts, then run all tests
	@$(MAKE) --no-print-directory --jobs=3 $(APART) $(CHECKS) lab-image heal-tools
	$(RUN_TESTS)

unit: $(READY) lab-tools heal-tools ## Run all tests
	$(RUN_TESTS)

check: $(READY) ## Ruff, mypy --strict, import contracts, ansible-lint, runbook lint
	@$(MAKE) --no-print-directory --jobs=2 $(APART) $(CHECKS)

types: $(READY)
	$(BIN)/mypy

content: $(READY)
	$(BIN)/runbook lint runbooks tests/runbooks tests/lab/runbooks
	$(BIN)/python .ci/ansible_content.py build/ansible-content
	PATH="$(CURDIR)/$(BIN):$$PATH" ANSIBLE_HOME="$(CURDIR)/.ansible" \
	  $(BIN)/ansible-lint --offline --strict --profile production roles build/ansible-content

style: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

contracts: $(READY)
	$(BIN)/lint-imports

demo: $(USABLE) ## Start a sandbox site, break it, and let runbook repair it
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh docs/demo.sh

heal: $(READY) lab-tools heal-tools ## Prometheus watches a site, an alert starts a run, the site heals
	@$(BIN)/python -m tests.heal $(ARGS)

bench: $(READY) lab-tools ## Measure runbook beside its peers; see docs/concepts/performance.md
	@test -x $(BENCH)/bin/pyinfra || $(PYTHON) -m venv $(BENCH)
	@$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check --group bench
	$(BIN)/python -m benchmarks --peers $(BENCH)/bin $(ARGS)

profile: $(READY) lab-tools ## As root on Linux: say where the milliseconds of a diagnosis go
	@$(BIN)/python -m benchmarks.profile $(ARGS)

docs: $(READY) ## Generate the reference pages again
	@for page in docs/generate_*.py; do echo "$$page"; $(BIN)/python "$$page"; done

lab: $(READY) lab-tools ## As root on Linux: bring up three real hosts for hands-on use
	@$(BIN)/python -m tests.lab up build/lab

lab-down: $(READY) ## Take them away, and what crashed tests left
	@$(BIN)/python -m tests.lab down

matrix: $(READY) lab-tools ## As root on Linux: break real hosts in every way, and repair them
	@$(BIN)/python -m tests.lab.matrix $(ARGS)

fuzz: $(READY) ## Give a million wrong inputs to all that reads what others wrote; ARGS='COUNT SEED'
	@$(BIN)/python -m tests.fuzz $(ARGS)

lock: ## Write requirements-dev.lock anew: what development uses, exactly, with hashes
	@test -x build/lock/bin/uv || { $(PYTHON) -m venv build/lock && build/lock/bin/python -m pip install --quiet uv; }
	build/lock/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --no-emit-index-url --extra demo --group dev \
	  pyproject.toml --output-file requirements-dev.lock

licences: $(READY) ## List the licences of everything installed
	@$(BIN)/python .ci/licences.py

scale: $(READY) ## Several services on one database, 200 runs, and what goes wrong meanwhile
	@$(BIN)/python -m tests.scale $(ARGS)

container: $(READY) lab-tools ## As root on Linux: build contrib's container on packages alone, and have it serve
	@$(BIN)/python -m tests.container

audit: ## Look for known vulnerabilities in what is locked
	@test -x build/audit/bin/pip-audit || { $(PYTHON) -m venv build/audit && build/audit/bin/python -m pip install --quiet pip-audit; }
	@build/audit/bin/python .ci/audit.py build/audit/bin/pip-audit

crash: $(READY) lab-tools ## Kill the program, and what it needs, some 600 times; count what is lost
	@$(BIN)/python -m tests.crash $(ARGS)

lab-tools:
	@if [ "$$(id -u)" != 0 ]; then echo "not root: there can be no lab, its tests are left out"; \
	  else sh tests/lab/setup.sh || echo "the tests of the lab are left out"; fi

heal-tools:
	@sh tests/heal/setup.sh || echo "the tests with Prometheus are left out"

lab-image: $(READY) lab-tools
	@$(BIN)/python -m tests.lab image

clean: ## Remove what was built
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .hypothesis .ansible
