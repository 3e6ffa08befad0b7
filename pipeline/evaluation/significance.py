"""Whether one experiment beats another on the same utterances: McNemar's exact test, a
paired bootstrap, Holm; whether it is at most a little worse; how many utterances a test
needs to tell.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.evaluation import bootstrap

LEVEL = 0.05  # of a two-sided test; half of it of a one-sided one
POWER = 0.8  # share of tests that are to show a difference that there is


def mcnemar(only_first: int, only_second: int) -> float:
    """Exact two-sided p of McNemar's test, from the utterances that only one of two
    systems has right.
    """
    from scipy.stats import binomtest

    total = only_first + only_second
    return 1.0 if total == 0 else float(binomtest(only_first, total, 0.5).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """P values adjusted for their number by Holm's step-down method, in the order
    given.
    """
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def utterances_needed(difference: float, standard_error: float, tested: int) -> int | None:
    """How many test utterances would show such a difference, at p < 0.05 in four of
    five tests; None where there is no difference.

    By the normal approximation, from the standard error that a test of `tested`
    utterances had: more of them from as many more speakers, as alike as these.
    """
    if difference == 0:
        return None
    normal = NormalDist()
    apart = normal.inv_cdf(1 - LEVEL / 2) + normal.inv_cdf(POWER)
    return max(2, math.ceil(tested * (apart * standard_error / difference) ** 2))


def compare(
    first: pa.Table,
    second: pa.Table,
    speakers: Mapping[str, str | None] | None = None,
    resamples: int = 5000,
    seed: int = 0,
    margin: float | None = None,
) -> dict[str, Any]:
    """Second minus first on the utterances both were tested on; the tables are two
    experiments' predictions.parquet.

    `ua_difference` and `wa_difference` are of all folds' predictions together, mean
    over seeds, with 95 % intervals and p from a bootstrap that draws the same
    utterances (whole speakers where five or more are known) for both, and the number of
    utterances that would show them. McNemar's test takes one answer an utterance: that
    of the probabilities' mean over seeds. With a `margin` (a share, 0.01 is a point)
    `noninferior` is the one-sided test that the experiment with the lower UA is worse
    by less than it. Raises ValueError where nothing is shared or the labels differ.
    """
    names, truth, (a, b) = _joined(first, second)
    labels = sorted(set(truth))
    cell = np.array([labels.index(label) for label in truth])
    units, resampled = bootstrap.units_of(names, speakers)
    count = int(units.max()) + 1
    flat = units * len(labels) + cell
    # Utterances and gain of each unit and class, (num_units, 2, num_classes).
    weights = np.stack([np.ones(len(names)), b.share_right - a.share_right])
    counted = np.stack(
        [np.bincount(flat, own, count * len(labels)).reshape(count, -1) for own in weights], axis=1
    )
    drawn = [_differences(total) for total in bootstrap.sums(counted, resamples, seed)]
    wa, ua = _differences(counted.sum(axis=0)[None])
    drawn_wa, drawn_ua = (np.concatenate(pieces) for pieces in zip(*drawn, strict=True))
    only_first, only_second = int((a.right & ~b.right).sum()), int((b.right & ~a.right).sum())
    found: dict[str, Any] = {
        "n": len(names),
        "resampled": resampled,
        "units": count,
        "wa_difference": _spread(float(wa[0]), drawn_wa, len(names)),
        "ua_difference": _spread(float(ua[0]), drawn_ua, len(names)),
        "mcnemar": {
            "only_first": only_first,
            "only_second": only_second,
            "p": mcnemar(only_first, only_second),
        },
    }
    if margin is not None:
        loss = drawn_ua if ua[0] > 0 else -drawn_ua
        found["noninferior"] = {
            "margin": margin,
            "p": (int((loss >= margin).sum()) + 1) / (len(loss) + 1),
        }
    return found


def compare_all(
    predictions: Mapping[str, pa.Table],
    speakers: Mapping[str, str | None] | None = None,
    resamples: int = 5000,
    against: str | None = None,
    margin: float | None = None,
) -> list[dict[str, Any]]:
    """Every pair of experiments (`first`, `second`), or each one with `against` as the
    second alone; `margin` as in `compare`.

    P values also as Holm adjusts them for the number of pairs (`p_holm`).
    """
    if against is None:
        pairs = list(itertools.combinations(predictions, 2))
    else:
        pairs = [(name, against) for name in predictions if name != against]
    found = [
        {
            "first": first,
            "second": second,
            **compare(predictions[first], predictions[second], speakers, resamples, margin=margin),
        }
        for first, second in pairs
    ]
    tests = ["wa_difference", "ua_difference", "mcnemar"]
    for test in tests + (["noninferior"] if margin is not None else []):
        for pair, adjusted in zip(found, holm([pair[test]["p"] for pair in found]), strict=True):
            pair[test]["p_holm"] = adjusted
    return found


class _Answers:
    """`share_right`: share of seeds that are right, (N,); `right`: whether the mean
    probabilities are, (N,) bool.
    """

    def __init__(self, table: pa.Table, names: Sequence[str]) -> None:
        place = {name: index for index, name in enumerate(names)}
        rows = np.array([place.get(name, -1) for name in table["utterance_id"].to_pylist()])
        kept = rows >= 0
        rows = rows[kept]
        label = np.array(table["label"].to_pylist(), dtype=object)[kept]
        right = (label == np.array(table["predicted"].to_pylist(), dtype=object)[kept]).astype(
            float
        )
        columns = [name for name in table.column_names if name.startswith("p_")]
        shares = np.stack([table[name].to_numpy()[kept] for name in columns], axis=1).astype(float)
        summed = np.zeros((len(names), len(columns)))
        np.add.at(summed, rows, shares)
        times = np.bincount(rows, minlength=len(names))
        self.share_right = np.bincount(rows, weights=right, minlength=len(names)) / times
        self.label = np.empty(len(names), dtype=object)
        self.label[rows] = label
        guess = np.array([name.removeprefix("p_") for name in columns], dtype=object)[
            np.nan_to_num(summed).argmax(axis=1)
        ]
        self.right = (guess == self.label) & np.isfinite(summed).all(axis=1)


def _joined(
    first: pa.Table, second: pa.Table
) -> tuple[list[str], list[str], tuple[_Answers, _Answers]]:
    names = sorted(set(first["utterance_id"].to_pylist()) & set(second["utterance_id"].to_pylist()))
    if not names:
        raise ValueError("no utterance in common: only experiments on one corpus can be compared")
    answers = _Answers(first, names), _Answers(second, names)
    differing = int((answers[0].label != answers[1].label).sum())
    if differing:
        raise ValueError(
            f"{differing} utterances with another label: only experiments with one label "
            "scheme can be compared"
        )
    return names, [str(label) for label in answers[0].label], answers


def _differences(total: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of WA and UA, (num_resamples,) each, from (num_resamples, 2, num_classes)."""
    n, k = total[:, 0], total[:, 1]
    recalls = (k / np.maximum(n, 1)).sum(axis=1)
    return k.sum(axis=1) / n.sum(axis=1), recalls / (n > 0).sum(axis=1)


def _spread(value: float, drawn: NDArray[np.float64], tested: int) -> dict[str, Any]:
    low, high = np.percentile(drawn, [2.5, 97.5])
    # One more on both sides of the fraction: no bootstrap of this size can show a
    # smaller p.
    tail = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    p = min(1.0, 2 * (tail + 1) / (len(drawn) + 1))
    needed = utterances_needed(value, float(np.std(drawn, ddof=1)), tested)
    return {"value": value, "low": float(low), "high": float(high), "p": p, "needed": needed}
