# Everything here needs only Python (3.11 or later) and git; the first call sets up .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --require-hashes --no-deps
READY := $(VENV)/.ready
# A folder of CPU builds of PyTorch whose digests `make pins` should add.
CPU_WHEELS ?=
# How long `make fuzz` goes on.
SECONDS ?= 60
# How many random trees `make fuzz` draws.
TREES ?= 300

.PHONY: help demo test lint docs examples page setup bench fuzz pins clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY)  ## install tumorscope and its pinned dependencies into .venv

$(READY): pyproject.toml $(wildcard requirements/*.txt) tests/node/package-lock.json
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "tumorscope needs Python 3.11 or later; this is " + sys.version.split()[0] + ". Run: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	@# Without a GPU a CPU build of PyTorch, where pip can find one, saves gigabytes.
	@command -v nvidia-smi >/dev/null || $(PIP) -r requirements/torch-cpu.txt 2>/dev/null || true
	$(PIP) -r requirements/dev.txt
	@# A CUDA build of PyTorch needs NVIDIA's libraries beside it; a CPU build does not.
	@if $(BIN)/python -c 'import importlib.metadata as m, sys; sys.exit(not any("nvidia" in r or "cuda-" in r for r in m.requires("torch")))'; \
	then $(PIP) -r requirements/cuda.txt; fi
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@# Node's packages, for one test, where there is a Node; their scripts would fetch GPU builds.
	@command -v npm >/dev/null && (cd tests/node && npm ci --ignore-scripts --no-audit --no-fund --silent) \
	|| echo "no npm packages: the test of Node is skipped"
	@touch $@

demo: $(READY)  ## draw synthetic slices, train on them and write a report (two minutes)
	$(BIN)/tumorscope demo

test: $(READY)  ## run the tests
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal -r s

lint: $(READY)  ## style, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(READY)  ## build the documentation site into docs/_build/html
	$(BIN)/sphinx-build -W --keep-going -b html docs docs/_build/html

examples: $(READY)  ## run the notebooks of examples/ on few drawn slices
	$(BIN)/python tools/examples.py --check

page:  ## build the reader's page from web/ into the package (needs Node)
	cd web && npm ci --ignore-scripts --no-audit --no-fund --silent && npm run build

bench: $(READY)  ## measure against peers in the same run (long)
	$(PIP) -r requirements/bench.txt
	$(BIN)/python benchmarks/run.py

fuzz: $(READY)  ## feed verbs with random trees, readers and bundles with hostile bytes (minutes)
	$(BIN)/python fuzz/trees.py $(TREES)
	$(PIP) -r requirements/fuzz.txt
	$(BIN)/python fuzz/readers.py $(SECONDS)

pins: $(READY)  ## resolve the pinned requirements anew
	$(BIN)/python tools/pins.py $(CPU_WHEELS)

clean:  ## remove what make has made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
