"""Synthetic speech with known word times, by the library espeak-ng.

The package `espeakng-loader` contains the library and its voices.
"""

import _ctypes
import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import audio

# Numbers below come from espeak-ng's public header, speak_lib.h (1.52).
_SYNCHRONOUS, _PHONEME_EVENTS, _DO_NOT_EXIT = 2, 0x0001, 0x8000
_RATE, _VOLUME, _PITCH, _RANGE = 1, 2, 3, 4
_UTF8 = 1
_LIST_TERMINATED, _WORD, _PHONEME = 0, 1, 7
# How many characters the library may place a word beside where it is: in a text that
# begins with a word of one letter its positions are off by one or two.
_TEXT_SLACK = 2


class SynthesisError(Exception):
    """Why a text could not be spoken with known word times."""


@dataclass(frozen=True)
class Manner:
    """How something is said.

    `pitch` and `pitch_range` are on espeak-ng's scales from 0 to 100, where 50 is
    ordinary. `level` is the root mean square of the speech in dB of full scale; without
    it the library's voices would differ in loudness.
    """

    voice: str
    pitch: float = 50.0
    pitch_range: float = 50.0
    words_per_minute: float = 170.0
    level: float = -24.0


@dataclass(frozen=True)
class Speech:
    """A spoken text: waveform (num_samples,) float32 at `sampling_rate` Hz.

    `times` has each word's start and end in seconds.
    """

    waveform: NDArray[np.float32]
    sampling_rate: int
    times: tuple[tuple[float, float], ...]


