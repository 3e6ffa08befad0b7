"""Confusion counts to scores."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def confusion_matrix(
    truth: NDArray[Any], predicted: NDArray[Any], num_classes: int
) -> NDArray[np.int64]:
    """(num_classes, num_classes + 1) counts from class indices (N,); the last column
    counts -1, no prediction.
    """
    column = np.where(predicted < 0, num_classes, predicted)
    flat = np.bincount(
        truth * (num_classes + 1) + column, minlength=num_classes * (num_classes + 1)
    )
    return flat.reshape(num_classes, num_classes + 1)


def merit(confusion: NDArray[Any], measure: str) -> float:
    """WA, UA, or 0.9 WA + 0.1 UA (`wa_ua`) of a confusion matrix with true classes
    down.
    """
    support, right = confusion.sum(axis=1), np.diagonal(confusion)
    wa = right.sum() / support.sum()
    ua = (right / np.maximum(support, 1))[support > 0].mean()
    return float({"wa": wa, "ua": ua, "wa_ua": 0.9 * wa + 0.1 * ua}[measure])


def scores(confusion: NDArray[Any], classes: Sequence[str]) -> dict[str, Any]:
    """WA, UA, macro F1 and precision, recall and F1 of each class; means are over the
    classes that occur.

    confusion: (num_classes, num_classes or one more), true classes down. A class that
    is never predicted has precision 0; recall and F1 of a class that does not occur are
    None.
    """
    size = len(classes)
    support, right = confusion.sum(axis=1), np.diagonal(confusion[:, :size])
    if support.sum() == 0:
        raise ValueError("there are no utterances to score")
    guessed = confusion[:, :size].sum(axis=0)
    recall = right / np.maximum(support, 1)
    precision = right / np.maximum(guessed, 1)
    f1 = 2 * right / np.maximum(support + guessed, 1)
    present = support > 0
    return {
        "wa": float(right.sum() / support.sum()),
        "ua": float(recall[present].mean()),
        "macro_f1": float(f1[present].mean()),
        "macro_precision": float(precision[present].mean()),
        "recall": {
            name: float(recall[i]) if present[i] else None for i, name in enumerate(classes)
        },
        "f1": {name: float(f1[i]) if present[i] else None for i, name in enumerate(classes)},
    }


def summary(
    details: Sequence[Mapping[str, Any]],
    classes: Sequence[str],
    units: Mapping[str, Sequence[int]],
) -> dict[str, Any]:
    """Means over folds and seeds of what `scores` gives for each, and the spread of WA
    and UA over the units 'fold' (of each fold's mean over seeds) and 'seed'.
    """
    found: dict[str, Any] = {}
    for key in ("wa", "ua", "macro_f1", "macro_precision"):
        found[key] = float(np.mean([detail[key] for detail in details]))
    for key in ("recall", "f1"):
        found[key] = {}
        for name in classes:
            values = [detail[key][name] for detail in details if detail[key][name] is not None]
            found[key][name] = float(np.mean(values)) if values else 0.0
    for key in ("wa", "ua"):
        for unit, numbers in units.items():
            groups: dict[int, list[float]] = {}
            for number, detail in zip(numbers, details, strict=True):
                groups.setdefault(number, []).append(detail[key])
            means = [float(np.mean(group)) for group in groups.values()]
            found[f"{key}_{unit}_std"] = float(np.std(means, ddof=1)) if len(means) > 1 else 0.0
    return found
