"""The house as DESIGN says: few rooms, small files, machinery private to its room."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PIPELINE = ROOT / "pipeline"
FILES = sorted(
    path
    for folder in ("pipeline", "serflow", "stages", "benchmarks", "tests")
    for path in (ROOT / folder).rglob("*.py")
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONTRACTS = PROJECT["tool"]["importlinter"]["contracts"]


def test_the_first_look_shows_few_rooms_and_files() -> None:
    rooms = [path for path in PIPELINE.iterdir() if (path / "__init__.py").is_file()]
    assert len(rooms) <= 15 and len(list(PIPELINE.glob("*.py"))) <= 12


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_file_fits_in_the_head(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


def test_the_machinery_of_every_room_is_protected() -> None:
    """The contracts name modules one by one; a new one must not be forgotten."""
    private = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in PIPELINE.glob("*/_*.py")
        if path.stem != "__init__"
    }
    protected = {
        module: contract["allowed_importers"]
        for contract in CONTRACTS
        if contract["type"] == "protected"
        for module in contract["protected_modules"]
    }
    assert set(protected) == private
    for module, importers in protected.items():
        assert importers == [module.rpartition(".")[0]]


def test_imports_are_declared() -> None:
    command = [sys.executable, "-m", "deptry", "."]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
