"""DVC does not follow imports: every stage's `deps` must name each project module that
it can reach.

`python tests/test_dvc.py` rewrites the lists in dvc.yaml.
"""

from __future__ import annotations

import ast
import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # for `python tests/test_dvc.py`

from pipeline import lookup  # noqa: E402
from pipeline import params as parameters  # noqa: E402

DVC = ROOT / "dvc.yaml"
KINDS = ("corpora", "acoustic", "alignment", "text", "networks")
# Named as a whole: a component added there must be seen, and pages have files beside
# their code.
FOLDERS = (*(f"pipeline/{kind}" for kind in KINDS), "pipeline/blocks", "pipeline/report")
# These look components up to check settings, not to run them: a new network row changes
# no features.
CHECKERS = {"pipeline/params.py", "pipeline/training/experiment.py", "pipeline/lookup.py"}


def stages() -> dict[str, dict[str, Any]]:
    """Every stage of dvc.yaml by name; of a `foreach` stage what it does for each item."""
    document = yaml.safe_load(DVC.read_text(encoding="utf-8"))
    return {name: stage.get("do", stage) for name, stage in document["stages"].items()}


def module_of(stage: dict[str, Any]) -> str:
    """The module that a stage's command runs, e.g. 'stages.train'."""
    (found,) = re.findall(r"python -m (stages\.\w+)", stage["cmd"])
    return str(found)


@cache
def expected_deps(module: str) -> tuple[str, ...]:
    """Sorted source paths that a stage must name: what its module reaches, and the
    components it looks up by name.
    """
    reached = _paths(lookup.reachable(module))
    kinds: set[str] = set()
    pending = True
    while pending:
        found = set().union(*(_kinds_looked_up(path) for path in reached - CHECKERS)) - kinds
        pending = bool(found)
        kinds |= found
        for kind in found:
            for name in lookup.names(kind):
                reached |= _paths(lookup.reachable(f"pipeline.{kind}.{name}"))
    named = {next((folder for folder in FOLDERS if _holds(folder, path)), path) for path in reached}
    return tuple(sorted(named | {f"pipeline/{kind}" for kind in kinds}))


def rewrite(text: str) -> str:
    """dvc.yaml with every stage's source deps brought in step; data and comments stay
    as they are.
    """
    lines: list[str] = []
    stage, inside, indent = "", False, 0
    for line in [*text.splitlines(), ""]:
        if inside and not re.match(rf" {{{indent + 2}}}- ", line):
            lines += [
                f"{' ' * (indent + 2)}- {path}"
                for path in expected_deps(module_of(stages()[stage]))
            ]
            inside = False
        if inside and _is_source(line.strip().removeprefix("- ")):
            continue
        if name := re.fullmatch(r"  ([\w-]+):", line):
            stage = name[1]
        if line.strip() == "deps:":
            inside, indent = True, len(line) - len(line.lstrip())
        lines.append(line)
    return "\n".join(lines)


def _paths(files: frozenset[Path]) -> set[str]:
    return {path.relative_to(ROOT).as_posix() for path in files}


def _holds(folder: str, path: str) -> bool:
    return path.startswith(f"{folder}/")


def _is_source(dep: str) -> bool:
    return dep.startswith(("pipeline", "stages/"))


@cache
def _kinds_looked_up(path: str) -> frozenset[str]:
    found = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        if called in ("lookup.system", "lookup.systems"):
            found.add("networks")
        elif called in ("lookup.component", "lookup.component_config", "lookup.names"):
            kind = node.args[0]
            assert isinstance(kind, ast.Constant) and kind.value in KINDS, (
                f"{path}:{node.lineno}: {ast.unparse(node)}"
            )
            found.add(str(kind.value))
    return frozenset(found)


def _given(stage: dict[str, Any]) -> list[str]:
    return [dep for dep in stage["deps"] if _is_source(dep)]


