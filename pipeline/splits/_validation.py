"""Validation sets, taken out of each fold's training part.

Validation is as far from training as the test part is. Where the test part has its own
speakers, so has the validation set: it shares none with either. Where the corpus or the
protocol does not allow that, it is made of whole dialogues or sessions, and at last it
is a stratified part.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from pipeline.lookup import ConfigurationError
from pipeline.splits._balance import chosen, tally
from pipeline.splits._groups import by_class
from pipeline.splits._protocol import TEST, TRAIN, VALID, Fold, Groups, Items, Subsets, Validated

NO_VALIDATION = "no validation"


def with_validation(
    items: Items,
    divided: Iterable[Subsets],
    config: Validated,
    units: Sequence[str] = ("speaker", "dialogue"),
) -> list[Fold]:
    """Folds from their train and test parts; one that has a validation set keeps it.

    A `validation_share` of 0 sets none apart. `units`: fields of an utterance; a
    validation set is made of whole groups by the first one that serves. Raises
    ConfigurationError where a class has one utterance to train on.
    """
    wholes = {unit: items.groups(unit) for unit in units}
    folds = []
    for subsets in divided:
        if (subsets == VALID).any():
            folds.append(Fold(subsets, "as given by the corpus or fold list"))
        elif config.validation_share == 0:
            folds.append(Fold(subsets, NO_VALIDATION))
        else:
            folds.append(_set_apart(items, subsets, config, wholes))
    return folds


def _set_apart(
    items: Items, subsets: Subsets, config: Validated, wholes: Mapping[str, Groups]
) -> Fold:
    subsets = subsets.copy()
    rest, tests = subsets == TRAIN, subsets == TEST
    for unit, whole in wholes.items():
        # The last place is that of the items without a name.
        heard = np.zeros(len(whole.names) + 1, dtype=bool)
        heard[whole.own[tests]] = True
        tested = np.flatnonzero(heard[:-1])
        # A few speakers set apart from training would be another task than the test
        # where the test shares speakers with training.
        nameless = heard[-1]
        heard[-1] = True
        if nameless or heard[whole.own[rest]].any():
            continue
        # Where many choices are equally good, folds differ: no one speaker chooses the
        # epoch for all of them.
        salt = f"{config.seed} {[whole.names[index] for index in tested]}"
        counts = tally(whole, items.emotions, rest)
        taken = chosen(whole.names, counts, config.validation_share, salt)
        if taken.any():
            subsets[rest & taken[whole.own]] = VALID
            return Fold(subsets, f"whole {unit}s, in neither training nor test")
    for emotion, members in by_class(items, f"{config.seed} validation", rest).items():
        if len(members) < 2:
            raise ConfigurationError(
                f"{len(members)} {emotion!r} utterances to train on, "
                "validation needs another one: use fewer folds or another protocol"
            )
        count = min(max(1, round(config.validation_share * len(members))), len(members) - 1)
        subsets[members[:count]] = VALID
    return Fold(subsets, "a stratified part, whoever speaks")
