"""What the short-term features need of frames and spectra, eight frames at once."""

import numpy as np

from pipeline.acoustic._fourier import lay_out, power_group
from pipeline.acoustic._lanes import (
    LANES,
    at_most,
    before,
    compiled,
    load,
    root,
    size,
    spread,
    store,
)
from pipeline.acoustic._short_term_tables import NUM_PARTS
from pipeline.acoustic._spectrum_loops import weigh

EPS = float(np.finfo(np.float64).eps)
ROLLOFF = 0.9
# Rows of the sums: crossings, energy, energies of the tenths of a frame; centroid,
# spread, flux, bins up to the rolloff, power, powers of the tenths of the spectrum.
SPECTRAL = 2 + NUM_PARTS
NUM_SUMS = SPECTRAL + 5 + NUM_PARTS


@compiled
def sums(
    waveform, mean, peak, first, length, shift, plan, room, given, matrices, kept, shares, out
):
    """Sums over frames from number `first` on, and over their spectra, into `out`
    (num_rows, num_groups * LANES).

    The samples are taken less `mean`, divided by `peak`. `given` are the powers |DFT|^2
    (num_groups, num_bins + 1, LANES) where there is no plan for this length, else
    empty.
    """
    samples, one, other = room
    width, flat = out.shape[1], out.ravel()
    power = np.empty(kept.shape[1])
    done = 0
    while done < width:
        count = lay_out(waveform, first + done, shift, length, width - done, samples)
        for i in range(len(samples)):
            samples[i] = (samples[i] - mean) / peak
        for column in range(0, count, LANES):
            place = done + column
            frame_group(samples, column, shift, length, one, flat, place, width)
            if len(given):
                power = given[place // LANES].ravel()
            else:
                power_group(plan, one, other, power)
            sum_group(power, length // 2, matrices, kept, shares, flat, place, width)
        done += count


@compiled
def frame_group(samples, column, shift, length, out, flat, place, width):
    """The samples of eight frames, number n at n * LANES of `out`, and the rows of
    `flat` that follow from them: a step of the sign from below to above zero counts 2,
    one to or from an exact zero 1.
    """
    columns, zero = len(samples) // shift, spread(0.0)
    crossings, energy, last = zero, zero, zero
    j, c = 0, column
    for tenth in range(NUM_PARTS + 1):
        part, (begin, end) = zero, _ends(tenth, length)
        for n in range(begin, end):
            here = load(samples, j * columns + c)
            store(out, n * LANES, here)
            sign = at_most(zero, here) - at_most(here, zero)
            if n:
                crossings = crossings + size(sign - last)
            last = sign
            square = here * here
            part, energy = part + square, energy + square
            j += 1
            if j == shift:
                j, c = 0, c + 1
        if tenth < NUM_PARTS:
            store(flat, (2 + tenth) * width + place, part)
    store(flat, place, crossings)
    store(flat, width + place, energy)


@compiled
def _ends(tenth, count):
    """Where a tenth of `count` numbers begins and ends; the eleventh is the rest."""
    part_width = count // NUM_PARTS
    return tenth * part_width, (tenth + 1) * part_width if tenth < NUM_PARTS else count


@compiled
def sum_group(power, num_bins, matrices, kept, shares, flat, place, width):
    """The rows of `flat` that follow from spectra; the last ones are magnitudes under
    the first of the matrices and powers under the second.

    `power` are |DFT|^2 of eight frames; `kept` (2, (num_bins + 1) * LANES) holds the
    magnitudes of these and of the eight before by turns, `shares` (LANES,) what made
    shares of the sum of the ones before.
    """
    here, last = kept[place // LANES % 2], kept[(place // LANES + 1) % 2]
    scale = 1.0 / num_bins
    mass, first, total = spread(0.0), spread(0.0), spread(0.0)
    for tenth in range(NUM_PARTS + 1):
        part, (begin, end) = spread(0.0), _ends(tenth, num_bins)
        for k in range(begin, end):
            p = load(power, k * LANES)
            m = root(p)
            store(here, k * LANES, m)
            mass, first, total = mass + m, first + m * ((k + 1) * scale), total + p
            part = part + p
        if tenth < NUM_PARTS:
            store(flat, (SPECTRAL + 5 + tenth) * width + place, part * (scale * scale))
    sound = mass + at_most(mass, spread(0.0))
    centroid = first / sound
    # The package adds EPS to every bin of the sum that it divides by.
    share = spread(scale) / (mass * scale + spread(num_bins * EPS))
    old = before(load(shares, 0), share)
    store(shares, 0, share)
    variance, flux = spread(0.0), spread(0.0)
    upto, passed, threshold = spread(EPS / scale / scale), spread(0.0), total * ROLLOFF
    for k in range(num_bins):
        m = load(here, k * LANES)
        away = spread((k + 1) * scale) - centroid
        variance = variance + away * away * m
        change = m * share - before(load(last, k * LANES), m) * old
        flux = flux + change * change
        upto = upto + load(power, k * LANES)
        passed = passed + at_most(upto, threshold)
    results = (centroid, root(variance / sound), flux, passed, total * (scale * scale))
    for i in range(5):
        store(flat, (SPECTRAL + i) * width + place, results[i])
    weigh(here, matrices[0], flat, NUM_SUMS * width + place, width)
    row = NUM_SUMS + len(matrices[0][0]) - 1
    weigh(power, matrices[1], flat, row * width + place, width)
