"""The stages of a small project, worked ahead of `dvc repro`."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.commands import ahead
from pipeline.lookup import ConfigurationError
from stages import acoustic, align, evaluate, prepare, split, text, train
from tests.resources import fabricated, project, small_corpus
from tests.resources.project import must

DOCUMENT: dict[str, Any] = small_corpus.DOCUMENT | {
    "corpora": {"manifest": {"root": "corpus", "redistribution": True}},
    "alignment": small_corpus.DOCUMENT["alignment"] | {"given": {"chain": {"given": {}}}},
    "text": {"word2vec": small_corpus.DOCUMENT["text"]["word2vec"]},
    "experiments": {"small": small_corpus.EXPERIMENT | {"training": {"epochs": 1}}},
}
STAGES = 9


def outputs(where: Path) -> dict[str, str]:
    return {
        path.relative_to(where).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in ("data", "models", "report")
        for path in sorted((where / folder).rglob("*"))
        if path.is_file() and path.name != ".gitignore"
    }


def worked(where: Path, *names: str) -> subprocess.CompletedProcess[str]:
    variables = {"PYTHONPATH": str(where), "SERFLOW_WORKERS": "1"}
    return project.run(where, "serflow", "ahead", *names, **variables)


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that was worked ahead."""
    made = tmp_path_factory.mktemp("project")
    small_corpus.write(made / "corpus")
    project.copy(made, DOCUMENT)
    first = worked(made)
    assert first.returncode == 0 and f"ahead: {STAGES} stages were run" in first.stderr
    return made


def test_dvc_finds_it_done_and_it_is_what_the_stages_make(
    where: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert project.executed(must(where, "dvc", "repro")) == []
    made = outputs(where)
    shutil.copytree(where / "corpus", tmp_path / "corpus")
    shutil.copy(where / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    fabricated.run_serially(monkeypatch)
    prepare.main("manifest")
    acoustic.main("manifest", "fbank")
    align.main("manifest", "uniform")
    text.main("manifest", "word2vec")
    split.main("manifest", "random-three")
    train.main("small")
    evaluate.main("small")
    assert len(outputs(tmp_path)) > 20
    assert outputs(tmp_path) == {name: made[name] for name in outputs(tmp_path)}
    assert {name.partition("/")[0] for name in made.keys() - outputs(tmp_path).keys()} == {
        "data",  # what `check` says
        "report",
    }


def test_what_fails_stops_what_needs_it_and_what_dvc_has_seen_is_not_run_again(
    where: Path,
) -> None:
    other = small_corpus.EXPERIMENT | {"alignment": "given"}
    experiments = DOCUMENT["experiments"] | {"other": other}
    more = {"manifest": {"acoustic": ["fbank-short"]}}
    project.write_params(where, DOCUMENT | {"experiments": experiments, "inputs": more})
    shutil.rmtree(where / "models/small/folds")
    finished = worked(where)
    assert finished.returncode == 2
    (line,) = [line for line in finished.stderr.splitlines() if line.startswith("error:")]
    assert "align@manifest-given: 27 of 27 utterances were not aligned" in line
    assert "left out, as they need what failed: train@other, evaluate@other, report" in line
    assert "acoustic@manifest-fbank-short:" in (where / "dvc.lock").read_text()
    assert "small: 2 folds" not in finished.stderr
    assert (where / "models/small/folds/seed-0-fold-1").is_dir()


def test_a_signal_ends_it_with_one_line(where: Path) -> None:
    long = small_corpus.EXPERIMENT | {"training": {"epochs": 100000}}
    document = yaml.safe_load((where / "params.yaml").read_text())
    document["experiments"]["small"] = long
    (where / "params.yaml").write_text(yaml.safe_dump(document))
    with subprocess.Popen(
        [str(Path(sys.executable).with_name("serflow")), "ahead", "small"],
        cwd=where,
        env=os.environ | {"PYTHONPATH": str(where), "SERFLOW_WORKERS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        while "small: 2 folds" not in process.stderr.readline():
            assert process.poll() is None
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        said = process.stderr.read()
    assert process.returncode == 128 + signal.SIGTERM
    assert "stopped by SIGTERM" in said and "Traceback" not in said


def test_another_code_than_the_folders_own_is_refused(where: Path) -> None:
    with pytest.raises(ConfigurationError, match="this serflow computes with the code in"):
        ahead._require_own(where)
