from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.schema import Transcript, TranscriptionError, Utterance
from pipeline.transcription import pocketsphinx
from tests.resources import recordings


def test_words_and_their_times_come_from_one_pass(speech: list[Utterance]) -> None:
    ((_, heard),) = pocketsphinx.transcribe(speech[:1], pocketsphinx.Config())
    assert isinstance(heard, Transcript)
    assert heard.text == " ".join(word.word for word in heard.words)
    # A synthesiser is hard to understand: some words of the sentence are enough.
    assert set(heard.text.split()) & set(speech[0].words)
    assert "(" not in heard.text and heard.words[-1].end > 0.5


def test_another_language_is_refused(speech: list[Utterance]) -> None:
    other = replace(speech[0], language="zh")
    ((_, said),) = pocketsphinx.transcribe([other], pocketsphinx.Config())
    assert isinstance(said, TranscriptionError) and said.reason == "unsupported language"


def test_a_hum_has_no_words(tmp_path: Path) -> None:
    path = recordings.write(tmp_path / "hum.wav", seconds=0.05)
    hum = Utterance("hum", "", "", audio_path=str(path))
    ((_, said),) = pocketsphinx.transcribe([hum], pocketsphinx.Config())
    assert isinstance(said, TranscriptionError) and said.reason == "no words heard"


@pytest.mark.parametrize("values", [{"beam": -1}, {"padding": 200}, {"language_weight": 0}])
def test_settings_that_cannot_be_meant_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"greater|milliseconds"):
        pocketsphinx.Config(**values)
