"""GloVe vectors, or those of any text file in GloVe's or word2vec's format (Pennington
et al. 2014).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipeline.lookup import checked
from pipeline.text import _word_vectors as word_vectors


@checked
class Config:
    """`path`: the file of word vectors; `unknown`: the vector of a word that the file
    lacks.

    The build stops when it lacks more than `max_unknown_share` of the corpus's words.
    """

    path: Path
    unknown: Literal["zero", "mean", "random"] = "zero"
    max_unknown_share: float = Field(default=0.5, ge=0, le=1)


def kind(config: Config) -> Literal["static"]:
    """Vectors come from a file and depend on no corpus."""
    return "static"


def look_up(
    vocabulary: Sequence[str], config: Config
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Table float32 (V, D) in the vocabulary's order, and the words the file knows
    (V,): `word_vectors.look_up`.
    """
    return word_vectors.look_up(vocabulary, config.path, config.unknown)
