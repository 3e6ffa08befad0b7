# Two commands: `make demo` and `make test`. PYTHON may name another interpreter (3.11.4 or newer).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: demo test lint bench

demo: $(INSTALLED)
	dvc repro
	serflow results

test: $(INSTALLED)
	python -m pytest -n auto --dist loadfile

lint: $(INSTALLED)
	ruff check .
	ruff format --check .
	mypy
	lint-imports
	deptry .

bench: $(INSTALLED)
	python -m benchmarks.run

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11, 4) and "Python 3.11.4 or newer is needed, this is " + sys.version)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet torch==2.13.0
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@
