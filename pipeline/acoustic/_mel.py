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
BLOCK = 256  # frames: the powers of 25 ms at 16 kHz take half a MiB
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


@lru_cache(maxsize=16)
def sparse_filters(*settings: Any) -> Any:
    """The same filters without their zeros, for `mel_energies`."""
    from pipeline.acoustic import _spectrum_loops as loops

    return loops.sparse(filters(*settings))


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


def powers(
    waveform: NDArray[np.floating[Any]], window: NDArray[np.float64], shift: int, num_fft: int
) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Powers |DFT|^2 of the windowed frames of a waveform (num_samples,), block by
    block: frame numbers, (frames, num_fft // 2 + 1), `num_fft` a power of two.

    The next block overwrites the one before.
    """
    from pipeline.acoustic import _fourier as fourier
    from pipeline.acoustic import _spectrum_loops as loops

    num_frames = frames.num_frames(len(waveform), len(window), shift)
    room = fourier.workspace(len(window), shift, num_fft)
    found = np.empty((min(num_frames, BLOCK), num_fft // 2 + 1))
    for block in frames.blocks(num_frames, 1, BLOCK):
        part = found[: block.stop - block.start]
        loops.powers(waveform, block.start, shift, window, fourier.plan(num_fft), room, part)
        yield block, part


def mel_energies(
    waveform: NDArray[np.floating[Any]],
    window: NDArray[np.float64],
    shift: int,
    num_fft: int,
    matrix: Any,
    scale: float = 1.0,
    preemphasis: float = 0.0,
    remove_mean: bool = False,
) -> NDArray[np.float64]:
    """Sums of every frame's powers |DFT|^2 under the columns of a sparse `matrix`
    (num_fft // 2 + 1, num_mel_bins): (num_frames, num_mel_bins).

    The samples are multiplied by `scale`; `remove_mean` and `preemphasis` act inside
    each frame, in this order, as in Kaldi (its first sample is its own predecessor).
    """
    from pipeline.acoustic import _fourier as fourier
    from pipeline.acoustic import _spectrum_loops as loops
    from pipeline.acoustic._lanes import LANES

    length = len(window)
    num_frames = frames.num_frames(len(waveform), length, shift)
    result = np.empty((len(matrix.begins) - 1, -(-num_frames // LANES) * LANES))
    loops.energies(
        waveform, shift, window * scale, preemphasis, remove_mean, fourier.plan(num_fft),
        matrix, fourier.workspace(length, shift, num_fft), result,
    )  # fmt: skip
    return result[:, :num_frames].T
