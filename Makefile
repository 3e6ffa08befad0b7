# Two commands: `make demo` and `make test`. PYTHON may name another interpreter (3.11.4 or newer).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
TORCH := torch==2.13.0
UV := uv==0.13.9

export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: demo test lint docs audit bench reliability faults reproducible

# A kill in the instant in which DVC writes its file of locks leaves it empty, and DVC unusable.
demo: $(INSTALLED)
	@test -s .dvc/tmp/rwlock || rm -f .dvc/tmp/rwlock
	serflow ahead
	dvc repro
	serflow results
	@echo "Compare:  git add dvc.lock data models && git commit -m 'The demo as built', before the first change: dvc metrics diff shows changes since a commit"

test: $(INSTALLED)
	python -m pytest -n auto --dist loadfile

lint: $(INSTALLED)
	ruff check .
	ruff format --check .
	bandit --quiet --recursive --configfile pyproject.toml pipeline serflow stages benchmarks
	mypy
	lint-imports
	deptry .

# Published advisories for the pinned packages. Fails where the index has no advisories to ask.
audit: $(INSTALLED)
	printf '%s\n' $(TORCH) $(UV) | pip-audit --strict --disable-pip --no-deps --requirement constraints.txt --requirement /dev/stdin

# Writes what bad input leads to into docs/RELIABILITY.md.
reliability: $(INSTALLED)
	python -m pytest tests/bad_inputs --write-reliability

# Kills, signals, damaged files and full disks over the demo DAG, in under half an hour; writes the same document.
faults: $(INSTALLED)
	python -m tests.faults.run --write

# The demo DAG built three times, under other conditions, to the same bytes.
reproducible: $(INSTALLED)
	python -m tests.faults.reproduce --write

# The pages of docs/, into site/; a warning stops it.
docs: $(INSTALLED)
	NO_MKDOCS_2_WARNING=1 python -m mkdocs build --quiet

bench: $(INSTALLED)
	python -m benchmarks.run

# uv does in one minute what takes pip two, but knows nothing of pip's configuration: of a mirror, or of where torch without CUDA is.
$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11, 4) and "Python 3.11.4 or newer is needed, this is " + sys.version)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet $(TORCH) $(UV)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --constraint constraints.txt --editable '.[dev]' || \
	  { echo "uv could not install (see above), so pip does, in twice the time"; \
	    $(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'; }
	touch $@
