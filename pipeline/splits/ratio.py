"""One stratified division, train : valid : test = 7 : 2 : 1 (PBA)."""

import numpy as np

from pipeline.lookup import ConfigurationError, checked
from pipeline.splits._groups import by_class, shared_out
from pipeline.splits._protocol import (
    SUBSETS,
    TEST,
    TRAIN,
    VALID,
    Division,
    Drawn,
    Fold,
    Items,
    Ratio,
)
from pipeline.splits._sentences import sentence_groups


@checked
class Config(Drawn):
    """`ratio`: the shares of train, valid and test."""

    ratio: Ratio = (0.7, 0.2, 0.1)


def divide(items: Items, config: Config) -> Division:
    """A single fold whose parts have the same share of every class."""
    if config.sentences == "group":
        whole = sentence_groups(items)
        if len(whole.names) < len(SUBSETS):
            raise ConfigurationError(
                f"sentences: {len(whole.names)} groups of utterances that say the same, there must "
                f"be one or more for each of {list(SUBSETS)}: `sentences: drop` needs none"
            )
        # The shares stand in the order of SUBSETS: a part's number is its subset.
        part = shared_out(items, whole, config.ratio, config.seed)
        return Division([Fold(part.astype(np.int8), "as given by the division")])
    subsets = np.full(len(items), TRAIN, dtype=np.int8)
    for emotion, members in by_class(items, config.seed).items():
        total = len(members)
        if total < len(SUBSETS):
            raise ConfigurationError(
                f"ratio: {total} utterances of {emotion!r}, "
                f"there must be one or more for each of {list(SUBSETS)}"
            )
        test = max(1, round(config.ratio[2] * total))
        valid = min(max(1, round(config.ratio[1] * total)), total - test - 1)
        subsets[members[:test]] = TEST
        subsets[members[test : test + valid]] = VALID
    return Division([Fold(subsets, "as given by the division")])
