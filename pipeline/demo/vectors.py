"""Word vectors for the synthetic corpora, in the format of a pretrained file."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from pipeline import tables
from pipeline.schema import Utterance
from pipeline.text import bert


def write(utterances: Iterable[Utterance], path: Path) -> int:
    """Writes a vector for each word of the utterances in GloVe's format; their number.

    The sentence encoder of `bert` reads each word by itself. The vectors have a root
    mean square of 1.
    """
    words = sorted({word for item in utterances for word in item.words})
    alone = [Utterance(word, "", "", words=(word,)) for word in words]
    lines = []
    for word, vectors in bert.embed(alone, bert.Config()):
        vector = vectors[0] / np.sqrt(np.mean(np.square(vectors[0])))
        # The rounding of two machines differs after the fifth digit.
        lines.append(" ".join([word, *(f"{value:.5f}" for value in vector)]))
    tables.write_text(path, "\n".join(lines) + "\n")
    return len(words)
