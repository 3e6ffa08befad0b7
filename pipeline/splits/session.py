"""One session out per fold (TSIN's SesI, CMA), or a single fold that tests the sessions
in `test` (CBLA: trained on sessions 1 to 4, tested on 5).
"""

from pipeline.lookup import checked
from pipeline.splits._groups import GroupsOut, groups_out
from pipeline.splits._protocol import Division, Items
from pipeline.splits._validation import with_validation


@checked
class Config(GroupsOut):
    """`folds` groups of sessions take the place of single sessions; `test` names the
    sessions of the only test fold.
    """


def divide(items: Items, config: Config) -> Division:
    """Folds that test whole sessions."""
    divided = groups_out(items, "session", config.folds, config.test, config.seed)
    # A session is two speakers: validation takes a speaker of the other sessions.
    return Division(with_validation(items, divided, config, ("speaker", "session")))
