# Every target says what it does after `##`; `make` alone prints them.
# Python is found by itself; to choose it: make PYTHON=/path/to/python3.12 ... To keep the environment elsewhere: make VENV=/path ...

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run test check lint format format-check typecheck generate generate-check lint-pipelines lock clean image monitoring-image test-containers test-cluster test-s3 test-monitoring test-manifests prometheus kustomize demo soak soak-controller lint-chart chart-values audit release

FITS = import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13; do \
	"$$p" -c '$(FITS)' >/dev/null 2>&1 && { echo "$$p"; break; }; done)
VENV ?= .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check -qq
SOURCES = robustcert components pipelines monitoring examples tools benchmarks tests
RUN_EXTRAS = torch kfp
ALL_EXTRAS = torch kfp drift monitoring s3 onnx cluster marabou sdp dev
# Small arrays on two cores: more threads per process cost time instead of saving it.
TEST_ENVIRONMENT = OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 PATH="$(abspath $(BIN)):$$PATH"

help: ## Print every target with a sentence (this text)
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

# What a newcomer runs.

run: $(VENV)/run.stamp ## Install what the main job needs, certify the digits data set, and verify the certificate
	@mkdir -p out
	@test -f out/demo-key || $(BIN)/robustcert keys new out/demo-key
	$(BIN)/robustcert run examples/digits.yaml --store out/store --out out/digits --key out/demo-key
	$(BIN)/robustcert verify out/digits --key out/demo-key.pub

test: $(VENV)/all.stamp ## Run every test with two workers; print line coverage of robustcert/, at least 90 % of it
	$(TEST_ENVIRONMENT) $(BIN)/python -m pytest -n 2 --dist worksteal --cov=robustcert --cov-report=term --durations=15

check: lint format-check typecheck generate-check lint-pipelines lint-chart audit test ## Everything that must hold before a commit lands: all checks, all tests

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

lint-pipelines: $(VENV)/all.stamp ## Prove on every compiled component and pipeline: node pools, pins, secrets, sizes, patterns
	$(BIN)/python -m tools.lint_pipelines

lint-chart: $(VENV)/all.stamp ## Render the chart with each ci/*-values.yaml and check every object: Helm, schemas of Kubernetes 1.29-1.37, our own checks
	$(BIN)/python -m tools.lint_chart

