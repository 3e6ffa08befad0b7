"""Trained on one corpus, tested on another one, in a single fold: of a corpus that
`joined` makes of both.
"""

from typing import Annotated

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AfterValidator

from pipeline.lookup import ConfigurationError, checked
from pipeline.splits._protocol import TEST, TRAIN, Division, Items, Labels, Validated
from pipeline.splits._validation import with_validation


@checked
class Side:
    """A corpus, and what its raw labels are called in the experiment."""

    corpus: str
    labels: Labels


def _unstated(labels: dict[str, str]) -> dict[str, str]:
    if labels:
        raise ValueError("stand under train and test, where each corpus has its own")
    return labels


@checked
class Config(Validated):
    """`train` and `test`: corpus and labels of each; the classes are those of `train`,
    in its order, and the test has no others.
    """

    train: Side
    test: Side
    labels: Annotated[dict[str, str], AfterValidator(_unstated)] = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        classes = list(dict.fromkeys(self.train.labels.values()))
        strange = sorted(set(self.test.labels.values()) - set(classes))
        if strange:
            raise ValueError(f"test.labels: {strange} are no classes of train, which has {classes}")
        if self.train.corpus == self.test.corpus:
            raise ValueError("train and test are one corpus: use another protocol")
        object.__setattr__(self, "labels", {name: name for name in classes})


def relabelled(utterances: pa.Table, config: Config) -> pa.Table:
    """The utterances with the classes of their corpus as labels; one that it does not
    map, and any of another corpus, has a label that is no class.
    """
    corpora = _corpora(utterances["utterance_id"])
    emotions = utterances["emotion"].to_pylist()
    maps = {side.corpus: side.labels for side in (config.train, config.test)}
    missing = sorted(set(maps) - set(corpora))
    if missing:
        raise ConfigurationError(
            f"cross: no utterance of {', '.join(missing)}, the corpus joins {sorted(set(corpora))}"
        )
    own = [
        maps.get(corpus, {}).get(label, f"{label} of {corpus}")
        for corpus, label in zip(corpora, emotions, strict=True)
    ]
    place = utterances.column_names.index("emotion")
    return utterances.set_column(place, "emotion", pa.chunked_array([pa.array(own, pa.string())]))


def divide(items: Items, config: Config) -> Division:
    """The one fold; validation is speakers of the corpus that trains."""
    corpora = np.array(_corpora(items.table["utterance_id"]))
    subsets = np.where(corpora == config.test.corpus, TEST, TRAIN).astype(np.int8)
    return Division(with_validation(items, [subsets], config))


def _corpora(utterance_ids: pa.ChunkedArray) -> list[str]:
    """The corpus of each utterance of a joined one: no name of a corpus has a dot."""
    parts = pc.split_pattern(utterance_ids, ".", max_splits=1)
    found: list[str] = pc.list_element(parts, 0).to_pylist()
    return found
