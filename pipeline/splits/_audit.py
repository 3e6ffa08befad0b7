"""What the parts of each fold have in common: the leakage audit.

The results are nested dicts of numbers, because DVC's metrics drop lists.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.splits._protocol import (
    SUBSETS,
    TEST,
    TRAIN,
    VALID,
    Groups,
    Items,
    Subsets,
    groups,
)
from pipeline.splits._selection import named, sound

PAIRS = {"train_test": (TRAIN, TEST), "valid_test": (VALID, TEST), "train_valid": (TRAIN, VALID)}


def _spoken(utterances: pa.Table) -> pa.ChunkedArray:
    """The words in lower case, or else the transcript."""
    words = pc.binary_join(utterances["words"].combine_chunks(), " ").dictionary_encode()
    # pyarrow has lower case alone: what is folded is each text once.
    folded = pa.array((text.casefold() for text in words.dictionary.to_pylist()), pa.string())
    lowered = pa.chunked_array([folded.take(words.indices)])
    return pc.coalesce(named(lowered), named(utterances["transcript"]))


SHARED: dict[str, Callable[[pa.Table], pa.ChunkedArray]] = {
    "speakers": lambda utterances: named(utterances["speaker"]),
    "dialogues": lambda utterances: named(utterances["dialogue"]),
    "duplicate_audio": sound,
    "transcripts": _spoken,
}


class Audit:
    """The audit of a corpus; call it with the subsets of each fold."""

    def __init__(self, items: Items, classes: Sequence[str]) -> None:
        self.classes = [(label, items.emotions.names.index(label)) for label in classes]
        shared = {name: groups(key(items.table)) for name, key in SHARED.items()}
        self.emotions, self.speakers = _Counts(items.emotions), _Counts(shared["speakers"])
        self.shared = {name: _Counts(found, repeated=True) for name, found in shared.items()}

    def __call__(self, subsets: Subsets) -> dict[str, Any]:
        """Utterances, classes and speakers of each subset, and for each pair of subsets
        what both have, and how many utterances of the second that concerns.
        """
        _, emotions = self.emotions(subsets)
        nameless, speakers = self.speakers(subsets)
        sizes = emotions.sum(axis=0).tolist()
        report: dict[str, Any] = {
            subset: {
                "utterances": sizes[number],
                "classes": {label: int(emotions[place, number]) for label, place in self.classes},
                "speakers": int(np.count_nonzero(speakers[:, number])),
            }
            for number, subset in enumerate(SUBSETS)
        }
        for name, counts in self.shared.items():
            _, times = counts(subsets)
            report[f"{name}_shared"] = {
                pair: _in_common(times[:, left], times[:, right], sizes[right])
                for pair, (left, right) in PAIRS.items()
            }
        report["speakers_known"] = not nameless.any()
        return report


def verdict(folds: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The worst fold of each kind of leakage, in utterances of the pair's second
    subset.
    """
    found: dict[str, Any] = {
        f"{name}_{pair}": max(fold[f"{name}_shared"][pair]["utterances"] for fold in folds.values())
        for name in SHARED
        for pair in PAIRS
    }
    known = all(fold["speakers_known"] for fold in folds.values())
    found["speakers_known"] = known
    found["speaker_independent"] = known and found["speakers_train_test"] == 0
    return found


class _Counts:
    """How often each name occurs in each subset; `repeated` counts only names of two
    utterances or more, the others are in no two subsets.
    """

    def __init__(self, found: Groups, repeated: bool = False) -> None:
        kept = np.bincount(found.own[found.own >= 0], minlength=len(found.names)) > int(repeated)
        self.number = int(kept.sum())
        place = np.append(np.cumsum(kept) - 1, -1)
        self.positions = np.flatnonzero(np.append(kept, not repeated)[found.own])
        # A row of four for each name, the first one for none; the first column for OUT.
        self.cells = 4 * (place[found.own[self.positions]] + 1) + 1

    def __call__(self, subsets: Subsets) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Of the utterances without a name, (num_subsets,), and of each name,
        (num_names, num_subsets).
        """
        cells = self.cells + subsets[self.positions]
        counts = np.bincount(cells, minlength=4 * (self.number + 1)).reshape(-1, 4)[:, 1:]
        return counts[0], counts[1:]


def _in_common(
    left: NDArray[np.int64], right: NDArray[np.int64], utterances: int
) -> dict[str, Any]:
    both = (left > 0) & (right > 0)
    touched = int(right[both].sum())
    share = touched / utterances if utterances else 0.0
    return {"count": int(both.sum()), "utterances": touched, "share": round(share, 4)}
