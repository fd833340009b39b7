# The README's commands. Each does its own set-up, in a virtual environment of its own.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# The peers that Debian does not have, in these versions.
PEERS := .peers
CRANE := v0.22.1
REGCTL := v0.11.7
ORAS := v1.3.6
DOCKERD := v2.0.0-beta.24
CONFORMANCE := v0.0.0-20260831232431-97274622c111

.DEFAULT_GOAL := help
.PHONY: help demo demo-stop test lint peers newer-docker bench chaos clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "manyfest needs Python 3.11 or newer; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: pyproject.toml | $(BIN)/python
	@echo "installing manyfest into $(VENV)"
	@$(BIN)/pip install --quiet --disable-pip-version-check -e '.[serve]'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	@echo "installing manyfest and its test tools into $(VENV)"
	@$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(VENV)/.runtime

demo: $(VENV)/.runtime ## Release a real four-platform image to a registry on this machine
	@$(BIN)/python examples/ruff/demo.py

demo-stop: ## Stop the demo's registry before its time
	@$(PYTHON) examples/ruff/demo.py stop

test: $(VENV)/.dev ## Run the tests
	@$(BIN)/python -m pytest $(ARGS)

lint: $(VENV)/.dev ## ruff, mypy --strict and the direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy --strict src tests benchmarks
	@$(BIN)/lint-imports

peers: $(PEERS)/.crane-$(CRANE) $(PEERS)/.regctl-$(REGCTL) $(PEERS)/.oras-$(ORAS) $(PEERS)/.conformance-$(CONFORMANCE) ## Build crane, regctl, oras and OCI's conformance suite, for bench and tests; needs Go

$(PEERS)/.crane-%:
	$(call go-install,github.com/google/go-containerregistry/cmd/crane@$*)
$(PEERS)/.regctl-%:
	$(call go-install,github.com/regclient/regclient/cmd/regctl@$*)
$(PEERS)/.oras-%:
	$(call go-install,oras.land/oras/cmd/oras@$*)
$(PEERS)/.conformance-%:
	$(call go-install,github.com/opencontainers/distribution-spec/conformance@$*)

newer-docker: $(PEERS)/.dockerd-$(DOCKERD) ## Build a newer Docker daemon than Debian's, for tests; needs Go and minutes

$(PEERS)/.dockerd-%: export CGO_ENABLED = 0
$(PEERS)/.dockerd-%:
	$(call go-install,github.com/moby/moby/v2/cmd/dockerd@$*)

define go-install
@command -v go >/dev/null || { echo "this needs Go, 1.26 or newer" >&2; exit 2; }
@echo "building $(1)"
@GOBIN="$(CURDIR)/$(PEERS)" go install "$(1)" && touch "$@"
endef

bench: $(VENV)/.dev ## Measure against the peers that are installed
	@$(BIN)/python -m benchmarks $(ARGS)

# What each does, and how a run that failed is repeated: docs/chaos.md
chaos: $(VENV)/.dev ## Kill copies and releases, disturb registries, and look at what is left; takes hours
	@$(BIN)/python -m tests.chaos.kills
	@$(BIN)/python -m tests.chaos.releases
	@$(BIN)/python -m tests.chaos.faults
	@$(BIN)/python -m tests.chaos.rendezvous
	@$(BIN)/python -m tests.chaos.serve
	@$(BIN)/python -m tests.chaos.history
	@$(BIN)/python -m tests.chaos.watch

clean: ## Remove what the other targets made
	rm -rf $(VENV) $(PEERS) dist examples/ruff/bin examples/ruff/dist examples/ruff/registry
