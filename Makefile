# Every target makes what it needs: a virtual environment, the package and its extras.
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help

.PHONY: help demo test check docs bench clean

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' Makefile | sed 's/:.*## /\t/'

.venv/.made: pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version.split()[0]; sys.exit(None if sys.version_info >= (3, 11) else f"neurosage needs Python 3.11 or newer, but $(PYTHON) is {v}: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e '.[test,check,docs]'
	@touch $@

demo: .venv/.made  ## an offline brain-guided search, start to report
	$(BIN)/neurosage demo

test: .venv/.made  ## all tests
	$(BIN)/python -m pytest

check: .venv/.made  ## style, types, imports, examples in docstrings and docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_architecture.py
	$(BIN)/python -m pytest -q --doctest-modules -p no:cacheprovider neurosage
	$(BIN)/python -m pytest -q --doctest-glob='*.md' README.md docs

docs: .venv/.made  ## the documentation, its tutorials run, as HTML in docs/_build
	$(BIN)/python -m pytest -q --doctest-glob='*.md' docs/your_recordings.md docs/teacher_package.md
	$(BIN)/sphinx-build -W -b html docs docs/_build/html

bench: .venv/.made  ## speed and memory, side by side with peers
	@for script in tests/benchmarks/bench_*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

clean:  ## remove what the targets made
	rm -rf .venv build dist docs/_build *.egg-info
