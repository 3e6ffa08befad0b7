"""What is fitted on the training rows of a fold, and on nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pipeline import lookup
from pipeline.batch import Sizes
from pipeline.lookup import ConfigurationError
from pipeline.shards import Shards
from pipeline.training.inputs import Inputs

# A feature that varies less is a constant: it is not divided by its deviation.
SMALLEST_DEVIATION = 1e-8


@dataclass(frozen=True)
class Fitted:
    """What was fitted on the training rows of a fold.

    mean, deviation: (feature_dim,) of the frames, None where features stay as they are.
    vocabulary: the training words; word id i + 1 is vocabulary[i], 0 an unknown word.
    table: (len(vocabulary), word_dim) vectors fitted on the fold or trained with the
    network, None where they are one-hot or come with the utterance.
    """

    mean: NDArray[np.float32] | None
    deviation: NDArray[np.float32] | None
    vocabulary: tuple[str, ...]
    table: NDArray[np.float32] | None

    @cached_property
    def ids(self) -> dict[str, int]:
        """Word id by word."""
        return {word: number for number, word in enumerate(self.vocabulary, start=1)}


def fit(
    inputs: Inputs,
    training_ids: Sequence[str],
    normalization: str,
    train_embedding: bool = False,
) -> Fitted:
    """Fits normalisation, vocabulary and, for a fitted embedding, its vectors.

    With `train_embedding` the table holds what the training words start from.
    """
    mean = deviation = None
    if inputs.acoustic is not None and normalization == "train":
        mean, deviation = _moments(inputs.acoustic, training_ids)
    if inputs.text is None:
        return Fitted(mean, deviation, (), None)
    words = inputs.text.words
    sentences = [words[utterance_id] for utterance_id in training_ids if utterance_id in words]
    info = inputs.text.info
    if info["kind"] != "fitted":
        known = sorted({word for words in sentences for word in words})
        start = None
        if train_embedding and info["kind"] == "static":
            start = np.array(inputs.text.table[[inputs.text.rows[word] for word in known]])
        return Fitted(mean, deviation, tuple(known), start)
    module = lookup.component("text", info["name"])
    config = lookup.configure(module.Config, info["config"], f"text.{info['name']}")
    vocabulary, table = module.fit(sentences, config)
    table = None if table is None else np.asarray(table, dtype=np.float32)
    return Fitted(mean, deviation, tuple(vocabulary), table)


def sizes(inputs: Inputs, fitted: Fitted, num_classes: int) -> Sizes:
    """Widths that the system is built for."""
    word_dim = 0
    if fitted.table is not None:
        word_dim = int(fitted.table.shape[1])
    elif inputs.text is not None and inputs.text.info["kind"] == "fitted":
        word_dim = len(fitted.vocabulary)
    elif inputs.text is not None:
        word_dim = int(inputs.text.info["word_dim"])
    feature_dim = 0 if inputs.acoustic is None else inputs.acoustic.feature_dim
    vocabulary_size = 0 if inputs.text is None else len(fitted.vocabulary) + 1
    return Sizes(feature_dim, word_dim, vocabulary_size, num_classes)


def _moments(
    acoustic: Shards, utterance_ids: Sequence[str]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    # Sums of float64 around a first estimate: no cancellation, one pass, one utterance
    # in memory.
    count, shift = 0, np.zeros(acoustic.feature_dim)
    total, squares = np.zeros(acoustic.feature_dim), np.zeros(acoustic.feature_dim)
    present = [utterance_id for utterance_id in utterance_ids if utterance_id in acoustic]
    for number, utterance_id in enumerate(present):
        values = acoustic.read(utterance_id).astype(np.float64)
        if number == 0:
            shift = values.mean(axis=0)
        values -= shift
        count += len(values)
        total += values.sum(axis=0)
        squares += np.square(values).sum(axis=0)
    if count == 0:
        raise ConfigurationError(
            "no training utterance has frames: nothing to normalise the features by"
        )
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 0))
    deviation[deviation < SMALLEST_DEVIATION] = 1.0
    return (mean + shift).astype(np.float32), deviation.astype(np.float32)
