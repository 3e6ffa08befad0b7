"""What every recogniser promises, whichever it is."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline import lookup
from pipeline.schema import Transcript, TranscriptionError, Utterance
from tests.resources import recordings, small_models

RECOGNISERS = lookup.names("transcription")
WRITERS: dict[str, Callable[[Path], str]] = {
    "ctc": small_models.write_recogniser,
    "whisper": small_models.write_whisper,
}


@pytest.fixture(scope="module", params=RECOGNISERS)
def recogniser(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A module and a Config of it."""
    module = lookup.component("transcription", request.param)
    writer = WRITERS.get(request.param)
    values: dict[str, Any] = {"model": writer(tmp_path_factory.mktemp("model"))} if writer else {}
    if request.param == "whisper":
        values["max_tokens"] = 8
    return module, lookup.configure(module.Config, values, request.param)


def test_every_utterance_is_answered_in_order(recogniser: Any, speech: list[Utterance]) -> None:
    module, config = recogniser
    given = [replace(item, transcript=" ".join(item.words)) for item in speech[:3]]
    answers = list(module.transcribe(given, config))
    assert [name for name, _ in answers] == [item.utterance_id for item in speech[:3]]
    for utterance, (_, heard) in zip(speech, answers, strict=False):
        if isinstance(heard, TranscriptionError):
            assert heard.reason == "no words heard", heard
            continue
        assert isinstance(heard, Transcript) and heard.text.strip()
        assert (heard.recogniser, heard.language) == (module.NAME, utterance.language)
        times = [time for word in heard.words for time in (word.start, word.end)]
        assert times == sorted(times)
        assert all(word.start < word.end for word in heard.words)
        assert not times or (times[0] >= 0 and times[-1] <= 6)
        known = [heard.confidence, *(word.confidence for word in heard.words)]
        assert all(value is None or 0 <= value <= 1 for value in known)


def test_the_order_of_recordings_changes_nothing(recogniser: Any, speech: list[Utterance]) -> None:
    module, config = recogniser
    one, two = speech[:2]
    there = dict(module.transcribe([one, two], config))
    back = dict(module.transcribe([two, one], config))
    assert {name: str(heard) for name, heard in there.items()} == {
        name: str(heard) for name, heard in back.items()
    }


def test_what_cannot_be_heard_has_a_reason(
    recogniser: Any, speech: list[Utterance], tmp_path: Path
) -> None:
    module, config = recogniser
    silent = recordings.write_silent(tmp_path / "silent.wav")
    corrupt = recordings.write_corrupt(tmp_path / "corrupt.wav")
    bad = [
        replace(speech[0], utterance_id=path.stem, audio_path=str(path), transcript=None)
        for path in (silent, corrupt, tmp_path / "missing.wav")
    ]
    answers = list(module.transcribe([*bad, speech[0]], config))
    expected = ["audio silent", "audio unreadable", "audio not found"]
    if module.NAME == "given":
        expected = ["no transcript given"] * 3
    reasons = [heard.reason for _, heard in answers if isinstance(heard, TranscriptionError)]
    assert reasons[:3] == expected
    assert answers[3][0] == speech[0].utterance_id


def test_versions_are_told(recogniser: Any) -> None:
    module, config = recogniser
    told = module.provenance(config)
    assert all(isinstance(value, str) and value for value in told.values())
    assert bool(told) == (module.NAME != "given")
