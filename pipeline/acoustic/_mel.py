"""Power spectra of framed utterances and mel filters: the one kernel under fbank, mfcc
and spectrogram.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.acoustic import _frames as frames

Convention = Literal["kaldi", "librosa"]
KALDI_FLOOR = float(np.finfo(np.float32).eps)  # kaldi: log(max(energy, epsilon of a float32))
LOWER = 60  # per cent of the mel filters, which lie below a third of the bins
LIBROSA_FLOOR = 1e-10  # librosa.power_to_db's amin


def fft_length(length: int) -> int:
    """The power of two at or above a frame's length, as Kaldi pads its frames: 400
    samples -> 512.
    """
    return int(1 << (length - 1).bit_length())


@lru_cache(maxsize=16)
def filters(
    convention: Convention,
    num_mel_bins: int,
    num_fft: int,
    sampling_rate: int,
    low: float,
    high: float,
) -> NDArray[np.float64]:
    """Triangular mel filters (num_fft // 2 + 1, num_mel_bins) over `low` to `high` Hz.

    `kaldi`: mel = 1127 ln(1 + f / 700), triangles straight in mel, peak 1
    (feat/mel-computations.cc). `librosa`: Slaney's scale (linear below 1 kHz,
    logarithmic above), triangles straight in Hz, each of area 1 Hz (librosa.filters.mel
    with its defaults). Raises ValueError when a filter would contain no FFT bin.
    """
    if not 0 <= low < high <= sampling_rate / 2:
        raise ValueError(
            f"mel filters over {low}-{high} Hz, expected 0 <= low < high <= {sampling_rate / 2} Hz"
        )
    bins: NDArray[np.float64] = np.arange(num_fft // 2 + 1, dtype=np.float64) * (
        sampling_rate / num_fft
    )
    if convention == "kaldi":
        position = _kaldi_mel(bins)
        edges = np.linspace(_kaldi_mel(np.array(low)), _kaldi_mel(np.array(high)), num_mel_bins + 2)
        area = np.ones(num_mel_bins)
    else:
        position = bins
        ends = _slaney_mel(np.array([low, high]))
        edges = _slaney_hertz(np.linspace(ends[0], ends[1], num_mel_bins + 2))
        area = 2 / (edges[2:] - edges[:-2])
    rise = (position[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - position[:, None]) / (edges[2:] - edges[1:-1])
    weights = np.maximum(0, np.minimum(rise, fall)) * area
    if convention == "kaldi":
        weights[-1] = 0  # Kaldi leaves the Nyquist bin out
    empty = np.flatnonzero(weights.max(axis=0) <= 0)
    if len(empty):
        raise ValueError(
            f"{len(empty)} of {num_mel_bins} mel filters contain none of the {num_fft // 2 + 1} "
            f"FFT bins at {sampling_rate} Hz, expected fewer filters or longer frames"
        )
    weights.flags.writeable = False
    return weights


def _kaldi_mel(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1127.0 * np.log1p(hertz / 700.0))


def _slaney_mel(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(
        hertz < 1000,
        hertz * 3 / 200,
        15 + 27 * np.log(np.maximum(hertz, 1000) / 1000) / np.log(6.4),
    )


def _slaney_hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(
        mel < 15, mel * 200 / 3, 1000 * np.exp(np.maximum(mel - 15, 0) * np.log(6.4) / 27)
    )


def centred(waveform: NDArray[Any], length: int, num_fft: int, shift: int) -> NDArray[Any]:
    """The waveform with zeros at both ends, so that its whole frames are librosa's
    centred 1 + num_samples // shift.

    Frame i lies around sample i * shift. It holds the samples under a window of
    `length` that librosa centres inside `num_fft` samples: the zeros that librosa puts
    around the window turn only the phase of the spectrum.
    """
    count = 1 + len(waveform) // shift
    before = num_fft // 2 - (num_fft - length) // 2
    padded = np.zeros((count - 1) * shift + length, dtype=waveform.dtype)
    inside = padded[before : before + len(waveform)]
    inside[...] = waveform[: len(inside)]
    return padded


def power_spectra(
    waveform: NDArray[np.floating[Any]],
    window: NDArray[np.float64],
    shift: int,
    num_fft: int,
    scale: float = 1.0,
    preemphasis: float = 0.0,
    remove_mean: bool = False,
) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """|DFT|^2 of the windowed frames of a waveform (num_samples,), block by block:
    frame numbers, (frames, bins).

    There are num_fft // 2 + 1 bins; the array is used again for the next block, so take
    what is needed of it before. The samples are multiplied by `scale`; `remove_mean`
    and `preemphasis` act inside each frame, in this order, as in Kaldi (its first
    sample is its own predecessor).
    """
    from scipy import fft

    length = len(window)
    num_frames = frames.num_frames(len(waveform), length, shift)
    padded = np.zeros((0, num_fft))
    for block in frames.blocks(num_frames, num_fft):
        count = block.stop - block.start
        if len(padded) < count:
            padded, powers, imaginary = (
                np.zeros((count, width)) for width in (num_fft, *[num_fft // 2 + 1] * 2)
            )
        signal = waveform[block.start * shift : (block.stop - 1) * shift + length].astype(
            np.float64
        )
        signal *= scale
        framed = frames.frames(signal, length, shift)
        _windowed(framed, signal, window, shift, preemphasis, remove_mean, padded[:count, :length])
        spectrum = fft.rfft(padded[:count], axis=1)
        power = np.square(spectrum.real, out=powers[:count])
        power += np.square(spectrum.imag, out=imaginary[:count])
        yield block, power


def mel_energies(
    waveform: NDArray[np.floating[Any]],
    window: NDArray[np.float64],
    shift: int,
    weights: NDArray[np.float64],
    scale: float = 1.0,
    preemphasis: float = 0.0,
    remove_mean: bool = False,
) -> NDArray[np.float64]:
    """Sums of every frame's powers under `weights` (num_fft // 2 + 1, num_mel_bins):
    (num_frames, num_mel_bins).
    """
    result = np.empty((frames.num_frames(len(waveform), len(window), shift), weights.shape[1]))
    num_fft = 2 * (len(weights) - 1)
    # The lower filters reach over few bins and the upper ones leave out many: two
    # products cost half of one.
    bands = []
    for columns in (
        slice(0, LOWER * len(weights[0]) // 100),
        slice(LOWER * len(weights[0]) // 100, None),
    ):
        heard = np.flatnonzero(weights[:, columns].any(axis=1))
        if len(heard):
            rows = slice(heard[0], heard[-1] + 1)
            bands.append((columns, rows, np.ascontiguousarray(weights[rows, columns])))
    for block, power in power_spectra(
        waveform, window, shift, num_fft, scale, preemphasis, remove_mean
    ):
        for columns, rows, part in bands:
            result[block, columns] = power[:, rows] @ part
    return result


def _windowed(
    framed: NDArray[np.float64],
    signal: NDArray[np.float64],
    window: NDArray[np.float64],
    shift: int,
    preemphasis: float,
    remove_mean: bool,
    out: NDArray[np.float64],
) -> None:
    """Mean, pre-emphasis and window of frames (num_frames, length) into `out`."""
    # Pre-emphasis commutes with framing but for a frame's first sample, and turns a
    # mean m into (1 - preemphasis) m: so it is done once per sample of the signal, not
    # once per sample of the overlapping frames.
    emphasised = framed
    if preemphasis:
        differences = signal.copy()
        differences[1:] -= preemphasis * signal[:-1]
        emphasised = frames.frames(differences, framed.shape[1], shift)
    if not remove_mean:
        np.multiply(emphasised, window, out=out)
        out[:, 0] = (1 - preemphasis) * framed[:, 0] * window[0]
        return
    mean = framed.mean(axis=1)
    np.subtract(emphasised, (1 - preemphasis) * mean[:, None], out=out)
    out[:, 0] = (1 - preemphasis) * (framed[:, 0] - mean)
    out *= window
