"""What DVC itself costs beside the stages: `python -m benchmarks.dvc_overhead` prints a
table.

A folder of many small files as a dependency, another as an output, and many trivial
stages, each built by `dvc repro` and asked again when nothing has changed.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from benchmarks import watch

HEADING = "| what | number | built s | processor s | MiB | asked again s | processor s |"
MAKE = "import pathlib, sys; [pathlib.Path(f'out/{n}').write_text(f'{n}') for n in range(%d)]"


def dependency(folder: Path, number: int) -> dict[str, Any]:
    """One stage that reads a folder of `number` files."""
    place = folder / "many"
    place.mkdir()
    for file in range(number):
        (place / f"{file:07d}").write_text(f"{file}", encoding="utf-8")
    return {"stages": {"one": {"cmd": "touch done", "deps": ["many"], "outs": ["done"]}}}


def output(folder: Path, number: int) -> dict[str, Any]:
    """One stage that makes a folder of `number` files."""
    command = f'mkdir -p out && {sys.executable} -c "{MAKE % number}"'
    return {"stages": {"one": {"cmd": command, "outs": ["out"]}}}


def stages(folder: Path, number: int) -> dict[str, Any]:
    """A stage with `number` items."""
    items = [f"{item:04d}" for item in range(number)]
    item = {"cmd": "touch done-${item}", "outs": ["done-${item}"]}
    return {"stages": {"many": {"foreach": items, "do": item}}}


WORK: dict[str, Callable[[Path, int], dict[str, Any]]] = {
    "files in a folder that a stage reads": dependency,
    "files in a folder that a stage makes": output,
    "stages": stages,
}


def measure(what: str, number: int) -> str:
    """A line of the table."""
    cells = [what, str(number)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for command in (["git", "init", "-q"], [sys.executable, "-m", "dvc", "init", "-q"]):
            _run(folder, command)
        document = WORK[what](folder, number)
        (folder / "dvc.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
        for turn in range(2):
            took = _run(folder, [sys.executable, "-m", "dvc", "repro"])
            cells += [f"{took['seconds']:.1f}"]
            cells += [f"{took['processor_s'] + took['workers_processor_s']:.1f}"]
            cells += [str(took["memory_mib"])] * (turn == 0)
    return f"| {' | '.join(cells)} |"


def _run(folder: Path, command: list[str]) -> dict[str, Any]:
    said = folder / ".said"
    with said.open("w", encoding="utf-8") as file:
        took = watch.watch(command, cwd=folder, stdout=file, stderr=file)
    if took["code"]:
        raise SystemExit(f"{' '.join(command)} failed: {said.read_text(encoding='utf-8')[-2000:]}")
    return took


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, nargs="*", default=[1000, 20_000])
    parser.add_argument("--stages", type=int, nargs="*", default=[10, 100])
    given = parser.parse_args()
    print(f"{HEADING}\n|---|" + "---:|" * 6)
    for kind in WORK:
        for count in given.stages if kind == "stages" else given.files:
            print(measure(kind, count), flush=True)
