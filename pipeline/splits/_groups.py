"""Utterances by group and by class, and the folds that leave whole groups out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.lookup import ConfigurationError
from pipeline.splits._balance import balanced, tally
from pipeline.splits._protocol import OUT, TEST, TRAIN, Folds, Groups, Items, Subsets, Validated

LARGEST = 10**9  # bytes: utterances in all folds


@dataclass(frozen=True, kw_only=True)
class GroupsOut(Validated):
    """`folds` sets of groups take the place of single groups; `test` names the groups
    of the only test fold.
    """

    folds: Folds | None = None
    test: list[str] | None = None


def named_groups(items: Items, key: str, needed: int) -> Groups:
    """The groups by a field of the utterances.

    Raises ConfigurationError where an utterance has none or there are fewer than
    `needed`.
    """
    found = items.groups(key)
    nameless = np.flatnonzero(found.own < 0)
    if len(nameless):
        raise ConfigurationError(
            f"{len(nameless)} utterances have no {key} (first: {items.ids[nameless[0]]}), "
            f"this protocol needs the {key} of every utterance: use another one"
        )
    if len(found.names) < needed:
        raise ConfigurationError(
            f"{len(found.names)} {key}s for {needed} parts, "
            f"there must be as many {key}s or more: use fewer folds or another protocol"
        )
    return found


def groups_out(
    items: Items, key: str, folds: int | None, test: list[str] | None, seed: int
) -> Iterator[Subsets]:
    """Train and test of each fold: one group tested in each, `folds` balanced sets of
    groups, or the groups named by `test` in one fold.
    """
    found = named_groups(items, key, folds or 2)
    if test is not None:
        held = np.isin(found.names, test)
        if not set(test) <= set(found.names) or held.all() or not held.any():
            raise ConfigurationError(
                f"test: {test}, expected some, not all, of the {key}s {found.names}"
            )
        return k_folds(np.where(held[found.own], 0, 1), 1)
    if folds is None:
        return k_folds(found.own, len(found.names))
    return k_folds(shared_out(items, found, [1 / folds] * folds, seed), folds)


def k_folds(own: NDArray[np.int64], count: int) -> Iterator[Subsets]:
    """Train and test of each fold from the fold that tests each item; -1 is in none.

    Raises ConfigurationError for more folds than fit into memory.
    """
    if count * len(own) > LARGEST:
        raise ConfigurationError(
            f"{count} folds of {len(own)} utterances take more than {LARGEST / 1e9:g} GB: "
            "set `folds`, so that a fold tests several groups"
        )
    training = np.where(own < 0, OUT, TRAIN).astype(np.int8)
    return (np.where(own == fold, np.int8(TEST), training) for fold in range(count))


def shared_out(
    items: Items, whole: Groups, shares: Sequence[float], seed: int
) -> NDArray[np.int64]:
    """The part of each item where whole groups go to parts of these shares."""
    part = balanced(whole.names, tally(whole, items.emotions), np.array(shares), seed)
    return part[whole.own]


def by_class(
    items: Items, seed: object, among: NDArray[np.bool_] | slice = slice(None)
) -> dict[str, NDArray[np.int64]]:
    """Positions of the items of each class, sorted by class and in the seed's order;
    `among` restricts them.
    """
    kept = np.zeros(len(items), dtype=bool)
    kept[among] = True
    order = items.in_order(seed)
    order = order[kept[order]]
    own = items.emotions.own[order]
    members = {name: order[own == index] for index, name in enumerate(items.emotions.names)}
    return {name: positions for name, positions in members.items() if len(positions)}
