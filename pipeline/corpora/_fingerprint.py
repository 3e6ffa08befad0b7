"""What a recording sounds like, in bits: the same for the same take in another format,
at another level or rate, or cut differently.

After J. Haitsma, T. Kalker. A Highly Robust Audio Fingerprinting System. ISMIR 2002: a
bit says whether the step from a band's energy to the next one's grows in time. Theirs
is for minutes of music; the times and bands here are for seconds of speech.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from pipeline.schema import FINGERPRINT_LOUD, FINGERPRINT_SHIFT

LOWEST, HIGHEST = 200.0, 1800.0  # Hz: what telephones and low bit rates leave
NUM_BANDS = 16
WARP = 400.0  # Hz, above which bands widen in proportion
REDUCED = 8000  # Hz, or a little more, before it is halved
FRAME_LENGTH = 0.048  # s
SMOOTHED, APART = 7, 6  # frames that an energy covers, and between which it is compared
QUIET = 1e-3  # of the loudest energy: what is quieter says little
BLOCK = 128  # frames that fit into a processor's cache
PLACES = 1 << np.arange(NUM_BANDS - 1)


class _Bank(NamedTuple):
    """How samples become energies: summed by `step`, halved or not, then `window` and
    the `weights` of `bins` of the spectrum at `rate` Hz.
    """

    step: int
    halved: bool
    rate: float
    window: NDArray[np.float32]
    bins: slice
    weights: NDArray[np.float64]


def fingerprint(waveform: NDArray[np.float32], rate: int) -> bytes:
    """The code of each frame of (num_samples,) at `rate` Hz, as little-endian uint16
    (see `schema.Utterance`); none of what is shorter than 0.4 s or below 4 kHz.
    """
    if rate < 4000:
        return b""
    bank = _bank(rate)
    reduced = _reduced(waveform, bank)
    shift, length = FINGERPRINT_SHIFT * bank.rate, len(bank.window)
    count = int((len(reduced) - length) / shift) + 1
    if len(reduced) < length or count <= SMOOTHED + APART:
        return b""
    windows = sliding_window_view(reduced, length)
    sums = np.zeros((count + 1, NUM_BANDS))
    for first in range(0, count, BLOCK):
        # A shift that is no whole number of samples is exact at each block.
        start, last = round(first * shift), min(first + BLOCK, count)
        stop = start + (last - first) * round(shift)
        spectrum = np.fft.rfft(windows[start : stop : round(shift)] * bank.window)[:, bank.bins]
        power = np.square(spectrum.real)
        power += np.square(spectrum.imag)
        sums[first + 1 : first + 1 + len(power)] = power @ bank.weights
    np.cumsum(sums, axis=0, out=sums)
    energy = sums[SMOOTHED:] - sums[:-SMOOTHED]
    total = energy.sum(axis=1)
    energy += 1e-9 * total.max()
    before, after = energy[:-APART], energy[APART:]
    # The difference of two logarithms of ratios, without the logarithms.
    rising = after[:, 1:] * before[:, :-1] > after[:, :-1] * before[:, 1:]
    codes = rising @ PLACES | FINGERPRINT_LOUD
    codes *= np.minimum(total[:-APART], total[APART:]) > QUIET * total.max()
    return codes.astype("<u2").tobytes()


def _reduced(waveform: NDArray[np.float32], bank: _Bank) -> NDArray[np.float32]:
    """Fewer samples, as far as the bands need: crude, and the same at every rate."""
    parts = waveform[: len(waveform) // bank.step * bank.step].reshape(-1, bank.step)
    summed = parts[:, 0]
    for place in range(1, bank.step):
        summed = summed + parts[:, place]
    if not bank.halved:
        return summed
    last = len(summed) - (len(summed) + 1) % 2
    return summed[0 : last - 1 : 2] + 2 * summed[1:last:2] + summed[2:last:2]


@lru_cache(maxsize=16)
def _bank(rate: int) -> _Bank:
    step, halved = max(1, rate // REDUCED), rate >= REDUCED
    reduced = rate / step / (2 if halved else 1)
    length = round(FRAME_LENGTH * reduced)
    frequencies = np.fft.rfftfreq(length, 1 / reduced)
    half = reduced / length / 2  # of the width of a bin
    edges = np.geomspace(LOWEST + WARP, HIGHEST + WARP, NUM_BANDS + 1) - WARP
    low, high = frequencies[:, None] - half, frequencies[:, None] + half
    weights = np.minimum(high, edges[1:]) - np.maximum(low, edges[:-1])
    weights = np.clip(weights, 0, None) / (2 * half)
    used = np.flatnonzero(weights.any(axis=1))
    bins = slice(used[0], used[-1] + 1)
    window = np.hanning(length + 2)[1:-1].astype(np.float32)
    return _Bank(step, halved, reduced, window, bins, weights[bins])
