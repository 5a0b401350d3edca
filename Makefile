# Bellbuoy's commands. They need Python >= 3.11 with venv, make and a package index, nothing else.
# All paths are relative, so that the checkout may lie under a path with spaces.

PYTHON ?= python3
TEST_WORKERS ?= 4
BENCH ?= monitor
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
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

.PHONY: run
run: $(VENV)/run.txt ## Run echo, api and PostgreSQL on this machine until Ctrl-C
	@PYTHONPATH=services exec $(PY) tools/foreground.py $(PY) -m onebox $(ARGS)

.PHONY: test
test: $(VENV)/dev.txt ## Run all tests in parallel and measure branch coverage
	@$(PY) -m coverage erase
	@$(PY) -m coverage run -m pytest -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)
	@$(PY) -m coverage combine --quiet
	@$(PY) -m coverage report
	@$(PY) tools/branches.py

.PHONY: test-again
test-again: $(VENV)/dev.txt ## Run the tests that failed the last time once more, one by one
	@$(PY) -m coverage run -m pytest --last-failed --last-failed-no-failures=none $(ARGS)
	@$(PY) -m coverage combine --quiet
	@$(PY) -m coverage report
	@$(PY) tools/branches.py

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
docs: $(VENV)/dev.txt ## Write what the documents say of settings and metrics from the declarations
	@PYTHONPATH=services $(PY) tools/configuration.py docs/configuration.md
	@PYTHONPATH=services $(PY) tools/metrics.py docs/operations.md

.PHONY: screenshots
screenshots: $(VENV)/dev.txt ## Show the status page in docs/screenshots; needs chromium
	@PYTHONPATH=services:. $(PY) tools/screenshots.py docs/screenshots

.PHONY: rules
rules: $(VENV)/dev.txt ## Write what follows from tools/rules.py and deploy/prometheus/rules
	@$(PY) tools/rules.py

.PHONY: bench
bench: $(VENV)/dev.txt ## Measure what the documents claim; BENCH=probes is bench/probes.py
	@PYTHONPATH=services $(PY) -m bench.$(BENCH) $(ARGS)

.PHONY: bench-monitor
bench-monitor: $(VENV)/dev.txt ## Measure what counting a call costs, beside its peers
	@PYTHONPATH=services $(PY) -m bench.monitor $(ARGS)

.PHONY: bench-echo
bench-echo: $(VENV)/dev.txt ## Measure the echo service beside its peers; takes about nine minutes
	@PYTHONPATH=services $(PY) -m bench.echo $(ARGS)

.PHONY: bench-api
bench-api: $(VENV)/dev.txt ## Measure the api beside its peers; takes about six minutes, needs wrk
	@PYTHONPATH=services $(PY) -m bench.api $(ARGS)

.PHONY: bench-overload
bench-overload: $(VENV)/dev.txt ## Measure the api beyond its capacity; takes about a minute
	@PYTHONPATH=services $(PY) -m bench.overload $(ARGS)

# Containers. COMPOSE_PROFILES=observability adds Prometheus and Grafana to what `make up` starts;
# the other commands know them anyway.
COMPOSE := docker compose
EVERYTHING := $(COMPOSE) --profile observability
.PHONY: up
up: secrets ## Run everything in containers, wait until it serves, say where
	@$(COMPOSE) up --detach --build --wait $(ARGS)
	@$(COMPOSE) run --rm --no-deps --no-TTY migrate seed
	@deploy/ready

.PHONY: down
down: ## Remove the containers; ARGS=--volumes removes their data too
	@$(EVERYTHING) down $(ARGS)

.PHONY: logs
logs: ## Show the logs of the containers; ARGS="--follow echo" follows one
	@$(EVERYTHING) logs $(ARGS)

.PHONY: ps
ps: ## Show the containers and their health
	@$(EVERYTHING) ps --all $(ARGS)

.PHONY: secrets
secrets: ## Make the passwords and the token that are not there yet, in secrets/
	@deploy/secrets

