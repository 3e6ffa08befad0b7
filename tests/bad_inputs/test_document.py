"""docs/RELIABILITY.md has every case of the tables, and no other."""

import importlib
from pathlib import Path

import pytest

from tests.resources import bad_input

MODULES = sorted(path.stem for path in Path(__file__).parent.glob("test_*.py"))


def test_the_document_has_the_cases_of_the_tables(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--write-reliability", False):
        pytest.skip("the document is written when all have run")
    tables = {}
    for name in MODULES:
        module = importlib.import_module(f"tests.bad_inputs.{name}")
        names = [case.name for case in getattr(module, "CASES", ())]
        if not names:
            continue
        assert len(set(names)) == len(names), name
        tables[bad_input.kind_of(name)] = sorted(names)
    assert tables == {kind: sorted(rows) for kind, rows in bad_input.read().items()}


def test_there_are_as_many_as_promised() -> None:
    assert sum(map(len, bad_input.read().values())) >= 150
