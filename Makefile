# Partita's commands. Each target installs what it needs and can be run again; a second run only does
# what has changed. `make` alone lists them.

# A crate below evcxr reads CI when it is compiled. With it and without it would be two builds.
unexport CI
# One target directory for everything, so that Polars is compiled once.
override CARGO_TARGET_DIR := $(abspath $(or $(CARGO_TARGET_DIR),target))
export CARGO_TARGET_DIR
PYTHON ?= python3
# The private Python environment JupyterLab lives in.
override VENV := $(abspath $(or $(VENV),.venv))
export VENV
# Cargo's tools that tests and lints need are compiled here once, unless PATH has them.
TOOLS := $(CARGO_TARGET_DIR)/tools
export PATH := $(PATH):$(TOOLS)/bin
NEXTEST := cargo-nextest@0.9.143
LINTERS := cargo-deny@0.20.2 cargo-machete@0.9.2
MDBOOK := mdbook@0.5.4
# Empty where rustup finds what rust-toolchain.toml asks for by itself.
TOOLCHAIN := $(if $(RUSTUP_TOOLCHAIN),,$(shell sh scripts/toolchain.sh))
ifneq ($(TOOLCHAIN),)
export RUSTUP_TOOLCHAIN := $(TOOLCHAIN)
endif
# What `make lab` opens, and further arguments for JupyterLab: LAB_ARGS="--no-browser --port 9999".
NOTEBOOK ?= notebooks/01-partitioning.ipynb
LAB_ARGS ?=
# How many workers `make pool` starts; POOL=1 lets `make lab` and `make repl` use them.
WORKERS ?= 2
POOL ?=

