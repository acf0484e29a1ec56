# Periplus. `make help` lists what there is; `make run` and `make test` need nothing but Rust.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

TARGET_DIR := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)
BIN := $(TARGET_DIR)/debug
WASM_TARGET := wasm32-wasip2
# One selection for all that tests run: cargo builds shared dependencies anew for each other one.
PROGRAMS := -p periplus -p periplus-e2e -p periplus-faults -p periplus-fuzz
export PERIPLUS_PLUGINS_DIR := $(CURDIR)/plugins/target/$(WASM_TARGET)/release

.PHONY: help run run-kubernetes test lint e2e e2e-otel conformance faults bench plugins build setup fmt ci clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:
	@rustup target list --installed | grep -qx $(WASM_TARGET) || rustup target add $(WASM_TARGET)

plugins: setup ## Build the plugins of this repository (needs Rust)
	cargo build --release --locked --manifest-path plugins/Cargo.toml --target $(WASM_TARGET) --target-dir plugins/target

build: plugins ## Build the host and the test parts (needs Rust)
	cargo build --locked -p periplus -p periplus-kube-api

run: build plugins ## Start Periplus on this machine's sockets and a stand-in cluster (needs Rust)
	@BIN=$(BIN) examples/quickstart/run.sh

run-kubernetes: build plugins ## The same against the cluster that KUBECONFIG names (needs Rust and a cluster)
	@BIN=$(BIN) examples/quickstart/run.sh kubernetes

test: plugins ## Run every test that needs Rust alone
	cargo test --locked --workspace --all-targets
	cargo test --locked --manifest-path plugins/Cargo.toml --target-dir plugins/target

lint: setup ## Check format, lints and licences (needs Rust; cargo-deny if installed)
	cargo fmt --all --check
	cargo fmt --all --check --manifest-path plugins/Cargo.toml
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo clippy --locked --manifest-path plugins/Cargo.toml --workspace --all-targets --target-dir plugins/target -- -D warnings
	@if command -v cargo-deny >/dev/null; then cargo deny check bans licenses sources; \
	else echo "SKIPPED: cargo-deny is not installed, so licences and sources were not checked (cargo install cargo-deny)"; fi

conformance: ## Run recorded cases of Prometheus; GOLDENS=DIR for another folder of them (needs Rust)
	@cargo run --quiet --locked -p periplus-conformance -- $(if $(GOLDENS),$(GOLDENS),tests/conformance/goldens)

e2e: plugins ## Compare with a real Prometheus on a real kube-apiserver; SCRIPTS=DIR for other scripts (needs Rust, Go 1.26)
	tests/e2e/build.sh apiserver prometheus
	cargo build --locked $(PROGRAMS)
	$(BIN)/periplus-e2e run --periplus $(BIN)/periplus --build tests/e2e/.build $(if $(SCRIPTS),--scripts $(SCRIPTS),--scripts tests/e2e/scripts --all-differences)
	@if [ -z "$(SCRIPTS)" ]; then \
	    $(BIN)/periplus-e2e selftest --periplus $(BIN)/periplus --build tests/e2e/.build && \
	    $(BIN)/periplus-e2e rbac --periplus $(BIN)/periplus --build tests/e2e/.build && \
	    $(BIN)/periplus-e2e steps --periplus $(BIN)/periplus --build tests/e2e/.build && \
	    $(BIN)/periplus-e2e fronts --periplus $(BIN)/periplus --build tests/e2e/.build; \
	fi

e2e-otel: ## Real OpenTelemetry collectors that come and go before Periplus (needs Rust, Go 1.26)
	tests/e2e/build.sh collector
	cargo build --locked $(PROGRAMS)
	$(BIN)/periplus-e2e collectors --periplus $(BIN)/periplus --build tests/e2e/.build

.PHONY: e2e-oci
e2e-oci: plugins ## Plugins pushed to, pulled from and signed in a real registry (needs Rust, docker-registry)
	cargo test --locked -p periplus --test registry -- --ignored

AXE := $(TARGET_DIR)/axe
.PHONY: e2e-pages
e2e-pages: plugins ## The pages in a real Chromium, with pictures in target/pictures (needs Rust, Node, chromium, chromium-driver)
	@[ -e $(AXE)/node_modules/axe-core/axe.min.js ] || npm install --silent --no-save --no-fund --no-audit --prefix $(AXE) axe-core@4.11.0
	PERIPLUS_AXE=$(abspath $(AXE))/node_modules/axe-core/axe.min.js PERIPLUS_PICTURES=$(CURDIR)/target/pictures \
	    cargo test --locked -p periplus --test pages -- --ignored --test-threads 1

faults: ## Every fault of an API server under churn; FAULT_SECONDS=300, SEED=1 (needs Rust)
	cargo build --locked $(PROGRAMS)
	$(BIN)/periplus-faults --seconds $(if $(FAULT_SECONDS),$(FAULT_SECONDS),300) --seed $(if $(SEED),$(SEED),1)

.PHONY: crashes
crashes: ## kill -9, a full disk and dead sources, and a reader who reads all the time; CRASH_SECONDS=300, SEED=1 (needs Rust; root for the disk)
	cargo build --locked $(PROGRAMS)
	$(BIN)/periplus-crashes --periplus $(BIN)/periplus --seconds $(if $(CRASH_SECONDS),$(CRASH_SECONDS),300) --seed $(if $(SEED),$(SEED),1)

.PHONY: fuzz
fuzz: ## Feed every parser what nobody would write; FUZZ_SECONDS=600 for each, SEED=1 (needs Rust)
	cargo build --locked $(PROGRAMS)
	$(BIN)/periplus-fuzz --seconds $(if $(FUZZ_SECONDS),$(FUZZ_SECONDS),600) --seed $(if $(SEED),$(SEED),1)

bench: plugins ## Measure what the design promises, as JSON and a table (needs Rust; takes minutes)
	cargo build --release --locked -p periplus -p periplus-kube-api -p periplus-bench
	$(TARGET_DIR)/release/periplus-bench $(BENCH)

.PHONY: bench-pipeline bench-kubernetes bench-peers bench-page
bench-pipeline: ## Measure rules and the pipeline of a job with 800,000 targets (needs Rust)
	cargo build --release --locked -p periplus-bench
	$(TARGET_DIR)/release/periplus-bench --only relabel,pipeline --targets 800000 --json target/bench-pipeline.json $(BENCH)

bench-kubernetes: ## Measure Kubernetes discovery with 10,000 and 100,000 Pods, and 300 clusters (needs Rust)
	cargo build --release --locked -p periplus -p periplus-bench
	ulimit -n $$(ulimit -Hn); $(TARGET_DIR)/release/periplus-bench kubernetes $(BENCH)

bench-peers: ## Measure Prometheus and Periplus in turn on a real kube-apiserver (needs Rust, Go 1.26)
	tests/e2e/build.sh apiserver prometheus
	cargo build --release --locked -p periplus -p periplus-bench
	$(TARGET_DIR)/release/periplus-bench peers --build tests/e2e/.build $(BENCH)

bench-page: ## Write what the two measured last into docs/benchmarks.md, with plots (needs Rust)
	cargo run --quiet --release --locked -p periplus-bench -- page --json target/bench-kubernetes.json --json target/bench-peers.json

fmt: ## Format everything
	cargo fmt --all
	cargo fmt --all --manifest-path plugins/Cargo.toml

ci: ## Exactly what CI runs
	.ci/run

clean: ## Remove what was built
	cargo clean
	cargo clean --manifest-path plugins/Cargo.toml --target-dir plugins/target
	rm -rf .run tests/e2e/.build
