"""The division that the corpus itself states, in the column `subset`."""

from collections.abc import Sequence

import numpy as np

from pipeline.lookup import ConfigurationError, checked
from pipeline.splits._protocol import SUBSETS, Division, Item, Validated
from pipeline.splits._validation import with_validation


@checked
class Config(Validated):
    """`validation_share` counts where the corpus states no validation set."""


def divide(items: Sequence[Item], config: Config) -> Division:
    """A single fold, as the corpus has it."""
    stated = [str(item.utterance.subset) for item in items]
    odd = sorted(set(stated) - set(SUBSETS))
    if odd:
        raise ConfigurationError(
            f"official: the corpus states the subsets {odd}, expected {list(SUBSETS)} for "
            "every utterance: use another protocol"
        )
    return Division(with_validation(items, [np.array(stated)], config))
