"""Stratified folds over utterances, whoever speaks (TSIN's SpkD, FG_CME on RAVDESS)."""

from collections.abc import Sequence

import numpy as np

from pipeline.lookup import ConfigurationError, checked
from pipeline.splits._groups import by_class, k_folds
from pipeline.splits._protocol import Division, Folds, Item, Validated
from pipeline.splits._validation import with_validation


@checked
class Config(Validated):
    """`folds`: how many, five where none is stated."""

    folds: Folds | None = None


def divide(items: Sequence[Item], config: Config) -> Division:
    """Folds that each test an equal share of every class."""
    count = config.folds or 5
    own = np.empty(len(items), dtype=np.int64)
    dealt = 0
    for emotion, members in by_class(items, config.seed).items():
        if len(members) < count:
            raise ConfigurationError(
                f"folds: {count} folds of {len(members)} {emotion!r} utterances, "
                "each fold needs one to test: use fewer folds"
            )
        # Dealing goes on across classes: the sizes of folds differ by one at most.
        own[members] = (dealt + np.arange(len(members))) % count
        dealt += len(members)
    return Division(with_validation(items, k_folds(own, count), config))
