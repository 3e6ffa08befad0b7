"""SERflow from Python: what README shows runs, and says what the commands say."""

import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import serflow
from pipeline import acoustic, cli, lookup
from pipeline.commands import predict
from pipeline.schema import Utterance
from tests.resources import small_corpus

ROOT = Path(__file__).parents[2]
SAID = "she died and I miss her"


@pytest.mark.parametrize("document", ["README.md", "docs/api.md"])
def test_the_example_of_the_document_runs(project: Path, document: str) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / document).read_text(), re.S)
    made: dict[str, object] = {}
    exec(compile(example, document, "exec"), made)  # noqa: S102
    assert isinstance(made["words"], pd.DataFrame)
    assert made["words"]["word"].tolist() == SAID.lower().split()


def test_a_model_says_what_the_command_says(project: Path) -> None:
    model = serflow.load("models/fg_cme-demo")
    assert model.classes == small_corpus.LABELS and model.reads_words
    answer = model.predict("recording.wav", text=SAID)
    assert sum(answer.probabilities.values()) == pytest.approx(1)
    assert answer.emotion in model.classes and answer.confidence == max(
        answer.probabilities.values()
    )
    command = predict.predict(Path("recording.wav"), SAID, Path("models/fg_cme-demo"))
    assert answer == command


def test_features_are_those_of_the_stage_with_their_names_and_times(project: Path) -> None:
    found = serflow.features("recording.wav", "short_term", frame_length=0.2, frame_shift=0.1)
    config = acoustic.settings("short_term", {"frame_length": 0.2, "frame_shift": 0.1})
    utterance = Utterance("u", "", "", audio_path="recording.wav")
    expected, _ = acoustic.features(utterance, "short_term", config)
    assert np.array_equal(found.to_numpy(), expected)
    module = lookup.component("acoustic", "short_term")
    assert list(found.columns) == module.feature_names(config)
    assert np.diff(found.index) == pytest.approx(0.1) and found.index[0] == pytest.approx(0.1)
    arguments = [
        "features",
        "recording.wav",
        "--set",
        "frame_length=0.2",
        "--set",
        "frame_shift=0.1",
    ]
    printed = CliRunner().invoke(cli.app, arguments)
    assert printed.exit_code == 0
    read = pd.read_csv(io.StringIO(printed.stdout), index_col="time")
    assert read.to_numpy() == pytest.approx(found.to_numpy(), rel=1e-5)


def test_words_are_placed(project: Path) -> None:
    placed = serflow.align("recording.wav", SAID)
    assert list(placed.columns) == ["word", "start", "end", "confidence", "aligner"]
    assert (placed["end"] > placed["start"]).all() and set(placed["aligner"]) == {"pocketsphinx"}
    uniform = serflow.align("recording.wav", SAID, chain={"uniform": None})
    assert set(uniform["aligner"]) == {"uniform"}
    printed = CliRunner().invoke(cli.app, ["align", "recording.wav", SAID])
    pd.testing.assert_frame_equal(pd.read_csv(io.StringIO(printed.stdout)), placed)


def test_results_are_those_of_the_files(project: Path) -> None:
    found = serflow.read_results()
    assert found.experiments.index.tolist() == ["fg_cme-demo", "words-demo"]
    assert len(found.folds) == 4
    scores = found.experiments.loc["fg_cme-demo"]
    assert scores["ua_ci95.low"] <= scores["ua"] <= scores["ua_ci95.high"]
    own = found.predictions[found.predictions["experiment"] == "fg_cme-demo"]
    right = own["label"] == own["predicted"]
    assert len(right) == scores["n"]
    each = right.groupby(own["fold"]).mean()
    assert each.mean() == pytest.approx(scores["wa"], abs=1e-5)
    assert serflow.read_results("nowhere").experiments.empty


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: serflow.load("nowhere"), "holds no trained network"),
        (lambda: serflow.features("recording.wav", "shortterm"), "unknown acoustic component"),
        (lambda: serflow.features("recording.wav", frame_size=1), "unknown key frame_size"),
        (lambda: serflow.align("recording.wav", "..."), "no words in"),
        (lambda: serflow.align("recording.wav", "so", chain={"mfaa": {}}), "mfaa"),
    ],
)
def test_mistakes_are_the_projects_errors(project: Path, call: object, said: str) -> None:
    with pytest.raises(serflow.ConfigurationError, match=said):
        call()  # type: ignore[operator]
    with pytest.raises(serflow.AudioError):
        serflow.features("gone.wav")
