"""word2vec (Mikolov et al. 2013): CBOW fitted on the training text, or a pretrained
file.

Without `path` the vectors are fitted by gensim; with it they are read from a word2vec
.bin (GoogleNews) or text file.
"""

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeFloat, PositiveInt

from pipeline.lookup import ConfigurationError, checked
from pipeline.text import _vocabulary as vocabularies
from pipeline.text import _word_vectors as word_vectors


@checked
class Config:
    """Pretrained: `path`, `max_unknown_share` (the build stops when the file lacks more
    of the corpus's words). Fitted: the rest; `fit` on each fold's training rows, or
    once on the corpus (transductive).

    `unknown` is the vector of a word that the file or the training text lacks; `window`
    counts words on each side; `sample` is the share above which a word's occurrences
    are thinned out (0: never).
    """

    path: Path | None = None
    unknown: Literal["zero", "mean", "random"] = "zero"
    max_unknown_share: float = Field(default=0.5, ge=0, le=1)
    fit: Literal["fold", "corpus"] = "fold"
    vector_size: int = Field(default=100, gt=0, le=10_000)
    window: PositiveInt = 5
    epochs: PositiveInt = 20
    negative: PositiveInt = 5
    min_count: PositiveInt = 1
    sample: NonNegativeFloat = 1e-3
    skip_gram: bool = False
    seed: int = Field(default=0, ge=0, lt=2**32)


def kind(config: Config) -> Literal["static", "fitted"]:
    """Static with a file, fitted without one."""
    return "fitted" if config.path is None else "static"


def look_up(
    vocabulary: Sequence[str], config: Config
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Table float32 (V, D) in the vocabulary's order, and the words the file knows
    (V,): `word_vectors.look_up`.
    """
    if config.path is None:
        raise ConfigurationError(
            "word2vec: set `path` to a word2vec .bin or text file to look words up in"
        )
    return word_vectors.look_up(vocabulary, config.path, config.unknown)


def fit(
    sentences: Sequence[Sequence[str]], config: Config
) -> tuple[list[str], NDArray[np.float32]]:
    """Vocabulary by frequency, then alphabet, and its vectors float32 (V, vector_size),
    scaled to a mean square of 1.

    The same sentences in the same order give the same numbers in every process on a
    machine.
    """
    from gensim.models import Word2Vec

    words = vocabularies.build(sentences, min_count=config.min_count)
    if not words:
        raise ConfigurationError(
            f"word2vec: {len(sentences)} sentences have no word that occurs {config.min_count} "
            "times: lower min_count"
        )
    model = Word2Vec(
        [list(sentence) for sentence in sentences if sentence],
        vector_size=config.vector_size,
        window=config.window,
        epochs=config.epochs,
        negative=config.negative,
        min_count=config.min_count,
        sample=config.sample,
        sg=int(config.skip_gram),
        seed=config.seed,
        # More workers race for the weights, and Python's own hash differs between
        # processes.
        workers=1,
        hashfxn=_hash,
    )
    table = np.stack([model.wv[word] for word in words]).astype(np.float32)
    # How far CBOW's vectors grow from their start depends on how much text there was; a
    # network wants one scale.
    return words, table / np.sqrt(np.mean(np.square(table), dtype=np.float64)).astype(np.float32)


def _hash(text: str) -> int:
    return zlib.crc32(text.encode())
