# Bellbuoy's commands. They need Python >= 3.11 with venv, make and a package index, nothing else.
# All paths are relative, so that the checkout may lie under a path with spaces.

PYTHON ?= python3
TEST_WORKERS ?= 4
ARGS ?=

SHELL := /bin/sh
MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV := .venv
PY := $(VENV)/bin/python
PIP_INSTALL := $(PY) -m pip --disable-pip-version-check install --quiet --require-hashes

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

.PHONY: run
run: $(VENV)/run.txt ## Run echo, api and PostgreSQL on this machine until Ctrl-C
	@PYTHONPATH=services exec $(PY) tools/foreground.py $(PY) -m onebox $(ARGS)

.PHONY: test
test: $(VENV)/dev.txt ## Run all tests in parallel and measure branch coverage
	@$(PY) -m coverage erase
	@$(PY) -m coverage run -m pytest -n $(TEST_WORKERS) --dist worksteal $(ARGS)
	@$(PY) -m coverage combine --quiet
	@$(PY) -m coverage report

.PHONY: lint
lint: $(VENV)/dev.txt ## Check format, style and types
	@$(PY) -m ruff format --check
	@$(PY) -m ruff check
	@$(PY) -m mypy

.PHONY: format
format: $(VENV)/dev.txt ## Format the code and mend what can be mended
	@$(PY) -m ruff check --fix-only --quiet
	@$(PY) -m ruff format

.PHONY: docs
docs: $(VENV)/dev.txt ## Write docs/configuration.md from the settings classes
	@PYTHONPATH=services $(PY) tools/configuration.py docs/configuration.md

.PHONY: bench
bench: $(VENV)/dev.txt ## Measure, side by side, what the documents claim
	@PYTHONPATH=services $(PY) -m bench $(ARGS)

# dev.txt comes first and binds the others, so that one version of each library runs everywhere.
LOCK = cd requirements && ../$(PY) -m uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --custom-compile-command "make lock" $(ARGS)
.PHONY: lock
lock: $(VENV)/dev.txt ## Write requirements/*.txt from *.in; ARGS=--upgrade takes newer versions
	@$(LOCK) dev.in --output-file dev.txt
	@$(LOCK) run.in --constraints dev.txt --output-file run.txt
	@$(LOCK) api.in --constraints dev.txt --output-file api.txt
	@$(LOCK) echo.in --constraints dev.txt --output-file echo.txt

.PHONY: clean
clean: ## Remove the environment, caches and reports; the data of `make run` stays
	@rm -rf $(VENV) .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache \
		.ruff_cache dist
	@find services tests tools -type d -name __pycache__ -prune -exec rm -rf {} +

# The environment. A stamp is a copy of the lock file that was installed, written last: an install
# that was interrupted is done again, and a lock file that only got a new date costs nothing.
$(VENV)/%.txt: requirements/%.txt $(VENV)/made
	@cmp -s $< $@ || { echo "Installing requirements/$*.txt ..."; $(PIP_INSTALL) -r $<; }
	@cp $< $@

# run is a subset of dev: an environment for tests also runs.
ifneq ($(wildcard $(VENV)/dev.txt),)
$(VENV)/run.txt: $(VENV)/dev.txt
	@cp requirements/run.txt $@
endif

# The interpreter behind the environment may have been removed since.
ifeq ($(wildcard $(PY)),)
.PHONY: $(VENV)/made
endif
$(VENV)/made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Bellbuoy needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1)."; \
		echo "Name another one: make PYTHON=python3.13"; exit 1; } >&2
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "'$(PYTHON)' lacks venv or ensurepip. On Debian and Ubuntu: apt install python3-venv"; \
		exit 1; } >&2
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@
