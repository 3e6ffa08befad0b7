"""Weights that turn spectra into short-term features: moments, mel filters, chroma,
parts of the spectrum and the cosine transform.

Definitions as in `_short_term_kernel`: pyAudioAnalysis 0.3.14, with its faults
(`compatible`) or without (`corrected`).
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Variant = Literal["compatible", "corrected"]

NUM_PARTS = 10  # a frame, and its spectrum, are cut into ten parts for the entropies
NUM_MFCC = 13
LOWEST_NOTE = 27.5  # A0 in Hz
# Mel filters of Slaney's auditory toolbox: 13 linear ones from 133.33 Hz, then 27
# logarithmic ones.
LINEAR_FILTERS, LOGARITHMIC_FILTERS = 13, 27
LOWEST_EDGE, LINEAR_STEP, LOGARITHMIC_STEP = 133.33, 200 / 3, 1.0711703


@dataclass(frozen=True)
class Tables:
    """What turns the spectra of one frame length into features.

    `filters` (num_bins, num_filters) on the magnitudes |DFT| and `chroma` (num_bins,
    12) on the powers hold the package's division of the spectrum by num_bins; the last
    bin, half the sampling rate, is not heard.
    """

    num_bins: int
    filters: Float
    chroma: Float
    cosines: Float


@lru_cache(maxsize=16)
def tables(sampling_rate: int, length: int, variant: Variant) -> Tables:
    """The weights for frames of `length` samples."""
    num_bins = length // 2
    if num_bins < NUM_PARTS:
        raise ValueError(f"frames of {length} samples, expected at least {2 * NUM_PARTS}")
    filters = mel_filters(sampling_rate, num_bins, variant) / num_bins
    chroma = chroma_weights(sampling_rate, num_bins, variant) / num_bins**2
    # The orthonormal cosine transform of type II, first 13 coefficients.
    num_filters = filters.shape[1]
    angle = np.pi / num_filters * np.outer(np.arange(num_filters) + 0.5, np.arange(NUM_MFCC))
    cosines = np.cos(angle) * np.sqrt(2 / num_filters)
    cosines[:, 0] /= np.sqrt(2)
    return Tables(num_bins, filters, chroma, cosines)


def mel_filters(sampling_rate: int, num_bins: int, variant: Variant) -> Float:
    """Weights of the triangular filters on the magnitudes, (num_bins, num_filters).

    `compatible`: 40 filters on an axis on which bin k lies at k / num_bins of the
    sampling rate, twice its true frequency; so the filter drawn at 6398 Hz listens at
    3199 Hz, and nothing above 3428 Hz is heard. `corrected`: bin k lies at k / num_bins
    of half the sampling rate, and filters beyond that half are left out.
    """
    top = LOWEST_EDGE + (LINEAR_FILTERS - 1) * LINEAR_STEP
    edges = np.concatenate(
        [
            LOWEST_EDGE + np.arange(LINEAR_FILTERS) * LINEAR_STEP,
            top * LOGARITHMIC_STEP ** np.arange(1, LOGARITHMIC_FILTERS + 3),
        ]
    )
    axis = sampling_rate if variant == "compatible" else sampling_rate / 2
    if variant == "corrected":
        edges = edges[edges <= axis]
    elif edges[-1] >= axis:
        raise ValueError(
            f"sampling rate {sampling_rate} Hz, expected more than {edges[-1]:.0f} Hz for variant "
            "'compatible': the package fails here"
        )
    if len(edges) < NUM_MFCC + 2:
        raise ValueError(
            f"{max(len(edges) - 2, 0)} mel filters at {sampling_rate} Hz, expected at least "
            f"{NUM_MFCC}: take a higher sampling rate"
        )
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    frequency = (np.arange(num_bins) / num_bins * axis)[:, None]
    # Which side a bin belongs to follows from its whole number, as in the package, not
    # from comparing frequencies.
    bin_number = np.arange(num_bins)[:, None]
    low_bin, centre_bin, high_bin = (
        np.floor(edge * num_bins / axis) for edge in (low, centre, high)
    )
    rising = (bin_number > low_bin) & (bin_number <= centre_bin)
    falling = (bin_number > centre_bin) & (bin_number <= high_bin)
    height = 2 / (high - low)
    weights = np.where(rising, height / (centre - low) * (frequency - low), 0.0)
    weights = np.where(falling, height / (high - centre) * (high - frequency), weights)
    empty = int((weights.max(axis=0) <= 0).sum())
    if variant == "corrected" and empty:
        raise ValueError(
            f"{empty} of {weights.shape[1]} mel filters contain none of {num_bins} bins at "
            f"{sampling_rate} Hz: take longer frames"
        )
    return np.asarray(weights)


def chroma_weights(sampling_rate: int, num_bins: int, variant: Variant) -> Float:
    """Weights of the powers in the twelve pitch classes from A upwards, (num_bins, 12).

    `corrected`: the mean power of each semitone from 27.5 Hz upwards, summed over the
    octaves. `compatible`: the package stores bin after bin at its semitone's number, so
    that the last bin of a semitone replaces the others; bins below 27.5 Hz land at the
    far end; each is divided by the size of an unrelated semitone; and bin k is taken to
    lie where bin k + 1 lies.
    """
    bins = np.arange(num_bins)
    weights = np.zeros((num_bins, 12))
    if variant == "corrected":
        heard = bins[bins * sampling_rate / (2 * num_bins) >= LOWEST_NOTE]
        semitone = _semitones(heard, sampling_rate, num_bins)
        weights[heard, semitone % 12] = 1 / np.bincount(semitone)[semitone]
        return weights
    semitone = _semitones(bins + 1, sampling_rate, num_bins)
    if semitone.max() >= num_bins or semitone.min() < -num_bins:
        raise ValueError(
            f"frames of {2 * num_bins} samples at {sampling_rate} Hz have fewer spectral bins than "
            f"semitones, expected at least {semitone.max() + 1} bins for variant 'compatible': "
            "the package fails here"
        )
    _, members, sizes = np.unique(semitone, return_inverse=True, return_counts=True)
    stored = np.full(num_bins, -1)
    stored[semitone] = bins
    slot = np.flatnonzero(stored >= 0)
    weights[stored[slot], slot % 12] = 1 / sizes[members][semitone[slot]]
    return weights


def _semitones(bins: NDArray[np.int_], sampling_rate: int, num_bins: int) -> NDArray[np.int_]:
    """The semitone nearest to each bin, counted from LOWEST_NOTE."""
    frequency = bins * sampling_rate / (2 * num_bins)
    return np.asarray(np.round(12 * np.log2(frequency / LOWEST_NOTE)).astype(int))
