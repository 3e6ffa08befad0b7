"""Validation sets, taken out of each fold's training part.

Validation is as far from training as the test part is. Where the test part has its own
speakers, so has the validation set: it shares none with either. Where the corpus or the
protocol does not allow that, it is made of whole dialogues or sessions, and at last it
is a stratified part.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from pipeline.lookup import ConfigurationError
from pipeline.splits._balance import chosen, tally
from pipeline.splits._groups import by_class
from pipeline.splits._protocol import Fold, Groups, Item, Subsets, Validated, groups

NO_VALIDATION = "no validation"


def with_validation(
    items: Sequence[Item],
    divided: Iterable[Subsets],
    config: Validated,
    units: Sequence[str] = ("speaker", "dialogue"),
) -> list[Fold]:
    """Folds from their train and test parts; one that has a validation set keeps it.

    A `validation_share` of 0 sets none apart. `units`: fields of an utterance; a
    validation set is made of whole groups by the first one that serves. Raises
    ConfigurationError where a class has one utterance to train on.
    """
    classes = groups(item.emotion for item in items)
    wholes = {unit: groups(getattr(item.utterance, unit) for item in items) for unit in units}
    folds = []
    for subsets in divided:
        if (subsets == "valid").any():
            folds.append(Fold(subsets, "as given by the corpus or fold list"))
        elif config.validation_share == 0:
            folds.append(Fold(subsets, NO_VALIDATION))
        else:
            folds.append(_set_apart(items, subsets.astype("U5"), config, classes, wholes))
    return folds


def _set_apart(
    items: Sequence[Item],
    subsets: Subsets,
    config: Validated,
    classes: Groups,
    wholes: dict[str, Groups],
) -> Fold:
    rest = subsets == "train"
    for unit, whole in wholes.items():
        tested = np.unique(whole.own[subsets == "test"])
        # A few speakers set apart from training would be another task than the test
        # where the test shares speakers with training.
        if -1 in tested or np.isin(whole.own[rest], [-1, *tested]).any():
            continue
        # Where many choices are equally good, folds differ: no one speaker chooses the
        # epoch for all of them.
        salt = f"{config.seed} {[whole.names[index] for index in tested]}"
        counts = tally(whole, classes, rest)
        taken = chosen(whole.names, counts, config.validation_share, salt)
        if taken.any():
            subsets[rest & taken[whole.own]] = "valid"
            return Fold(subsets, f"whole {unit}s, in neither training nor test")
    training = by_class(items, f"{config.seed} validation", np.flatnonzero(rest).tolist())
    for emotion, members in training.items():
        if len(members) < 2:
            raise ConfigurationError(
                f"{len(members)} {emotion!r} utterances to train on, "
                "validation needs another one: use fewer folds or another protocol"
            )
        count = min(max(1, round(config.validation_share * len(members))), len(members) - 1)
        subsets[members[:count]] = "valid"
    return Fold(subsets, "a stratified part, whoever speaks")
