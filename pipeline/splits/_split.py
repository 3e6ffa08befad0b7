"""A corpus to folds by a protocol, with the leakage audit."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline import lookup
from pipeline.lookup import ConfigurationError
from pipeline.schema import Rejection, Utterance
from pipeline.splits._audit import Audit, verdict
from pipeline.splits._protocol import Common, Fold, Item, Subsets
from pipeline.splits._selection import select


@dataclass(frozen=True)
class Split:
    """Who is where: a table `fold`, `subset`, `utterance_id`, `emotion` (the class),
    sorted; who was left out, sorted; the leakage audit.
    """

    folds: pa.Table
    rejections: list[Rejection]
    audit: dict[str, Any]


def split(protocol: str, utterances: Iterable[Utterance], config: Common) -> Split:
    """Folds of a corpus by a protocol name such as 'session' or 'speaker-five',
    whatever the order of the utterances.

    Raises ConfigurationError where the corpus cannot give the protocol: unknown
    speakers, fewer speakers than folds, a class that would be missing from a training
    part.
    """
    module = lookup.component("splits", protocol)
    classes = list(dict.fromkeys(config.labels.values()))
    items, rejections = select(utterances, config, classes)
    division = module.divide(items, config)
    rejections += division.rejections
    audited, folds = Audit(items, classes), {}
    for number, fold in enumerate(division.folds):
        _check(f"{protocol}, fold {number}", items, fold.subsets, classes)
        folds[str(number)] = audited(fold.subsets) | {"validation": fold.validation}
    left_out = {rejection.utterance_id for rejection in rejections}
    counts = Counter(i.emotion for i in items if i.utterance.utterance_id not in left_out)
    audit = {
        "protocol": protocol.split("-", 1)[0],
        "utterances": counts.total() + len(rejections),
        "used": counts.total(),
        "rejected_by_reason": dict(sorted(Counter(item.reason for item in rejections).items())),
        "classes": {label: counts[label] for label in classes},
        "unknown_in_fold_file": division.unknown,
        "verdict": verdict(folds),
        "folds": folds,
    }
    rejections.sort(key=lambda rejection: rejection.utterance_id)
    return Split(_table(items, division.folds), rejections, audit)


def _check(where: str, items: Sequence[Item], subsets: Subsets, classes: Sequence[str]) -> None:
    present = {
        subset: {items[index].emotion for index in np.flatnonzero(subsets == subset).tolist()}
        for subset in ("train", "test")
    }
    absent = [label for label in classes if label not in present["train"]]
    if absent or not present["test"]:
        what = f"no train utterance of {absent}" if absent else "no test utterance"
        raise ConfigurationError(
            f"{where}: {what}, every class must be in training and somebody must be tested: "
            "use fewer folds or another protocol"
        )


def _table(items: Sequence[Item], folds: Sequence[Fold]) -> pa.Table:
    """One row for each item and fold that it is in."""
    ids = np.array([item.utterance.utterance_id for item in items], dtype=object)
    emotions = np.array([item.emotion for item in items], dtype=object)
    # Sorted by subset, and within one as the items are: by utterance_id.
    orders = [np.argsort(fold.subsets, kind="stable") for fold in folds]
    orders = [order[fold.subsets[order] != ""] for order, fold in zip(orders, folds, strict=True)]
    sizes = [len(order) for order in orders]
    subsets = [fold.subsets[order] for order, fold in zip(orders, folds, strict=True)]
    places = np.concatenate(orders)
    return pa.table(
        {
            "fold": pa.array(np.repeat(np.arange(len(folds)), sizes), pa.int32()),
            "subset": pa.array(np.concatenate(subsets), pa.string()),
            "utterance_id": pa.array(ids[places], pa.string()),
            "emotion": pa.array(emotions[places], pa.string()),
        }
    )
