"""A corpus to folds by a protocol, with the leakage audit."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline import lookup
from pipeline.lookup import ConfigurationError
from pipeline.schema import Rejection
from pipeline.splits._audit import KINDS, Audit, verdict
from pipeline.splits._protocol import OUT, VALID, Common, Division, Fold, Items, Subsets
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
    "fingerprint",
)


@dataclass(frozen=True)
class Split:
    """Who is where: `utterance_ids`, sorted; their classes, `emotions`; and for each
    fold the place of each one's subset in `schema.SUBSETS`, -1 where it is not in the
    fold, and whether its sentence is tested there and heard before the test. Who was
    left out, sorted; the leakage audit.
    """

    utterance_ids: list[str]
    emotions: list[str]
    folds: list[Subsets]
    heard: list[NDArray[np.bool_]]
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
    if hasattr(module, "relabelled"):
        utterances = module.relabelled(utterances, config)
    items, rejections = select(utterances, config, classes)
    audited, folds = Audit(items, classes), {}
    division = module.divide(items, config)
    if config.sentences == "drop":
        division = _without_tested_sentences(items, division, audited)
    rejections += division.rejections
    for number, fold in enumerate(division.folds):
        report = audited(fold.subsets)
        _check(f"{protocol}, fold {number}", report)
        folds[str(number)] = report | {"validation": fold.validation}
    divided = [fold.subsets for fold in division.folds]
    audited.require_apart(f"splits.{protocol}", divided, config.allow)
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
        "allowed": {kind: kind in config.allow for kind in KINDS},
        "sentences": config.sentences,
        "across": {
            part: getattr(config, part).corpus
            for part in ("train", "test")
            if hasattr(getattr(config, part, None), "corpus")
        },
        "verdict": verdict(folds),
        "folds": folds,
    }
    rejections.sort(key=lambda rejection: rejection.utterance_id)
    return Split(
        np.array(items.ids, dtype=object)[used].tolist(),
        np.array(items.emotions.names, dtype=object)[emotions].tolist(),
        [subsets[used] for subsets in divided],
        [audited.heard(subsets)[used] for subsets in divided],
        rejections,
        audit,
    )


def _without_tested_sentences(items: Items, division: Division, audited: Audit) -> Division:
    """The folds without what trains or validates and says the same as their test.

    Raises ConfigurationError where that leaves a fold without its validation set.
    """
    folds, used = [], np.zeros(len(items), dtype=bool)
    for number, (subsets, validation) in enumerate(division.folds):
        said = audited.tested(subsets)
        kept = np.where(said, OUT, subsets).astype(np.int8)
        if (subsets == VALID).any() and not (kept == VALID).any():
            raise ConfigurationError(
                f"sentences: drop: every validation utterance of fold {number} says what its test "
                "says: use another protocol, or keep and allow them"
            )
        used |= kept != OUT
        folds.append(Fold(kept, validation))
    listed = {rejection.utterance_id for rejection in division.rejections}
    rejections = [
        Rejection(items.ids[index], "split", "its sentence is tested", "sentences: drop")
        for index in np.flatnonzero(~used).tolist()
        if items.ids[index] not in listed
    ]
    return Division(folds, [*division.rejections, *rejections], division.unknown)


def _check(where: str, report: Mapping[str, Any]) -> None:
    absent = [label for label, count in report["train"]["classes"].items() if not count]
    if absent or not report["test"]["utterances"]:
        what = f"no train utterance of {absent}" if absent else "no test utterance"
        raise ConfigurationError(
            f"{where}: {what}, every class must be in training and somebody must be tested: "
            "use fewer folds or another protocol"
        )
