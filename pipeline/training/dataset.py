"""The join: features, word times and embeddings become Examples; everything fitted sees
training rows only.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from pipeline import folders, lookup, tables
from pipeline.batch import Example, Sizes
from pipeline.frames import FrameTiming
from pipeline.lookup import ConfigurationError
from pipeline.schema import Rejection
from pipeline.shards import Shards
from pipeline.training import segments as alignment_matrix

MEMORY_LIMIT = (
    512 * 2**20
)  # bytes of features a training process keeps; a larger fold is read from the shards


@dataclass(frozen=True)
class Text:
    """An embedding folder: word ids into a vocabulary, and its vectors where they do
    not depend on the fold.

    kind: 'static' (table), 'fitted' (table comes from `fit`), 'contextual' (vectors per
    utterance in shards).
    """

    folder: Path

    @cached_property
    def info(self) -> dict[str, Any]:
        """Kind, width, configuration and counts, as the text stage wrote them."""
        return dict(json.loads((self.folder / "info.json").read_text()))

    @cached_property
    def vocabulary(self) -> list[str]:
        """The corpus's words; a word's position is its id in `words`."""
        return list(pq.read_table(self.folder / "vocabulary.parquet")["word"].to_pylist())

    @cached_property
    def words(self) -> dict[str, list[str]]:
        """Words of each usable utterance."""
        table = pq.read_table(self.folder / "words.parquet")
        ids = zip(table["utterance_id"].to_pylist(), table["word_ids"].to_pylist(), strict=True)
        return {
            utterance_id: [self.vocabulary[item] for item in items] for utterance_id, items in ids
        }

    @cached_property
    def table(self) -> NDArray[np.float32]:
        """(V, word_dim) vectors of the vocabulary of a static embedding."""
        return np.asarray(np.load(self.folder / "table.npy", mmap_mode="r"))

    @cached_property
    def rows(self) -> dict[str, int]:
        """Row of the table by word."""
        return {word: row for row, word in enumerate(self.vocabulary)}

    @cached_property
    def shards(self) -> Shards:
        """Vectors of a contextual embedding."""
        return Shards(self.folder)


@dataclass(frozen=True)
class Inputs:
    """What a network row reads of a corpus; an input it does not need is None."""

    acoustic: Shards | None
    spans: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]] | None
    text: Text | None

    @property
    def timing(self) -> FrameTiming:
        """Where the frames of the acoustic feature lie."""
        if self.acoustic is None:
            raise ConfigurationError(
                "this network row reads no audio, expected one that needs 'audio'"
            )
        return FrameTiming(**self.acoustic.attributes["timing"])


@dataclass(frozen=True)
class Fitted:
    """What was fitted on the training rows of a fold.

    mean, deviation: (feature_dim,) of the frames, None where features stay as they are.
    vocabulary: the training words; word id i + 1 is vocabulary[i], 0 an unknown word.
    table: (len(vocabulary), word_dim) vectors fitted in domain, None for pretrained
    embeddings.
    """

    mean: NDArray[np.float32] | None
    deviation: NDArray[np.float32] | None
    vocabulary: tuple[str, ...]
    table: NDArray[np.float32] | None

    @cached_property
    def ids(self) -> dict[str, int]:
        """Word id by word."""
        return {word: number for number, word in enumerate(self.vocabulary, start=1)}


def open_inputs(acoustic: Path | None, spans: Path | None, text: Path | None) -> Inputs:
    """Opens the folders of an experiment's inputs; None for what its system does not read."""
    return Inputs(
        None if acoustic is None else Shards(acoustic),
        None if spans is None else _read_spans(spans / folders.SPANS),
        None if text is None else Text(text),
    )


def usable(inputs: Inputs, utterance_ids: Sequence[str]) -> tuple[list[str], list[Rejection]]:
    """Utterances that have every input, and a rejection for each of the others."""
    kept, rejections = [], []
    for utterance_id in utterance_ids:
        missing = []
        if inputs.acoustic is not None and utterance_id not in inputs.acoustic:
            missing.append("acoustic features")
        if inputs.spans is not None and utterance_id not in inputs.spans:
            missing.append("word alignment")
        if inputs.text is not None and utterance_id not in inputs.text.words:
            missing.append("words")
        if missing:
            rejections.append(Rejection(utterance_id, "train", "input missing", ", ".join(missing)))
        elif (
            inputs.spans is not None
            and inputs.text is not None
            and (
                (timed := len(inputs.spans[utterance_id][0]))
                != (spoken := len(inputs.text.words[utterance_id]))
            )
        ):
            detail = f"{timed} of {spoken} words have times, expected all"
            rejections.append(Rejection(utterance_id, "train", "alignment incomplete", detail))
        else:
            kept.append(utterance_id)
    return kept, rejections


def fit(inputs: Inputs, training_ids: Sequence[str], normalization: str) -> Fitted:
    """Fits normalisation, vocabulary and, where configured, the embedding on training
    rows.
    """
    mean = deviation = None
    if inputs.acoustic is not None and normalization == "train":
        mean, deviation = _moments(inputs.acoustic, training_ids)
    if inputs.text is None:
        return Fitted(mean, deviation, (), None)
    sentences = [inputs.text.words[utterance_id] for utterance_id in training_ids]
    info = inputs.text.info
    if info["kind"] != "fitted":
        return Fitted(
            mean, deviation, tuple(sorted({word for words in sentences for word in words})), None
        )
    module = lookup.component("text", info["name"])
    config = lookup.configure(module.Config, info["config"], f"text.{info['name']}")
    vocabulary, table = module.fit(sentences, config)
    return Fitted(mean, deviation, tuple(vocabulary), np.asarray(table, dtype=np.float32))


