"""Utterances by group and by class, and the folds that leave whole groups out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.lookup import ConfigurationError
from pipeline.splits._balance import balanced, rank, tally
from pipeline.splits._protocol import Folds, Groups, Item, Subsets, Validated, groups


@dataclass(frozen=True, kw_only=True)
class GroupsOut(Validated):
    """`folds` sets of groups take the place of single groups; `test` names the groups
    of the only test fold.
    """

    folds: Folds | None = None
    test: list[str] | None = None


def named_groups(items: Sequence[Item], key: str, needed: int) -> Groups:
    """The groups by a field of the utterances.

    Raises ConfigurationError where an utterance has none or there are fewer than
    `needed`.
    """
    found = groups(getattr(item.utterance, key) for item in items)
    nameless = np.flatnonzero(found.own < 0)
    if len(nameless):
        first = items[nameless[0]].utterance.utterance_id
        raise ConfigurationError(
            f"{len(nameless)} utterances have no {key} (first: {first}), "
            f"this protocol needs the {key} of every utterance: use another one"
        )
    if len(found.names) < needed:
        raise ConfigurationError(
            f"{len(found.names)} {key}s for {needed} parts, "
            f"there must be as many {key}s or more: use fewer folds or another protocol"
        )
    return found


def groups_out(
    items: Sequence[Item], key: str, folds: int | None, test: list[str] | None, seed: int
) -> list[Subsets]:
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
        return [np.where(held[found.own], "test", "train")]
    if folds is None:
        return k_folds(found.own, len(found.names))
    return k_folds(shared_out(items, found, [1 / folds] * folds, seed), folds)


def k_folds(own: NDArray[np.int64], count: int) -> list[Subsets]:
    """Train and test of each fold from the fold that tests each item; -1 is in none."""
    training = np.where(own < 0, "", "train")
    return [np.where(own == fold, "test", training) for fold in range(count)]


def shared_out(
    items: Sequence[Item], whole: Groups, shares: Sequence[float], seed: int
) -> NDArray[np.int64]:
    """The part of each item where whole groups go to parts of these shares."""
    part = balanced(
        whole.names, tally(whole, groups(item.emotion for item in items)), np.array(shares), seed
    )
    return part[whole.own]


def by_class(
    items: Sequence[Item], seed: object, among: Iterable[int] | None = None
) -> dict[str, list[int]]:
    """Positions of the items of each class, sorted by class and in the seed's order;
    `among` restricts them to these positions.
    """
    members: dict[str, list[int]] = {}
    for index in range(len(items)) if among is None else among:
        members.setdefault(items[index].emotion, []).append(index)
    return {
        emotion: sorted(
            members[emotion], key=lambda index: rank(seed, items[index].utterance.utterance_id)
        )
        for emotion in sorted(members)
    }
