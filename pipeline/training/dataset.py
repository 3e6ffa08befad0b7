"""The join: frames, word times and vectors of an utterance become one Example."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.batch import Example
from pipeline.schema import FrameTiming
from pipeline.training.fitted import Fitted
from pipeline.training.inputs import Inputs, Spans
from pipeline.training.segments import segment_bounds

# Bytes of features that a training process keeps; a larger fold is read every epoch.
MEMORY_LIMIT = 512 * 2**20
NEVER = 1e9  # seconds: past the end of every recording, where a word has no frames


def make_example(
    utterance_id: str,
    label: int | None,
    fitted: Fitted,
    frames: NDArray[np.float32] | None,
    timing: FrameTiming | None,
    words: Sequence[str] | None,
    vectors: NDArray[np.float32] | None,
    spans: Spans | None,
    max_words: int | None,
) -> Example:
    """Normalises frames, numbers words and turns seconds into frames.

    frames: (num_frames, feature_dim). vectors: (num_words or num_tokens, word_dim) that
    come with the utterance; those of the fold's own table go before them. None: a word
    that the table lacks is zero, and without a table words are one-hot. spans: starts
    and ends of the words in seconds.
    """
    if frames is not None and fitted.mean is not None and fitted.deviation is not None:
        frames = (frames - fitted.mean) / fitted.deviation
    ids = one_hot_dim = None
    if words is not None:
        ids = np.array([fitted.ids.get(word, 0) for word in words], dtype=np.int64)
        if fitted.table is not None:
            # A word that the fold did not see is what it comes with, else zero.
            padded = np.concatenate([np.zeros_like(fitted.table[:1]), fitted.table])
            own = padded[ids]
            vectors = own if vectors is None else np.where((ids > 0)[:, None], own, vectors)
        elif vectors is None:
            one_hot_dim = len(fitted.vocabulary)
        if vectors is not None and len(vectors) != len(ids):
            # Vectors of tokens: no word ids go with them.
            ids = np.zeros(len(vectors), dtype=np.int64)
        ids = ids[:max_words]
        vectors = None if vectors is None else vectors[:max_words]
    segments = None
    if spans is not None and timing is not None and frames is not None:
        bounds = segment_bounds(spans[0], spans[1], timing, len(frames))
        segments = torch.from_numpy(np.ascontiguousarray(bounds[:max_words]))
    return Example(
        utterance_id,
        _tensor(frames),
        _tensor(vectors),
        None if ids is None else torch.from_numpy(ids),
        segments,
        label,
        one_hot_dim,
    )


class Examples(Sequence[Example]):
    """Examples of a list of utterances, kept in memory where they fit into it.

    One that lacks an input has zeros in its place, as in padding: a frame of zeros, an
    unknown word with a vector of zeros, words without frames.
    """

    def __init__(
        self,
        inputs: Inputs,
        fitted: Fitted,
        utterance_ids: Sequence[str],
        labels: Sequence[int] | None,
        max_words: int | None = None,
    ) -> None:
        self.inputs, self.fitted = inputs, fitted
        self.utterance_ids, self.labels = list(utterance_ids), labels
        self.max_words = max_words
        frames, dim = 0, 0
        if inputs.acoustic is not None:
            present = [item for item in self.utterance_ids if item in inputs.acoustic]
            frames, dim = sum(map(inputs.acoustic.length, present)), inputs.acoustic.feature_dim
        self._kept: dict[int, Example] | None = {} if frames * dim * 4 < MEMORY_LIMIT else None

    def __len__(self) -> int:
        return len(self.utterance_ids)

    def __getitem__(self, position: Any) -> Any:
        if isinstance(position, slice):
            return [self[item] for item in range(*position.indices(len(self)))]
        if not -len(self) <= position < len(self):
            raise IndexError(f"example {position} of {len(self)}, expected a smaller index")
        if self._kept is None:
            return self._make(position)
        if position not in self._kept:
            self._kept[position] = self._make(position)
        return self._kept[position]

    def __iter__(self) -> Iterator[Example]:
        return (self[item] for item in range(len(self)))

    def _make(self, position: int) -> Example:
        utterance_id = self.utterance_ids[position]
        words, vectors = self._text(utterance_id)
        return make_example(
            utterance_id,
            None if self.labels is None else self.labels[position],
            self.fitted,
            self._frames(utterance_id),
            self.inputs.timing,
            words,
            vectors,
            self._spans(utterance_id, len(words or ())),
            self.max_words,
        )

    def _frames(self, utterance_id: str) -> NDArray[np.float32] | None:
        acoustic, mean = self.inputs.acoustic, self.fitted.mean
        if acoustic is None or utterance_id in acoustic:
            return None if acoustic is None else acoustic.read(utterance_id)
        # Zero after normalisation.
        return np.zeros((1, acoustic.feature_dim), np.float32) if mean is None else mean[None]

    def _text(self, utterance_id: str) -> tuple[list[str] | None, NDArray[np.float32] | None]:
        text = self.inputs.text
        if text is None:
            return None, None
        words, kind = text.words.get(utterance_id), text.info["kind"]
        if kind == "fitted":
            return words or [""], None
        if words is None:
            return [""], np.zeros((1, int(text.info["word_dim"])), np.float32)
        if kind == "static":
            return words, text.table[[text.rows[word] for word in words]]
        return words, text.shards.read(utterance_id)

    def _spans(self, utterance_id: str, num_words: int) -> Spans | None:
        if self.inputs.spans is None:
            return None
        known = self.inputs.spans.get(utterance_id)
        if known is None or len(known[0]) != num_words:
            return np.full(num_words, NEVER), np.full(num_words, NEVER)
        return known


def _tensor(values: NDArray[np.float32] | None) -> torch.Tensor | None:
    if values is None:
        return None
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