PARTITA := $(CARGO_TARGET_DIR)/release/partita
# The same flags everywhere: another selection of packages would be another selection of features,
# and with it another compilation of Polars.
CARGO_FLAGS := --release --workspace --locked
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check
# The packages that build without Polars; those of the kernel have tests that need it.
LIGHT_KERNEL = $(shell "$(PYTHON)" scripts/light-packages.py kernel)
LIGHT_RUNTIME = $(shell "$(PYTHON)" scripts/light-packages.py runtime fuzz)
EXAMPLES := $(patsubst runtime/examples/%.rs,%,$(wildcard runtime/examples/*.rs))
# Each file in runtime/benches is a benchmark of the engine.
ENGINE_BENCHES := $(patsubst runtime/benches/%.rs,--bench %,$(wildcard runtime/benches/*.rs))
# JupyterLab refuses to run as root unless it is told that this is meant.
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)
# Settings of the pool that `make pool` made, for what is started from here.
IN_POOL := $(if $(POOL),set -a && . ./.env && set +a &&)

.NOTPARALLEL:
.PHONY: help lab repl check test lint docs bench build install tools pool pool-down

help:
	@echo "make lab    build Partita, install its kernel and open the first notebook in JupyterLab"
	@echo "make repl   build Partita and start its REPL in this terminal"
	@echo "make check  format, clippy and tests of what builds without Polars: the first thing to run after a change"
	@echo "make test   run every test: Rust, the notebooks, JupyterLab in a browser"
	@echo "make lint   format, clippy, docs, spelling, unused and unwanted dependencies"
	@echo "make docs   make a book of docs/"
	@echo "make pool   start a master and workers in Docker (WORKERS=2); make lab POOL=1 uses them, make pool-down stops them"
	@echo "make bench  measure the time from a cell to its answer, and the engine"

lab: install
	@echo "==> Opening JupyterLab (stop it with Ctrl-C)"
	$(IN_POOL) $(VENV)/bin/python -m jupyterlab $(AS_ROOT) \
		--ServerApp.root_dir="$(abspath $(dir $(NOTEBOOK)))" --LabApp.default_url="/lab/tree/$(notdir $(NOTEBOOK))" \
		$(LAB_ARGS)

repl: build
	$(IN_POOL) $(PARTITA) repl

check: tools
	@echo "==> Checking what builds without Polars"
	cargo fmt --all --check
	cargo clippy --locked $(LIGHT_KERNEL) $(LIGHT_RUNTIME) --all-targets -- -D warnings
	cargo test --locked --quiet $(LIGHT_RUNTIME)
	@# The kernel's other tests run cells, which takes the library with Polars in it: make test.
	cargo test --locked --quiet $(LIGHT_KERNEL) --lib --bins

test: install $(VENV)/.partita-test
	@sh scripts/install-test-programs.sh
	@sh scripts/cargo-tools.sh "$(TOOLS)" $(NEXTEST)
	@echo "==> Testing the Rust code"
	@rm -f target/nextest/default/junit.xml
	cargo nextest run $(CARGO_FLAGS) --no-fail-fast; status=$$?; \
		"$(PYTHON)" scripts/slowest.py target/nextest/default/junit.xml; exit $$status
	cargo test $(CARGO_FLAGS) --doc
	@echo "==> Running the examples"
	@set -e; for example in $(EXAMPLES); do echo "$$example"; "$(CARGO_TARGET_DIR)/release/examples/$$example" >/dev/null; done
	@echo "==> Testing the kernel's protocol, and the notebooks in a kernel and in a browser"
	$(VENV)/bin/python -m pytest

lint: tools $(VENV)/.partita-lint
	@sh scripts/cargo-tools.sh "$(TOOLS)" $(LINTERS)
	@echo "==> Checking formatting, spelling and that every page of the docs is reached"
	cargo fmt --all --check
	$(VENV)/bin/typos
	"$(PYTHON)" scripts/check-docs.py
	@echo "==> Checking dependencies: unused, unwanted, vulnerable"
	cargo machete
	cargo deny --workspace --offline check --hide-inclusion-graph bans licenses sources
	@sh scripts/advisories.sh
	@echo "==> Checking lints and the API's docs"
	cargo clippy $(CARGO_FLAGS) --all-targets -- -D warnings
	@# The second evaluator is a feature that can be left out.
	cargo clippy --release --locked -p partita-kernel --no-default-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc $(CARGO_FLAGS) --no-deps --document-private-items

docs: tools
	@"$(PYTHON)" scripts/check-docs.py
	@sh scripts/cargo-tools.sh "$(TOOLS)" $(MDBOOK)
	mdbook build --dest-dir "$(CARGO_TARGET_DIR)/book"
	@echo "The book is at $(CARGO_TARGET_DIR)/book/index.html"

bench: install $(VENV)/.partita-test
	@echo "==> Measuring how fast cells answer"
	$(VENV)/bin/python bench/latency.py
	@sh scripts/install-test-programs.sh
	@echo "==> Measuring the timeline's frames in Chromium"
	$(VENV)/bin/python bench/frames.py
	@echo "==> Measuring the engine"
	$(if $(ENGINE_BENCHES),cargo bench --workspace --locked $(ENGINE_BENCHES))
	@sh scripts/install-test-programs.sh bench
	@echo "==> Measuring the pool beside Spark"
	"$(PYTHON)" bench/pool.py
	@echo "==> Measuring TPC-H beside other engines"
	"$(PYTHON)" bench/tpch.py

pool: build
	@sh scripts/pool-image.sh "$(CARGO_TARGET_DIR)/release/partita-node"
	@echo "==> Starting a master and $(WORKERS) workers"
	sh scripts/compose.sh up --detach --scale worker=$(WORKERS)
	@echo "The pool's page is at http://127.0.0.1:8080; its token is in .env. 'make lab POOL=1' opens notebooks on it."

pool-down:
	@# What workers spilled goes with them; what the master recorded stays.
	sh scripts/compose.sh rm --stop --force -v
	sh scripts/compose.sh down

build: tools
	@echo "==> Building Partita (the first time compiles Polars: 40 minutes on two cores)"
	cargo build $(CARGO_FLAGS)
	@# Kernels ask for the compiler where the library is, which may be outside of the checkout.
	$(if $(TOOLCHAIN),,@cp rust-toolchain.toml "$(CARGO_TARGET_DIR)/")

install: build $(VENV)/.partita-lab
	@echo "==> Installing Partita's kernel into $(VENV)"
	VIRTUAL_ENV="$(VENV)" PATH="$(VENV)/bin:$$PATH" "$(PARTITA)" install --sys-prefix

tools:
	@PYTHON="$(PYTHON)" sh scripts/check-tools.sh

$(VENV)/bin/python: | tools
	"$(PYTHON)" -m venv "$(VENV)"

$(VENV)/.partita-lab: notebooks/requirements.txt | $(VENV)/bin/python
	@echo "==> Installing JupyterLab into $(VENV)"
	$(PIP) install --quiet -r $<
	@touch $@

$(VENV)/.partita-test: notebooks/requirements-test.txt $(VENV)/.partita-lab
	@echo "==> Installing the Python packages the tests need into $(VENV)"
	$(PIP) install --quiet -r $<
	@touch $@

$(VENV)/.partita-lint: scripts/requirements-lint.txt | $(VENV)/bin/python
	@echo "==> Installing the spelling checker into $(VENV)"
	$(PIP) install --quiet -r $<
	@touch $@