class _Id(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


def speak(
    text: str,
    units: Sequence[tuple[int, int]],
    manner: Manner,
    *,
    sampling_rate: int,
    padding: tuple[float, float] = (0.15, 0.15),
    noise: float = -66.0,
    seed: int = 0,
) -> Speech:
    """Speaks `text`; the same arguments always give the same samples.

    `units` are the words whose times are wanted, in order, as (first, last + 1)
    character. `padding` is the silence before and after in seconds, `noise` the level
    of the noise floor in dB of full scale (RMS). Raises SynthesisError for an unknown
    voice, and where the library speaks two words as one, so that a time is missing.
    """
    samples, rate, events = _render(text, manner, seed)
    waveform = audio.resample(samples.astype(np.float32) / 32768.0, rate, sampling_rate)
    generator = np.random.default_rng(seed)
    before, after = (round(seconds * sampling_rate) for seconds in padding)
    scale = 10 ** (manner.level / 20) / np.sqrt(np.mean(np.square(waveform), dtype=np.float64))
    waveform = np.pad(waveform * np.float32(scale), (before, after))
    floor = generator.standard_normal(len(waveform)).astype(np.float32) * np.float32(
        10 ** (noise / 20)
    )
    spoken = [
        (before / sampling_rate + start, before / sampling_rate + end)
        for start, end in _times(text, units, events)
    ]
    return Speech(np.clip(waveform + floor, -1.0, 1.0), sampling_rate, tuple(spoken))


@dataclass(frozen=True)
class _Mark:
    type: int
    text_position: int
    seconds: float
    phoneme: str


def _render(text: str, manner: Manner, seed: int) -> tuple[NDArray[np.int16], int, list[_Mark]]:
    pieces: list[bytes] = []
    marks: list[_Mark] = []
    with _library() as (library, rate, data):

        def receive(samples: Any, count: int, events: Any) -> int:
            if samples and count > 0:
                pieces.append(ctypes.string_at(samples, 2 * count))
            index = 0
            while events[index].type != _LIST_TERMINATED:
                event = events[index]
                phoneme = (
                    event.id.string.decode("utf-8", "replace") if event.type == _PHONEME else ""
                )
                marks.append(_Mark(event.type, event.text_position, event.sample / rate, phoneme))
                index += 1
            return 0

        callback = _Callback(receive)
        library.espeak_SetSynthCallback(callback)
        variant = manner.voice.partition("+")[2]
        # The library itself uses its plain voice for an unknown variant.
        if variant and not (data / "voices" / "!v" / variant).is_file():
            raise SynthesisError(
                f"espeak-ng has no variant {variant!r}, expected a file of voices/!v such as 'f3'"
            )
        library.espeak_ng_SetRandSeed(ctypes.c_long(seed))
        if library.espeak_SetVoiceByName(manner.voice.encode()) != 0:
            raise SynthesisError(
                f"espeak-ng has no voice {manner.voice!r}, expected one such as 'en-us+f3' or 'cmn'"
            )
        settings = (
            (_RATE, manner.words_per_minute),
            (_VOLUME, 100.0),
            (_PITCH, manner.pitch),
            (_RANGE, manner.pitch_range),
        )
        for parameter, value in settings:
            library.espeak_SetParameter(parameter, round(value), 0)
        encoded = text.encode()
        status = library.espeak_Synth(
            encoded, ctypes.c_size_t(len(encoded) + 1), 0, 1, 0, _UTF8, None, None
        )
        if status != 0:
            raise SynthesisError(f"espeak-ng failed with status {status} on {text!r}")
        library.espeak_Synchronize()
    return np.frombuffer(b"".join(pieces), dtype=np.int16), rate, marks


@contextmanager
def _library() -> Iterator[tuple[ctypes.CDLL, int, Path]]:
    """The library, its sampling rate in Hz and its data folder.

    As long as it is loaded the library keeps the state of its noise and pitch flutter,
    and no call resets it. It is loaded for every utterance, which takes 5 ms, so that
    an utterance does not depend on those before it.
    """
    try:
        import espeakng_loader
    except ImportError as error:
        raise SynthesisError("espeakng-loader is missing: pip install espeakng-loader") from error
    library = ctypes.CDLL(str(espeakng_loader.get_library_path()))
    try:
        data = Path(espeakng_loader.get_data_path())
        rate = int(
            library.espeak_Initialize(
                _SYNCHRONOUS, 0, str(data).encode(), _PHONEME_EVENTS | _DO_NOT_EXIT
            )
        )
        if rate <= 0:
            raise SynthesisError(
                f"espeak-ng could not start with its data in {data}: install espeakng-loader again"
            )
        try:
            yield library, rate, data
        finally:
            library.espeak_Terminate()
    finally:
        _ctypes.dlclose(library._handle)


def _times(
    text: str, units: Sequence[tuple[int, int]], marks: Sequence[_Mark]
) -> list[tuple[float, float]]:
    """Start and end of each unit in seconds.

    A unit lasts from its event to the next unit's, or to a pause before that.
    """
    chosen = _events_of(text, units, marks)
    times = []
    for index, following in zip(chosen, [*chosen[1:], len(marks) - 1], strict=True):
        end = marks[following].seconds
        # '_:' and '_' are pauses; '_|' only closes a syllable.
        pauses = [
            mark.seconds for mark in marks[index + 1 : following] if mark.phoneme in ("_", "_:")
        ]
        times.append((marks[index].seconds, min([*pauses, end])))
    return times


def _events_of(text: str, units: Sequence[tuple[int, int]], marks: Sequence[_Mark]) -> list[int]:
    """Index of the word event at which each unit begins.

    Further events may lie inside a unit: Mandarin has one for each syllable.
    """
    words = [index for index, mark in enumerate(marks) if mark.type == _WORD]
    by_position = {marks[index].text_position - 1: index for index in reversed(words)}
    if all(first in by_position for first, _ in units):
        return [by_position[first] for first, _ in units]
    positions = [marks[index].text_position - 1 for index in words]
    spoken = [text[first:last] for first, last in units]
    if len(words) == len(units) and all(
        first - _TEXT_SLACK <= position < last + _TEXT_SLACK
        for position, (first, last) in zip(positions, units, strict=True)
    ):
        return words
    raise SynthesisError(
        f"{text!r}: word times at characters {positions}, expected one at the start of each of "
        f"{spoken}"
    )
