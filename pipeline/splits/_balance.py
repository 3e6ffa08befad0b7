"""Whole groups of utterances (speakers, dialogues, sessions) to parts, so that each
part has its share of every class.
"""

import itertools
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.splits._protocol import Groups, random_order

Cost = Callable[[NDArray[np.float64]], NDArray[np.float64]]
EXHAUSTIVE = 10  # up to this many groups every choice is tried: 1023 of them
PAIRS = 2**18  # exchanges that are weighed at a time
UNUSABLE = 1e3  # cost of a choice that leaves a class on one side alone


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
    order = random_order(seed, names)
    totals = counts.sum(axis=0)
    target = shares[:, None] * totals
    filled = np.zeros_like(target)
    part = np.full(len(names), -1)
    empty = list(range(len(shares)))
    largest_first = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    for position, group in enumerate(largest_first.tolist()):
        added = (filled + counts[group] - target) ** 2 - (filled - target) ** 2
        cost = (added / (target * totals)).sum(axis=1)
        if empty and len(names) - position <= len(empty):
            # The last groups go to parts that are still empty.
            part[group] = empty[int(np.argmin(cost[empty]))]
        else:
            part[group] = np.argmin(cost)
        filled[part[group]] += counts[group]
        if part[group] in empty:
            empty.remove(int(part[group]))
    return part


def chosen(
    names: Sequence[str], counts: NDArray[np.float64], share: float, seed: object
) -> NDArray[np.bool_]:
    """The groups, (num_groups,) bool, that together come nearest to `share` of every
    class.

    None where no choice leaves every class on both sides and at least half of the
    utterances unchosen. Groups and classes without utterances do not count.
    """
    order = random_order(seed, names)
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
    # Groups with the same counts cost the same: what there is to choose is computed
    # once for all of them, and the first one counts.
    kinds, kind = np.unique(counts, axis=0, return_inverse=True)
    taken = np.zeros(len(counts), dtype=bool)
    while True:
        total = counts[taken].sum(axis=0)
        current = cost(total[None])[0]
        flips = np.where(taken, cost(total - kinds)[kind], cost(total + kinds)[kind])
        index = int(np.argmin(flips))
        if flips[index] < current - 1e-12:
            taken[index] = ~taken[index]
            continue
        leaving, joining = _first_of_kind(taken, kind), _first_of_kind(~taken, kind)
        if len(leaving) == 0 or len(joining) == 0:
            return taken
        leaves, joins, after = _exchange(total, counts[leaving], counts[joining], cost)
        if after >= current - 1e-12:
            return taken
        taken[leaving[leaves]] = False
        taken[joining[joins]] = True


def _first_of_kind(among: NDArray[np.bool_], kind: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first group of each kind among some, in the order of the groups."""
    positions = np.flatnonzero(among)
    return positions[np.sort(np.unique(kind[positions], return_index=True)[1])]


def _exchange(
    total: NDArray[np.float64],
    leaving: NDArray[np.float64],
    joining: NDArray[np.float64],
    cost: Cost,
) -> tuple[int, int, float]:
    """The first of the exchanges that cost least, and its cost."""
    best = 0, 0, np.inf
    block = max(1, PAIRS // len(joining))
    for start in range(0, len(leaving), block):
        moved = total - leaving[start : start + block, None] + joining[None]
        costs = cost(moved.reshape(-1, moved.shape[-1]))
        index = int(np.argmin(costs))
        if costs[index] < best[2]:
            best = start + index // len(joining), index % len(joining), float(costs[index])
    return best
