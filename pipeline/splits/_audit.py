"""What the parts of each fold have in common: the leakage audit.

The results are nested dicts of numbers, because DVC's metrics drop lists.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.schema import Utterance
from pipeline.splits._protocol import SUBSETS, Item, Subsets, groups
from pipeline.splits._selection import sound

PAIRS = (("train", "test"), ("valid", "test"), ("train", "valid"))
SHARED: dict[str, Callable[[Utterance], str | None]] = {
    "speakers": lambda utterance: utterance.speaker,
    "dialogues": lambda utterance: utterance.dialogue,
    "duplicate_audio": sound,
    "transcripts": lambda utterance: " ".join(utterance.words).casefold() or utterance.transcript,
}


class Audit:
    """The audit of a corpus; call it with the subsets of each fold."""

    def __init__(self, items: Sequence[Item], classes: Sequence[str]) -> None:
        self.classes = classes
        self.emotions = np.array([classes.index(item.emotion) for item in items])
        # An empty name is nobody's.
        self.shared = {
            name: groups(key(item.utterance) or None for item in items).own
            for name, key in SHARED.items()
        }

    def __call__(self, subsets: Subsets) -> dict[str, Any]:
        """Utterances, classes and speakers of each subset, and for each pair of subsets
        what both have, and how many utterances of the second that concerns.
        """
        parts = {subset: subsets == subset for subset in SUBSETS}
        speakers = self.shared["speakers"]
        report: dict[str, Any] = {}
        for subset, part in parts.items():
            counts = np.bincount(self.emotions[part], minlength=len(self.classes)).tolist()
            report[subset] = {
                "utterances": int(part.sum()),
                "classes": dict(zip(self.classes, counts, strict=True)),
                "speakers": int(_occurring(speakers, part).sum()),
            }
        for name, own in self.shared.items():
            found = {subset: _occurring(own, part) for subset, part in parts.items()}
            report[f"{name}_shared"] = {
                f"{left}_{right}": _in_common(found[left] & found[right], own[parts[right]])
                for left, right in PAIRS
            }
        report["speakers_known"] = bool((speakers[subsets != ""] >= 0).all())
        return report


def verdict(folds: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The worst fold of each kind of leakage, in utterances of the pair's second
    subset.
    """
    found: dict[str, Any] = {
        f"{name}_{left}_{right}": max(
            fold[f"{name}_shared"][f"{left}_{right}"]["utterances"] for fold in folds.values()
        )
        for name in SHARED
        for left, right in PAIRS
    }
    known = all(fold["speakers_known"] for fold in folds.values())
    found["speakers_known"] = known
    found["speaker_independent"] = known and found["speakers_train_test"] == 0
    return found


def _occurring(own: NDArray[np.int64], part: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which names a part has; the last entry, False, is for utterances without one."""
    found = np.zeros(own.max() + 2, dtype=bool)
    found[own[part]] = True
    found[-1] = False
    return found


def _in_common(both: NDArray[np.bool_], own: NDArray[np.int64]) -> dict[str, Any]:
    touched = int(both[own].sum())
    share = touched / len(own) if len(own) else 0.0
    return {"count": int(both.sum()), "utterances": touched, "share": round(share, 4)}
