"""A corpus whose words a recogniser writes down, from its recordings to word times."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline import params as parameters
from pipeline import tables
from pipeline.commands import build
from pipeline.lookup import ConfigurationError
from pipeline.params import check
from pipeline.schema import TimedWord, Transcript, TranscriptionError, Utterance
from pipeline.transcription import pocketsphinx
from stages import align, prepare, transcribe
from tests.resources import fabricated, recordings


@pytest.fixture(autouse=True)
def hears(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recogniser that hears the same two words everywhere, and none in `b`."""
    fabricated.run_serially(monkeypatch)

    def hear(
        utterances: Sequence[Utterance], config: Any
    ) -> Iterator[tuple[str, Transcript | TranscriptionError]]:
        words = TimedWord("why", 0.05, 0.2, 0.5), TimedWord("home", 0.2, 0.35, 0.5)
        for item in utterances:
            silent = TranscriptionError("no words heard", "nothing")
            told = Transcript("Why home", "pocketsphinx", "en", words, 0.5)
            yield item.utterance_id, silent if item.utterance_id == "b" else told

    monkeypatch.setattr(pocketsphinx, "transcribe", hear)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A params file beside a corpus: three recordings, one of them without words of its
    own, a text without a recording, and a recording that is missing.
    """
    root = tmp_path / "corpus"
    for number, name in enumerate("abc"):
        recordings.write(root / f"{name}.wav", seconds=0.4, seed=number)
    with (root / "manifest.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["utterance_id", "emotion", "audio_path", "transcript"])
        writer.writerow(["a", "sad", "a.wav", "why go home"])
        writer.writerow(["b", "sad", "b.wav", "the rain is late"])
        writer.writerow(["c", "sad", "c.wav", ""])
        writer.writerow(["text", "sad", "", "only text"])
    document = {
        "corpora": {"manifest": {"root": str(root), "transcription": "heard"}},
        "transcription": {"heard": {"chain": {"pocketsphinx": {}}, "max_failed_share": 0.5}},
        "alignment": {"given": {"chain": {"given": {}}, "max_failed_share": 1}},
        "inputs": {"manifest": {"alignment": ["given"]}},
    }
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def test_recognised_words_take_the_place_of_the_corpus_words(project: Path) -> None:
    data = project.parent / "data"
    transcribe.main("manifest", project, data)
    folder = data / "transcripts" / "manifest"
    counts = tables.read_json(folder / "metrics.json")
    assert (counts["utterances"], counts["used"], counts["rejected"]) == (4, 2, 2)
    assert counts["pocketsphinx"]["wer"] == pytest.approx(1 / 3, abs=1e-6)
    assert {row.reason for row in tables.read_rejections(folder / "rejects.parquet")} == {
        "no audio",
        "no words heard",
    }
    prepare.main("manifest", project, data)
    found = {
        item.utterance_id: item
        for item in tables.read_utterances(data / "utterances/manifest/utterances.parquet")
    }
    assert found["a"].words == found["c"].words == ("why", "home")
    assert {name: item.words_from for name, item in found.items()} == {
        "a": "pocketsphinx",
        "b": None,
        "c": "pocketsphinx",
        "text": None,
    }
    # What was not heard is not filled from the corpus; a text has no recording to hear.
    assert found["b"].words == () and found["text"].words == ("only", "text")
    align.main("manifest", "given", project, data)
    spans = tables.read_spans(data / "spans/manifest/given/spans.parquet")
    assert [(s.word, s.start, s.end, s.aligner) for s in spans["a"]] == [
        ("why", 0.05, 0.2, "pocketsphinx"),
        ("home", 0.2, 0.35, "pocketsphinx"),
    ]


def test_words_of_the_corpus_come_first_where_the_chain_says_so(project: Path) -> None:
    document = yaml.safe_load(project.read_text())
    document["transcription"]["heard"]["chain"] = {"given": {}, "pocketsphinx": {}}
    project.write_text(yaml.safe_dump(document, sort_keys=False))
    data = project.parent / "data"
    transcribe.main("manifest", project, data)
    prepare.main("manifest", project, data)
    found = tables.read_utterances(data / "utterances/manifest/utterances.parquet")
    assert [(item.utterance_id, item.words_from, len(item.words)) for item in found] == [
        ("a", "given", 3),
        ("b", "given", 4),
        ("c", "pocketsphinx", 2),
        ("text", None, 2),
    ]
    metrics = tables.read_json(data / "transcripts/manifest/metrics.json")
    assert metrics["recognised"] == {"given": 2, "pocketsphinx": 1}
    assert "wer" not in str(metrics)


def test_prepare_waits_for_the_transcripts(project: Path) -> None:
    checked = parameters.load(project)
    items = build.items(checked)
    assert items["transcribe"]["manifest"]["name"] == "heard"
    assert "pipeline/transcription/pocketsphinx.py" in items["transcribe"]["manifest"]["deps"]
    path = "data/transcripts/manifest/transcripts.parquet"
    assert path in items["prepare"]["manifest"]["deps"]
    with pytest.raises(ConfigurationError, match=r"transcripts.parquet is missing"):
        prepare.main("manifest", project, project.parent / "data")
    document = yaml.safe_load(project.read_text())
    del document["corpora"]["manifest"]["transcription"]
    without = build.items(check(document))
    assert without["transcribe"] == {} and path not in without["prepare"]["manifest"]["deps"]
    assert not any("transcription" in dep for dep in without["prepare"]["manifest"]["deps"])


def test_a_transcription_that_is_nowhere_is_named(project: Path) -> None:
    document = yaml.safe_load(project.read_text())
    document["corpora"]["manifest"]["transcription"] = "whispered"
    with pytest.raises(
        ConfigurationError,
        match=r"unknown name 'whispered' in corpora.manifest.transcription, expected .*'heard'",
    ):
        check(document)
