import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline import cli
from pipeline.audio import AudioError
from pipeline.commands import predict as prediction
from pipeline.lookup import ConfigurationError
from pipeline.schema import AlignmentError, TranscriptionError
from tests.resources import recordings, small_corpus
from tests.resources.predicted import assert_as_trained, single, train_with


def test_a_recording_gets_what_training_wrote_for_it(built: Path, tmp_path: Path) -> None:
    assert_as_trained(built / "models" / "small", built / "corpus", tmp_path)


def test_truncation_and_max_words_hold_for_new_recordings_too(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = train_with(
        built,
        tmp_path,
        monkeypatch,
        "glove",
        acoustic="fbank-short",
        max_words=2,
        normalization="none",
    )
    assert_as_trained(model, built / "corpus", tmp_path)


def test_folds_are_averaged_and_the_words_are_told(built: Path, tmp_path: Path) -> None:
    model, recording = built / "models" / "small", built / "corpus" / "wav" / "u03.wav"
    whole = prediction.predict(recording, "Yes, tea at two!", model)
    parts = [
        prediction.predict(recording, "Yes, tea at two!", single(model, fold, tmp_path))
        for fold in (0, 1)
    ]
    for name in small_corpus.LABELS:
        assert whole.probabilities[name] == pytest.approx(
            sum(part.probabilities[name] for part in parts) / 2, abs=1e-6
        )
    assert sum(whole.probabilities.values()) == pytest.approx(1)
    assert (whole.networks, whole.words, whole.aligner) == (
        2,
        ("yes", "tea", "at", "two"),
        "uniform",
    )


def test_other_words_change_the_answer(built: Path) -> None:
    model, recording = built / "models" / "small", built / "corpus" / "wav" / "u03.wav"
    one, two = (
        prediction.predict(recording, said, model).probabilities
        for said in ("no no no", "tea at two")
    )
    assert one != two
    # Words that training never saw have no vector, and do not stop anybody.
    assert prediction.predict(recording, "zorblix quux", model).networks == 2


def test_what_is_missing_is_said_in_one_line(built: Path, tmp_path: Path) -> None:
    model, recording = built / "models" / "small", built / "corpus" / "wav" / "u03.wav"
    for said in ("", "[LAUGHTER] ..."):
        with pytest.raises(ConfigurationError, match="with --text"):
            prediction.predict(recording, said, model)
    with pytest.raises(TranscriptionError, match="no words heard"):
        prediction.predict(recordings.write(tmp_path / "hum.wav", seconds=0.05), None, model)
    with pytest.raises(ConfigurationError, match="FG_CME reads speech: name a recording"):
        prediction.predict(None, "no", model)
    with pytest.raises(
        ConfigurationError,
        match="holds no trained network: --model takes models/<experiment>",
    ):
        prediction.predict(recording, "no", tmp_path)
    with pytest.raises(AudioError, match="audio silent"):
        prediction.predict(recordings.write_silent(tmp_path / "silent.wav"), "no", model)
    with pytest.raises(AlignmentError, match="audio too short"):
        prediction.predict(
            recordings.write(tmp_path / "short.wav", seconds=0.05), "no " * 40, model
        )


@pytest.mark.parametrize("network", ["LSTM_Attn_a", "LSTM_Attn_s"])
def test_a_network_of_one_modality_asks_for_no_more(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, network: str
) -> None:
    unread = {"acoustic": None} if network == "LSTM_Attn_s" else {"text": None}
    model = train_with(
        built,
        tmp_path,
        monkeypatch,
        "glove",
        network=network,
        hyperparameters={"hidden_size": 2},
        alignment=None,
        **unread,
    )
    described = json.loads(next(model.glob("folds/*/checkpoint.json")).read_text())
    assert not {*unread, "alignment"} & set(described)
    assert ("language" in described) == (network == "LSTM_Attn_s")
    if network == "LSTM_Attn_a":
        said = prediction.predict(built / "corpus" / "wav" / "u03.wav", None, model)
        assert said.words == () and said.aligner is None
    else:
        said = prediction.predict(None, "no rain", model)
        assert said.words == ("no", "rain") and said.aligner is None
    assert sum(said.probabilities.values()) == pytest.approx(1)


def test_the_command_prints_a_table_or_json(built: Path) -> None:
    command = [
        "predict",
        str(built / "corpus" / "wav" / "u03.wav"),
        "--model",
        str(built / "models" / "small"),
    ]
    table = CliRunner().invoke(cli.app, [*command, "--text", "no"])
    assert table.exit_code == 0
    assert all(name in table.stdout for name in (*small_corpus.LABELS, "mean of 2 networks"))
    printed = CliRunner().invoke(cli.app, [*command, "--text", "no", "--json"])
    said = json.loads(printed.stdout)
    assert set(said["probabilities"]) == set(small_corpus.LABELS) and said["networks"] == 2
    without = CliRunner().invoke(cli.app, [*command, "--text", ""])
    assert without.exit_code == 2 and without.stdout == ""
    assert without.stderr.splitlines() == ["error: FG_CME reads words: state them with --text"]


def changed(model: Path, folder: Path, **values: object) -> Path:
    """A copy of a model whose first fold says something else."""
    shutil.copytree(model, folder / "changed")
    path = sorted((folder / "changed").glob("folds/*/checkpoint.json"))[0]
    described = json.loads(path.read_text()) | values
    kept = {key: value for key, value in described.items() if value is not None}
    path.write_text(json.dumps(kept))
    return folder / "changed"


RECORDING = "corpus/wav/u03.wav"


def test_a_foreign_model_runs_no_command(built: Path, tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    alone = single(built / "models" / "small", 0, tmp_path)
    chain = {"mfa": {"command": ["bash", "-c", f"touch {touched}"]}}
    model = changed(alone, tmp_path, alignment={"name": "x", "chain": chain})
    with pytest.raises((ConfigurationError, AlignmentError)) as raised:
        prediction.predict(built / RECORDING, "no", model)
    assert not touched.exists() and "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("section", "value", "said"),
    [
        ("acoustic", {"name": "../fbank", "config": {}}, "'../fbank' is no name"),
        ("acoustic", {"name": "os", "config": {}}, "unknown acoustic component 'os'"),
        ("acoustic", {"name": "fbank", "config": {"command": "x"}}, "unknown key command"),
        ("acoustic", {"name": "fbank"}, "no 'config'"),
        ("acoustic", None, "no 'acoustic'"),
        ("text", {"name": "..", "config": {}}, "'..' is no name"),
        ("acoustic", {"name": "fbank", "config": {"num_mel_bins": 9}}, "on 8 features, .* give 9"),
        ("alignment", {"name": "uniform"}, "chain is missing"),
        ("language", ["en"], "is no name"),
        ("tokens", {"language": "en"}, "unknown key language"),
        ("tokens", None, "no 'tokens'"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_description_that_no_training_wrote_is_one_line(
    built: Path, tmp_path: Path, section: str, value: object, said: str
) -> None:
    alone = single(built / "models" / "small", 0, tmp_path)
    model = changed(alone, tmp_path, **{section: value})
    with pytest.raises(ConfigurationError, match=said) as raised:
        prediction.predict(built / RECORDING, "no", model)
    assert "checkpoint.json cannot be used: " in str(raised.value)
    assert "\n" not in str(raised.value)


def test_folds_of_different_experiments_are_not_averaged(built: Path, tmp_path: Path) -> None:
    classes = list(reversed(small_corpus.LABELS))
    model = changed(built / "models" / "small", tmp_path, classes=classes)
    with pytest.raises(ConfigurationError, match="its classes are not those of"):
        prediction.predict(built / RECORDING, "no", model)


def test_words_are_cut_in_the_language_of_the_model(
    built: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    said, recording = "我很高兴。", built / RECORDING
    alone = single(built / "models" / "small", 0, tmp_path)
    described = json.loads((alone / "folds/only/checkpoint.json").read_text())
    assert described["language"] == "en"
    chinese = changed(alone, tmp_path / "zh", language="zh")
    assert prediction.predict(recording, said, chinese).words == ("我", "很", "高兴")
    english = prediction.predict(recording, said, chinese, language="en").words
    assert english == prediction.predict(recording, said, alone).words != ("我", "很", "高兴")
    assert not [line for line in caplog.messages if "language" in line]
    old = changed(alone, tmp_path / "old", language=None)
    assert prediction.predict(recording, said, old).words == english
    (line,) = [line for line in caplog.messages if "language" in line]
    assert "taken for en" in line


def test_relative_vectors_are_those_of_the_models_project(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    project.mkdir()
    elsewhere.mkdir()
    trained = train_with(built, project, monkeypatch, "glove")
    alone = single(trained, 0, project / "models")
    before = prediction.predict(built / RECORDING, "no rain", alone).probabilities
    text = {"name": "glove", "config": {"path": "vectors.txt"}}
    model = changed(alone, project / "models", text=text)
    monkeypatch.chdir(elsewhere)
    (elsewhere / "vectors.txt").write_text("no 9 9\nrain 9 9\n")
    assert prediction.predict(built / RECORDING, "no rain", model).probabilities == before
    (project / "vectors.txt").unlink()
    with pytest.raises(ConfigurationError, match=r"vectors.txt is neither in"):
        prediction.predict(built / RECORDING, "no rain", model)


def test_one_network_is_no_mean(built: Path, tmp_path: Path) -> None:
    alone = single(built / "models" / "small", 0, tmp_path)
    command = ["predict", str(built / RECORDING), "--model", str(alone), "--text", "no"]
    printed = CliRunner().invoke(cli.app, command)
    assert printed.exit_code == 0 and "one network" in printed.stdout


def test_a_new_recording_is_explained_as_it_is_predicted(built: Path, tmp_path: Path) -> None:
    model, recording = built / "models" / "small", built / "corpus" / "wav" / "u03.wav"
    words = ["explain", str(recording), "--text", "Yes, tea at two!", "--model", str(model)]
    ended = CliRunner().invoke(cli.app, [*words, "--out", str(tmp_path / "page")])
    assert ended.exit_code == 0, ended.stderr
    found = json.loads(ended.stdout)
    expected = prediction.predict(recording, "Yes, tea at two!", model)
    assert found["probabilities"] == pytest.approx(expected.probabilities, abs=2e-6)
    assert [item["word"] for item in found["words"]] == ["yes", "tea", "at", "two"]
    starts = [item["start"] for item in found["words"]]
    assert starts == sorted(starts) and len(set(starts)) == 4
    for key in ("acoustic_gate/words", "semantic_gate/words"):
        assert all(0 < item["weights"][key] < 1 for item in found["words"])
    assert found["networks"] == 2 and Path(found["page"]) == tmp_path / "page" / "index.html"
    assert {path.suffix for path in (tmp_path / "page").iterdir()} == {".html", ".js", ".ogg", ""}


def test_what_cannot_be_explained_is_one_line(built: Path, tmp_path: Path) -> None:
    model = str(built / "models" / "small")
    silent = recordings.write_silent(tmp_path / "silent.wav")
    for words, said in (
        ([str(silent), "--text", "no"], "error: audio silent"),
        ([str(tmp_path / "gone.wav"), "--text", "no"], "gone.wav is no recording, and --text"),
        ([str(built / "corpus" / "wav" / "u03.wav"), "--text", ""], "state them with --text"),
    ):
        ended = CliRunner().invoke(cli.app, ["explain", *words, "--model", model])
        assert ended.exit_code == 2 and said in ended.stderr, ended.stderr
