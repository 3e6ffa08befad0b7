"""The pieces of a long prediction, as worker processes do them."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline import alignment, audio, corpora, transcription
from pipeline.alignment import Pauses
from pipeline.audio import AudioError
from pipeline.commands import _sources as sources
from pipeline.commands import trained
from pipeline.commands.trained import Model, NoWordsError, Prediction
from pipeline.schema import AlignmentError, Transcript, TranscriptionError, Utterance
from pipeline.tokens import LanguageError

COLUMNS = (
    "recording", "utterance_id", "start", "end", "emotion", "confidence", "transcript",
    "words_from", "language", "aligner", "unknown_words", "reason", "detail",
)  # fmt: skip
Row = dict[str, Any]


@dataclass(frozen=True)
class Work:
    """How every piece is done: by which model on which device, who writes words down,
    and where the sound of video clips lies.
    """

    model: Path
    device: str
    chain: Mapping[str, Any] | None
    cache: Path


@dataclass(frozen=True)
class Unit:
    """An utterance under its key in the journal; `sound` is the file to play."""

    key: str
    utterance: Utterance
    sound: str


def listen(
    items: Sequence[tuple[str, Utterance]], pauses: Pauses, cache: Path
) -> list[tuple[str, dict[str, Any], float]]:
    """Where each recording is cut or why it cannot be used, and the seconds it took."""
    done = []
    for key, item in items:
        begun = time.process_time()
        try:
            sound = playable(item.audio_path or "", cache)
            length = audio.duration(sound)
            # Stated words are those of the whole: it is not cut.
            whole = (item.start, item.end, item.transcript) != (None, None, None)
            parts = [None] if whole else alignment.parts(sound, pauses)
            if item.start is not None or item.end is not None:
                length = min(length, item.end or length) - (item.start or 0.0)
            value: dict[str, Any] = {"sound": sound, "parts": parts, "duration": length}
        except AudioError as error:
            value = {"reason": error.reason, "detail": error.detail}
        done.append((key, value, time.process_time() - begun))
    return done


def answer(units: Sequence[Unit], work: Work) -> tuple[list[tuple[str, Row]], dict[str, float]]:
    """The rows of some utterances by their keys, and the seconds of each step."""
    model = _loaded(work.model, work.device)
    seconds: dict[str, float] = {}
    # Ids of a user's tables may stand twice: here an utterance goes by its number.
    ready = {
        str(number): replace(unit.utterance, utterance_id=str(number), audio_path=unit.sound)
        for number, unit in enumerate(units)
    }
    heard: dict[str, Any] = {}
    unheard = [item for item in ready.values() if model.reads_words and item.transcript is None]
    if unheard:
        begun = time.process_time()
        heard = transcription.transcribe(unheard, work.chain or {})
        seconds["transcription"] = time.process_time() - begun
    rows = []
    for number, unit in enumerate(units):
        item, said = ready[str(number)], heard.get(str(number))
        if isinstance(said, Transcript):
            item = transcription.spoken(item, said)
        elif item.transcript is not None and model.reads_words:
            item = replace(item, words_from="given")
        result = said if isinstance(said, TranscriptionError) else _result(model, item)
        if isinstance(result, Prediction):
            for step, value in result.seconds.items():
                seconds[step] = seconds.get(step, 0.0) + value
        shown = replace(
            unit.utterance,
            transcript=item.transcript,
            words_from=item.words_from,
            language=item.language,
        )
        rows.append((unit.key, row_of(shown, result)))
    return rows, seconds


def _result(model: Model, item: Utterance) -> Prediction | Exception:
    try:
        return trained.answer(model, item)
    except (AudioError, AlignmentError) as error:
        return error
    except NoWordsError as error:
        return TranscriptionError("no words", str(error))
    except LanguageError as error:
        return TranscriptionError("unsupported language", str(error))


def row_of(item: Utterance, result: Any) -> Row:
    """A line of the output: an answer, or the reason and detail of an error or a
    rejection.
    """
    row: Row = dict.fromkeys(COLUMNS)
    row |= {"recording": item.audio_path, "utterance_id": item.utterance_id}
    row |= {"start": item.start, "end": item.end, "language": item.language}
    row |= {"transcript": item.transcript, "words_from": item.words_from}
    if not isinstance(result, Prediction):
        return row | {"reason": result.reason, "detail": result.detail}
    return row | {
        "emotion": result.emotion,
        "confidence": result.confidence,
        "aligner": result.aligner,
        "unknown_words": " ".join(result.unknown),
        "num_words": len(result.words),
        **{f"p_{name}": value for name, value in result.probabilities.items()},
    }


def playable(path: str, cache: Path) -> str:
    """The recording, or the sound of a video clip, decoded once."""
    if not sources.is_video(path):
        return path
    return str(corpora.sound_track(Path(path), cache))


@lru_cache(maxsize=1)
def _loaded(folder: Path, device: str) -> Model:
    return trained.load(folder, device)
