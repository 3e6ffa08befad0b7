"""One vector of a single one per word: no pretrained knowledge, the floor that
embeddings are compared with.
"""

from collections.abc import Sequence
from typing import Literal

from pydantic import PositiveInt

from pipeline.lookup import ConfigurationError, checked
from pipeline.text import _vocabulary as vocabularies


@checked
class Config:
    """`fit`: on each fold's training rows, or once on the corpus (transductive);
    the `max_words` most frequent are kept, all where it is None.
    """

    fit: Literal["fold", "corpus"] = "fold"
    max_words: PositiveInt | None = None
    min_count: PositiveInt = 1


def kind(config: Config) -> Literal["fitted"]:
    """The vocabulary comes from training rows."""
    return "fitted"


def fit(sentences: Sequence[Sequence[str]], config: Config) -> tuple[list[str], None]:
    """Vocabulary by frequency, then alphabet, and no vectors: a word's place is all
    that its one-hot vector says. Other words have the zero vector.
    """
    words = vocabularies.build(sentences, config.max_words, config.min_count)
    if not words:
        raise ConfigurationError(
            f"one_hot: no word occurs {config.min_count} times in {len(sentences)} sentences: "
            "lower min_count"
        )
    return words, None
