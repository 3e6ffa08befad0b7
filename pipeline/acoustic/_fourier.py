"""Powers of the real Fourier transform of frames, eight frames at once.

The samples of a frame make complex numbers in pairs; their transform by Stockham's
method (Swarztrauber, Parallel Computing 1, 1984) has steps of radix 2, 3, 4 and 5, and
another pass takes the two halves of each number apart.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.acoustic._lanes import LANES, compiled, load, spread, store

LAID_OUT = 1 << 15  # samples, 256 KiB: of that many frames at once, but of one group at least


class Plan(NamedTuple):
    """What the transform of a length needs: the radix of every step, the factors of all
    steps one after the other, and those that take the halves apart.
    """

    radices: NDArray[np.int64]
    factors: NDArray[np.complex128]
    turns: NDArray[np.complex128]


@lru_cache(maxsize=16)
def plan(num_fft: int) -> Plan | None:
    """The transform of `num_fft` samples; None where they are odd or have a prime
    factor above 5.
    """
    half, odd = divmod(num_fft, 2)
    if odd or half < 1:
        return None
    radices, factors, rest = [], [np.zeros(0, np.complex128)], half
    while rest > 1:
        radix = next((radix for radix in (4, 5, 3, 2) if rest % radix == 0), None)
        if radix is None:
            return None
        steps = np.outer(np.arange(rest // radix), np.arange(1, radix))
        factors.append(_circle(steps.ravel(), rest))
        radices.append(radix)
        rest //= radix
    turns = _circle(np.arange(half // 2 + 1), num_fft)
    return Plan(np.array(radices, dtype=np.int64), np.concatenate(factors), turns)


def _circle(steps: NDArray[np.int64], count: int) -> NDArray[np.complex128]:
    """exp(-2 pi i steps / count), right to the last digit: what cancels in a frame, as
    in silence and in square waves, cancels in its spectrum.
    """
    # An angle of at most an eighth of the circle, and the eighth that it lies in.
    eighth, rest = np.divmod(8 * (steps % count), count)
    angle = np.where(eighth % 2, count - rest, rest) * (np.arccos(np.longdouble(-1)) / (4 * count))
    cosine, sine = np.cos(angle), np.sin(angle)
    across = np.isin(eighth, (1, 2, 5, 6))
    real, imaginary = np.where(across, sine, cosine), np.where(across, cosine, sine)
    real = np.where(np.isin(eighth, (2, 3, 4, 5)), -real, real)
    imaginary = np.where(eighth < 4, -imaginary, imaginary)
    return np.asarray(real + 1j * imaginary, dtype=np.complex128)


def workspace(length: int, shift: int, num_fft: int) -> tuple[NDArray[np.float64], ...]:
    """Room for the samples of some groups of frames and two states of a transform."""
    columns = max(LAID_OUT // shift // LANES, 1) * LANES + (length - 1) // shift + 1
    return aligned(columns * shift), aligned(num_fft * LANES), aligned(num_fft * LANES)


def aligned(size: int) -> NDArray[np.float64]:
    """Numbers from the beginning of a cache line on: a vector is a line."""
    room = np.zeros(size + LANES)
    start = -room.__array_interface__["data"][0] % 64 // 8
    return room[start : start + size]


@compiled
def _get(source, i):
    return load(source, 2 * LANES * i), load(source, 2 * LANES * i + LANES)


@compiled
def _put(target, i, real, imaginary):
    store(target, 2 * LANES * i, real)
    store(target, 2 * LANES * i + LANES, imaginary)


@compiled
def _turn(target, i, real, imaginary, factor):
    store(target, 2 * LANES * i, real * factor.real - imaginary * factor.imag)
    store(target, 2 * LANES * i + LANES, real * factor.imag + imaginary * factor.real)


@compiled
def _halves(source, target, m, stride, factors):
    for p in range(m):
        for q in range(stride):
            i, o = q + stride * p, q + stride * 2 * p
            (ar, ai), (br, bi) = _get(source, i), _get(source, i + stride * m)
            _put(target, o, ar + br, ai + bi)
            _turn(target, o + stride, ar - br, ai - bi, factors[p])


@compiled
def _thirds(source, target, m, stride, factors):
    sine = 0.86602540378443864676  # of 60 degrees
    for p in range(m):
        for q in range(stride):
            i, o, step = q + stride * p, q + stride * 3 * p, stride * m
            (ar, ai), (br, bi) = _get(source, i), _get(source, i + step)
            cr, ci = _get(source, i + 2 * step)
            sr, si, dr, di = br + cr, bi + ci, (br - cr) * sine, (bi - ci) * sine
            mr, mi = ar - sr * 0.5, ai - si * 0.5
            _put(target, o, ar + sr, ai + si)
            _turn(target, o + stride, mr + di, mi - dr, factors[2 * p])
            _turn(target, o + 2 * stride, mr - di, mi + dr, factors[2 * p + 1])


@compiled
def _quarters(source, target, m, stride, factors):
    for p in range(m):
        for q in range(stride):
            i, o, step = q + stride * p, q + stride * 4 * p, stride * m
            (ar, ai), (br, bi) = _get(source, i), _get(source, i + step)
            (cr, ci), (dr, di) = _get(source, i + 2 * step), _get(source, i + 3 * step)
            sr, si, tr, ti = ar + cr, ai + ci, ar - cr, ai - ci
            ur, ui, vr, vi = br + dr, bi + di, bi - di, dr - br
            _put(target, o, sr + ur, si + ui)
            _turn(target, o + stride, tr + vr, ti + vi, factors[3 * p])
            _turn(target, o + 2 * stride, sr - ur, si - ui, factors[3 * p + 1])
            _turn(target, o + 3 * stride, tr - vr, ti - vi, factors[3 * p + 2])


@compiled
def _fifths(source, target, m, stride, factors):
    c, d = 0.30901699437494742410, -0.80901699437494742410  # cosines of 72 and 144 degrees
    s, t = 0.95105651629515357212, 0.58778525229247312917  # their sines
    for p in range(m):
        for q in range(stride):
            i, o, step = q + stride * p, q + stride * 5 * p, stride * m
            ar, ai = _get(source, i)
            (br, bi), (er, ei) = _get(source, i + step), _get(source, i + 4 * step)
            (cr, ci), (dr, di) = _get(source, i + 2 * step), _get(source, i + 3 * step)
            fr, fi, gr, gi = br + er, bi + ei, br - er, bi - ei
            hr, hi, kr, ki = cr + dr, ci + di, cr - dr, ci - di
            xr, xi, yr, yi = (
                ar + fr * c + hr * d, ai + fi * c + hi * d, gr * s + kr * t, gi * s + ki * t,
            )  # fmt: skip
            zr, zi, wr, wi = (
                ar + fr * d + hr * c, ai + fi * d + hi * c, gr * t - kr * s, gi * t - ki * s,
            )  # fmt: skip
            _put(target, o, ar + fr + hr, ai + fi + hi)
            _turn(target, o + stride, xr + yi, xi - yr, factors[4 * p])
            _turn(target, o + 2 * stride, zr + wi, zi - wr, factors[4 * p + 1])
            _turn(target, o + 3 * stride, zr - wi, zi + wr, factors[4 * p + 2])
            _turn(target, o + 4 * stride, xr - yi, xi + yr, factors[4 * p + 3])


@compiled
def lay_out(signal, first, shift, length, num_frames, samples):
    """The samples of frames from `first` on so that those of neighbours lie side by
    side: number j * columns + c is the j-th after the beginning of frame first + c;
    zeros after the end. Returns of how many frames, `num_frames` at most.
    """
    columns, beyond = len(samples) // shift, (length - 1) // shift + 1
    num_frames = min(num_frames, columns - beyond)
    filled = (num_frames + LANES - 1) // LANES * LANES + beyond
    # Eight frames by turns, so that a cache line is written once.
    whole = min(filled, len(signal) // shift - first) // LANES * LANES
    for c in range(0, whole, LANES):
        start = (first + c) * shift
        for j in range(shift):
            for lane in range(LANES):
                samples[j * columns + c + lane] = signal[start + lane * shift + j]
    for c in range(max(whole, 0), filled):
        start = (first + c) * shift
        for j in range(shift):
            inside = start + j < len(signal)
            samples[j * columns + c] = signal[start + j] if inside else 0.0
    return num_frames


@compiled
def window_group(samples, column, shift, window, preemphasis, remove_mean, out):
    """The windowed samples of eight frames from a column on, number n at n * LANES."""
    columns, length = len(samples) // shift, len(window)
    mean = spread(0.0)
    if remove_mean:
        for j in range(min(shift, length)):
            for c in range((length - j - 1) // shift + 1):
                mean = mean + load(samples, j * columns + column + c)
        mean = mean * (1.0 / length)
    last = load(samples, column) - mean
    j, place = 0, column
    for n in range(length):
        here = load(samples, j * columns + place) - mean
        store(out, n * LANES, (here - last * preemphasis) * window[n])
        last = here
        j += 1
        if j == shift:
            j, place = 0, place + 1
    for n in range(length, len(out) // LANES):
        store(out, n * LANES, spread(0.0))


@compiled
def power_group(plan, one, other, powers):
    """The powers |DFT|^2 of eight frames whose samples stand in `one`, bin k at k *
    LANES.

    `one` and `other` are used up.
    """
    radices, factors, turns = plan
    half = len(powers) // LANES - 1
    source, target, stride, rest, used = one, other, 1, half, 0
    for radix in radices:
        rest //= radix
        if radix == 4:
            _quarters(source, target, rest, stride, factors[used:])
        elif radix == 5:
            _fifths(source, target, rest, stride, factors[used:])
        elif radix == 3:
            _thirds(source, target, rest, stride, factors[used:])
        else:
            _halves(source, target, rest, stride, factors[used:])
        used += rest * (radix - 1)
        stride *= radix
        source, target = target, source
    for k in range(half // 2 + 1):
        (zr, zi), (yr, yi) = _get(source, k), _get(source, (half - k) % half)
        er, ei, vr, vi = (zr + yr) * 0.5, (zi - yi) * 0.5, (zi + yi) * 0.5, (yr - zr) * 0.5
        turn = turns[k]
        tr, ti = vr * turn.real - vi * turn.imag, vr * turn.imag + vi * turn.real
        ar, ai, br, bi = er + tr, ei + ti, er - tr, ei - ti
        store(powers, k * LANES, ar * ar + ai * ai)
        store(powers, (half - k) * LANES, br * br + bi * bi)