.PHONY: images-offline
images-offline: ## Build the base images from Debian's packages, for want of a registry
	@deploy/images/build --use

.PHONY: test-stack
test-stack: $(VENV)/dev.txt ## Test the containers for real; needs Docker
	@$(PY) -m pytest tests/stack --timeout 600 $(ARGS)

.PHONY: test-contract
test-contract: $(VENV)/dev.txt ## Try the api against its OpenAPI document for ten minutes
	@BELLBUOY_CONTRACT_EXAMPLES=2000 BELLBUOY_CONTRACT_SECONDS=600 \
		$(PY) -m pytest tests/integration/test_contract.py $(ARGS)

.PHONY: test-faults
test-faults: $(VENV)/dev.txt ## Try the faults that take minutes in numbers: kills, resets
	@BELLBUOY_KILLS=100 BELLBUOY_RESETS=10000 $(PY) -m pytest $(ARGS) \
		tests/integration/test_database_history.py tests/integration/test_api_disconnects.py

# Kubernetes. OVERLAY names one of k8s/overlays; kubectl's own context says which cluster.
OVERLAY ?= dev
KUBECTL := kubectl --namespace bellbuoy
# kubectl renders with the kustomize that it contains.
RENDER = $(if $(shell command -v kubectl 2>/dev/null),kubectl kustomize,kustomize build)
# $(call K8S_SECRET,name,files). One that is there is kept, because the database has its values, too.
# Server-side, because a client's apply would write the values into an annotation.
K8S_SECRET = $(KUBECTL) get secret $(1) --ignore-not-found --output=name | grep -q . \
	|| $(KUBECTL) create secret generic $(1) $(2:%=--from-file=secrets/%) \
		--dry-run=client --output=yaml | kubectl apply --server-side --filename=-

.PHONY: k8s-secrets
k8s-secrets: secrets ## Make the namespace and the Secrets that the cluster has not got yet
	@kubectl get namespace bellbuoy --ignore-not-found --output=name | grep -q . \
		|| kubectl apply --filename=k8s/base/namespace.yaml
	@$(call K8S_SECRET,bellbuoy-database,postgres.password owner.password app.password metrics.password)
	@$(call K8S_SECRET,bellbuoy-api,api/api.tokens)
	@$(call K8S_SECRET,bellbuoy-admin,admin.token)

.PHONY: k8s-apply
k8s-apply: ## Bring the cluster to OVERLAY (dev, production), migrate, wait until it serves
	@$(KUBECTL) delete job --selector=app.kubernetes.io/name=bellbuoy-migrate --ignore-not-found
	@kubectl apply --kustomize=k8s/overlays/$(OVERLAY)
	@for each in statefulset/bellbuoy-postgres deployment/bellbuoy-echo deployment/bellbuoy-api; do \
		$(KUBECTL) rollout status $$each --timeout=10m || exit 1; \
	done

.PHONY: k8s-render
k8s-render: ## Write OVERLAY as one file, dist/OVERLAY.yaml, for `kubectl apply -f`
	@mkdir -p dist
	@$(RENDER) k8s/overlays/$(OVERLAY) > dist/$(OVERLAY).yaml.part
	@mv dist/$(OVERLAY).yaml.part dist/$(OVERLAY).yaml
	@echo "dist/$(OVERLAY).yaml"

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
	@find bench services tests tools -type d -name __pycache__ -prune -exec rm -rf {} +

.PHONY: reset
reset: $(VENV)/run.txt ## Remove the data of `make run`: the database, the secrets, the logs
	@PYTHONPATH=services $(PY) tools/reset.py

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
ifeq ($(realpath $(PY)),)
.PHONY: $(VENV)/made
endif
$(VENV)/made:
	@command -v $(PYTHON) >/dev/null || { echo "'$(PYTHON)' is not installed." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Bellbuoy needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1)."; \
		echo "Name another one: make PYTHON=python3.13"; exit 1; } >&2
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "'$(PYTHON)' lacks venv or ensurepip. On Debian and Ubuntu: apt install python3-venv"; \
		exit 1; } >&2
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@
