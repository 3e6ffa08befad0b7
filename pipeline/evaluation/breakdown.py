"""How often a system is right in each group of utterances, with intervals."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.evaluation import bootstrap

RESAMPLES = 1000
FEWEST = 10  # utterances of a group that can be named the worst


def shares_right(predictions: pa.Table) -> tuple[list[str], list[str], NDArray[np.float64]]:
    """Of a predictions.parquet: utterances, sorted, their classes, and the share of
    seeds and folds in which each is right, (N,).
    """
    label, predicted = (predictions[name].to_pylist() for name in ("label", "predicted"))
    names = predictions["utterance_id"].to_pylist()
    order = sorted(set(names))
    place = {name: number for number, name in enumerate(order)}
    rows = np.array([place[name] for name in names])
    right = np.array([a == b for a, b in zip(label, predicted, strict=True)], dtype=float)
    classes = dict(zip(names, label, strict=True))
    counts = np.bincount(rows, minlength=len(order))
    summed = np.bincount(rows, weights=right, minlength=len(order))
    return order, [str(classes[name]) for name in order], summed / counts


def groups_of(
    predictions: pa.Table,
    kinds: Mapping[str, Mapping[str, str]],
    speakers: Mapping[str, str | None] | None = None,
) -> dict[str, dict[str, dict[str, Any]]]:
    """By kind and group: `n`, the share `right` with its 95 % interval (`low`, `high`),
    `ua` of the classes in the group.

    kinds: the group of each utterance, by kind; one that has none is left out. The
    interval draws whole speakers where the group has five or more, else utterances;
    `resampled` says which.
    """
    names, labels, right = shares_right(predictions)
    classes = sorted(set(labels))
    own = np.array([classes.index(label) for label in labels])
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for kind, groups in {"class": dict(zip(names, labels, strict=True)), **kinds}.items():
        members: dict[str, list[int]] = {}
        for place, name in enumerate(names):
            if groups.get(name) is not None:
                members.setdefault(groups[name], []).append(place)
        found[kind] = {
            group: _group(np.array(members[group]), names, own, right, speakers)
            for group in sorted(members)
        }
    return found


def worst(found: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> tuple[str, str] | None:
    """Kind and group of ten utterances or more that is right least often; of the groups
    whose interval ends below the share of all, where there are some.
    """
    all_of = {kind: groups for kind, groups in found.items() if len(groups) > 1}
    if not all_of:
        return None
    whole = next(iter(found.values()))
    total = sum(item["n"] for item in whole.values())
    mean = sum(item["n"] * item["right"] for item in whole.values()) / total
    large = [
        (item["high"] >= mean, item["right"], kind, group)
        for kind, groups in all_of.items()
        for group, item in groups.items()
        if item["n"] >= FEWEST
    ]
    return min(large)[2:] if large else None


def _group(
    members: NDArray[np.int64],
    names: list[str],
    own: NDArray[np.int64],
    right: NDArray[np.float64],
    speakers: Mapping[str, str | None] | None,
) -> dict[str, Any]:
    units, resampled = bootstrap.units_of([names[place] for place in members], speakers)
    count = int(units.max()) + 1
    tallies = np.stack(
        [np.bincount(units, minlength=count), np.bincount(units, right[members], count)], axis=1
    )
    drawn = np.concatenate(
        [total[:, 1] / total[:, 0] for total in bootstrap.sums(tallies, RESAMPLES, 0)]
    )
    low, high = np.percentile(drawn, [2.5, 97.5])
    classes = own[members]
    recalls = [right[members][classes == number].mean() for number in np.unique(classes)]
    return {
        "n": len(members),
        "right": float(right[members].mean()),
        "low": float(low),
        "high": float(high),
        "ua": float(np.mean(recalls)),
        "resampled": resampled,
    }
