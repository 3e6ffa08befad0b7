"""What a protocol is made of: its settings, what it is given, what it returns.

A protocol module has `Config`, a frozen pydantic dataclass that extends `Common` or
`Validated`, and `divide(items, config)`, which returns a `Division` or raises
ConfigurationError where the corpus cannot be divided so. The items are sorted by
utterance_id.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from pipeline.schema import SUBSETS as SUBSETS
from pipeline.schema import Rejection

TRAIN, VALID, TEST = range(len(SUBSETS))
OUT = -1


def _whole(ratio: tuple[float, float, float]) -> tuple[float, float, float]:
    if min(ratio) <= 0 or abs(sum(ratio) - 1) > 1e-6:
        raise ValueError("expected three positive shares with the sum 1")
    return ratio


def _classes(labels: dict[str, str]) -> dict[str, str]:
    if len(set(labels.values())) < 2:
        raise ValueError("expected two classes or more")
    return labels


Kind = Literal["speaker", "session", "dialogue", "audio", "sentence"]
Labels = Annotated[dict[str, str], AfterValidator(_classes)]
Folds = Annotated[int, Field(ge=2)]
Ratio = Annotated[tuple[float, float, float], AfterValidator(_whole)]


@dataclass(frozen=True, kw_only=True)
class Common:
    """What every protocol is told: which utterances it divides, as which classes.

    `labels` maps each raw label to its class; the classes are numbered in the order in
    which they first appear, other labels are rejected. `styles` keeps only these
    speaking styles. `duplicates: drop` keeps one of several recordings with identical
    samples. `allow` declares what training and test may have in common; whatever else
    they have stops the split. `sentences: drop` leaves out of a fold's training what
    says the same, or nearly so, as its test; `keep` leaves it there, to be allowed.
    `seed` orders what is drawn.
    """

    labels: Labels
    styles: list[str] | None = None
    duplicates: Literal["drop", "keep"] = "drop"
    allow: list[Kind] = field(default_factory=list)
    sentences: Literal["keep", "drop"] = "keep"
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0


@dataclass(frozen=True, kw_only=True)
class Drawn(Common):
    """Of a protocol that draws utterances: `sentences: group` draws all that say the
    same, or nearly so, together.
    """

    # More than `Common` takes; a frozen setting is only read.
    sentences: Literal["keep", "drop", "group"] = "keep"  # type: ignore[assignment]


@dataclass(frozen=True, kw_only=True)
class Validated(Common):
    """Of a protocol that does not state its validation sets: their share of the
    training part.

    With 0 there is no validation set: all of the training part trains, and the last
    epoch is the result.
    """

    validation_share: Annotated[float, Field(ge=0, lt=0.9)] = 0.15


# The subset of each item, (num_items,): TRAIN, VALID, TEST, or OUT of the fold.
Subsets = NDArray[np.int8]


class Groups(NamedTuple):
    """Names, sorted, and each item's place among them, (num_items,); -1 for none."""

    names: list[str]
    own: NDArray[np.int64]


class Items:
    """The utterances that are divided, sorted by utterance_id, in columns.

    `table` has a row for each, as in utterances.parquet; `emotions` are their classes.
    """

    def __init__(self, table: pa.Table, emotions: Groups) -> None:
        self.table, self.emotions = table, emotions
        self.ids: list[str] = table["utterance_id"].to_pylist()
        self._orders: dict[str, NDArray[np.int64]] = {}

    def __len__(self) -> int:
        return len(self.ids)

    def groups(self, name: str) -> Groups:
        """The items by a column that some have in common."""
        return groups(self.table[name])

    def in_order(self, seed: object) -> NDArray[np.int64]:
        """Positions of the items in the seed's random order."""
        if str(seed) not in self._orders:
            self._orders[str(seed)] = random_order(seed, self.ids)
        return self._orders[str(seed)]


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


def groups(values: pa.ChunkedArray) -> Groups:
    """The items by a value that some have in common; null is no group."""
    encoded = values.combine_chunks().dictionary_encode()
    found = encoded.dictionary.to_pylist()
    order = sorted(range(len(found)), key=found.__getitem__)
    place = np.full(len(found) + 1, -1, dtype=np.int64)
    place[order] = np.arange(len(found))
    return Groups([found[index] for index in order], place[encoded.indices.fill_null(-1)])


def random_order(seed: object, names: Sequence[str]) -> NDArray[np.int64]:
    """Positions of the names in a random order, in which names that are added do not
    change the others' order.
    """
    # A seed can be as long as a list of dialogues: it is hashed once.
    begun, digests = hashlib.sha256(f"{seed}\0".encode()), []
    for name in names:
        digest = begun.copy()
        digest.update(name.encode())
        digests.append(digest.digest())
    words = np.frombuffer(b"".join(digests), dtype=">u8").reshape(-1, 4)
    return np.lexsort(words.T[::-1]).astype(np.int64)
