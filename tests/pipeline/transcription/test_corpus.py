"""Transcripts of a corpus: the chain, takeover, scores."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline import transcription
from pipeline.lookup import ConfigurationError
from pipeline.schema import TimedWord, Transcript, TranscriptionError, Utterance
from pipeline.tokens import Config as Tokens
from pipeline.transcription import pocketsphinx
from tests.resources import fabricated, recordings

asked: list[str] = []


@pytest.fixture
def utterances(tmp_path: Path) -> list[Utterance]:
    """Two hums and a recording that is not there."""
    for number in range(2):
        recordings.write(tmp_path / f"{number}.wav", seed=number)
    return [
        Utterance(
            f"u{number}",
            "",
            "",
            audio_path=str(tmp_path / f"{number}.wav"),
            transcript="why go home",
            audio_sha256=f"hash {number}",
            duration=0.3,
        )
        for number in range(3)
    ]


@pytest.fixture(autouse=True)
def hears(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recogniser that hears two of three words, and that notes what it is asked."""
    fabricated.run_serially(monkeypatch)
    asked.clear()

    def transcribe(
        utterances: Sequence[Utterance], config: Any
    ) -> Iterator[tuple[str, Transcript | TranscriptionError]]:
        for item in utterances:
            asked.append(item.utterance_id)
            if not Path(item.audio_path or "").is_file():
                yield item.utterance_id, TranscriptionError("audio not found", "x")
                continue
            words = (TimedWord("why", 0.0, 0.1, 0.5), TimedWord("home", 0.1, 0.2, None))
            yield item.utterance_id, Transcript("why home", "pocketsphinx", "en", words, 0.5)

    monkeypatch.setattr(pocketsphinx, "transcribe", transcribe)


def run(utterances: list[Utterance], folder: Path, chain: Any = None, share: float = 0.5) -> Any:
    return transcription.transcribe_corpus(
        utterances, chain or {"pocketsphinx": {}}, share, Tokens(), folder / "transcripts.parquet"
    )


def test_error_rates_are_measured_against_the_corpus_words(
    utterances: list[Utterance], tmp_path: Path
) -> None:
    heard, metrics = run(utterances, tmp_path)
    assert metrics["recognised"] == {"pocketsphinx": 2} and metrics["taken_over"] == 0
    rates = metrics["pocketsphinx"]
    assert (rates["compared"], rates["reference_words"]) == (2, 6)
    assert rates["wer"] == pytest.approx(1 / 3, abs=1e-6) and rates["deletions"] == 2
    assert rates["cer"] == pytest.approx(3 / 11, abs=1e-6) and rates["exact"] == 0
    assert isinstance(heard["u2"], TranscriptionError)
    assert transcription.read(tmp_path / "transcripts.parquet")["u0"] == heard["u0"]


def test_unchanged_recordings_are_taken_over(utterances: list[Utterance], tmp_path: Path) -> None:
    first, _ = run(utterances, tmp_path)
    before = (tmp_path / "transcripts.parquet").read_bytes()
    asked.clear()
    again, metrics = run(utterances, tmp_path)
    assert asked == [] and metrics["taken_over"] == 3
    assert again["u0"] == first["u0"] and str(again["u2"]) == str(first["u2"])
    assert (tmp_path / "transcripts.parquet").read_bytes() == before
    changed = [replace(utterances[0], audio_sha256="another"), *utterances[1:]]
    run(changed, tmp_path)
    assert asked == ["u0"]
    asked.clear()
    run(changed, tmp_path, {"pocketsphinx": {"beam": 1e-60}})
    assert len(asked) == 3


def test_a_damaged_row_is_heard_again(
    utterances: list[Utterance], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    import pyarrow.parquet as pq

    run(utterances, tmp_path)
    path = tmp_path / "transcripts.parquet"
    table = pq.read_table(path)
    texts = ["somebody else's words", *table["text"].to_pylist()[1:]]
    place = table.column_names.index("text")
    pq.write_table(table.set_column(place, "text", [texts]), path)
    with pytest.raises(ConfigurationError, match="damaged at u0"):
        transcription.read(path)
    asked.clear()
    heard, _ = run(utterances, tmp_path)
    assert asked == ["u0"] and heard["u0"].text == "why home"
    assert any("1 of its utterances are transcribed again" in line for line in caplog.messages)


def test_the_next_of_the_chain_hears_what_was_left(utterances: list[Utterance]) -> None:
    some = [replace(utterances[0], transcript=None), *utterances[1:]]
    heard = transcription.transcribe(some, {"given": {}, "pocketsphinx": {}})
    assert asked == ["u0"]
    assert [getattr(heard[f"u{n}"], "recogniser", None) for n in range(3)] == [
        "pocketsphinx",
        "given",
        "given",
    ]
    lost = [replace(utterances[2], transcript=None)]
    error = transcription.transcribe(lost, {"given": {}, "pocketsphinx": {}})["u2"]
    assert isinstance(error, TranscriptionError) and error.reason == "audio not found"
    assert "given: no transcript given" in error.detail and "pocketsphinx: audio" in error.detail


def test_recognised_words_bring_their_times(utterances: list[Utterance]) -> None:
    stated = replace(utterances[0], alignment_path="words.csv")
    heard = transcription.transcribe([stated], {"pocketsphinx": {}})["u0"]
    assert isinstance(heard, Transcript)
    said = transcription.spoken(stated, heard)
    assert (said.transcript, said.words_from, said.alignment_path) == (
        "why home",
        "pocketsphinx",
        None,
    )
    assert [word.word for word in said.word_times] == ["why", "home"]
    kept = transcription.spoken(stated, Transcript("why go home", "given", "en"))
    assert (kept.words_from, kept.alignment_path, kept.word_times) == ("given", "words.csv", ())


def test_too_many_without_words_stop_the_build(utterances: list[Utterance], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"1 of 3 .*audio not found.* max_failed_share"):
        run(utterances, tmp_path, share=0.3)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "no recogniser, expected some of"),
        ({"chain": {"whispr": {}}}, "unknown transcription component 'whispr'"),
        ({"chain": {"pocketsphinx": {"beams": 1}}}, "unknown key beams"),
        ({"chain": {"given": {}}, "max_failed_share": 2}, "less than or equal to 1"),
    ],
)
def test_a_mistake_in_params_is_named(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        transcription.settings("mine", values)
