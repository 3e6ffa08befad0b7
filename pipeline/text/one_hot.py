"""One vector of a single one per word: no pretrained knowledge, the floor that
embeddings are compared with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, PositiveInt
from pydantic.dataclasses import dataclass

from pipeline.lookup import ConfigurationError
from pipeline.text import _vocabulary as vocabularies


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Config:
    """`fit`: on each fold's training rows, or once on the corpus (transductive);
    `max_words` most frequent are kept.
    """

    fit: Literal["fold", "corpus"] = "fold"
    max_words: PositiveInt = 2000
    min_count: PositiveInt = 1


def kind(config: Config) -> Literal["fitted"]:
    """The vocabulary comes from training rows."""
    return "fitted"


def fit(
    sentences: Sequence[Sequence[str]], config: Config
) -> tuple[list[str], NDArray[np.float32]]:
    """Vocabulary by frequency, then alphabet, and the identity float32 (V, V); other
    words have the zero vector.
    """
    words = vocabularies.build(sentences, config.max_words, config.min_count)
    if not words:
        raise ConfigurationError(
            f"one_hot: no words in {len(sentences)} sentences, expected one that occurs {config.min_count} times"
        )
    return words, np.eye(len(words), dtype=np.float32)
