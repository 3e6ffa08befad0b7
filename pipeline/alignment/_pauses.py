"""Long recordings cut at their pauses, in memory that does not grow with their length
but by four bytes for every 10 ms.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipeline import audio
from pipeline.alignment._voice import RUN, STEP, WINDOW
from pipeline.audio import AudioError
from pipeline.lookup import checked

READ = 60.0  # s that are in memory at a time
AROUND = 30.0  # s, over which loud and quiet are judged
BELOW_LOUDEST = 35.0  # dB under a recording's loud parts nothing is speech
STEADY = 12.0  # dB between quiet and loud: less is noise, where there is louder speech
SILENT = -80.0  # dB of full scale


@checked
class Config:
    """longest: seconds of a part; a recording that is no longer stays whole. pause:
    seconds without voice that always divide. margin: seconds kept before and after the
    voice. shortest: seconds of voice below which a sound is taken for a noise.
    """

    longest: float = Field(default=15.0, ge=2.0, le=300.0)
    pause: float = Field(default=0.6, gt=0, le=10.0)
    margin: float = Field(default=0.15, ge=0, le=1.0)
    shortest: float = Field(default=0.2, ge=0)


def parts(path: str, config: Config) -> list[tuple[float, float] | None]:
    """The start and end in seconds of each stretch of speech in a recording, None for
    the whole of one that is short enough.

    Raises AudioError where the recording cannot be used.
    """
    duration = audio.duration(path)
    if duration <= config.longest:
        return [None]
    level = np.concatenate(list(_levels(path, duration)))
    found: list[tuple[int, int]] = []
    for first, last in _joined(_active(level), round(config.pause / STEP)):
        if last - first >= config.shortest / STEP:
            found += _divided(
                level, first, last, round((config.longest - 2 * config.margin) / STEP)
            )
    if not found:
        raise AudioError("no voice", f"{path}: nothing in it is louder than its noise")
    times = [[index * STEP + WINDOW / 2 for index in pair] for pair in found]
    edges = [0.0, *((a[1] + b[0]) / 2 for a, b in pairwise(times)), duration]
    return [
        (
            round(max(start - config.margin, edges[number], 0.0), 3),
            round(min(end + config.margin, edges[number + 1], duration), 3),
        )
        for number, (start, end) in enumerate(times)
    ]


def _levels(path: str, duration: float) -> Iterator[NDArray[np.float32]]:
    """Levels in dB, one every STEP, as `_voice.find` has them."""
    for start in np.arange(0.0, duration, READ):
        end = min(start + READ, duration)
        steps = max(1, round((end - start) / STEP))
        try:
            waveform, rate = audio.read(path, float(start), float(end))
        except AudioError as error:
            if error.reason != "audio silent":
                raise
            yield np.full(steps, -120.0, np.float32)
            continue
        total = np.concatenate([[0.0], np.cumsum(waveform.astype(np.float64) ** 2)])
        first = np.minimum(np.round(np.arange(steps) * STEP * rate).astype(int), len(waveform))
        last = np.minimum(first + round(WINDOW * rate), len(waveform))
        energy = (total[last] - total[first]) / np.maximum(last - first, 1)
        yield (10 * np.log10(np.maximum(energy, 1e-12))).astype(np.float32)


def _active(level: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where there is voice: above what is quiet around it, and not far below what is
    loud there and in the whole recording.
    """
    size = round(AROUND / STEP)
    starts = range(0, len(level), size)
    loudest = max(float(np.percentile(level[first : first + size], 97)) for first in starts)
    active = np.zeros(len(level), bool)
    for first in starts:
        around = level[max(0, first - size) : first + 2 * size]
        loud, floor = (float(np.percentile(around, share)) for share in (97, 5))
        threshold = max(loud - 30, min(floor + 10, loud - STEADY), loudest - BELOW_LOUDEST, SILENT)
        if loud - floor < STEADY and loud < loudest - STEADY:
            continue
        active[first : first + size] = level[first : first + size] > threshold
    return active


def _joined(active: NDArray[np.bool_], pause: int) -> Iterator[tuple[int, int]]:
    """First and past-the-end step of each stretch that no `pause` steps divide; a click
    is no stretch.
    """
    steps = np.flatnonzero(np.diff(np.concatenate([[False], active, [False]]).astype(np.int8)))
    runs = [(int(a), int(b)) for a, b in steps.reshape(-1, 2) if b - a >= RUN]
    current: tuple[int, int] | None = None
    for first, last in runs:
        if current is not None and first - current[1] < pause:
            current = current[0], last
            continue
        if current is not None:
            yield current
        current = first, last
    if current is not None:
        yield current


def _divided(
    level: NDArray[np.float32], first: int, last: int, longest: int
) -> list[tuple[int, int]]:
    """A stretch cut where it is quietest, in its middle half, until no part is longer
    than `longest` steps.
    """
    if last - first <= longest:
        return [(first, last)]
    width = round(0.1 / STEP)
    low, high = first + (last - first) // 4, last - (last - first) // 4
    quiet = np.convolve(level[low:high], np.ones(width) / width, "valid")
    cut = low + int(np.argmin(quiet)) + width // 2
    return [*_divided(level, first, cut, longest), *_divided(level, cut, last, longest)]
