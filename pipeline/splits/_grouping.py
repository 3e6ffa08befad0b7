"""Whole groups of utterances (speakers, dialogues, sessions) to parts, so that each
part has the classes it should.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Cost = Callable[[NDArray[np.float64]], NDArray[np.float64]]
EXHAUSTIVE = 10  # up to this many groups every choice is tried: 1023 of them


def rank(seed: object, name: str) -> str:
    """Sorting by this is a random order that does not change when names are added."""
    return hashlib.sha256(f"{seed}\0{name}".encode()).hexdigest()


def balanced(
    tallies: Mapping[str, Mapping[str, int]], shares: NDArray[np.float64], seed: int
) -> dict[str, int]:
    """Each group's part: largest first, each where it brings the classes nearest to the
    parts' shares.

    tallies: utterances per class of each group; shares: (num_parts,), their sum 1; no
    part stays empty. Raises ValueError for fewer groups than parts.
    """
    if len(tallies) < len(shares):
        raise ValueError(
            f"{len(tallies)} groups for {len(shares)} parts, expected at least as many groups"
        )
    names, counts = _matrix(tallies, seed)
    totals = counts.sum(axis=0)
    target = shares[:, None] * totals
    filled = np.zeros_like(target)
    place: dict[str, int] = {}
    for position, index in enumerate(np.argsort(-counts.sum(axis=1), kind="stable")):
        cost = (
            ((filled + counts[index] - target) ** 2 - (filled - target) ** 2) / (target * totals)
        ).sum(axis=1)
        empty = sorted(set(range(len(shares))) - set(place.values()))
        # The last groups go to parts that are still empty.
        allowed = empty if len(names) - position <= len(empty) else list(range(len(shares)))
        part = allowed[int(np.argmin(cost[allowed]))]
        place[names[index]] = part
        filled[part] += counts[index]
    return place


def chosen(tallies: Mapping[str, Mapping[str, int]], share: float, seed: object) -> list[str]:
    """Groups that together come nearest to `share` of every class.

    [] where no choice leaves every class on both sides and at least half of the
    utterances unchosen.
    """
    names, counts = _matrix(tallies, seed)
    totals = counts.sum(axis=0)

    def cost(taken: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of each row of (num_choices, num_classes) utterances taken."""
        uneven = (((taken - share * totals) / totals) ** 2).sum(axis=1)
        absent = (
            (taken == 0).sum(axis=1)
            + (taken == totals).sum(axis=1)
            + (2 * taken.sum(axis=1) > totals.sum())
        )
        return np.asarray(uneven + 1e3 * absent)

    if len(names) <= EXHAUSTIVE:
        choices = np.array(list(itertools.product((0, 1), repeat=len(names))), dtype=bool)
        taken = choices[int(np.argmin(cost(choices.astype(float) @ counts)))]
    else:
        taken = _descend(counts, cost)
    if cost(counts[taken].sum(axis=0)[None])[0] >= 1e3:
        return []
    return sorted(np.array(names)[taken].tolist())


def _descend(counts: NDArray[np.float64], cost: Cost) -> NDArray[np.bool_]:
    """From nobody, by adding, removing or exchanging the group that helps most, until
    none does: (num_groups,) bool.
    """
    taken = np.zeros(len(counts), dtype=bool)
    while True:
        total = counts[taken].sum(axis=0)
        current = cost(total[None])[0]
        flips = cost(total + np.where(taken, -1, 1)[:, None] * counts)
        index = int(np.argmin(flips))
        if flips[index] < current - 1e-12:
            taken[index] = ~taken[index]
            continue
        leaving, joining = np.nonzero(taken)[0], np.nonzero(~taken)[0]
        if len(leaving) == 0 or len(joining) == 0:
            return taken
        moved = total - counts[leaving][:, None] + counts[joining][None]
        swaps = cost(moved.reshape(-1, counts.shape[1]))
        index = int(np.argmin(swaps))
        if swaps[index] >= current - 1e-12:
            return taken
        taken[leaving[index // len(joining)]] = False
        taken[joining[index % len(joining)]] = True


def _matrix(
    tallies: Mapping[str, Mapping[str, int]], seed: object
) -> tuple[list[str], NDArray[np.float64]]:
    """Names in the seed's order and their utterances per class, (num_groups,
    num_classes).
    """
    names = sorted(tallies, key=lambda name: rank(seed, name))
    classes = sorted(
        {label for tally in tallies.values() for label, count in tally.items() if count}
    )
    return names, np.array(
        [[tallies[name].get(label, 0) for label in classes] for name in names], dtype=np.float64
    )
