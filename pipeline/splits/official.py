"""The division that the corpus itself states, in the column `subset`."""

import numpy as np

from pipeline.lookup import ConfigurationError, checked
from pipeline.splits._protocol import SUBSETS, Division, Items, Validated
from pipeline.splits._validation import with_validation


@checked
class Config(Validated):
    """`validation_share` counts where the corpus states no validation set."""


def divide(items: Items, config: Config) -> Division:
    """A single fold, as the corpus has it."""
    stated = items.groups("subset")
    unstated = {"None"} if (stated.own < 0).any() else set()
    odd = sorted(unstated.union(stated.names) - set(SUBSETS))
    if odd:
        raise ConfigurationError(
            f"official: the corpus states the subsets {odd}, expected {list(SUBSETS)} for "
            "every utterance: use another protocol"
        )
    number = np.array([SUBSETS.index(name) for name in stated.names], dtype=np.int8)
    return Division(with_validation(items, [number[stated.own]], config))
