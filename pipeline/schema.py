"""What flows between the stages: utterances, word spans, rejections."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

# The parts of a fold.
SUBSETS = ("train", "valid", "test")
# Of an utterance's fingerprint: seconds from code to code, and the bit of a loud one.
FINGERPRINT_SHIFT, FINGERPRINT_LOUD = 0.02, 0x8000


class TimedWord(NamedTuple):
    """A word as a recogniser or an alignment file has it; times in seconds."""

    word: str
    start: float
    end: float
    confidence: float | None = None


@dataclass(frozen=True)
class Transcript:
    """What a recogniser wrote down of an utterance; `words` is empty where it tells no
    times, `confidence` None where it tells none.
    """

    text: str
    recogniser: str
    language: str
    words: tuple[TimedWord, ...] = ()
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Utterance:
    """One labelled stretch of speech and its words; times in seconds.

    A corpus reader fills what the corpus states; `sex` is the speaker's, in the field
    female or male. `prepare` adds `words`,
    `audio_sha256`, `duration`, `duplicate_of` and `fingerprint`. `start` and `end`
    bound the utterance inside `audio_path`; None means the whole file. `alignment_path`
    is a file of word times that came with the corpus. `words_from` names who wrote the
    transcript down: a recogniser, which may have told `word_times` too, or None for the
    corpus.

    `fingerprint` is how it sounds: a little-endian uint16 each `FINGERPRINT_SHIFT`, 0
    where it is not loud, else `FINGERPRINT_LOUD` and 15 bits, one for each step from a
    frequency band to the next. Only the stage split reads it from utterances.parquet:
    `tables.read_utterances` leaves it out.
    """

    utterance_id: str
    corpus: str
    emotion: str
    audio_path: str | None = None
    start: float | None = None
    end: float | None = None
    transcript: str | None = None
    words: tuple[str, ...] = ()
    language: str = "en"
    speaker: str | None = None
    sex: str | None = None
    session: str | None = None
    dialogue: str | None = None
    style: str | None = None
    subset: str | None = None
    alignment_path: str | None = None
    ratings: Mapping[str, float] = field(default_factory=dict)
    votes: tuple[str, ...] = ()
    audio_sha256: str | None = None
    duration: float | None = None
    duplicate_of: str | None = None
    words_from: str | None = None
    word_times: tuple[TimedWord, ...] = ()
    fingerprint: bytes | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class WordSpan:
    """Where one word of an utterance was placed; `start` and `end` in seconds from the
    utterance's start.
    """

    utterance_id: str
    word_index: int
    word: str
    start: float
    end: float
    confidence: float | None
    aligner: str


@dataclass(frozen=True)
class FrameTiming:
    """Where frames lie, in seconds: frame i is centred at first_center + i *
    frame_shift.

    A frame_shift of 0 says that one row describes the whole utterance.
    """

    frame_length: float
    frame_shift: float
    first_center: float


@dataclass(frozen=True)
class Rejection:
    """An utterance that a stage could not use, and why."""

    utterance_id: str
    stage: str
    reason: str
    detail: str = ""


class AlignmentError(Exception):
    """Why an utterance could not be aligned; `reason` is a short fixed phrase, `detail`
    the particulars.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type["AlignmentError"], tuple[str, str]]:
        return AlignmentError, (self.reason, self.detail)


class TranscriptionError(Exception):
    """Why an utterance has no transcript; `reason` is a short fixed phrase, `detail`
    the particulars.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type["TranscriptionError"], tuple[str, str]]:
        return TranscriptionError, (self.reason, self.detail)