audit: $(VENV)/all.stamp ## Compare pinned components and bills of materials with advisories; DATABASE=folder adds OSV's, see SECURITY.md
	$(BIN)/python -m tools.advisories $(if $(DATABASE),--database "$(DATABASE)") $(foreach sbom,$(wildcard dist/*.cdx.json),--sbom $(sbom))

# The chart.

chart-values: $(VENV)/all.stamp ## Say what is wrong with a file of values for the chart, path by path: VALUES=file
	@test -n "$(VALUES)" || { echo "expected a file of values, got none; make chart-values VALUES=values.yaml" >&2; exit 2; }
	@$(BIN)/python -m tools.chart.check $(VALUES)

KUBECTL_IS_THERE = command -v kubectl >/dev/null

kustomize: ## Install kubectl where it is missing; as root on Debian
	@$(KUBECTL_IS_THERE) || { test "$$(id -u)" = 0 && apt-get -o DPkg::Lock::Timeout=300 -qq update && \
		DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -qq install --no-install-recommends kubernetes-client >/dev/null; } || \
		{ echo "expected kubectl; install it, or run as root on Debian" >&2; exit 2; }

test-manifests: $(VENV)/all.stamp kustomize ## Build every overlay of manifests/ with kubectl and check every object; installed as root on Debian where missing
	$(TEST_ENVIRONMENT) $(BIN)/python -m pytest -m kustomize --durations=15

release: $(VENV)/all.stamp ## Make a release in dist/release, push nothing: VERSION=1.2.3, OPTIONS="--dry-run --key KEY" (docs/releasing.md)
	@test "$(origin VERSION)" = "command line" || { echo "expected a version, got none; make release VERSION=1.2.3" >&2; exit 2; }
	@$(BIN)/python -m tools.release $(VERSION) $(OPTIONS)

# Containers.

VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"$$/\1/p' robustcert/__init__.py)
TARGET ?= cpu
IMAGE ?= ghcr.io/robustcert/robustcert:$(VERSION)$(if $(filter gpu,$(TARGET)),-gpu)
DOCKER ?= $(firstword $(foreach program,docker podman,$(shell command -v $(program))))
COMMA = ,
# Of git: the commit, marked where the work tree differs from it, and its time.
REVISION = $(shell git rev-parse HEAD)$(if $(shell git status --porcelain),-dirty)
COMMITTED = $(shell git log -1 --format=%ct)

image: ## Build the image with docker or podman: TARGET=cpu|gpu, IMAGE=name, BASE=python image, PIP_CONF=file (docs/image.md)
	@test -n "$(DOCKER)" || { echo "expected docker or podman, got neither; install one" >&2; exit 2; }
	DOCKER_BUILDKIT=1 $(DOCKER) build --file components/Dockerfile --target $(TARGET) --tag $(IMAGE) \
		--build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) --build-arg SOURCE_DATE_EPOCH=$(COMMITTED) \
		$(if $(BASE),--build-arg BASE=$(BASE)) $(if $(PIP_CONF),--secret "id=pip$(COMMA)src=$(PIP_CONF)") $(BUILD_OPTIONS) .
	@mkdir -p dist
	@container=$$($(DOCKER) create $(IMAGE)) && \
		$(DOCKER) cp $$container:/opt/robustcert/sbom.cdx.json dist/robustcert-$(TARGET).cdx.json && \
		$(DOCKER) rm $$container >/dev/null
	@echo "built $(IMAGE); what is in it: dist/robustcert-$(TARGET).cdx.json"

MONITORING_IMAGE ?= ghcr.io/robustcert/robustcert-monitoring:$(VERSION)

monitoring-image: ## Build the image of exporter and controller, without torch: MONITORING_IMAGE=name, BASE, PIP_CONF as for image
	@test -n "$(DOCKER)" || { echo "expected docker or podman, got neither; install one" >&2; exit 2; }
	DOCKER_BUILDKIT=1 $(DOCKER) build --file monitoring/Dockerfile --tag $(MONITORING_IMAGE) \
		--build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) --build-arg SOURCE_DATE_EPOCH=$(COMMITTED) \
		$(if $(BASE),--build-arg BASE=$(BASE)) $(if $(PIP_CONF),--secret "id=pip$(COMMA)src=$(PIP_CONF)") $(BUILD_OPTIONS) .
	@mkdir -p dist
	@container=$$($(DOCKER) create $(MONITORING_IMAGE)) && \
		$(DOCKER) cp $$container:/opt/robustcert/sbom.cdx.json dist/robustcert-monitoring.cdx.json && \
		$(DOCKER) rm $$container >/dev/null
	@echo "built $(MONITORING_IMAGE); what is in it: dist/robustcert-monitoring.cdx.json"

test-containers: $(VENV)/all.stamp ## Test the image and the pipelines in containers: with dockerd and debootstrap, as root, or with DOCKER_HOST and BASE
	@test -n "$$DOCKER_HOST$$(command -v dockerd)" -a -n "$$BASE$$(command -v debootstrap)" || { test "$$(id -u)" = 0 && \
		apt-get -o DPkg::Lock::Timeout=300 -qq update && \
		apt-get -o DPkg::Lock::Timeout=300 -qq install --no-install-recommends docker.io debootstrap >/dev/null; } || \
		{ echo "expected dockerd and debootstrap; install docker.io and debootstrap, or run as root on Debian" >&2; exit 2; }
	$(TEST_ENVIRONMENT) $(BIN)/python -m pytest -m containers --durations=15

# A real S3 server.

CEPH = ceph-mon ceph-osd radosgw ceph-common
CEPH_PROGRAMS = ceph-mon ceph-osd radosgw radosgw-admin ceph ceph-authtool monmaptool
CEPH_IS_THERE = for program in $(CEPH_PROGRAMS); do command -v $$program >/dev/null || exit 1; done

test-s3: $(VENV)/all.stamp ## Test the store on a real S3 server, Ceph's RADOS gateway; as root on Debian it is installed where missing
	@($(CEPH_IS_THERE)) || { test "$$(id -u)" = 0 && apt-get -o DPkg::Lock::Timeout=300 -qq update && \
		DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -qq install --no-install-recommends $(CEPH) >/dev/null; } || \
		{ echo "expected Ceph's programs; install $(CEPH), or run as root on Debian" >&2; exit 2; }
	$(TEST_ENVIRONMENT) $(BIN)/python -m pytest -m real_s3 --durations=15

# Real Prometheus and Alertmanager.

PROMETHEUS = prometheus prometheus-alertmanager
PROMETHEUS_PROGRAMS = prometheus promtool prometheus-alertmanager amtool
PROMETHEUS_IS_THERE = for program in $(PROMETHEUS_PROGRAMS); do command -v $$program >/dev/null || exit 1; done

prometheus: ## Install Prometheus and Alertmanager where they are missing; as root on Debian
	@($(PROMETHEUS_IS_THERE)) || { test "$$(id -u)" = 0 && apt-get -o DPkg::Lock::Timeout=300 -qq update && \
		DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -qq install --no-install-recommends $(PROMETHEUS) >/dev/null; } || \
		{ echo "expected $(PROMETHEUS_PROGRAMS); install $(PROMETHEUS), or run as root on Debian" >&2; exit 2; }

test-monitoring: $(VENV)/all.stamp prometheus ## Test rules, dashboards and the whole loop with real Prometheus and Alertmanager; installed as root on Debian where missing
	$(BIN)/python -m tools.lint_chart --promtool "$$(command -v promtool)"
	$(TEST_ENVIRONMENT) $(BIN)/python -m pytest -m prometheus --durations=15

FAULT ?= dimmed

demo: $(VENV)/all.stamp prometheus ## Show the whole loop on this machine: traffic, drift, alert, one recertification; FAULT=dimmed|inverted
	$(BIN)/python -m monitoring.demo --fault $(FAULT)

KILLS ?= 50

soak: $(VENV)/all.stamp ## Kill shards, S3 server and runner at KILLS random moments (50); each must end in the same certificate
	$(TEST_ENVIRONMENT) $(BIN)/python -m tests.soak --kills $(KILLS)

soak-controller: $(VENV)/all.stamp ## Kill the recertification controller at KILLS random moments; nothing may be lost or doubled
	$(TEST_ENVIRONMENT) $(BIN)/python -m tests.controller_soak --kills $(KILLS)

# A cluster.

test-cluster: $(if $(KUBECONFIG),$(VENV)/all.stamp) ## Test chart and pages on the cluster of KUBECONFIG; on its Kubeflow too, with the variables in docs/kubeflow.md
	@for name in KUBECONFIG ROBUSTCERT_TEST_NAMESPACE; do \
		test -n "$${!name}" || { echo "expected $$name to be set, got nothing; docs/kubeflow.md says to what" >&2; exit 2; }; done
	@test -n "$$ROBUSTCERT_TEST_HOST" -a -n "$$ROBUSTCERT_TEST_STORE" || \
		echo "the journey on Kubeflow is left out: ROBUSTCERT_TEST_HOST or ROBUSTCERT_TEST_STORE is not set (docs/kubeflow.md)"
	$(TEST_ENVIRONMENT) $(BIN)/python -m pytest -m cluster tests/cluster tests/manifests \
		$(if $(and $(ROBUSTCERT_TEST_HOST),$(ROBUSTCERT_TEST_STORE)),,--ignore tests/cluster/test_kubeflow.py)

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
