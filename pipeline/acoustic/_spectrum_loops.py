"""Powers of frames, and sums of them under weights, eight frames at once."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.acoustic._fourier import lay_out, power_group, window_group
from pipeline.acoustic._lanes import LANES, compiled, load, spread, store


class Sparse(NamedTuple):
    """The columns of a matrix without its zeros: where each begins, then row and weight
    of every number.
    """

    begins: NDArray[np.int64]
    rows: NDArray[np.int64]
    weights: NDArray[np.float64]


def sparse(matrix: NDArray[np.float64]) -> Sparse:
    """A matrix (num_bins, num_columns) of few weights."""
    columns, rows = np.nonzero(matrix.T)
    begins = np.searchsorted(columns, np.arange(matrix.shape[1] + 1))
    return Sparse(begins, rows, np.ascontiguousarray(matrix[rows, columns]))


@compiled
def powers(signal, first, shift, window, plan, room, out):
    """Powers |DFT|^2 of windowed frames from `first` on into `out`, (num_frames,
    num_bins).
    """
    samples, one, other = room
    num_frames, num_bins = out.shape
    found = np.empty(num_bins * LANES)
    done = 0
    while done < num_frames:
        count = lay_out(signal, first + done, shift, len(window), num_frames - done, samples)
        for column in range(0, count, LANES):
            window_group(samples, column, shift, window, 0.0, False, one)
            power_group(plan, one, other, found)
            for lane in range(min(LANES, count - column)):
                for k in range(num_bins):
                    out[done + column + lane, k] = found[k * LANES + lane]
        done += count


@compiled
def weigh(values, matrix, flat, place, step):
    """Sums of the values of eight frames under every column of a sparse matrix, to
    `place`, `place` + `step` ..
    """
    begins, rows, weights = matrix
    for i in range(len(begins) - 1):
        total = spread(0.0)
        for e in range(begins[i], begins[i + 1]):
            total = total + load(values, rows[e] * LANES) * weights[e]
        store(flat, place + i * step, total)


@compiled
def energies(signal, shift, window, preemphasis, remove_mean, plan, matrix, room, out):
    """Powers of every frame under the columns of a sparse matrix into `out`,
    (num_columns, num_groups * LANES).
    """
    samples, one, other = room
    width = out.shape[1]
    found = np.empty(len(one) // 2 + LANES)
    done = 0
    while done < width:
        count = lay_out(signal, done, shift, len(window), width - done, samples)
        for column in range(0, count, LANES):
            window_group(samples, column, shift, window, preemphasis, remove_mean, one)
            power_group(plan, one, other, found)
            weigh(found, matrix, out.ravel(), done + column, width)
        done += count
