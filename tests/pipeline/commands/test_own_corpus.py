"""A corpus of one's own becomes a manifest, a protocol and an experiment."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from pipeline import lookup
from pipeline import params as parameters
from pipeline.commands import own_corpus
from pipeline.commands._own_rows import find
from pipeline.corpora import manifest
from pipeline.lookup import ConfigurationError
from pipeline.schema import Rejection, Utterance

ROOT = Path(__file__).parents[3]
EMOTIONS = ("angry", "sad")


def recordings(folder: Path, name: str = "{speaker}/{emotion}/{number}", speakers: int = 5) -> Path:
    """Four recordings of each speaker and emotion."""
    for speaker in range(speakers):
        for emotion in EMOTIONS:
            for number in range(4):
                said = name.format(speaker=f"s{speaker}", emotion=emotion, number=number)
                path = folder / f"{said}.wav"
                path.parent.mkdir(parents=True, exist_ok=True)
                soundfile.write(path, np.zeros(160), 16000)
    return folder


def table(path: Path, rows: list[dict[str, Any]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    (tmp_path / "dvc.yaml").write_bytes((ROOT / "dvc.yaml").read_bytes())
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path / "params.yaml"


def test_paths_tell_emotion_and_speaker(tmp_path: Path) -> None:
    folder = recordings(tmp_path / "corpus")
    (folder / "s0" / "readme.wav").write_bytes(b"")
    found = find(folder, None, "{speaker}/{emotion}/{}", {})
    assert found.classes == {"angry": 20, "sad": 20} and found.speakers == 5
    assert len(found.rows) == 41 and "1 recordings are not called like" in found.notes[0]
    row = next(row for row in found.rows if row["audio_path"] == "s3/sad/2.wav")
    assert (row["utterance_id"], row["speaker"], row["emotion"]) == ("s3_sad_2", "s3", "sad")


def test_names_tell_it_too(tmp_path: Path) -> None:
    folder = recordings(tmp_path / "corpus", "{number}-{emotion}-xx-{speaker}")
    found = find(folder, None, "{}-{emotion}-{}-{speaker}", {})
    assert found.speakers == 5 and found.classes == {"angry": 20, "sad": 20}


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("{speaker}/{}", r"expected \{emotion\}"),
        ("{mood}/{emotion}", r"expected \{emotion\}"),
        ("{emotion}/{emotion}", "stands twice"),
        ("{emotion}_{}", "no recording is called like"),
    ],
)
def test_a_pattern_that_tells_nothing_is_refused(tmp_path: Path, pattern: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        find(recordings(tmp_path), None, pattern, {})


def test_a_table_of_other_columns_names_files_by_what_it_has(tmp_path: Path) -> None:
    folder = recordings(tmp_path / "corpus", "audio/{speaker}_{emotion}_{number}")
    (folder / "audio" / "unlisted.wav").write_bytes(b"")
    rows = [
        {"FileName": path.name, "Label": path.stem.split("_")[1].upper(), "Text": "so"}
        for path in sorted((folder / "audio").glob("s*.wav"))
    ]
    rows.append({"FileName": "gone.wav", "Label": "SAD", "Text": "so"})
    rows.append({"FileName": "odd.wav", "Label": "fear", "Text": "so"})
    made = table(tmp_path / "labels.csv", rows)
    with pytest.raises(ConfigurationError, match="none of which is audio_path: name it with"):
        find(folder, table(tmp_path / "o.csv", [{"x": 1, "Label": "sad"}]), None, {})
    found = find(folder, made, None, {"audio_path": "FileName"})
    assert found.classes == {"angry": 20, "sad": 21}
    assert [row["transcript"] for row in found.rows] == ["so"] * 42
    notes = " | ".join(found.notes)
    assert "2 recordings of" in notes and "1 recordings are not in" in notes
    assert "a class needs 10 utterances: fear 1" in notes


def test_a_name_that_two_recordings_have_is_not_guessed(tmp_path: Path) -> None:
    folder = recordings(tmp_path / "corpus")
    made = table(tmp_path / "labels.csv", [{"file": "0.wav", "label": "sad"}])
    with pytest.raises(ConfigurationError, match="write the path below the folder"):
        find(folder, made, None, {})


def test_the_manifest_is_one_that_the_reader_reads(project: Path, tmp_path: Path) -> None:
    folder = recordings(tmp_path / "corpus")
    (folder / "s0" / "readme.wav").write_bytes(b"")
    own_corpus.start(
        project, "mine", folder, None, (), "{speaker}/{emotion}/{}", None, "de", build=False
    )
    params = parameters.load(project)
    experiment = params.experiments["mine"]
    assert (experiment.network, experiment.split) == ("CNN_LSTM_a", "speaker-mine")
    assert params.splits["speaker-mine"].folds == 5
    corpus = params.corpora[experiment.corpus]
    config = lookup.configure(manifest.Config, corpus.reader, "reader")
    read = list(manifest.read(tmp_path / corpus.root, config))
    used = [item for item in read if isinstance(item, Utterance)]
    assert len(used) == 40 and {item.language for item in used} == {"de"}
    assert all(Path(str(item.audio_path)).is_file() for item in used)
    (refused,) = (item for item in read if isinstance(item, Rejection))
    assert refused.reason == "no label"
    with pytest.raises(ConfigurationError, match="lists other utterances"):
        own_corpus.start(project, "mine", folder, None, (), "{}/{emotion}/{}", None, "de", False)


@pytest.mark.parametrize(
    ("speakers", "text", "network", "protocol"),
    [
        (5, None, "CNN_LSTM_a", "speaker-mine"),
        (3, None, "CNN_LSTM_a", "random-mine"),
        (0, None, "CNN_LSTM_a", "random-mine"),
        (5, "one and the same", "CNN_LSTM_a", "speaker-mine"),
        (5, "words number {}", "FG_CME", "speaker-mine"),
    ],
)
def test_the_experiment_fits_what_is_known(
    project: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    speakers: int,
    text: str | None,
    network: str,
    protocol: str,
) -> None:
    folder = recordings(tmp_path / "corpus", "{speaker}_{emotion}_{number}", speakers=8)
    rows = []
    for number, path in enumerate(sorted(folder.glob("*.wav"))):
        row = {"file": path.name, "label": path.stem.split("_")[1]}
        row |= {"speaker": f"v{number % speakers}"} if speakers else {}
        row |= {"text": text.format(number)} if text else {}
        rows.append(row)
    made = table(tmp_path / "labels.csv", rows)
    own_corpus.start(project, "mine", folder, made, (), None, None, "en", build=False)
    experiment = parameters.load(project).experiments["mine"]
    assert (experiment.network, experiment.split) == (network, protocol)
    warned = "the score is too good for new voices" in capsys.readouterr().out
    assert warned == (protocol == "random-mine")


def test_a_feature_of_that_name_with_other_settings_stays(project: Path, tmp_path: Path) -> None:
    project.write_text(project.read_text().replace("num_mel_bins: 40}", "num_mel_bins: 23}", 1))
    folder = recordings(tmp_path / "corpus")
    own_corpus.start(project, "mine", folder, None, (), "{speaker}/{emotion}/{}", None, "en", False)
    params = parameters.load(project)
    assert params.acoustic["fbank"].num_mel_bins == 23
    assert params.acoustic[params.experiments["mine"].acoustic].num_mel_bins == 40


def test_words_that_are_not_there_cannot_be_read(project: Path, tmp_path: Path) -> None:
    folder = recordings(tmp_path / "corpus")
    arguments = (project, "mine", folder, None, (), "{speaker}/{emotion}/{}")
    with pytest.raises(ConfigurationError, match="FG_CME reads words"):
        own_corpus.start(*arguments, "FG_CME", "en", build=False)
    assert "mine" not in parameters.load(project).experiments
