"""Which words a corpus has, in an order that does not depend on the order of its
utterances.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray


def build(
    sentences: Iterable[Sequence[str]], max_words: int | None = None, min_count: int = 1
) -> list[str]:
    """The distinct words, most frequent first, equally frequent ones by code point; at
    most `max_words` of them.
    """
    counts = Counter(word for sentence in sentences for word in sentence)
    kept = [word for word, count in counts.items() if count >= min_count]
    return sorted(kept, key=lambda word: (-counts[word], word))[:max_words]


def word_ids(words: Sequence[str], vocabulary: Sequence[str]) -> NDArray[np.int32]:
    """The place of each word in the vocabulary, int32 (num_words,); -1 for a word that
    is not in it.
    """
    places = {word: place for place, word in enumerate(vocabulary)}
    return np.array([places.get(word, -1) for word in words], dtype=np.int32)
