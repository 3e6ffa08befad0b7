"""The 34 short-term features of pyAudioAnalysis for a whole utterance at once, in
float64.

Loops over eight frames at a time make everything that is a sum over samples or over the
bins of a spectrum. Definitions: Giannakopoulos, "pyAudioAnalysis: an open-source Python
library for audio signal analysis", PLoS ONE 10(12), 2015, and the package's version
0.3.14 where it differs from them.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.acoustic import _frames as frames
from pipeline.acoustic._short_term_tables import (
    NUM_MFCC,
    NUM_PARTS,
    Float,
    Tables,
    Variant,
    tables,
)

EPS = float(np.finfo(np.float64).eps)
# Where a mel filter hears this little of a frame, 120 dB less than of white noise, or
# all of it lies in a bin, the rounding of the transform shows: such frames, digital
# silence above all, get the transform that the package takes, and so its rounding.
WEAK, LEAST_SPREAD = 1e-9, 1e-3
BLOCK = 1024  # frames: an even number of groups, whose sums stay in the cache
ADDED = 1 << 16  # samples that are added at once


def features(
    waveform: NDArray[np.floating[Any]],
    sampling_rate: int,
    length: int,
    shift: int,
    variant: Variant,
) -> Float:
    """The 34 features of frames of `length` samples every `shift`: (num_samples,) ->
    (num_frames, 34) float64.

    The waveform is in [-1, 1]; its mean is removed and its peak set to one over the
    whole file. Raises ValueError where a frame is too short for the filters or for the
    package's chroma.
    """
    from pipeline.acoustic import _fourier as fourier
    from pipeline.acoustic import _short_term_loops as loops
    from pipeline.acoustic._lanes import LANES

    table = tables(sampling_rate, length, variant)
    mean = _sum(waveform) / len(waveform)
    peak = max(float(waveform.max()) - mean, mean - float(waveform.min())) + 1e-10
    plan, room = fourier.plan(length), fourier.workspace(length, shift, length)
    matrices = _matrices(sampling_rate, length, variant)
    num_bins = length // 2 + 1
    kept, shares = np.zeros((2, num_bins * LANES)), np.zeros(LANES)
    given = np.zeros((0, num_bins, LANES))
    framed = frames.frames(waveform, length, shift)
    result = np.empty((len(framed), 34))
    for block in frames.blocks(len(framed), 1, BLOCK):
        part = framed[block]
        num_groups = -(-len(part) // LANES)
        if plan is None:
            powers = np.zeros((num_groups * LANES, num_bins))
            powers[: len(part)] = np.square(_magnitudes(part, mean, peak))
            grouped = powers.reshape(num_groups, LANES, num_bins).swapaxes(1, 2)
            given = np.ascontiguousarray(grouped)
        num_rows = loops.NUM_SUMS + table.filters.shape[1] + 12
        sums = np.empty((num_rows, num_groups * LANES))
        loops.sums(
            waveform, mean, peak, block.start, length, shift, plan or fourier.plan(2), room, given,
            matrices, kept, shares, sums,
        )  # fmt: skip
        result[block] = _from_sums(sums[:, : len(part)], part, mean, peak, table)
    result[0, 6] = 0  # the flux
    return result


@lru_cache(maxsize=16)
def _matrices(sampling_rate: int, length: int, variant: Variant) -> tuple[Any, Any]:
    """The mel filters and the chroma without their zeros."""
    from pipeline.acoustic import _spectrum_loops as spectrum

    table = tables(sampling_rate, length, variant)
    return spectrum.sparse(table.filters), spectrum.sparse(table.chroma)


def _sum(waveform: NDArray[np.floating[Any]]) -> float:
    """The sum of the samples in double precision, in the order in which NumPy adds
    doubles: the package's, to the last digit.
    """
    count = len(waveform)
    if count <= ADDED:
        return float(waveform.astype(np.float64).sum())
    middle = count // 2 - count // 2 % 8
    return _sum(waveform[:middle]) + _sum(waveform[middle:])


def _magnitudes(framed: NDArray[np.floating[Any]], mean: float, peak: float) -> Float:
    """Spectra |DFT| of frames of any length, (num_frames, num_bins + 1)."""
    from scipy import fft

    normalised = np.subtract(framed, mean, dtype=np.float64) / peak
    return np.asarray(np.abs(fft.rfft(normalised, axis=1)))


def _distinct(
    framed: NDArray[np.floating[Any]],
) -> tuple[NDArray[np.floating[Any]], NDArray[np.int64]]:
    """Frames (num_frames, length) of which those of one constant, as digital silence
    is, are there once; for every frame the number of the one like it.
    """
    silent = (framed == framed[:, :1]).all(axis=1)
    number = np.arange(len(framed))
    _, first, same = np.unique(framed[silent, 0], return_index=True, return_inverse=True)
    number[silent] = np.flatnonzero(silent)[first][same]
    kept, number = np.unique(number, return_inverse=True)
    return framed[kept], number


def _from_sums(
    sums: Float, framed: NDArray[np.floating[Any]], mean: float, peak: float, table: Tables
) -> Float:
    """The features of frames (num_frames, length) whose sums are (num_rows,
    num_frames).
    """
    crossings, energy, tenths, sums = (
        sums[0],
        sums[1],
        sums[2 : 2 + NUM_PARTS],
        sums[2 + NUM_PARTS :],
    )
    centroid, spread, flux, passed, total = sums[:5]
    parts, energies, chroma = np.split(sums[5:], [NUM_PARTS, len(sums) - 5 - 12])
    weak = energies.min(axis=0) + EPS < WEAK * np.sqrt(total)
    weak |= spread < LEAST_SPREAD
    if weak.any():
        few, number = _distinct(framed[weak])
        heard = _magnitudes(few, mean, peak)[:, : table.num_bins]
        energies[:, weak] = (heard @ table.filters).T[:, number]
        spread[weak] = _spread(heard)[number]
    length = framed.shape[1]
    result = np.empty((len(framed), 34))
    result[:, 0] = crossings / (2 * (length - 1))
    result[:, 1] = energy / length
    result[:, 2] = _entropy(tenths, energy)
    result[:, 3], result[:, 4] = centroid, spread
    result[:, 5] = _entropy(parts, total)
    result[:, 6] = flux
    result[:, 7] = passed / table.num_bins
    # Twice as fast as log10, and right to the same digit but one.
    result[:, 8 : 8 + NUM_MFCC] = np.log(energies + EPS).T @ (table.cosines / np.log(10))
    chroma /= np.where(total == 0, EPS, total)
    result[:, 21:33] = chroma.T
    result[:, 33] = chroma.std(axis=0)
    return result


def _entropy(energies: Float, total: Float) -> Float:
    """-sum s log2 s over the shares s of the parts in the total, (num_parts,
    num_frames) -> (num_frames,) in bits.
    """
    shares = energies / (total + EPS)
    return np.asarray(-np.einsum("ij,ij->j", shares, np.log2(shares + EPS)))


def _spread(spectrum: Float) -> Float:
    """Standard deviation of the frequency under the magnitudes (num_frames, num_bins),
    as a share of half the sampling rate.
    """
    positions = np.arange(1, spectrum.shape[1] + 1) / spectrum.shape[1]
    mass = spectrum.sum(axis=1)
    mass[mass == 0] = 1
    distance = positions - (spectrum @ positions / mass)[:, None]
    return np.asarray(np.sqrt(np.einsum("ij,ij,ij->i", distance, distance, spectrum) / mass))
