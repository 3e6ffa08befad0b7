"""One speaker out per fold (TSIN's SpkI), `folds` groups of speakers, or a single fold
that tests the speakers in `test`.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from pipeline.splits._groups import groups_out
from pipeline.splits._protocol import Division, Folds, Item, Validated
from pipeline.splits._validation import with_validation


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Config(Validated):
    """`folds` groups of speakers take the place of single speakers; `test` names the
    speakers of the only test fold.
    """

    folds: Folds | None = None
    test: list[str] | None = None


def divide(items: Sequence[Item], config: Config) -> Division:
    """Folds that test whole speakers."""
    divided = groups_out(items, "speaker", config.folds, config.test, config.seed)
    return Division(with_validation(items, divided, config))
