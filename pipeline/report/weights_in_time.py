"""Weights over frames as numbers that stand beside words: sums, curves, spans."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.schema import FrameTiming, WordSpan
from pipeline.training.segments import segment_bounds

STEP = 0.01  # s: the finest that weights over frames are told in
HELD = 0.5  # of a word's attention lies in the span that is told


def on_words(
    values: NDArray[Any], spans: Sequence[WordSpan | None], timing: FrameTiming
) -> list[float]:
    """The sum of a frame weight over each word's frames; [] without word times."""
    placed = [span for span in spans if span is not None]
    if len(placed) < len(spans):
        return []
    starts, ends = [span.start for span in placed], [span.end for span in placed]
    bounds = segment_bounds(starts, ends, timing, len(values))
    return [round(float(values[first:past].sum()), 6) for first, past in bounds]


def curve(values: NDArray[Any], timing: FrameTiming) -> dict[str, Any]:
    """Frame weights over time; samples and very short frames are summed to STEP."""
    shift = timing.frame_shift
    together = max(1, round(STEP / shift)) if shift else 1
    sums = np.add.reduceat(values, np.arange(0, len(values), together))
    return {
        "first_center": round(timing.first_center + (together - 1) / 2 * shift, 6),
        "shift": round(together * shift, 6),
        "values": [round(float(value), 6) for value in sums],
    }


def attended(row: NDArray[Any], timing: FrameTiming) -> dict[str, float] | None:
    """The shortest stretch of time that holds half of a word's weights over frames;
    None for a word without any.
    """
    total = float(row.sum())
    if total <= 0:
        return None
    sums = np.concatenate([[0.0], np.cumsum(row / total)])
    # The first end for each start from which at least HELD lies between.
    ends = np.searchsorted(sums, sums[:-1] + HELD - 1e-9)
    first = int(np.argmin(np.where(ends < len(sums), ends - np.arange(len(row)), len(sums))))
    past = int(ends[first])

    def edge(frame: int) -> float:
        return max(0.0, timing.first_center + (frame - 0.5) * timing.frame_shift)

    return {
        "start": round(edge(first), 4),
        "end": round(edge(past), 4),
        "held": round(float(sums[past] - sums[first]), 6),
    }
