"""Word times that are there already: those that a recogniser told with its words, or a
file that came with the corpus: TextGrid, CTM, IEMOCAP's .wdseg, CSV or JSON.

The reader of the corpus names the file of each utterance (`alignment_path`).
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pipeline.alignment import _one_by_one as one_by_one
from pipeline.alignment import _reconciliation as reconciliation
from pipeline.alignment import _voice as voice
from pipeline.alignment import _word_times as word_times
from pipeline.lookup import checked
from pipeline.schema import AlignmentError, TimedWord, Utterance, WordSpan

NAME = "given"


@checked
class Config:
    """times_from: whether the times in the file count from the start of the utterance,
    or from that of the recording it lies in.
    """

    times_from: Literal["utterance", "recording"] = "utterance"


@one_by_one.aligner
def align(utterance: Utterance, config: Config) -> list[WordSpan]:
    """The recogniser's times, or those in the file that `alignment_path` names, for the
    utterance's words.
    """
    if utterance.word_times:
        heard, duration = utterance.word_times, voice.duration(utterance)
        return reconciliation.spans(utterance, heard, duration, utterance.words_from or NAME)
    if utterance.alignment_path is None:
        raise AlignmentError(
            "no word times", "the corpus gives no alignment_path for this utterance"
        )
    duration = voice.duration(utterance)
    path = Path(utterance.alignment_path)
    try:
        if not path.is_file():
            raise AlignmentError(
                "word times not found", f"{path}, expected a TextGrid, CTM, wdseg, CSV or JSON file"
            )
        timed = _read(path, utterance)
    except (ValueError, OSError) as error:
        raise AlignmentError("word times unreadable", str(error)) from error
    if config.times_from == "recording":
        timed = _cut(timed, utterance.start or 0.0, duration)
    return reconciliation.spans(utterance, timed, duration, NAME)


def _read(path: Path, utterance: Utterance) -> list[TimedWord]:
    match path.suffix.lower():
        case ".textgrid":
            return word_times.read_textgrid(path, utterance.speaker)
        case ".wdseg":
            return word_times.read_wdseg(path)
        case ".json":
            return word_times.read_json(path, utterance.speaker)
        case ".ctm" | ".csv":
            return _of(_table(path, path.stat().st_mtime_ns, path.stat().st_size), utterance, path)
    raise AlignmentError(
        "word times unreadable", f"{path.name}, expected .TextGrid, .ctm, .wdseg, .csv or .json"
    )


@lru_cache(maxsize=4)
def _table(path: Path, modified: int, size: int) -> dict[str, list[TimedWord]]:
    """The words of all utterances in one file; a changed file is read again."""
    return word_times.read_ctm(path) if path.suffix.lower() == ".ctm" else word_times.read_csv(path)


def _of(words: dict[str, list[TimedWord]], utterance: Utterance, path: Path) -> list[TimedWord]:
    for name in (utterance.utterance_id, Path(utterance.audio_path or "").stem):
        if name in words:
            return words[name]
    raise AlignmentError("no word times", f"{path} has no rows for {utterance.utterance_id!r}")


def _cut(timed: Sequence[TimedWord], start: float, duration: float) -> list[TimedWord]:
    inside = [item for item in timed if start <= (item.start + item.end) / 2 < start + duration]
    return [item._replace(start=item.start - start, end=item.end - start) for item in inside]
