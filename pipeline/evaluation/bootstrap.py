"""Resampling units and weights of the bootstrap intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

CLUSTERS_NEEDED = 5  # fewer speakers than this say nothing about the spread between speakers
CELLS = 2_000_000  # weights in memory at a time


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


def weights(units: int, resamples: int, seed: int) -> Iterator[NDArray[np.float32]]:
    """How often each unit is drawn: pieces of (resamples, units), each row with the sum
    `units`.
    """
    generator = np.random.default_rng(seed)
    step = max(1, CELLS // units)
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        picks = generator.integers(0, units, (rows, units)) + np.arange(rows)[:, None] * units
        yield (
            np.bincount(picks.ravel(), minlength=rows * units)
            .reshape(rows, units)
            .astype(np.float32)
        )
