from pathlib import Path

from pipeline.schema import Transcript, TranscriptionError, Utterance
from pipeline.transcription import given


def answer(utterance: Utterance, suffix: str | None = ".txt") -> Transcript | TranscriptionError:
    ((_, heard),) = given.transcribe([utterance], given.Config(suffix=suffix))
    return heard


def test_the_corpus_comes_before_the_text_beside_the_recording(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\ufeffbeside  the\nrecording\n", encoding="utf-8")
    beside = Utterance("a", "", "", audio_path=str(tmp_path / "a.wav"), language="de")
    assert answer(beside) == Transcript("beside the recording", "given", "de")
    stated = Utterance("a", "", "", audio_path=str(tmp_path / "a.wav"), transcript="of the corpus")
    assert answer(stated) == Transcript("of the corpus", "given", "en")


def test_what_is_not_there_is_not_invented(tmp_path: Path) -> None:
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfe\xff")
    (tmp_path / "empty.txt").write_text(" \n")
    missing = Utterance("a", "", "", audio_path=str(tmp_path / "a.wav"))
    part = Utterance("a", "", "", audio_path=str(tmp_path / "empty.wav"), start=1.0, end=2.0)
    bad = Utterance("a", "", "", audio_path=str(tmp_path / "bad.wav"))
    empty = Utterance("a", "", "", audio_path=str(tmp_path / "empty.wav"))
    reasons = [str(getattr(answer(item), "reason", "")) for item in (missing, part, bad, empty)]
    assert reasons == ["no transcript given"] * 2 + ["transcript unreadable", "no words heard"]
    assert isinstance(answer(missing, None), TranscriptionError)
