"""What the parts of each fold have in common: the leakage audit.

What training or validation has in common with the test stops the split, unless its
settings allow it. The results are nested dicts of numbers, because DVC's metrics drop
lists.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.lookup import ConfigurationError
from pipeline.splits._likeness import Likeness
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
from pipeline.splits._selection import named
from pipeline.splits._sentences import sentences
from pipeline.splits._sound import recordings

PAIRS = {"train_test": (TRAIN, TEST), "valid_test": (VALID, TEST), "train_valid": (TRAIN, VALID)}
# What is looked for, by the word that allows it: its name in the audit, what it is.
KINDS = {
    "speaker": ("speakers", "a speaker"),
    "session": ("sessions", "a session"),
    "dialogue": ("dialogues", "a dialogue"),
    "audio": ("recordings", "a recording, or nearly the same"),
    "sentence": ("sentences", "a sentence"),
}
EXAMPLES = {"audio": 3}  # pairs that an error names: one of each other kind


def _by(column: str) -> Callable[[pa.Table], Likeness]:
    return lambda utterances: Likeness(groups(named(utterances[column])))


SHARED: dict[str, Callable[[pa.Table], Likeness]] = {
    "speakers": _by("speaker"),
    "sessions": _by("session"),
    "dialogues": _by("dialogue"),
    "recordings": recordings,
    "sentences": sentences,
}


class Audit:
    """The audit of a corpus; call it with the subsets of each fold."""

    def __init__(self, items: Items, classes: Sequence[str]) -> None:
        self.ids = items.ids
        self.classes = [(label, items.emotions.names.index(label)) for label in classes]
        self.alike = {name: likeness(items.table) for name, likeness in SHARED.items()}
        self.emotions, self.speakers = _Counts(items.emotions), _Counts(self.alike["speakers"].own)
        self.shared = {name: _Shared(found) for name, found in self.alike.items()}

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
        for name, shared in self.shared.items():
            report[f"{name}_shared"] = shared(subsets, sizes)
        report["speakers_known"] = not nameless.any()
        return report

    def heard(self, subsets: Subsets, name: str = "sentences") -> NDArray[np.bool_]:
        """Whether an utterance is tested, and training or validation has the same or
        what is alike, (num_items,).
        """
        return self._alike(name, _before_test(subsets), subsets == TEST)

    def tested(self, subsets: Subsets, name: str = "sentences") -> NDArray[np.bool_]:
        """Whether an utterance is in training or validation, and the test has the same
        or what is alike, (num_items,).
        """
        return self._alike(name, subsets == TEST, _before_test(subsets))

    def _alike(
        self, name: str, some: NDArray[np.bool_], others: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Which of the others have the same as some, or what is alike."""
        likeness = self.alike[name]
        own = likeness.own.own
        # The last place is that of the items without a name.
        present = np.zeros(len(likeness.own.names) + 1, dtype=bool)
        present[own[some]] = True
        near: NDArray[np.bool_] = np.append(likeness.near(present[:-1]), False)
        return near[own] & others

    def require_apart(self, where: str, folds: Sequence[Subsets], allow: Collection[str]) -> None:
        """Raises ConfigurationError where training or validation of a fold and its test
        have in common what is not allowed.
        """
        found: dict[str, tuple[int, int]] = {}
        for number, subsets in enumerate(folds):
            for kind, (name, _) in KINDS.items():
                if kind not in allow and (heard := self.heard(subsets, name)).any():
                    count = int(heard.sum())
                    found[kind] = max(found.get(kind, (0, 0)), (count, -number))
        if not found:
            return
        parts = []
        for kind, (count, number) in found.items():
            name, noun = KINDS[kind]
            pairs = self._examples(folds[-number], name, EXAMPLES.get(kind, 1))
            more = " …" if 1 < len(pairs) < count else ""
            named = ", ".join(f"{tested} as {other}" for tested, other in pairs)
            parts.append(f"{noun} ({count} tested in fold {-number}: {named}{more})")
        allowed = [kind for kind in KINDS if kind in found or kind in allow]
        raise ConfigurationError(
            f"{where}: training and test have in common {', '.join(parts)}: use another protocol, "
            f"leave out what is there twice, or `allow: [{', '.join(allowed)}]`, which every table "
            "and figure then states"
        )

    def _examples(self, subsets: Subsets, name: str, most: int) -> list[tuple[str, str]]:
        """Test utterances, and for each one of training or validation that has the
        same.
        """
        pairs = []
        for place in np.flatnonzero(self.heard(subsets, name))[:most].tolist():
            alone = np.zeros(len(subsets), dtype=bool)
            alone[place] = True
            others = np.flatnonzero(self._alike(name, alone, _before_test(subsets)))
            pairs.append((self.ids[place], self.ids[int(others[0])]))
        return pairs


def _before_test(subsets: Subsets) -> NDArray[np.bool_]:
    return np.isin(subsets, (TRAIN, VALID))


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
    """How often each name occurs in each subset; `kept` counts only some names."""

    def __init__(self, found: Groups, kept: NDArray[np.bool_] | None = None) -> None:
        everybody = kept is None
        kept = np.ones(len(found.names), dtype=bool) if kept is None else kept
        self.number = int(kept.sum())
        place = np.append(np.cumsum(kept) - 1, -1)
        self.positions = np.flatnonzero(np.append(kept, everybody)[found.own])
        # A row of four for each name, the first one for none; the first column for OUT.
        self.cells = 4 * (place[found.own[self.positions]] + 1) + 1

    def __call__(self, subsets: Subsets) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Of the utterances without a name, (num_subsets,), and of each name,
        (num_names, num_subsets).
        """
        cells = self.cells + subsets[self.positions]
        counts = np.bincount(cells, minlength=4 * (self.number + 1)).reshape(-1, 4)[:, 1:]
        return counts[0], counts[1:]


class _Shared:
    """What the subsets of a fold have in common of one kind.

    Names of a single utterance that are like no other are in no two subsets: they are
    not counted.
    """

    def __init__(self, found: Likeness) -> None:
        kept = np.bincount(found.own.own[found.own.own >= 0], minlength=len(found.own.names)) > 1
        kept[found.members] = True
        self.counts = _Counts(found.own, kept)
        members = (np.cumsum(kept) - 1)[found.members]
        self.likeness = found._replace(members=members)

    def __call__(self, subsets: Subsets, sizes: Sequence[int]) -> dict[str, Any]:
        _, times = self.counts(subsets)
        found = {}
        for pair, (left, right) in PAIRS.items():
            both = self.likeness.near(times[:, left] > 0) & (times[:, right] > 0)
            touched = int(times[both, right].sum())
            share = touched / sizes[right] if sizes[right] else 0.0
            found[pair] = {
                "count": int(both.sum()),
                "utterances": touched,
                "share": round(share, 4),
            }
        return found
