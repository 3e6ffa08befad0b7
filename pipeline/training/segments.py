"""Which frames lie under which word: owns the rule that turns seconds into frames.

A frame belongs to the word that covers the frame's centre (start <= centre < end). A
word so short that it covers no centre gets the frame whose centre is nearest to the
word's middle, so that it is heard at all; neighbours may then share that frame. Frames
that do not exist cannot be used: bounds are clipped to [0, num_frames], and a word that
lies wholly past the window of the last frame (cut off by a frame limit) has the empty
segment (num_frames, num_frames).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.schema import FrameTiming

# Word times lie on a decimal grid that binary floats miss by rounding; a millionth of a
# frame decides no real case.
TOLERANCE_FRAMES = 1e-6


def segment_bounds(
    starts: ArrayLike, ends: ArrayLike, timing: FrameTiming, num_frames: int
) -> NDArray[np.int64]:
    """First frame and one past the last of each word: int64 (num_words, 2), from
    `starts` and `ends` in seconds.

    Ordered words give ordered bounds. With a frame_shift of 0 every word gets the one
    row that describes the whole utterance. Raises ValueError for unequal shapes, times
    that are not finite, and words that end before they start.
    """
    start = np.asarray(starts, dtype=np.float64)
    end = np.asarray(ends, dtype=np.float64)
    if start.ndim != 1 or start.shape != end.shape:
        raise ValueError(
            f"word starts {start.shape} and ends {end.shape}, "
            "expected two arrays (num_words,) of the same length"
        )
    if not (np.isfinite(start).all() and np.isfinite(end).all() and (start <= end).all()):
        raise ValueError(
            "a word time is not finite or a word ends before it starts, expected start <= end"
        )
    if num_frames < 0 or timing.frame_shift < 0:
        raise ValueError(
            f"{num_frames} frames every {timing.frame_shift} s, expected neither to be negative"
        )
    if timing.frame_shift == 0:
        return np.tile(np.array([0, min(num_frames, 1)], dtype=np.int64), (len(start), 1))

    def position(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        return (seconds - timing.first_center) / timing.frame_shift

    first = np.ceil(position(start) - TOLERANCE_FRAMES)
    past = np.ceil(position(end) - TOLERANCE_FRAMES)
    nearest = np.ceil(position((start + end) / 2) - 0.5 - TOLERANCE_FRAMES)
    # Only a frame that exists can cover a centre: before the first and after the last
    # the nearest one counts.
    covers_none = (np.maximum(first, 0) >= np.minimum(past, num_frames)) | (first >= past)
    nearest = np.clip(nearest, 0, max(num_frames - 1, 0))
    first = np.clip(np.where(covers_none, nearest, first), 0, num_frames)
    past = np.clip(np.where(covers_none, nearest + 1, past), 0, num_frames)
    window_end = (
        timing.first_center + (num_frames - 1) * timing.frame_shift + timing.frame_length / 2
    )
    cut_off = covers_none & (start >= window_end - TOLERANCE_FRAMES * timing.frame_shift)
    first[cut_off] = past[cut_off] = num_frames
    return np.stack([first, past], axis=1).astype(np.int64)
