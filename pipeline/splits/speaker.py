"""One speaker out per fold (TSIN's SpkI), `folds` groups of speakers, or a single fold
that tests the speakers in `test`.
"""

from pipeline.lookup import checked
from pipeline.splits._groups import GroupsOut, groups_out
from pipeline.splits._protocol import Division, Items
from pipeline.splits._validation import with_validation


@checked
class Config(GroupsOut):
    """`folds` groups of speakers take the place of single speakers; `test` names the
    speakers of the only test fold.
    """


def divide(items: Items, config: Config) -> Division:
    """Folds that test whole speakers."""
    divided = groups_out(items, "speaker", config.folds, config.test, config.seed)
    return Division(with_validation(items, divided, config))