@pytest.mark.parametrize("name", sorted(stages()))
def test_a_stage_names_every_module_that_it_can_reach(name: str) -> None:
    stage = stages()[name]
    given, needed = set(_given(stage)), set(expected_deps(module_of(stage)))
    message = ""
    for what, paths in (("lacks", needed - given), ("names needlessly", given - needed)):
        if paths:
            listed = "".join(f"        - {path}\n" for path in sorted(paths))
            message += f"\nstage {name} in dvc.yaml {what}:\n{listed}"
    assert not message, f"{message}\n`python tests/test_dvc.py` mends it."


def test_every_command_is_a_stage() -> None:
    commands = {path.stem for path in (ROOT / "stages").glob("*.py")} - {"__init__", "entry"}
    assert {module_of(stage).removeprefix("stages.") for stage in stages().values()} == commands


def test_components_looked_up_by_name_are_found() -> None:
    """Statically nobody imports them: this is what DVC, and a plain look at imports,
    would miss.
    """
    kinds = {
        name: {kind for kind in KINDS if f"pipeline/{kind}" in expected_deps(f"stages.{name}")}
        for name in ("prepare", "acoustic", "align", "text", "split", "train", "evaluate")
    }
    assert kinds == {
        "prepare": {"corpora"},
        "acoustic": {"acoustic"},
        "align": {"alignment"},
        "text": {"text"},
        "split": set(),
        "train": {"text", "networks"},
        "evaluate": set(),
    }
    assert "pipeline/blocks" in expected_deps("stages.train")
    assert {"pipeline/acoustic/_mel.py", "pipeline/acoustic/_short_term_kernel.py"} <= set(
        expected_deps("stages.acoustic")
    )


def test_training_is_not_given_the_labels_of_test_rows() -> None:
    """The firewall in the graph: changed test labels rebuild the evaluation alone."""
    read = {
        name: [dep for dep in stages()[name]["deps"] if "splits/" in dep]
        for name in ("train", "evaluate")
    }
    assert [Path(dep).name for dep in read["train"]] == ["folds.parquet"]
    assert [Path(dep).name for dep in read["evaluate"]] == ["labels.parquet"]
    readers = [
        path
        for path in (ROOT / "stages").glob("*.py")
        if "labels.parquet" in path.read_text(encoding="utf-8")
    ]
    assert {path.stem for path in readers} == {"split", "evaluate"}


def test_rewriting_keeps_everything_else() -> None:
    text = DVC.read_text(encoding="utf-8")
    assert rewrite(text) == text
    stripped = (
        "\n".join(
            line for line in text.splitlines() if not re.match(r"\s+- (pipeline|stages)\b", line)
        )
        + "\n"
    )
    assert stripped != text and yaml.safe_load(rewrite(stripped)) == yaml.safe_load(text)


def test_what_dvc_reads_is_what_params_say() -> None:
    """Every experiment has its stages, and everything that a stage reads is written by
    another or lies in data/raw.
    """
    from dvc.repo import Repo

    params = parameters.load(ROOT / "params.yaml")
    with Repo(str(ROOT)) as repo:
        index = repo.index
        names = {stage.name for stage in index.stages if stage.path_in_repo == "dvc.yaml"}
        written = {str(out) for stage in index.stages for out in stage.outs}
        read = {str(dep) for stage in index.stages for dep in stage.deps}
    for experiment in params.experiments:
        assert {f"train@{experiment}", f"evaluate@{experiment}"} <= names
    for section, stage in (
        ("acoustic", "acoustic"),
        ("alignment", "align"),
        ("text", "text"),
        ("splits", "split"),
    ):
        assert {f"{stage}@{key}" for key in params.build[section]} <= names
    built = {
        dep
        for dep in read
        if dep.startswith(("data/", "models/")) and not dep.startswith("data/raw/")
    }
    orphans = {
        dep
        for dep in built
        if not any(
            dep == out or dep.startswith(f"{out}/") or out.startswith(f"{dep}/") for out in written
        )
    }
    assert orphans == set()


if __name__ == "__main__":
    DVC.write_text(rewrite(DVC.read_text(encoding="utf-8")), encoding="utf-8")
