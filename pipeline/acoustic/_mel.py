"""Spectra of framed utterances and mel filters: the one kernel under fbank, mfcc and
spectrogram.
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
# Rounding in single precision lies some 130 dB under a frame's power. Where a filter's
# bins lie 70 dB under it, its logarithm can be 1e-4 off: such frames, a few in a
# hundred of speech, are computed in double.
WEAK = 1e-7
BLOCK_SAMPLES = 2 * frames.BLOCK_SAMPLES  # single precision takes half of the cache


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
    if num_mel_bins > num_fft // 2 + 1:
        raise ValueError(
            f"{num_mel_bins} mel filters over {num_fft // 2 + 1} FFT bins at {sampling_rate} Hz, "
            "expected fewer filters or longer frames"
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


def spectra(
    waveform: NDArray[np.floating[Any]], window: NDArray[np.float64], shift: int, num_fft: int
) -> Iterator[tuple[slice, NDArray[np.complex128]]]:
    """The spectra of the windowed frames of a waveform (num_samples,), block by block,
    in double precision: frame numbers, (frames, num_fft // 2 + 1).
    """
    from scipy import fft

    framed = frames.frames(waveform.astype(np.float64), len(window), shift)
    for block in frames.blocks(len(framed), num_fft):
        yield block, fft.rfft(framed[block] * window, num_fft, axis=1)


def mel_energies(
    waveform: NDArray[np.floating[Any]],
    window: NDArray[np.float64],
    shift: int,
    weights: NDArray[np.float64],
    scale: float = 1.0,
    preemphasis: float = 0.0,
    remove_mean: bool = False,
) -> NDArray[np.float32]:
    """Sums of every frame's powers |DFT|^2 under `weights` (num_fft // 2 + 1,
    num_mel_bins): (num_frames, num_mel_bins), their logarithms right within 1e-4.

    The samples are multiplied by `scale`; `remove_mean` and `preemphasis` act inside
    each frame, in this order, as in Kaldi (its first sample is its own predecessor).
    """
    from scipy import fft

    length, num_fft = len(window), 2 * (len(weights) - 1)
    # Scaling the window scales the samples under it.
    window = window * scale
    window_single, bands_single = window.astype(np.float32), _bands(weights, np.float32)
    bands = _bands(weights, np.float64)
    mean_power = (1 / weights.sum(axis=0)).astype(np.float32)
    result = np.empty(
        (frames.num_frames(len(waveform), length, shift), weights.shape[1]), np.float32
    )
    buffer = np.zeros((0, num_fft), np.float32)
    for block in frames.blocks(len(result), num_fft, BLOCK_SAMPLES):
        count = block.stop - block.start
        if len(buffer) < count:
            buffer = np.zeros((count, num_fft), np.float32)
        padded, signal = buffer[:count], waveform[block.start * shift :][: count * shift + length]
        emphasised = _emphasised(signal, preemphasis)
        whole, differences = (frames.frames(item, length, shift) for item in (signal, emphasised))
        mean = _windowed(
            whole[:count],
            differences[:count],
            window_single,
            preemphasis,
            remove_mean,
            padded[:, :length],
        )
        energies = _under(bands_single, fft.rfft(padded, axis=1))
        # A mean that was taken away has left its rounding behind.
        power = np.einsum("ij,ij->i", padded, padded) + length * np.square(mean * scale)
        power *= num_fft / 2
        weak = np.flatnonzero((energies * mean_power).min(axis=1) < WEAK * power)
        if len(weak):
            precise = np.zeros((len(weak), num_fft))
            whole = whole[weak].astype(np.float64)
            differences = _emphasised(whole, preemphasis)
            _windowed(whole, differences, window, preemphasis, remove_mean, precise[:, :length])
            energies[weak] = _under(bands, fft.rfft(precise, axis=1))
        result[block] = energies
    return result


def _emphasised(signal: NDArray[Any], preemphasis: float) -> NDArray[Any]:
    """The samples along the last axis, each but the first less a share of the one
    before.
    """
    if not preemphasis:
        return signal
    # Pre-emphasis commutes with framing but for a frame's first sample, and turns a
    # mean m into (1 - preemphasis) m: so it is done once per sample of the signal, not
    # once per sample of the overlapping frames. The difference of two samples is exact
    # or rounds by less than itself; x - 0.97 x' would round by as much as x does.
    differences = signal.copy()
    before = signal[..., :-1]
    differences[..., 1:] -= before
    differences[..., 1:] += (1 - preemphasis) * before
    return differences


def _windowed(
    framed: NDArray[Any],
    emphasised: NDArray[Any],
    window: NDArray[Any],
    preemphasis: float,
    remove_mean: bool,
    out: NDArray[Any],
) -> NDArray[Any]:
    """Mean, pre-emphasis and window of frames (num_frames, length) into `out`; the
    means that were removed.
    """
    mean: NDArray[Any] = framed.mean(axis=1) if remove_mean else np.zeros_like(framed[:, 0])
    if remove_mean:
        np.subtract(emphasised, (1 - preemphasis) * mean[:, None], out=out)
        out *= window
    else:
        np.multiply(emphasised, window, out=out)
    out[:, 0] = (1 - preemphasis) * (framed[:, 0] - mean) * window[0]
    return mean


def _bands(weights: NDArray[np.float64], kind: type) -> list[tuple[slice, NDArray[Any]]]:
    """The lower and the upper filters, each with the bins that they hear, twice: once
    for the real and once for the imaginary part.

    The lower filters reach over few bins and the upper ones leave out many: two
    products cost half of one.
    """
    lower = LOWER * weights.shape[1] // 100
    bands = []
    for part in (weights[:, :lower], weights[:, lower:]):
        heard = np.flatnonzero(part.any(axis=1))
        if len(heard):
            rows = slice(heard[0], heard[-1] + 1)
            doubled: NDArray[Any] = np.repeat(part[rows].astype(kind), 2, axis=0)
            bands.append((slice(2 * rows.start, 2 * rows.stop), doubled))
    return bands


def _under(bands: list[tuple[slice, NDArray[Any]]], spectrum: NDArray[Any]) -> NDArray[Any]:
    """Powers under the filters; the spectrum is used up."""
    parts = spectrum.view(spectrum.real.dtype)
    np.square(parts, out=parts)
    return np.concatenate([parts[:, rows] @ part for rows, part in bands], axis=1)
