"""Random folds over utterances, whoever speaks (TSIN's SpkD, FG_CME on RAVDESS)."""

import numpy as np
from numpy.typing import NDArray

from pipeline.lookup import ConfigurationError, checked
from pipeline.splits._groups import by_class, k_folds, shared_out
from pipeline.splits._protocol import Division, Drawn, Folds, Items, Validated
from pipeline.splits._sentences import sentence_groups
from pipeline.splits._validation import with_validation


@checked
class Config(Drawn, Validated):
    """`folds`: how many, five where none is stated. `stratified`: each fold tests an
    equal share of every class; without it folds are drawn whatever the class, as "the
    dataset is randomly divided into ten parts" says (TSIN section IV.A.2).
    """

    folds: Folds | None = None
    stratified: bool = True


def divide(items: Items, config: Config) -> Division:
    """Folds of equal sizes, to one utterance; as equal as whole sentences allow."""
    count = config.folds or 5
    if config.sentences == "group":
        whole = sentence_groups(items)
        if len(whole.names) < count:
            raise ConfigurationError(
                f"sentences: {len(whole.names)} groups of utterances that say the same for {count} "
                "folds: use fewer folds, or `sentences: drop`"
            )
        own = shared_out(items, whole, [1 / count] * count, config.seed)
    else:
        own = (_stratified if config.stratified else _drawn)(items, count, config.seed)
    return Division(with_validation(items, k_folds(own, count), config))


def _stratified(items: Items, count: int, seed: int) -> NDArray[np.int64]:
    """The fold that tests each item, (num_items,)."""
    own = np.empty(len(items), dtype=np.int64)
    dealt = 0
    for emotion, members in by_class(items, seed).items():
        if len(members) < count:
            raise ConfigurationError(
                f"folds: {count} folds of {len(members)} {emotion!r} utterances, "
                "each fold needs one to test: use fewer folds"
            )
        # Dealing goes on across classes: the sizes of folds differ by one at most.
        own[members] = (dealt + np.arange(len(members))) % count
        dealt += len(members)
    return own


def _drawn(items: Items, count: int, seed: int) -> NDArray[np.int64]:
    """As `_stratified`, in an order that knows no class."""
    if len(items) < count:
        raise ConfigurationError(
            f"folds: {count} folds of {len(items)} utterances, "
            "each fold needs one to test: use fewer folds"
        )
    own = np.empty(len(items), dtype=np.int64)
    own[items.in_order(seed)] = np.arange(len(items)) % count
    for emotion, members in by_class(items, seed).items():
        if len(np.unique(own[members])) == 1:
            raise ConfigurationError(
                f"stratified: all {len(members)} {emotion!r} utterances were drawn into one fold, "
                "none is left to train on: set `stratified: true` or another seed"
            )
    return own
