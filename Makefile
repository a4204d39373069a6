# One command per habit; continuous integration runs the same lines.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
export OMP_NUM_THREADS := 1

.PHONY: setup demo check test docs bench gpu clean

setup: $(VENV)/ready

$(VENV)/ready: pyproject.toml requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable '.[dev]'
	touch $@

demo: setup
	$(BIN)/portrait-rgbd demo --out demo

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: setup
	$(BIN)/python -m pytest

docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

gpu: setup
	$(BIN)/python -m pytest -m gpu

bench: setup
	$(BIN)/python -m benchmarks

clean:
	rm -rf demo build dist .mypy_cache .pytest_cache .ruff_cache
