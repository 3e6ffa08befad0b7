"""Framing, windows and deltas."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipeline.lookup import seconds

# Of a frame and between two: 2 s are ten times what any of the papers takes.
Seconds = Annotated[float, Field(gt=0), seconds(2)]
Window = Literal["hamming", "hann", "povey", "rectangular"]

# Blocks of frames of about this many samples keep a float64 spectrum and its
# temporaries inside a 1 MiB cache.
BLOCK_SAMPLES = 1 << 15


def samples(seconds: float, sampling_rate: int) -> int:
    """A duration as a whole number of samples, at least one: 0.025 s at 44100 Hz are
    1102 samples.

    Kaldi and pyAudioAnalysis cut the fraction off; the small addition undoes what a
    binary fraction (0.029) loses.
    """
    return max(int(seconds * sampling_rate + 1e-6), 1)


def require_samples(frame_length: float, frame_shift: float, sampling_rate: int) -> None:
    """Raises ValueError for frames of less than four samples or closer than one."""
    if frame_length * sampling_rate < 4 or frame_shift * sampling_rate < 1:
        raise ValueError(
            f"frames of {frame_length:g} s every {frame_shift:g} s at {sampling_rate} Hz, expected "
            "at least four samples in a frame and one between two"
        )


def num_frames(num_samples: int, length: int, shift: int) -> int:
    """How many whole frames of `length` samples, `shift` apart, lie inside
    `num_samples` samples.
    """
    return 0 if num_samples < length else 1 + (num_samples - length) // shift


def frames(signal: NDArray[Any], length: int, shift: int) -> NDArray[Any]:
    """A read-only view (num_frames, length) of a contiguous signal (num_samples,):
    overlapping frames without a copy.

    The samples after the last whole frame are left out. Raises ValueError when there is
    not one whole frame.
    """
    if signal.ndim != 1 or length < 1 or shift < 1 or len(signal) < length:
        raise ValueError(
            f"signal of shape {signal.shape}, frames of {length} samples every {shift}: "
            f"expected one dimension, at least {max(length, 1)} samples and a shift of at least 1"
        )
    signal = np.ascontiguousarray(signal)
    step = signal.itemsize
    # A tenth of the calling time of sliding_window_view, which counts where frames are
    # taken block by block.
    view: NDArray[Any] = np.ndarray(
        (num_frames(len(signal), length, shift), length),
        signal.dtype,
        signal.data,
        0,
        (shift * step, step),
    )
    view.flags.writeable = False
    return view


def blocks(count: int, width: int, most: int = BLOCK_SAMPLES) -> Iterator[slice]:
    """Consecutive slices over `count` frames of `width` samples, each of at most `most`
    samples or of one frame.
    """
    step = max(most // width, 1)
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))


def window(name: Window, length: int, periodic: bool = False) -> NDArray[np.float64]:
    """An analysis window of `length` samples, (length,).

    Symmetric windows (Kaldi) end as they begin; periodic ones (librosa) are a symmetric
    window of length + 1 without its last sample. `povey` is Kaldi's: a Hann window to
    the power 0.85.
    """
    if name == "rectangular" or length == 1:
        return np.ones(length)
    # scipy.signal.get_window differs in the last bits, and with it a feature's bytes.
    phase = 2 * np.pi * np.arange(length) / (length if periodic else length - 1)
    if name == "hamming":
        return np.asarray(0.54 - 0.46 * np.cos(phase))
    hann = 0.5 - 0.5 * np.cos(phase)
    # The cosine of 2 pi may fall short of one by a rounding error, and a negative base
    # has no power of 0.85.
    return np.asarray(np.maximum(hann, 0) ** 0.85 if name == "povey" else hann)


def deltas(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """The slope of each column over frames t - 2 .. t + 2, (num_frames, feature_dim) ->
    the same shape.

    sum_k k (x[t+k] - x[t-k]) / (2 sum_k k^2), the first and last frame repeated at the
    edges: the regression formula of HTK (The HTK Book 3.4, eq. 5.16), which Kaldi's
    add-deltas computes as well.
    """
    from scipy.ndimage import correlate1d

    # savgol_filter(features, 5, 1, deriv=1) computes the same, but its rounded weights
    # give a constant column a slope of 1e-16 instead of 0. Adding 0.0 makes zeros
    # positive.
    slope = correlate1d(features, [-2, -1, 0, 1, 2], axis=0, mode="nearest") / 10 + 0.0
    return np.asarray(slope)


def with_deltas(features: NDArray[np.float64], orders: int) -> NDArray[np.float64]:
    """Appends `orders` successive deltas, (num_frames, feature_dim) -> (num_frames,
    (1 + orders) * feature_dim).
    """
    parts = [features]
    for _ in range(orders):
        parts.append(deltas(parts[-1]))
    return np.concatenate(parts, axis=1)


def names_with_deltas(names: list[str], orders: int) -> list[str]:
    """The names, then `delta NAME` of each, then `delta delta NAME`, up to `orders`."""
    return ["delta " * order + name for order in range(orders + 1) for name in names]
