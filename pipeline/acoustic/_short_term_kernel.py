"""The 34 short-term features of pyAudioAnalysis for a whole utterance at once, in
float64.

Everything that is linear in the magnitude or in the power of a frame's spectrum
(moments, mel filters, sub-band energies, chroma) is one matrix product per block of
frames; the energies of a frame's tenths come from one pass over the signal, shared by
overlapping frames. Definitions: Giannakopoulos, "pyAudioAnalysis: an open-source Python
library for audio signal analysis", PLoS ONE 10(12), 2015, and the package's version
0.3.14 where it differs from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import gcd
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline import frames

Float = NDArray[np.float64]
Variant = Literal["compatible", "corrected"]

EPS = float(np.finfo(np.float64).eps)
NUM_PARTS = 10  # a frame, and its spectrum, are cut into ten parts for the entropies
NUM_MFCC = 13
ROLLOFF = 0.9
LOWEST_NOTE = 27.5  # A0 in Hz
# Mel filters of Slaney's auditory toolbox: 13 linear ones from 133.33 Hz, then 27
# logarithmic ones.
LINEAR_FILTERS, LOGARITHMIC_FILTERS = 13, 27
LOWEST_EDGE, LINEAR_STEP, LOGARITHMIC_STEP = 133.33, 200 / 3, 1.0711703
# A difference of near equals loses digits: below these shares of its terms it is
# computed again from the spectrum.
LEAST_VARIANCE, LEAST_FLUX = 1e-4, 1e-4
# Measured: smaller blocks pay more for calls than they save in the cache, larger ones
# leave it.
BLOCK_SAMPLES = 1 << 17


@dataclass(frozen=True)
class Tables:
    """What turns the spectra |DFT| (num_frames, num_bins + 1) of one frame length into
    features by matrix products.

    On magnitudes: `moments` (num_bins + 1, 3), sum, first and second, and `filters`
    (num_heard, num_filters) of the bins up to the highest that a mel filter hears. On
    powers: `on_power` (num_bins + 1, 1 + num_parts + 12), sum, parts of equal width
    (the first ten for the entropy), chroma. The last bin, half the sampling rate, has
    weight 0, and the package's division of the spectrum by num_bins is in the weights.
    """

    num_bins: int
    part_width: int
    positions: Float
    moments: Float
    filters: Float
    on_power: Float
    cosines: Float


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
    table = tables(sampling_rate, length, variant)
    signal = normalise(waveform)
    num_frames = frames.num_frames(len(signal), length, shift)
    result = np.empty((num_frames, 34))
    # Blocks keep every temporary in the cache; each takes the frame before its first
    # along, for the flux.
    for block in frames.blocks(num_frames, length, BLOCK_SAMPLES):
        first = max(block.start - 1, 0)
        part = signal[first * shift : (block.stop - 1) * shift + length]
        result[block] = _block(part, length, shift, table)[block.start - first :]
    return result


def normalise(waveform: NDArray[np.floating[Any]]) -> Float:
    """Mean removed, then divided by the largest absolute value plus 1e-10."""
    signal = np.array(waveform, dtype=np.float64)
    signal -= signal.mean()
    signal /= max(signal.max(), -signal.min()) + 1e-10
    return signal


def _block(signal: Float, length: int, shift: int, table: Tables) -> Float:
    """The features of all frames in a stretch of normalised signal, (num_frames, 34);
    the first frame's flux is 0.
    """
    from scipy import fft

    spectrum = np.abs(fft.rfft(frames.frames(signal, length, shift), axis=1))
    spectrum[:, table.num_bins] = 0
    power = spectrum * spectrum
    moments = spectrum @ table.moments
    energies = spectrum[:, : len(table.filters)] @ table.filters
    quadratic = power @ table.on_power
    total, parts, chroma = quadratic[:, 0], quadratic[:, 1:-12], quadratic[:, -12:]
    result = np.empty((len(spectrum), 34))
    result[:, 0] = zero_crossing_rate(signal, length, shift)
    result[:, 1], result[:, 2] = energy_and_entropy(signal, length, shift)
    result[:, 3], result[:, 4] = _centroid_and_spread(spectrum, moments, table)
    result[:, 5] = entropy(parts[:, :NUM_PARTS], total)
    result[:, 6] = _flux(spectrum, moments[:, 0], total, table.num_bins)
    result[:, 7] = _rolloff(power, parts, total, table)
    result[:, 8 : 8 + NUM_MFCC] = np.log10(energies + EPS) @ table.cosines
    chroma /= np.where(total == 0, EPS, total)[:, None]
    result[:, 21:33] = chroma
    result[:, 33] = chroma.std(axis=1)
    return result


def zero_crossing_rate(signal: Float, length: int, shift: int) -> Float:
    """Sign changes per pair of neighbouring samples, (num_frames,); a step to or from
    an exact zero counts half.
    """
    sign = (signal > 0).view(np.int8) - (signal < 0).view(np.int8)
    changes = np.zeros(len(signal), dtype=np.float32)  # whole numbers: exact in float32 up to 2^24
    changes[1:] = np.abs(sign[1:] - sign[:-1])
    # Overlapping frames share cells of the greatest width at which every frame begins
    # and ends.
    cell = gcd(length, shift)
    cells = changes[: len(changes) // cell * cell].reshape(-1, cell) @ np.ones(
        cell, dtype=np.float32
    )
    counts = frames.frames(cells, length // cell, shift // cell).sum(axis=1)
    crossings = (counts - changes[: len(counts) * shift : shift]).astype(np.float64) / 2
    return np.asarray(crossings / (length - 1))


def energy_and_entropy(signal: Float, length: int, shift: int) -> tuple[Float, Float]:
    """Mean square of each frame, and the entropy in bits of the energies of its tenths:
    (num_frames,) each.
    """
    part = length // NUM_PARTS
    count = frames.num_frames(len(signal), length, shift)
    cell = gcd(part, shift)
    grid = signal[: len(signal) // cell * cell].reshape(-1, cell)
    cells = np.einsum("ij,ij->i", grid, grid)
    spans = frames.frames(cells, NUM_PARTS * part // cell, shift // cell)[:count]
    energies = spans.reshape(count, NUM_PARTS, part // cell).sum(axis=2)
    total = energies.sum(axis=1)
    rest = length - NUM_PARTS * part
    if rest:
        tail = frames.frames(signal[NUM_PARTS * part :], rest, shift)[:count]
        total += np.einsum("ij,ij->i", tail, tail)
    return total / length, entropy(energies, total)


def entropy(energies: Float, total: Float) -> Float:
    """-sum s log2 s over the shares s of the parts in the total, (num_frames,
    num_parts) -> (num_frames,) in bits.
    """
    shares = energies / (total + EPS)[:, None]
    return np.asarray(-np.einsum("ij,ij->i", shares, np.log2(shares + EPS)))


def _centroid_and_spread(spectrum: Float, moments: Float, table: Tables) -> tuple[Float, Float]:
    """Mean and standard deviation of the frequency under the magnitudes, as shares of
    half the sampling rate.
    """
    mass = np.where(moments[:, 0] == 0, 1.0, moments[:, 0])
    centroid = moments[:, 1] / mass
    variance = moments[:, 2] / mass - centroid**2
    close = np.flatnonzero(variance < LEAST_VARIANCE * centroid**2)
    if len(close):
        distance = table.positions - centroid[close, None]
        variance[close] = np.einsum("ij,ij,ij->i", distance, distance, spectrum[close]) / (
            mass[close] * table.num_bins
        )
    return centroid, np.sqrt(variance)


def _flux(spectrum: Float, mass: Float, total: Float, num_bins: int) -> Float:
    """Squared distance between the spectra of neighbouring frames, each divided by its
    sum; 0 for the first frame.
    """
    # The package adds EPS to every bin of the sum that it divides by.
    norm = mass + num_bins * EPS
    flux = np.zeros(len(norm))
    square = total / norm**2
    product = np.einsum("ij,ij->i", spectrum[1:], spectrum[:-1]) / num_bins**2
    flux[1:] = square[1:] + square[:-1] - 2 * product / (norm[1:] * norm[:-1])
    close = 1 + np.flatnonzero(flux[1:] <= LEAST_FLUX * square[1:])
    if len(close):
        scaled = norm[:, None] * num_bins
        difference = spectrum[close] / scaled[close] - spectrum[close - 1] / scaled[close - 1]
        flux[close] = np.einsum("ij,ij->i", difference, difference)
    return flux


def _rolloff(power: Float, parts: Float, total: Float, table: Tables) -> Float:
    """The first bin at which the powers so far exceed 0.9 of their sum, as a share of
    num_bins.
    """
    threshold = ROLLOFF * total[:, None]
    # First the part in which it happens, then the bin inside this part only.
    upto = np.cumsum(parts, axis=1) + EPS
    part = (upto[:, :-1] <= threshold).sum(axis=1)
    rows = np.arange(len(part))
    start = np.where(part > 0, upto[rows, part - 1], EPS)
    bins = part[:, None] * table.part_width + np.arange(table.part_width)
    inside = (
        power.ravel().take(rows[:, None] * power.shape[1] + np.minimum(bins, table.num_bins))
        / table.num_bins**2
    )
    passed = (np.cumsum(inside, axis=1) + start[:, None] <= threshold).sum(axis=1)
    return np.asarray((part * table.part_width + passed) / table.num_bins)


@lru_cache(maxsize=16)
def tables(sampling_rate: int, length: int, variant: Variant) -> Tables:
    """The weights for frames of `length` samples."""
    num_bins = length // 2
    if num_bins < NUM_PARTS:
        raise ValueError(f"frames of {length} samples, expected at least {2 * NUM_PARTS}")
    width = num_bins // NUM_PARTS
    positions = np.arange(1, num_bins + 2) / num_bins
    filters = mel_filters(sampling_rate, num_bins, variant)
    bins = np.arange(num_bins)
    parts = np.equal.outer(bins // width, np.arange(-(-num_bins // width)))
    num_heard = int(np.flatnonzero(filters.any(axis=1)).max()) + 1
    moments = np.zeros((num_bins + 1, 3))
    moments[:-1] = np.vander(positions[:-1], 3, increasing=True) / num_bins
    on_power = np.zeros((num_bins + 1, 1 + parts.shape[1] + 12))
    chroma = chroma_weights(sampling_rate, num_bins, variant)
    on_power[:-1] = np.column_stack([np.ones(num_bins), parts, chroma]) / num_bins**2
    # The orthonormal cosine transform of type II, first 13 coefficients.
    num_filters = filters.shape[1]
    angle = np.pi / num_filters * np.outer(np.arange(num_filters) + 0.5, np.arange(NUM_MFCC))
    cosines = np.cos(angle) * np.sqrt(2 / num_filters)
    cosines[:, 0] /= np.sqrt(2)
    return Tables(
        num_bins, width, positions, moments, filters[:num_heard] / num_bins, on_power, cosines
    )


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
            f"sampling rate {sampling_rate} Hz, expected more than {edges[-1]:.0f} Hz for variant 'compatible': "
            "the package fails here"
        )
    if len(edges) < NUM_MFCC + 2:
        raise ValueError(
            f"{max(len(edges) - 2, 0)} mel filters at {sampling_rate} Hz, expected at least {NUM_MFCC}"
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
            f"{empty} of {weights.shape[1]} mel filters contain none of {num_bins} bins at {sampling_rate} Hz, "
            "expected longer frames"
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
        semitone = np.round(
            12 * np.log2(heard * sampling_rate / (2 * num_bins) / LOWEST_NOTE)
        ).astype(int)
        weights[heard, semitone % 12] = 1 / np.bincount(semitone)[semitone]
        return weights
    semitone = np.round(
        12 * np.log2((bins + 1) * sampling_rate / (2 * num_bins) / LOWEST_NOTE)
    ).astype(int)
    if semitone.max() >= num_bins or semitone.min() < -num_bins:
        raise ValueError(
            f"frames of {2 * num_bins} samples at {sampling_rate} Hz have fewer spectral bins than semitones, expected "
            f"at least {semitone.max() + 1} bins for variant 'compatible': the package fails here"
        )
    _, members, sizes = np.unique(semitone, return_inverse=True, return_counts=True)
    stored = np.full(num_bins, -1)
    stored[semitone] = bins
    slot = np.flatnonzero(stored >= 0)
    weights[stored[slot], slot % 12] = 1 / sizes[members][semitone[slot]]
    return weights
