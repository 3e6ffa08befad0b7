"""The 34 short-term features of pyAudioAnalysis for a whole utterance at once, in
float64.

Everything that is linear in the magnitude or in the power of a frame's spectrum
(moments, mel filters, sub-band energies, chroma) is one matrix product per block of
frames; the energies of a frame's tenths come from one pass over the signal, shared by
overlapping frames. Definitions: Giannakopoulos, "pyAudioAnalysis: an open-source Python
library for audio signal analysis", PLoS ONE 10(12), 2015, and the package's version
0.3.14 where it differs from them.
"""

from math import gcd
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
ROLLOFF = 0.9
# A difference of near equals loses digits: below these shares of its terms it is
# computed again from the spectrum.
LEAST_VARIANCE, LEAST_FLUX = 1e-4, 1e-4
# Measured: smaller blocks pay more for calls than they save in the cache, larger ones
# leave it.
BLOCK_SAMPLES = 1 << 17


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
