"""Whole groups of utterances (speakers, dialogues, sessions) to parts, so that each
part has its share of every class.
"""

import hashlib
import itertools
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.splits._protocol import Groups

Cost = Callable[[NDArray[np.float64]], NDArray[np.float64]]
EXHAUSTIVE = 10  # up to this many groups every choice is tried: 1023 of them
UNUSABLE = 1e3  # cost of a choice that leaves a class on one side alone


def rank(seed: object, name: str) -> str:
    """Sorting by this is a random order that does not change when names are added."""
    return hashlib.sha256(f"{seed}\0{name}".encode()).hexdigest()


def tally(
    whole: Groups, classes: Groups, among: NDArray[np.bool_] | slice = slice(None)
) -> NDArray[np.float64]:
    """Utterances of each group and class, (num_groups, num_classes); of those `among`
    alone, each of which has a group.
    """
    shape = len(whole.names), len(classes.names)
    cells = whole.own[among] * shape[1] + classes.own[among]
    return np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float64)


def balanced(
    names: Sequence[str], counts: NDArray[np.float64], shares: NDArray[np.float64], seed: int
) -> NDArray[np.int64]:
    """Each group's part, (num_groups,): largest first, each where it brings the classes
    nearest to the parts' shares; no part stays empty.

    counts: utterances per group and class, every class with some; shares: (num_parts,),
    at most as many as groups, their sum 1.
    """
    order = _order(names, seed)
    totals = counts.sum(axis=0)
    target = shares[:, None] * totals
    filled = np.zeros_like(target)
    part = np.full(len(names), -1)
    largest_first = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    for position, group in enumerate(largest_first):
        added = (filled + counts[group] - target) ** 2 - (filled - target) ** 2
        cost = (added / (target * totals)).sum(axis=1)
        empty = np.setdiff1d(np.arange(len(shares)), part)
        # The last groups go to parts that are still empty.
        must_fill = len(names) - position <= len(empty)
        allowed = empty if must_fill else np.arange(len(shares))
        part[group] = allowed[np.argmin(cost[allowed])]
        filled[part[group]] += counts[group]
    return part


def chosen(
    names: Sequence[str], counts: NDArray[np.float64], share: float, seed: object
) -> NDArray[np.bool_]:
    """The groups, (num_groups,) bool, that together come nearest to `share` of every
    class.

    None where no choice leaves every class on both sides and at least half of the
    utterances unchosen. Groups and classes without utterances do not count.
    """
    order = _order(names, seed)
    order = order[counts[order].any(axis=1)]
    counts = np.ascontiguousarray(counts[order][:, counts.any(axis=0)])
    totals = counts.sum(axis=0)

    def cost(taken: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of each row of (num_choices, num_classes) utterances taken."""
        uneven = (((taken - share * totals) / totals) ** 2).sum(axis=1)
        absent = (
            (taken == 0).sum(axis=1)
            + (taken == totals).sum(axis=1)
            + (2 * taken.sum(axis=1) > totals.sum())
        )
        return np.asarray(uneven + UNUSABLE * absent)

    if len(order) <= EXHAUSTIVE:
        choices = np.array(list(itertools.product((0, 1), repeat=len(order))), dtype=bool)
        taken = choices[int(np.argmin(cost(choices.astype(float) @ counts)))]
    else:
        taken = _descend(counts, cost)
    found = np.zeros(len(names), dtype=bool)
    if cost(counts[taken].sum(axis=0)[None])[0] < UNUSABLE:
        found[order[taken]] = True
    return found


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


def _order(names: Sequence[str], seed: object) -> NDArray[np.int64]:
    """The positions of the names in the seed's random order."""
    order = sorted(range(len(names)), key=lambda index: rank(seed, names[index]))
    return np.array(order, dtype=np.int64)
