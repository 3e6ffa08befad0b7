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
NEAR = 1e-12  # more than the rounding of a cost
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
        taken = _descend(counts, share, cost)
    found = np.zeros(len(names), dtype=bool)
    if cost(counts[taken].sum(axis=0)[None])[0] < UNUSABLE:
        found[order[taken]] = True
    return found


def _descend(counts: NDArray[np.float64], share: float, cost: Cost) -> NDArray[np.bool_]:
    """From nobody, by adding, removing or exchanging the group that helps most, until
    none does: (num_groups,) bool.
    """
    # Groups with the same counts cost the same: the first one counts for all of them.
    kinds, kind = np.unique(counts, axis=0, return_inverse=True)
    taken = np.zeros(len(counts), dtype=bool)
    total = np.zeros(counts.shape[1])
    current = float(cost(total[None])[0])
    # The place after the last group stands for nobody.
    nobody = np.array([len(counts)])
    steps = _Steps(np.vstack([counts, total]), share, cost)
    while True:
        leaving, joining = (_first_of_kind(some, kind, len(kinds)) for some in (taken, ~taken))
        added, removed = steps.best(total, nobody, joining), steps.best(total, leaving, nobody)
        # Of an equal pair the first group.
        best = min(added, removed, key=lambda step: (step[0], min(step[1:])))
        if best[0] >= current - 1e-12:
            best = steps.best(total, leaving, joining)
            if best[0] >= current - 1e-12:
                return taken
        current, left, joined = best
        total = total - steps.counts[left] + steps.counts[joined]
        taken[[index for index in (left, joined) if index < len(counts)]] ^= True


def _first_of_kind(
    among: NDArray[np.bool_], kind: NDArray[np.int64], number: int
) -> NDArray[np.int64]:
    """The first group of each kind among some, in the order of the groups."""
    positions = np.flatnonzero(among)[::-1]
    first = np.full(number, -1)
    first[kind[positions]] = positions
    return np.sort(first[first >= 0])


class _Steps:
    """What it costs to let one group leave and another join."""

    def __init__(self, counts: NDArray[np.float64], share: float, cost: Cost) -> None:
        self.counts, self.share, self.cost = counts, share, cost
        self.totals = counts.sum(axis=0)
        self.shares = counts / self.totals
        self.squares = (self.shares**2).sum(axis=1)

    def best(
        self, total: NDArray[np.float64], leaving: NDArray[np.int64], joining: NDArray[np.int64]
    ) -> tuple[float, int, int]:
        """The lowest cost, and the first of the pairs that have it."""
        found = self._best(total, leaving, joining, NEAR * len(self.totals))
        # Nearness knows nothing of classes that would be on one side alone.
        return found if found[0] < UNUSABLE else self._best(total, leaving, joining, np.inf)

    def _best(
        self,
        total: NDArray[np.float64],
        leaving: NDArray[np.int64],
        joining: NDArray[np.int64],
        margin: float,
    ) -> tuple[float, int, int]:
        """As `best`, of the pairs that are nearest to the share but for `margin`.

        (a - b)² = a² - 2ab + b² is one product of matrices for all pairs; the cost
        itself, which rounds in another way, is worked out for the nearest alone.
        """
        found, lowest, its_distance = (np.inf, 0, 0), np.inf, np.inf
        away, shares = total / self.totals - self.share, self.shares[joining].T
        block = max(1, PAIRS // max(1, len(joining)))
        for start in range(0, len(leaving) if len(joining) else 0, block):
            left = leaving[start : start + block]
            moved = away - self.shares[left]
            distance = 2 * moved @ shares + self.squares[joining]
            distance += (moved**2).sum(axis=1)[:, None]
            lowest = min(lowest, float(distance.min()))
            if its_distance > lowest + margin:
                # It may be usable where the nearest are not: then all are weighed.
                found = np.inf, 0, 0
            rows, columns = np.nonzero(distance <= lowest + margin)
            if not len(rows):
                continue
            leaves, joins = left[rows], joining[columns]
            costs = self.cost(total - self.counts[leaves] + self.counts[joins])
            index = int(np.argmin(costs))
            if costs[index] < found[0]:
                found = float(costs[index]), int(leaves[index]), int(joins[index])
                its_distance = float(distance[rows[index], columns[index]])
        return found
