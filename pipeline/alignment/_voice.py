"""Where the voice lies in a recording, by its energy; heard once for all who ask."""

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline import audio
from pipeline.schema import Utterance

SAMPLING_RATE = 16000  # Hz, at which a voice is looked for
WINDOW = 0.02  # s, of one level
STEP = 0.01  # s, between levels
RUN = 3  # levels in a row that make a voice: a click is shorter


class Voice(NamedTuple):
    """Where a clip of `duration` seconds is loud: from `start` to `end` in seconds;
    `active` bool (num_levels,), one every STEP from 0.
    """

    start: float
    end: float
    active: NDArray[np.bool_]
    duration: float


def of(utterance: Utterance) -> Voice:
    """The voice of an utterance; several aligners and the check hear it once.

    Raises AudioError where the recording cannot be used.
    """
    return _heard(_clip(utterance, SAMPLING_RATE))


def duration(utterance: Utterance) -> float:
    """The seconds that the prepare stage measured, of the recording itself where it did
    not.
    """
    return of(utterance).duration if utterance.duration is None else utterance.duration


def load(utterance: Utterance, sampling_rate: int = SAMPLING_RATE) -> NDArray[np.float32]:
    """The waveform (num_samples,), read-only; the last one is kept, so that an aligner
    and the check after it decode a recording once.

    Raises AudioError where the recording cannot be used.
    """
    return _decoded(_clip(utterance, sampling_rate))


def find(
    waveform: NDArray[np.float32],
    sampling_rate: int,
    below_peak: float = 30.0,
    above_floor: float = 10.0,
) -> Voice:
    """Where (num_samples,) is both within `below_peak` dB of its loud parts and
    `above_floor` dB over its noise.

    On synthetic speech with known word times the start and end are true to a median of
    5 ms.
    """
    window, step = round(WINDOW * sampling_rate), round(STEP * sampling_rate)
    total = np.concatenate([[0.0], np.cumsum(waveform.astype(np.float64) ** 2)])
    first = np.arange(0, max(len(waveform) - window, 0) + 1, step)
    energy = total[np.minimum(first + window, len(waveform))] - total[first]
    level = 10 * np.log10(np.maximum(energy / window, 1e-12))
    loud, floor = np.percentile(level, 97), np.percentile(level, 5)
    # In steady noise the floor rises to meet the speech: the threshold still stays
    # under the loud parts.
    active = level > max(loud - below_peak, min(floor + above_floor, loud - 12))
    runs = (
        np.flatnonzero(np.convolve(active, np.ones(RUN), "valid") == RUN)
        if len(active) >= RUN
        else np.array([])
    )
    seconds = len(waveform) / sampling_rate
    if len(runs) == 0:
        return Voice(0.0, seconds, active, seconds)
    # The middle of the first loud window is nearest to where the voice sets in; a clip
    # cut inside the voice starts with it.
    past = runs[-1] + RUN
    start = 0.0 if runs[0] == 0 else runs[0] * STEP + WINDOW / 2
    end = seconds if past == len(active) else (past - 1) * STEP + WINDOW / 2
    return Voice(float(start), float(end), active, seconds)


class _Clip(NamedTuple):
    """A part of a file at a sampling rate; a changed file is another clip."""

    path: str | None
    start: float | None
    end: float | None
    sampling_rate: int
    changed_ns: int
    size: int


def _clip(utterance: Utterance, sampling_rate: int) -> _Clip:
    path = Path(utterance.audio_path or "")
    changed_ns, size = 0, 0
    if path.is_file():
        changed_ns, size = path.stat().st_mtime_ns, path.stat().st_size
    bounds = utterance.start, utterance.end
    return _Clip(utterance.audio_path, *bounds, sampling_rate, changed_ns, size)


@lru_cache(maxsize=1)
def _decoded(clip: _Clip) -> NDArray[np.float32]:
    part = Utterance("", "", "", audio_path=clip.path, start=clip.start, end=clip.end)
    waveform = audio.load(part, clip.sampling_rate)
    waveform.flags.writeable = False
    return waveform


# A voice of ten seconds takes about a kilobyte: those of a corpus fit into memory, its
# waveforms do not.
@lru_cache(maxsize=1 << 15)
def _heard(clip: _Clip) -> Voice:
    return find(_decoded(clip), clip.sampling_rate)
