"""Prediction of folders, tables, long recordings and video."""

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
from typer.testing import CliRunner

from pipeline import cli, executor
from pipeline.alignment import Pauses
from pipeline.commands import _answers as answers
from pipeline.commands import _journal as journal
from pipeline.commands import predict as prediction
from pipeline.commands import predict_many as batch
from pipeline.lookup import ConfigurationError
from pipeline.schema import TimedWord, Transcript
from pipeline.transcription import pocketsphinx
from tests.resources import fabricated, recordings


@pytest.fixture(autouse=True)
def hears(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A recogniser that hears the same of every recording, and notes which it hears."""
    fabricated.run_serially(monkeypatch)
    heard: list[str] = []

    def transcribe(utterances, config):
        for item in utterances:
            heard.append(Path(item.audio_path).name)
            words = TimedWord("no", 0.05, 0.15, 0.9), TimedWord("zorblix", 0.15, 0.28, 0.4)
            text = " ".join(word.word for word in words)
            yield item.utterance_id, Transcript(text, "pocketsphinx", "en", words, 0.6)

    monkeypatch.setattr(pocketsphinx, "transcribe", transcribe)
    return heard


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two recordings, one that is broken, and a file that is none."""
    for number in range(2):
        recordings.write(tmp_path / "in" / f"{number}.wav", seconds=0.4, seed=number)
    recordings.write_corrupt(tmp_path / "in" / "deep" / "broken.flac")
    (tmp_path / "in" / "notes.txt").write_text("no recording")
    return tmp_path / "in"


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_folder_is_answered_as_its_recordings_are(built: Path, folder: Path) -> None:
    model, out = built / "models" / "small", folder.parent / "out.csv"
    summary = batch.predict_all([folder], model, out)
    assert (summary.answered, summary.other_files) == (2, 1)
    assert dict(summary.unanswered) == {"audio unreadable": 1}
    assert (summary.words, dict(summary.unknown)) == (4, {"zorblix": 2})
    rows = {Path(row["recording"]).name: row for row in rows_of(out)}
    assert list(rows) == ["0.wav", "1.wav", "broken.flac"]
    alone = prediction.predict(folder / "1.wav", None, model)
    row = rows["1.wav"]
    assert (row["emotion"], row["transcript"]) == (alone.emotion, "no zorblix")
    assert (row["words_from"], row["aligner"]) == ("pocketsphinx", "pocketsphinx")
    assert float(row["confidence"]) == pytest.approx(alone.confidence, abs=1e-6)
    for name, value in alone.probabilities.items():
        assert float(row[f"p_{name}"]) == pytest.approx(value, abs=1e-6)
    assert rows["broken.flac"]["emotion"] == "" and "broken" in rows["broken.flac"]["detail"]


def test_what_was_answered_is_taken_over(
    built: Path, folder: Path, hears: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, out = built / "models" / "small", folder.parent / "out.parquet"
    done = answers.answer
    # One result at a time, as worker processes give them.
    monkeypatch.setattr(executor, "run", lambda function, items, *_: map(function, items))
    monkeypatch.setattr(batch, "UTTERANCES_OF_WORK", 1)

    def killed(units, work):
        if units[0].utterance.utterance_id == "1":
            raise KeyboardInterrupt
        return done(units, work)

    monkeypatch.setattr(answers, "answer", killed)
    with pytest.raises(KeyboardInterrupt):
        batch.predict_all([folder], model, out)
    assert not out.exists() and hears == ["0.wav"]
    journal = out.with_name(".out.parquet.journal")
    with journal.open("a") as file:
        file.write('{"key": "half a li')
    monkeypatch.setattr(answers, "answer", done)
    summary = batch.predict_all([folder], model, out)
    assert hears == ["0.wav", "1.wav"] and summary.taken_over == 1
    table = pq.read_table(out)
    assert table.num_rows == 3
    # A grown folder, a changed file.
    recordings.write(folder / "2.wav", seed=7)
    recordings.write(folder / "0.wav", seconds=0.5, seed=8)
    batch.predict_all([folder], model, out)
    assert hears[2:] == ["0.wav", "2.wav"]
    # Other settings make other answers.
    batch.predict_all([folder], model, out, pauses=Pauses(longest=9.0))
    assert len(hears) == 7


def test_two_commands_do_not_write_one_table(built: Path, folder: Path) -> None:
    out = folder.parent / "out.csv"
    with (
        journal.opened(journal.place(out), "another"),
        pytest.raises(ConfigurationError, match="another command is writing"),
    ):
        batch.predict_all([folder], built / "models" / "small", out)


def test_a_table_names_parts_words_and_ids(built: Path, folder: Path, hears: list[str]) -> None:
    model, table = built / "models" / "small", folder / "list.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["audio_path", "start", "end", "transcript", "utterance_id", "mood"])
        writer.writerow(["0.wav", "0.1", "0.35", "yes tea", "same", "x"])
        writer.writerow([folder / "1.wav", "", "", "", "same", "x"])
        writer.writerow(["0.wav", "0.3", "0.2", "", "backwards", "x"])
        writer.writerow(["0.wav", "5", "6", "no", "outside", "x"])
        writer.writerow(["", "", "", "no", "", "x"])
        writer.writerow(["0.wav", "", "", "[LAUGHTER]", "laughter", "x"])
    summary = batch.predict_all([table], model, folder / "out.csv")
    assert dict(summary.unanswered) == {
        "impossible segment": 1,
        "no audio": 1,
        "no words": 1,
        "segment outside the recording": 1,
    }
    found = [row for row in rows_of(folder / "out.csv") if row["emotion"]]
    assert [(row["transcript"], row["words_from"]) for row in found] == [
        ("yes tea", "given"),
        ("no zorblix", "pocketsphinx"),
    ]
    assert hears == ["1.wav"] and found[0]["end"] == "0.35"


def test_a_long_recording_and_a_video_are_cut(
    built: Path, tmp_path: Path, hears: list[str]
) -> None:
    av = pytest.importorskip("av")
    rate = 16000
    hum = recordings.tone(1.0)
    pause = 1e-4 * np.random.default_rng(0).standard_normal(rate * 3)
    sound = np.concatenate([pause, hum, pause, hum, pause])
    folder = tmp_path / "in"
    folder.mkdir()
    soundfile.write(folder / "long.wav", sound, rate)
    with av.open(str(folder / "clip.m4a"), "w") as container:
        stream = container.add_stream("aac", rate=rate)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(sound[None].astype(np.float32), "fltp", "mono")
        frame.sample_rate = rate
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    out = tmp_path / "out.csv"
    model = built / "models" / "small"
    summary = batch.predict_all([folder], model, out, pauses=Pauses(longest=2.0))
    rows = rows_of(out)
    assert [row["utterance_id"] for row in rows] == [
        f"{name}_{number:04d}" for name in ("clip", "long") for number in (1, 2)
    ]
    times = [(float(row["start"]), float(row["end"])) for row in rows]
    assert [*times[2], *times[3]] == pytest.approx([2.85, 4.15, 6.85, 8.15], abs=0.05)
    assert times[0] == pytest.approx(times[2], abs=0.2)
    assert rows[0]["recording"].endswith("clip.m4a") and summary.audio == pytest.approx(22, abs=0.3)
    # Nothing stays but the table and its journal.
    assert sorted(path.name for path in tmp_path.iterdir()) == [".out.csv.journal", "in", "out.csv"]


def test_the_command_writes_a_table_and_says_what_came_of_it(
    built: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    model = str(built / "models" / "small")
    printed = CliRunner().invoke(cli.app, ["predict", "in", "--model", model])
    assert printed.exit_code == 0, printed.stderr
    said = " ".join(printed.stderr.split())
    assert "predictions.csv: 3 utterances = 2 answered + 1 without" in said
    assert "1 × audio unreadable" in said and "times real time" in said
    assert "2 of 4 words (1 different) are not in the model's training: zorblix" in said
    assert len(rows_of(Path("predictions.csv"))) == 3
    one = CliRunner().invoke(cli.app, ["predict", "in/0.wav", "--model", model, "--json"])
    values = json.loads(one.stdout)
    assert values["transcript"] == "no zorblix" and values["unknown_words"] == ["zorblix"]
    table = CliRunner().invoke(cli.app, ["predict", "in/0.wav", "--model", model])
    assert "pocketsphinx heard: no zorblix" in table.stderr
    assert "not in the model's training: zorblix" in table.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "nowhere is not there"),
        (["in/deep/.."], None),
        (["in", "--out", "answers.txt"], "ends in .csv or .parquet"),
        (["in", "--out", "no/answers.csv"], "no is no folder"),
        (["in", "--json"], "--json prints the answer for one short recording"),
        (["empty"], "no recording in empty"),
        (["list.csv"], "has no column audio_path"),
        (["in", "--longest", "0"], "greater than or equal to 2"),
        (["in", "--device", "tpu"], "expected auto, cpu or cuda"),
        (["in", "--transcription", "whispr"], "unknown transcription component"),
        (["in", "--language", "zh"], "no recogniser for 'zh'"),
    ],
)
def test_a_mistake_is_one_line(
    built: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    said: str | None,
) -> None:
    monkeypatch.chdir(folder.parent)
    Path("empty").mkdir()
    Path("list.csv").write_text("path,emotion\na.wav,sad\n")
    model = str(built / "models" / "small")
    printed = CliRunner().invoke(cli.app, ["predict", *arguments, "--model", model])
    if said is None:
        assert printed.exit_code == 0
        return
    assert printed.exit_code == 2 and said in " ".join(printed.stderr.split())
    assert len(printed.stderr.splitlines()) == 1


def test_a_model_of_synthetic_speech_says_so(built: Path, tmp_path: Path) -> None:
    from tests.pipeline.commands.test_predict import changed, single

    alone = single(built / "models" / "small", 0, tmp_path)
    assert not prediction.notes(prediction.trained.load(alone))
    described = json.loads((alone / "folds/only/checkpoint.json").read_text())["experiment"]
    model = changed(alone, tmp_path, experiment=described | {"corpus": "demo_zh"})
    (line,) = prediction.notes(prediction.trained.load(model))
    assert "demo_zh, synthetic speech" in line
    own = {"experiment": described | {"corpus": "joined"}, "joins": ["demo", "ravdess"]}
    (tmp_path / "joined").mkdir()
    model = changed(alone, tmp_path / "joined", **own)
    (line,) = prediction.notes(prediction.trained.load(model))
    assert "joined, partly synthetic speech (demo)" in line


def test_words_of_another_language_need_a_recogniser(built: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"--transcription, e\.g\. whisper="):
        prediction.predict(
            built / "corpus/wav/u03.wav", None, built / "models/small", language="de"
        )
