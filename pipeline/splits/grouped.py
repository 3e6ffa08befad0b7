"""One division 7 : 2 : 1 over whole dialogues or videos, or `folds` groups of them."""

import numpy as np

from pipeline.lookup import checked
from pipeline.splits._groups import groups_out, named_groups, shared_out
from pipeline.splits._protocol import SUBSETS, Division, Fold, Folds, Items, Ratio, Validated
from pipeline.splits._validation import with_validation


@checked
class Config(Validated):
    """`ratio`: the shares of train, valid and test of the one division; `folds` takes
    its place, and then `validation_share` says how large the validation sets are.
    """

    ratio: Ratio = (0.7, 0.2, 0.1)
    folds: Folds | None = None


def divide(items: Items, config: Config) -> Division:
    """Folds that keep every dialogue in one subset."""
    if config.folds is not None:
        divided = groups_out(items, "dialogue", config.folds, None, config.seed)
        return Division(with_validation(items, divided, config, ("dialogue",)))
    groups = named_groups(items, "dialogue", len(SUBSETS))
    # The shares stand in the order of SUBSETS: a part's number is its subset.
    part = shared_out(items, groups, config.ratio, config.seed)
    return Division([Fold(part.astype(np.int8), "as given by the division")])
