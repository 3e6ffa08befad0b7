"""A corpus to folds by a protocol, with the leakage audit."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline import lookup
from pipeline.lookup import ConfigurationError
from pipeline.schema import Rejection
from pipeline.splits._audit import Audit, verdict
from pipeline.splits._protocol import Common, Subsets
from pipeline.splits._selection import select

# What is read of utterances.parquet.
COLUMNS = (
    "utterance_id",
    "emotion",
    "speaker",
    "session",
    "dialogue",
    "style",
    "subset",
    "transcript",
    "words",
    "audio_sha256",
    "duplicate_of",
)


@dataclass(frozen=True)
class Split:
    """Who is where: `utterance_ids`, sorted; their classes, `emotions`; and for each
    fold the place of each one's subset in `schema.SUBSETS`, -1 where it is not in the
    fold. Who was left out, sorted; the leakage audit.
    """

    utterance_ids: list[str]
    emotions: list[str]
    folds: list[Subsets]
    rejections: list[Rejection]
    audit: dict[str, Any]


def split(protocol: str, utterances: pa.Table, config: Common) -> Split:
    """Folds of a corpus by a protocol name such as 'session' or 'speaker-five',
    whatever the order of the utterances, a table with the `COLUMNS` of
    utterances.parquet.

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
        report = audited(fold.subsets)
        _check(f"{protocol}, fold {number}", report)
        folds[str(number)] = report | {"validation": fold.validation}
    used: Any = slice(None)
    if division.rejections:
        used = ~np.isin(items.ids, [rejection.utterance_id for rejection in division.rejections])
    emotions = items.emotions.own[used]
    counts = np.bincount(emotions, minlength=len(classes)).tolist()
    by_name = dict(zip(items.emotions.names, counts, strict=True))
    audit = {
        "protocol": protocol.split("-", 1)[0],
        "utterances": sum(counts) + len(rejections),
        "used": sum(counts),
        "rejected_by_reason": dict(sorted(Counter(item.reason for item in rejections).items())),
        "classes": {label: by_name[label] for label in classes},
        "unknown_in_fold_file": division.unknown,
        "verdict": verdict(folds),
        "folds": folds,
    }
    rejections.sort(key=lambda rejection: rejection.utterance_id)
    return Split(
        np.array(items.ids, dtype=object)[used].tolist(),
        np.array(items.emotions.names, dtype=object)[emotions].tolist(),
        [fold.subsets[used] for fold in division.folds],
        rejections,
        audit,
    )


def _check(where: str, report: Mapping[str, Any]) -> None:
    absent = [label for label, count in report["train"]["classes"].items() if not count]
    if absent or not report["test"]["utterances"]:
        what = f"no train utterance of {absent}" if absent else "no test utterance"
        raise ConfigurationError(
            f"{where}: {what}, every class must be in training and somebody must be tested: "
            "use fewer folds or another protocol"
        )
