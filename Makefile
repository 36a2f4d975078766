# `make help` lists what there is. Everything runs without input and from a fresh clone.
SHELL := /bin/bash
.DEFAULT_GOAL := help

TARGET := $(or $(CARGO_TARGET_DIR),target)
PYTHON ?= python3
# More arguments for the conformance run, such as ARGS="--clients python-new --suites lifecycle".
ARGS ?=

.PHONY: help deps demo drill test test-rust test-clients conformance chaos fuzz bench fmt lint doc engines clean

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "%-14s %s\n", $$1, $$2 }'

deps: ## Installs what the tests need, or says exactly what to install
	@scripts/install-deps.sh

demo: deps ## The main job on real servers, with the vendor's own SDK
	cargo build --release --locked -p claviger
	@scripts/demo.sh --binary $(TARGET)/release/claviger

drill: deps ## Takes the steps of docs/operations.md: systemd, PostgreSQL, backup, moving, key loss, monitoring
	cargo build --locked -p claviger
	$(PYTHON) scripts/drill.py --binary $(TARGET)/debug/claviger

test: deps engines test-rust test-clients ## All Rust tests, then the Python and Node clients, few of them on PostgreSQL

# Most tests wait for servers: more of them at once than there are cores.
export RUST_TEST_THREADS ?= 6

test-rust:
	cargo test --workspace --locked

test-clients:
	cargo build --locked -p claviger
	$(PYTHON) conformance/run.py --binary $(TARGET)/debug/claviger $(ARGS)
	$(PYTHON) conformance/run.py --binary $(TARGET)/debug/claviger --store postgres --few --suites lifecycle,matrix

conformance: deps ## All clients, the Go, Java and command-line ones too; the Python and Node ones again on PostgreSQL
	cargo build --locked -p claviger
	$(PYTHON) conformance/run.py --binary $(TARGET)/debug/claviger --all --store both $(ARGS)

# How long the run of faults is, where it begins, and over what: replicated, sentinel, cluster, all.
STEPS ?= 1000
SEED ?= 1
TOPOLOGY ?= all
# Where the store is: sqlite, postgres.
STORE ?= sqlite

chaos: deps ## A long run of faults on real servers: STEPS=10000 SEED=7 TOPOLOGY=replicated
	CLAVIGER_CHAOS_STEPS=$(STEPS) CLAVIGER_CHAOS_SEED=$(SEED) CLAVIGER_CHAOS_TOPOLOGY=$(TOPOLOGY) \
		CLAVIGER_CHAOS_STORE=$(STORE) cargo test --release --locked -p claviger --test chaos -- --nocapture

# How long each fuzz target runs, seconds, and which: all, or names.
SECONDS ?= 60
FUZZ ?= all

fuzz: ## Runs the fuzz targets: SECONDS=60 FUZZ="aliyun replies"; wants cargo-fuzz
	scripts/fuzz.sh $(SECONDS) $(FUZZ)

bench: deps ## The figures of docs/performance.md
	scripts/bench.sh $(ARGS)

fmt: ## Formats everything
	cargo fmt --all

lint: ## Formatting and clippy, warnings denied
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

doc: ## The API documentation, warnings denied
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked

engines: ## Fetches more server versions into .engines/; what cannot be had is named
	-@scripts/engines.sh

clean: ## Removes what was built and downloaded; .engines/ stays
	cargo clean
	rm -rf conformance/.cache conformance/clients/*/node_modules
	find conformance scripts -name __pycache__ -type d -prune -exec rm -rf {} +
