# Partita's commands. Each target installs what it needs and can be run again; a second run only does
# what has changed. `make` alone lists them.

# One target directory for everything, so that Polars is compiled once.
override CARGO_TARGET_DIR := $(abspath $(or $(CARGO_TARGET_DIR),target))
export CARGO_TARGET_DIR
PYTHON ?= python3
# The private Python environment JupyterLab lives in.
override VENV := $(abspath $(or $(VENV),.venv))
export VENV
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
# Each file in runtime/benches is a benchmark of the engine.
ENGINE_BENCHES := $(patsubst runtime/benches/%.rs,--bench %,$(wildcard runtime/benches/*.rs))
# JupyterLab refuses to run as root unless it is told that this is meant.
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)
# Settings of the pool that `make pool` made, for what is started from here.
IN_POOL := $(if $(POOL),set -a && . ./.env && set +a &&)

.NOTPARALLEL:
.PHONY: help lab repl test lint bench build install tools pool pool-down

help:
	@echo "make lab    build Partita, install its kernel and open the first notebook in JupyterLab"
	@echo "make repl   build Partita and start its REPL in this terminal"
	@echo "make test   run every test: Rust, the notebooks, JupyterLab in a browser"
	@echo "make lint   check formatting and run clippy"
	@echo "make pool   start a master and workers in Docker (WORKERS=2); make lab POOL=1 uses them, make pool-down stops them"
	@echo "make bench  measure the time from a cell to its answer, and the engine"

lab: install
	@echo "==> Opening JupyterLab (stop it with Ctrl-C)"
	$(IN_POOL) $(VENV)/bin/python -m jupyterlab $(AS_ROOT) \
		--ServerApp.root_dir="$(abspath $(dir $(NOTEBOOK)))" --LabApp.default_url="/lab/tree/$(notdir $(NOTEBOOK))" \
		$(LAB_ARGS)

repl: build
	$(IN_POOL) $(PARTITA) repl

test: install $(VENV)/.partita-test
	@sh scripts/install-test-programs.sh
	@echo "==> Testing the Rust code"
	cargo test $(CARGO_FLAGS)
	@echo "==> Testing the kernel's protocol, and the notebooks in a kernel and in a browser"
	$(VENV)/bin/python -m pytest kernel/tests/jupyter notebooks/tests

lint: tools
	@echo "==> Checking formatting and lints"
	cargo fmt --all --check
	cargo clippy $(CARGO_FLAGS) --all-targets -- -D warnings

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
	@echo "==> Building Partita (the first time compiles Polars: a quarter of an hour on two cores)"
	cargo build $(CARGO_FLAGS)

install: build $(VENV)/.partita-lab
	@echo "==> Installing Partita's kernel into $(VENV)"
	VIRTUAL_ENV="$(VENV)" PATH="$(VENV)/bin:$$PATH" "$(PARTITA)" install --sys-prefix

tools:
	@PYTHON="$(PYTHON)" sh scripts/check-tools.sh

$(VENV)/.partita-lab: notebooks/requirements.txt | tools
	@echo "==> Installing JupyterLab into $(VENV)"
	"$(PYTHON)" -m venv "$(VENV)"
	$(PIP) install --quiet -r $<
	@touch $@

$(VENV)/.partita-test: notebooks/requirements-test.txt $(VENV)/.partita-lab
	@echo "==> Installing the Python packages the tests need into $(VENV)"
	$(PIP) install --quiet -r $<
	@touch $@
