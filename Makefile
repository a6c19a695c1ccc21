# Every target says what it does after `##`; `make` alone prints them.
# Python is found by itself; to choose it: make PYTHON=/path/to/python3.12 ... To keep the environment elsewhere: make VENV=/path ...

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run test check lint format format-check typecheck generate generate-check lock clean

FITS = import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13; do \
	"$$p" -c '$(FITS)' >/dev/null 2>&1 && { echo "$$p"; break; }; done)
VENV ?= .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check -qq
SOURCES = robustcert components pipelines tools tests
RUN_EXTRAS = torch kfp
ALL_EXTRAS = torch kfp drift monitoring s3 onnx cluster dev
# Small arrays on two cores: more threads per process cost time instead of saving it.
TEST_ENVIRONMENT = OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 PATH="$(abspath $(BIN)):$$PATH"

help: ## Print every target with a sentence (this text)
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

# What a newcomer runs.

run: $(VENV)/run.stamp ## Install what the main job needs, certify the digits data set, and verify the certificate
	@mkdir -p out
	@test -f out/demo-key || $(BIN)/robustcert keys new out/demo-key
	$(BIN)/robustcert run examples/digits.yaml --store out/store --out out/digits --key out/demo-key
	$(BIN)/robustcert verify out/digits --key out/demo-key.pub

test: $(VENV)/all.stamp ## Run every test with two workers; print line coverage of robustcert/, at least 90 % of it
	$(TEST_ENVIRONMENT) $(BIN)/python -m pytest -n 2 --dist worksteal --cov=robustcert --cov-report=term --durations=15

check: lint format-check typecheck generate-check test ## Everything that must hold before a commit lands: all checks, all tests

# Parts of check.

lint: $(VENV)/all.stamp ## Lint every Python file with ruff
	$(BIN)/ruff check $(SOURCES)

format: $(VENV)/all.stamp ## Format every Python file and repair what the linter can repair
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

format-check: $(VENV)/all.stamp ## Fail where a Python file is not formatted
	$(BIN)/ruff format --check $(SOURCES)

typecheck: $(VENV)/all.stamp ## Check types with mypy --strict
	$(BIN)/mypy

generate: $(VENV)/all.stamp ## Write again every committed file that a program makes: compiled pipelines, JSON Schemas
	$(BIN)/python -m tools.generate

generate-check: $(VENV)/all.stamp ## Fail where a committed file differs from what its program makes
	$(BIN)/python -m tools.generate --check

# Environment.

lock: $(VENV)/all.stamp ## Pin every dependency again with its hashes; UPGRADE=1 takes newer releases
	$(BIN)/python tools/lock.py $(if $(UPGRADE),--upgrade)

clean: ## Remove the environment, caches and results; nothing that git tracks
	rm -rf $(VENV) out dist build .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +

# The installer first, pinned itself: hashed constraints need a newer pip than the one a fresh environment brings.
$(VENV)/installer.stamp: constraints-build.txt
	@"$(PYTHON)" -c '$(FITS)' 2>/dev/null || { echo "expected Python 3.11, 3.12 or 3.13 with its venv module," \
		"got '$(PYTHON)'; install one, or name it: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@echo "making $(VENV) with $(PYTHON)"
	@"$(PYTHON)" -m venv $(VENV)
	@$(PIP) install --no-deps --require-hashes -r constraints-build.txt
	@touch $@

# torch's CPU build where pip's configuration offers it. Elsewhere the next step takes the registry's, on Linux with CUDA.
$(VENV)/torch.stamp: $(VENV)/installer.stamp constraints-cpu.txt
	@$(PIP) install --no-deps --require-hashes -r constraints-cpu.txt 2>$(VENV)/torch-cpu.log \
		&& echo "installed torch's CPU build" \
		|| echo "pip offers no CPU build of torch here ($(VENV)/torch-cpu.log); the registry's build follows"
	@touch $@

$(VENV)/run.stamp: EXTRAS = $(RUN_EXTRAS)
$(VENV)/all.stamp: EXTRAS = $(ALL_EXTRAS)
$(VENV)/run.stamp: $(VENV)/torch.stamp
$(VENV)/all.stamp: $(VENV)/run.stamp
$(VENV)/run.stamp $(VENV)/all.stamp: pyproject.toml constraints.txt tools/requirements.py robustcert/__init__.py
	@echo "installing robustcert with $(EXTRAS): a minute, more where CUDA comes along"
	@$(BIN)/python tools/requirements.py $(EXTRAS) > $(@:.stamp=.txt)
	@$(PIP) install --require-hashes --no-build-isolation -c constraints.txt -r $(@:.stamp=.txt)
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@
