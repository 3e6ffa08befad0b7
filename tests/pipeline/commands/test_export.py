"""A model leaves its project, and says what it is."""

import json
import logging
import shutil
from pathlib import Path

import pytest

from pipeline.commands import export, predict
from pipeline.lookup import ConfigurationError
from stages import evaluate
from tests.resources.predicted import train_with

SAID = "no rain, yes"


@pytest.fixture
def project(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose model reads vectors of a file and leaves out stop words."""
    folder = tmp_path / "project"
    folder.mkdir()
    train_with(built, folder, monkeypatch, "glove")
    (folder / "stop.txt").write_text("yes\n")
    for path in folder.glob("models/small/folds/*/checkpoint.json"):
        described = json.loads(path.read_text())
        described["tokens"] = {"stop_words": "stop.txt"}
        path.write_text(json.dumps(described))
    evaluate.main("small", folder / "params.yaml", folder / "data", folder / "models")
    return folder


def exported(project: Path, to: Path) -> Path:
    export.export("small", to, project / "models", project / "data")
    return to


def test_the_folder_predicts_the_same_where_nothing_of_the_project_is(
    project: Path, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = built / "corpus" / "wav" / "u03.wav"
    before = predict.predict(recording, SAID, project / "models" / "small")
    assert before.words == ("no", "rain") and before.networks == 2
    made = exported(project, tmp_path / "made")
    moved = tmp_path / "other machine" / "model"
    shutil.copytree(made, moved)
    shutil.rmtree(project)
    shutil.rmtree(made)
    monkeypatch.chdir(tmp_path)
    after = predict.predict(recording, SAID, moved)
    assert after.probabilities == before.probabilities and after == before
    names = {path.relative_to(moved).as_posix() for path in moved.rglob("*") if path.is_file()}
    fold = {"checkpoint.json", "checkpoint.safetensors"}
    folds = {f"folds/seed-0-fold-{number}/{name}" for number in (0, 1) for name in fold}
    files = {"files/vectors.txt", "files/stop.txt"}
    assert names == {*folds, *files, "folds/experiment.json", "README.md", "export.json"}


def test_the_card_states_score_interval_audit_licence_and_what_it_is_not_for(
    project: Path, tmp_path: Path
) -> None:
    made = exported(project, tmp_path / "made")
    card = (made / "README.md").read_text()
    scores = json.loads((project / "models" / "small" / "metrics.json").read_text())
    low, high = (100 * scores["ua_ci95"][end] for end in ("low", "high"))
    assert f"| {100 * scores['ua']:.1f} | {low:.1f} to {high:.1f} |" in card
    assert "The mean of 2 networks" in card and "the mean of all folds was not tried" in card
    assert "Training has heard" in card or "speakers" in card
    assert "licence: yours" in card and "do not give this folder to others" in card
    assert "must not be used for" in card and "Do not decide about people" in card
    assert "synthetic" not in card


def test_a_single_fold_is_scored_as_it_is(project: Path, tmp_path: Path) -> None:
    model = project / "models" / "small"
    shutil.rmtree(model / "folds" / "seed-0-fold-1")
    stated = json.loads((model / "folds" / "experiment.json").read_text())
    stated["folds"] = ["seed-0-fold-0"]
    (model / "folds" / "experiment.json").write_text(json.dumps(stated))
    card = (exported(project, tmp_path / "made") / "README.md").read_text()
    assert "This network on utterances that did not train it" in card and "not tried" not in card


def test_one_network_may_be_trained_on_everything(
    project: Path, built: Path, tmp_path: Path
) -> None:
    made = tmp_path / "made"
    export.export("small", made, project / "models", project / "data", refit=True)
    (described,) = [json.loads(path.read_text()) for path in made.glob("folds/*/checkpoint.json")]
    folds = sorted((project / "models" / "small" / "folds").glob("*/checkpoint.json"))
    each = [json.loads(path.read_text()) for path in folds]
    assert described["epoch"] == round(sum(fold["epoch"] for fold in each) / len(each))
    # All words that some fold trained on, which no single fold knows.
    words = set().union(*(fold["vocabulary"] for fold in each))
    assert set(described["vocabulary"]) == words
    recording = built / "corpus" / "wav" / "u03.wav"
    answer = predict.predict(recording, SAID, made)
    assert answer.networks == 1 and answer.words == ("no", "rain")
    assert answer != predict.predict(recording, SAID, project / "models" / "small")
    again = tmp_path / "again"
    export.export("small", again, project / "models", project / "data", refit=True)
    assert predict.predict(recording, SAID, again).probabilities == answer.probabilities
    card = (made / "README.md").read_text()
    assert "every labelled utterance of the corpus trained" in card
    assert "this network was not tried" in card and "The mean of" not in card
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "made", "project"]


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda made: (made / "files" / "vectors.txt").write_text("no 0 1\n"), "not have the hash"),
        (lambda made: (made / "files" / "vectors.txt").unlink(), "vectors.txt is missing"),
        (lambda made: (made / "files" / "more.txt").write_text("x"), "not part of the export"),
        (lambda made: (made / "export.json").write_text("{}"), "format None, expected 1"),
        (lambda made: (made / "export.json").write_text("[]"), "export.json"),
    ],
)
def test_a_folder_that_changed_on_its_way_is_refused(
    project: Path, built: Path, tmp_path: Path, harm: object, said: str
) -> None:
    made = exported(project, tmp_path / "made")
    harm(made)  # type: ignore[operator]
    with pytest.raises(ConfigurationError, match=said):
        predict.predict(built / "corpus" / "wav" / "u03.wav", SAID, made)


def test_another_version_is_refused_and_other_code_is_told(
    project: Path, built: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made, recording = exported(project, tmp_path / "made"), built / "corpus" / "wav" / "u03.wav"
    stated = json.loads((made / "export.json").read_text())
    (made / "export.json").write_text(json.dumps(stated | {"code": "of another day"}))
    with caplog.at_level(logging.WARNING):
        predict.predict(recording, SAID, made)
    assert "was exported by other code than this" in caplog.text
    (made / "export.json").write_text(json.dumps(stated | {"serflow": "7.0.0"}))
    with pytest.raises(ConfigurationError, match=r"exported by SERflow 7.0.0, this is"):
        predict.predict(recording, SAID, made)


def test_what_cannot_be_exported_is_said_and_leaves_nothing(project: Path, tmp_path: Path) -> None:
    made = exported(project, tmp_path / "made")
    with pytest.raises(ConfigurationError, match="made is there already"):
        exported(project, made)
    (project / "models" / "small" / "metrics.json").unlink()
    with pytest.raises(ConfigurationError, match="run `dvc repro evaluate@small`"):
        exported(project, tmp_path / "unscored")
    with pytest.raises(ConfigurationError, match="holds no trained network"):
        export.export("none", tmp_path / "none", project / "models", project / "data")
    assert not (tmp_path / "unscored").exists() and not (tmp_path / "none").exists()
