import json
import re
import shutil
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline import cli, lookup
from pipeline.commands import doctor
from tests.resources import small_corpus

ROOT = Path(__file__).parents[3]


def findings(params_file: Path) -> dict[str, doctor.Finding]:
    return {item.subject: item for item in doctor.examine(params_file)}


def test_everything_that_is_installed_is_told_with_its_version(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    found = findings(small_corpus.write_params(tmp_path, tmp_path / "corpus"))
    for name in (name for name, extra in doctor.packages().items() if extra != "dev"):
        assert (found[name].state, found[name].detail) == ("ok", metadata.version(name))
    assert found["params.yaml"].detail == "1 experiments"
    assert found["corpus manifest"].detail == str(tmp_path / "corpus")
    assert re.match(r"\d+ cores", found["devices"].detail)


def test_a_clone_without_a_build_says_so(tmp_path: Path) -> None:
    params_file = small_corpus.write_params(tmp_path, tmp_path)
    lacking = findings(params_file)["dvc.lock"]
    assert lacking.state == "absent" and "`dvc pull` has nothing to bring" in lacking.detail
    (tmp_path / "dvc.lock").write_text("schema: '2.0'\n")
    assert findings(params_file)["dvc.lock"].state == "ok"


def test_the_doctor_looks_for_what_the_project_declares() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    required = {re.split(r"[<>=\[]", line)[0] for line in project["dependencies"]}
    found = doctor.packages()
    assert required == {name for name, extra in found.items() if extra is None}
    assert (found["av"], found["ctc-segmentation"], found["opensmile"]) == (
        "video",
        "ctc",
        "egemaps",
    )


def test_what_is_missing_comes_with_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", nothing)
    monkeypatch.setattr(shutil, "which", lambda program: None)
    found = findings(small_corpus.write_params(tmp_path, tmp_path / "nowhere"))
    assert (found["torch"].state, found["torch"].remedy) == ("missing", "make demo")
    assert (found["av"].state, found["av"].remedy) == ("absent", "pip install 'serflow[video]'")
    assert found["mfa"].state == "absent" and "montreal-forced-aligner" in found["mfa"].remedy
    assert found["corpus manifest"].state == "missing"
    assert "corpora.manifest.root" in found["corpus manifest"].remedy
    assert all(item.remedy for item in found.values() if item.state != "ok")


def test_a_demo_corpus_that_is_not_there_is_built_by_dvc(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("corpora: {demo: {root: /nowhere/demo}}\n")
    assert findings(tmp_path / "params.yaml")["corpus demo"].remedy == "dvc repro"


def test_a_wrong_params_file_is_a_finding_not_an_end(tmp_path: Path) -> None:
    found = findings(tmp_path / "params.yaml")
    assert (
        found["params.yaml"].state == "missing"
        and "run the command where params.yaml lies" in found["params.yaml"].detail
    )


def test_the_findings_as_json(tmp_path: Path) -> None:
    params_file = small_corpus.write_params(tmp_path, tmp_path / "nowhere")
    said = CliRunner().invoke(cli.app, ["doctor", "--json", "--params", str(params_file)])
    document = json.loads(said.stdout)
    assert said.exit_code == 1, "the corpus is not there"
    assert document["environment"] == lookup.environment()
    states = {item["subject"]: item["state"] for item in document["findings"]}
    assert (states["numpy"], states["corpus manifest"]) == ("ok", "missing")
    assert document["environment"]["numpy"] == metadata.version("numpy")


@pytest.mark.parametrize("root", ["$HOME/mine", "~/mine"])
def test_a_root_that_dvc_would_not_expand_is_not_called_well(tmp_path: Path, root: str) -> None:
    found = findings(small_corpus.write_params(tmp_path, Path(root)))
    assert found["params.yaml"].state == "missing"
    assert "would not be expanded by DVC" in found["params.yaml"].detail
    assert "corpus manifest" not in found


@pytest.mark.parametrize(("content", "found"), [("", True), ("{}", False)])
def test_locks_that_a_kill_left_empty_are_named(tmp_path: Path, content: str, found: bool) -> None:
    locks = tmp_path / ".dvc" / "tmp" / "rwlock"
    locks.parent.mkdir(parents=True)
    locks.write_text(content)
    told = findings(tmp_path / "params.yaml").get(str(locks))
    assert (told is not None) == found
    assert told is None or (told.state, told.remedy) == ("missing", f"rm {locks}")
