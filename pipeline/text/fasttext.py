"""fastText vectors from a .vec or .bin file; a .bin also composes words it never saw
from their sub-words.

Bojanowski et al. 2017; the public files are described in Grave et al. 2018.
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
    """`path`: a .vec or .bin; `subwords`: whether a .bin's sub-words stand in for a
    missing word before `unknown`.

    The build stops when more than `max_unknown_share` of the words are missing.
    """

    path: Path
    subwords: bool = True
    unknown: Literal["zero", "mean", "random"] = "zero"
    max_unknown_share: float = Field(default=0.5, ge=0, le=1)


def kind(config: Config) -> Literal["static"]:
    """Vectors come from a file and depend on no corpus."""
    return "static"


def look_up(
    vocabulary: Sequence[str], config: Config
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Table float32 (V, D) in the vocabulary's order, and which words the file knows,
    if by sub-words (V,).
    """
    return word_vectors.look_up(vocabulary, config.path, config.unknown, config.subwords)
