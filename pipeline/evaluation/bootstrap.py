"""The bootstrap: what is resampled, and the 95 % intervals of scores."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

CLUSTERS_NEEDED = 5  # fewer speakers than this say nothing about the spread between speakers
CELLS = 2_000_000  # counts in memory at a time


def units_of(
    names: Sequence[str], speakers: Mapping[str, str | None] | None
) -> tuple[NDArray[np.int64], str]:
    """The resampling unit of each utterance, (N,), and what the units are.

    Utterances of one speaker are alike: speakers are drawn whole where all are known
    and there are five or more.
    """
    known = [None if speakers is None else speakers.get(name) for name in names]
    units = sorted({speaker for speaker in known if speaker is not None})
    if None in known or len(units) < CLUSTERS_NEEDED:
        return np.arange(len(names)), "utterances"
    place = {speaker: index for index, speaker in enumerate(units)}
    return np.array([place[str(speaker)] for speaker in known]), "speakers"


def sums(tallies: NDArray[Any], resamples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Sums of the tallies (num_units, ...) over as many units drawn with replacement,
    in pieces of (resamples, ...).

    Units with equal tallies are drawn as one kind: the numbers drawn of each kind are
    multinomial, with its share of the units as probability.
    """
    flat = tallies.reshape(len(tallies), -1)
    kinds, members = np.unique(flat, axis=0, return_counts=True)
    generator = np.random.default_rng(seed)
    step = max(1, CELLS // max(kinds.shape))
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        drawn = generator.multinomial(len(flat), members / len(flat), size=size)
        yield (drawn @ kinds.astype(np.float64)).reshape(size, *tallies.shape[1:])


def tallies(
    clusters: NDArray[np.int64],
    places: Sequence[NDArray[np.int64]],
    truths: Sequence[NDArray[np.int64]],
    guesses: Sequence[NDArray[np.int64]],
    num_classes: int,
) -> NDArray[np.float32]:
    """Utterances and right answers of each unit in each fold and class,
    (num_units, 2, num_folds, num_classes).

    clusters: the unit of each utterance, (N,); for each fold, places: its utterances
    among them, truths and guesses: class indices.
    """
    units = int(clusters.max()) + 1
    found = np.zeros((units, 2, len(places), num_classes), dtype=np.float32)
    for number, (place, own, guess) in enumerate(zip(places, truths, guesses, strict=True)):
        cell = clusters[place] * num_classes + own
        for kind, cells in enumerate((cell, cell[guess == own])):
            counts = np.bincount(cells, minlength=units * num_classes)
            found[:, kind, number] = counts.reshape(units, num_classes)
    return found


def intervals(
    counted: NDArray[np.float32], resamples: int, seed: int
) -> dict[str, dict[str, float]]:
    """95 % intervals of WA and UA, means over folds, from `tallies`.

    In a resample a fold's score is that of its drawn utterances, and it counts in the
    mean by how much of the fold was drawn: with one speaker a fold this is the usual
    bootstrap over speakers; with each drawn once, the headline itself.
    """
    size = counted[:, 0].sum(axis=(0, 2))
    drawn: dict[str, list[NDArray[np.float64]]] = {"wa_ci95": [], "ua_ci95": []}
    for total in sums(counted, resamples, seed):
        n, k = total[:, 0], total[:, 1]
        mass = n.sum(axis=2) / size
        recalls = (k / np.maximum(n, 1)).sum(axis=2)
        of_folds = {
            "wa_ci95": k.sum(axis=2) / np.maximum(n.sum(axis=2), 1),
            "ua_ci95": recalls / np.maximum((n > 0).sum(axis=2), 1),
        }
        for key, scores in of_folds.items():
            drawn[key].append((scores * mass).sum(axis=1) / mass.sum(axis=1))
    found = {}
    for key, pieces in drawn.items():
        low, high = np.percentile(np.concatenate(pieces), [2.5, 97.5])
        found[key] = {"low": float(low), "high": float(high)}
    return found
