import re
import shutil
from pathlib import Path

import pytest
import yaml

from pipeline import params as parameters
from pipeline.commands import build, sync

ROOT = Path(__file__).parents[3]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("params.yaml", "build.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def run(project: Path) -> list[str]:
    params_file = project / "params.yaml"
    return sorted(path.name for path in sync.sync(params_file, parameters.load(params_file)))


def test_what_is_committed_is_current(project: Path) -> None:
    assert run(project) == [], "`serflow sync` brings build.yaml and dvc.yaml in step"


def test_lost_lists_are_written_again(project: Path) -> None:
    text = (project / "dvc.yaml").read_text()
    generated = r"\s+- (pipeline|stages/|\$\{item\.deps)"
    kept = [line for line in text.splitlines() if not re.match(generated, line)]
    (project / "dvc.yaml").write_text("\n".join(kept) + "\n")
    (project / "build.yaml").unlink()
    assert run(project) == ["build.yaml", "dvc.yaml"]
    assert yaml.safe_load((project / "dvc.yaml").read_text()) == yaml.safe_load(text)
    assert (project / "build.yaml").read_text() == (ROOT / "build.yaml").read_text()


def test_checking_writes_nothing(project: Path) -> None:
    (project / "build.yaml").unlink()
    params_file = project / "params.yaml"
    changed = sync.sync(params_file, parameters.load(params_file), write=False)
    assert [path.name for path in changed] == ["build.yaml"] and not changed[0].exists()


def test_dvc_gets_a_slot_for_every_dep_of_every_item(project: Path) -> None:
    items = build.items(parameters.load(project / "params.yaml"))
    padded = yaml.safe_load(sync.render(items))["build"]
    stages = yaml.safe_load((project / "dvc.yaml").read_text())["stages"]
    for stage, entries in items.items():
        deps = stages[stage].get("do", stages[stage])["deps"]
        slots = [dep for dep in deps if dep.startswith("${item.deps")]
        for name, item in entries.items():
            if "deps" in item:
                assert len(padded[stage][name]["deps"]) == len(slots) >= len(item["deps"])
                assert set(padded[stage][name]["deps"]) == set(item["deps"])


def test_params_alone_need_no_dvc_file(project: Path) -> None:
    (project / "dvc.yaml").unlink()
    (project / "build.yaml").unlink()
    assert run(project) == ["build.yaml"]


def test_what_dvc_reads_is_what_params_say() -> None:
    """Every experiment has its stages, and everything that a stage reads is written by
    another or lies in data/raw.
    """
    from dvc.repo import Repo

    params = parameters.load(ROOT / "params.yaml")
    with Repo(str(ROOT)) as repo:
        stages = [stage for stage in repo.index.stages if stage.path_in_repo == "dvc.yaml"]
        written = {str(out) for stage in stages for out in stage.outs}
        read = {str(dep) for stage in stages for dep in stage.deps}
    names = {stage.name for stage in stages}
    for experiment in params.experiments:
        assert {f"train@{experiment}", f"evaluate@{experiment}"} <= names
    for section, items in parameters.needed(params).items():
        stage = {"alignment": "align", "splits": "split"}.get(section, section)
        assert {f"{stage}@{key}" for key in items} <= names
    built = {dep for dep in read if dep.startswith(("data/", "models/"))}
    built = {dep for dep in built if not dep.startswith("data/raw/")}
    assert not {
        dep
        for dep in built
        if not any(
            dep == out or dep.startswith(f"{out}/") or out.startswith(f"{dep}/") for out in written
        )
    }
