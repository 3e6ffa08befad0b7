"""What the doctor says of a push; real pushes are in tests/team."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline import params as parameters
from pipeline.commands import _sharing as sharing
from pipeline.commands import doctor
from tests.resources import small_corpus

SHARE: dict[str, Any] = {
    "corpus": "iemocap",
    "licence": "academic use",
    "restricted": True,
    "files": 12,
    "size": 3_400_000,
    "remote": "private",
    "address": "ssh://lab/serflow",
    "verified": True,
}


@pytest.mark.parametrize(
    ("changes", "state", "said", "remedy"),
    [
        ({}, "ok", "12 files, 3.4 MB to private (private, ssh://lab/serflow); licence: acad", ""),
        ({"verified": False}, "absent", "is not checked", "dvc remote modify private verify true"),
        ({"address": None}, "absent", "stay here, for they are", "dvc remote add private URL"),
        ({"remote": "team"}, "missing", "restricted and would go to team", "serflow sync"),
        (
            {"remote": "team", "declared": "data/raw/iemocap.dvc"},
            "missing",
            "restricted and would go to team",
            "dvc remove data/raw/iemocap.dvc",
        ),
        (
            {"remote": "team", "restricted": False},
            "ok",
            "12 files, 3.4 MB to team (ssh://lab/serflow); licence: academic use",
            "",
        ),
        (
            {"remote": None, "address": None, "restricted": False},
            "absent",
            "there is no remote",
            "dvc remote add --default team URL",
        ),
    ],
)
def test_the_doctor_says_what_goes_where(
    changes: dict[str, Any],
    state: str,
    said: str,
    remedy: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    share = sharing.Share(**SHARE | changes)
    monkeypatch.setattr(sharing, "shares", lambda params, root: iter([share]))
    params_file = small_corpus.write_params(tmp_path, tmp_path)
    (found,) = [item for item in doctor.examine(params_file) if item.subject.startswith("dvc push")]
    assert (found.subject, found.state, found.remedy) == ("dvc push: iemocap", state, remedy)
    assert said in found.detail


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of DVC without git, with outputs of several owners and a remote."""
    tmp_path = tmp_path_factory.mktemp("made")
    command = [sys.executable, "-m", "dvc"]
    subprocess.run([*command, "init", "--quiet", "--no-scm"], cwd=tmp_path, check=True)
    outputs = ("data/spans/manifest/uniform/spans.parquet", "models/small/predictions.parquet")
    outputs += ("report/index.html", "data/checked")
    stages = {}
    for number, output in enumerate(outputs):
        (tmp_path / output).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / output).write_text("x" * (number + 1))
        stages[f"stage{number}"] = {"cmd": "true", "outs": [output]}
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    subprocess.run([*command, "commit", "--quiet", "--force"], cwd=tmp_path, check=True)
    added = {"md5": "0" * 32, "size": 5, "path": "manifest"}
    (tmp_path / "data/raw").mkdir()
    (tmp_path / "data/raw/manifest.dvc").write_text(yaml.safe_dump({"outs": [added]}))
    (tmp_path / ".dvc/config").write_text(
        "[core]\n    no_scm = true\n    remote = team\n"
        "['remote \"team\"']\n    url = ssh://ann:secret@host/srv\n    verify = true\n"
    )
    return tmp_path


@pytest.fixture
def repository(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "repository"))


def test_outputs_are_counted_by_corpus(repository: Path) -> None:
    params = parameters.load(small_corpus.write_params(repository, repository))
    shares = list(sharing.shares(params, repository))
    (recordings,) = [share for share in shares if share.declared]
    assert Path(recordings.declared or "").resolve() == repository / "data/raw/manifest.dvc"
    assert recordings.restricted
    assert (recordings.corpus, recordings.files, recordings.size) == ("manifest", 1, 5)
    found = {share.corpus: share for share in shares if not share.declared}
    sizes = {name: (share.files, share.size) for name, share in found.items()}
    assert sizes == {"manifest": (2, 3), "report": (1, 3), sharing.NO_CORPUS: (1, 4)}
    assert {name for name, share in found.items() if share.restricted} == {"manifest", "report"}
    assert {share.address for share in found.values()} == {"ssh://ann@host/srv"}
    assert found["manifest"].verified and found["manifest"].remote == "team"


def test_a_repository_that_dvc_cannot_read_is_one_line(repository: Path) -> None:
    params = parameters.load(small_corpus.write_params(repository, repository))
    (repository / "dvc.yaml").write_text("stages: {one: {cmd: 1}}\n")
    found = [item for item in doctor.examine(repository / "params.yaml") if "push" in item.subject]
    assert [(item.state, item.remedy) for item in found] == [("missing", "dvc status")]
    assert "\n" not in found[0].detail
    assert list(sharing.shares(params, repository.parent)) == []