def sizes(inputs: Inputs, fitted: Fitted, num_classes: int) -> Sizes:
    """Widths for the network row."""
    word_dim = 0
    if fitted.table is not None:
        word_dim = int(fitted.table.shape[1])
    elif inputs.text is not None:
        word_dim = int(inputs.text.info["word_dim"])
    feature_dim = 0 if inputs.acoustic is None else inputs.acoustic.feature_dim
    vocabulary_size = 0 if inputs.text is None else len(fitted.vocabulary) + 1
    return Sizes(feature_dim, word_dim, vocabulary_size, num_classes)


def make_example(
    utterance_id: str,
    label: int | None,
    fitted: Fitted,
    frames: NDArray[np.float32] | None,
    timing: FrameTiming | None,
    words: Sequence[str] | None,
    vectors: NDArray[np.float32] | None,
    spans: tuple[NDArray[np.float64], NDArray[np.float64]] | None,
    max_words: int | None,
) -> Example:
    """Normalises, looks words up and turns seconds into frames.

    frames: (num_frames, feature_dim). vectors: (num_words or num_tokens, word_dim),
    None where the fold's own table serves. spans: starts and ends in seconds of each
    word.
    """
    if frames is not None and fitted.mean is not None and fitted.deviation is not None:
        frames = (frames - fitted.mean) / fitted.deviation
    ids = None
    if words is not None:
        ids = np.array([fitted.ids.get(word, 0) for word in words], dtype=np.int64)
        if fitted.table is not None:
            # An unknown word is the zero vector: the fold's table knows nothing else to
            # say of it.
            padded = np.concatenate(
                [np.zeros((1, fitted.table.shape[1]), np.float32), fitted.table]
            )
            vectors = padded[ids]
        if vectors is not None and len(vectors) != len(ids):
            ids = np.zeros(
                len(vectors), dtype=np.int64
            )  # token vectors: no word ids to go with them
        ids = ids[:max_words]
        vectors = None if vectors is None else vectors[:max_words]
    segments = None
    if spans is not None and timing is not None and frames is not None:
        bounds = alignment_matrix.segment_bounds(spans[0], spans[1], timing, len(frames))
        segments = torch.from_numpy(np.ascontiguousarray(bounds[:max_words]))
    return Example(
        utterance_id,
        None
        if frames is None
        else torch.from_numpy(np.ascontiguousarray(frames, dtype=np.float32)),
        None
        if vectors is None
        else torch.from_numpy(np.ascontiguousarray(vectors, dtype=np.float32)),
        None if ids is None else torch.from_numpy(ids),
        segments,
        label,
    )


class Examples(Sequence[Example]):
    """Examples of a list of utterances; kept in memory when they fit, read anew
    otherwise.
    """

    def __init__(
        self,
        inputs: Inputs,
        fitted: Fitted,
        utterance_ids: Sequence[str],
        labels: Sequence[int] | None,
        max_words: int | None = None,
    ) -> None:
        self.inputs, self.fitted, self.utterance_ids, self.labels = (
            inputs,
            fitted,
            list(utterance_ids),
            labels,
        )
        self.max_words = max_words
        frames = 0 if inputs.acoustic is None else sum(map(inputs.acoustic.length, utterance_ids))
        dim = 0 if inputs.acoustic is None else inputs.acoustic.feature_dim
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
        acoustic, text, spans = self.inputs.acoustic, self.inputs.text, self.inputs.spans
        words = vectors = None
        if text is not None:
            words = text.words[utterance_id]
            if text.info["kind"] == "static":
                vectors = text.table[[text.rows[word] for word in words]]
            elif text.info["kind"] == "contextual":
                vectors = text.shards.read(utterance_id)
        return make_example(
            utterance_id,
            None if self.labels is None else self.labels[position],
            self.fitted,
            None if acoustic is None else acoustic.read(utterance_id),
            None if acoustic is None else self.inputs.timing,
            words,
            vectors,
            None if spans is None else spans[utterance_id],
            self.max_words,
        )


def _moments(
    acoustic: Shards, utterance_ids: Sequence[str]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    # Sums of float64 around a first estimate: no cancellation, one pass, one utterance
    # in memory.
    count, shift = 0, np.zeros(acoustic.feature_dim)
    total, squares = np.zeros(acoustic.feature_dim), np.zeros(acoustic.feature_dim)
    for number, utterance_id in enumerate(utterance_ids):
        values = acoustic.read(utterance_id).astype(np.float64)
        if number == 0:
            shift = values.mean(axis=0)
        values -= shift
        count += len(values)
        total += values.sum(axis=0)
        squares += np.square(values).sum(axis=0)
    if count == 0:
        raise ConfigurationError(
            "no training frames, expected at least one training utterance with audio"
        )
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 0))
    deviation[deviation < 1e-8] = 1.0
    return (mean + shift).astype(np.float32), deviation.astype(np.float32)


def _read_spans(path: Path) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    return {
        name: (np.array([span.start for span in spans]), np.array([span.end for span in spans]))
        for name, spans in tables.read_spans(path).items()
    }
