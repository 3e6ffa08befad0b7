"""What a protocol is made of: its settings, what it is given, what it returns.

A protocol module has `Config`, a frozen pydantic dataclass that extends `Common` or
`Validated`, and `divide(items, config)`, which returns a `Division` or raises
ConfigurationError where the corpus cannot be divided so. The items are sorted by
utterance_id.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from pipeline.schema import Rejection, Utterance

SUBSETS = ("train", "valid", "test")


def _whole(ratio: tuple[float, float, float]) -> tuple[float, float, float]:
    if min(ratio) <= 0 or abs(sum(ratio) - 1) > 1e-6:
        raise ValueError("expected three positive shares with the sum 1")
    return ratio


def _classes(labels: dict[str, str]) -> dict[str, str]:
    if len(set(labels.values())) < 2:
        raise ValueError("expected two classes or more")
    return labels


Labels = Annotated[dict[str, str], AfterValidator(_classes)]
Folds = Annotated[int, Field(ge=2)]
Ratio = Annotated[tuple[float, float, float], AfterValidator(_whole)]


@dataclass(frozen=True, kw_only=True)
class Common:
    """What every protocol is told: which utterances it divides, as which classes.

    `labels` maps each raw label to its class; the classes are numbered in the order in
    which they first appear, other labels are rejected. `styles` keeps only these
    speaking styles. `duplicates: drop` keeps one of several recordings with identical
    samples. `seed` orders what is drawn.
    """

    labels: Labels
    styles: list[str] | None = None
    duplicates: Literal["drop", "keep"] = "drop"
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0


@dataclass(frozen=True, kw_only=True)
class Validated(Common):
    """Of a protocol that does not state its validation sets: their share of the
    training part.

    With 0 there is no validation set: all of the training part trains, and the last
    epoch is the result.
    """

    validation_share: Annotated[float, Field(ge=0, lt=0.9)] = 0.15


class Item(NamedTuple):
    """An utterance and its class."""

    utterance: Utterance
    emotion: str


# The subset of each item, (num_items,); '' where an item is not in the fold.
Subsets = NDArray[np.str_]


class Fold(NamedTuple):
    """The subset of each item, and how the validation set was made, for the audit."""

    subsets: Subsets
    validation: str


@dataclass(frozen=True)
class Division:
    """A protocol's folds.

    `rejections` has the items that are in no fold; `unknown` counts the names of a
    published list that the corpus does not have.
    """

    folds: list[Fold]
    rejections: list[Rejection] = field(default_factory=list)
    unknown: int = 0


class Groups(NamedTuple):
    """Names, sorted, and each item's place among them, (num_items,); -1 for none."""

    names: list[str]
    own: NDArray[np.int64]


def groups(values: Iterable[Any]) -> Groups:
    """The items by a value that some have in common; None is no group."""
    listed = list(values)
    names = sorted(set(listed) - {None})
    place: dict[str | None, int] = {name: index for index, name in enumerate(names)}
    return Groups(names, np.array([place.get(value, -1) for value in listed], dtype=np.int64))
