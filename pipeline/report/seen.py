"""What trained folds say of utterances that they tested: probabilities, their own
weights of words and frames, utterance vectors.
"""

import inspect
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pipeline import folders, text
from pipeline.batch import Example, collate
from pipeline.lookup import ConfigurationError
from pipeline.report import weights_in_time
from pipeline.schema import FrameTiming, Utterance, WordSpan
from pipeline.tables import read_json, read_table
from pipeline.training import checkpoint, dataset
from pipeline.training.fitted import Fitted
from pipeline.training.inputs import Inputs

Weights = Mapping[str, NDArray[np.float64]]

# Between what a fold computed when it was tested and what it computes here.
TOLERANCE = 0.01
BATCH = 32  # utterances that a network reads at a time


@dataclass(frozen=True)
class Seen:
    """One utterance by several networks, the mean over them; `meaning` is what the
    system's `explain` says of its weights, `vector` the first network's utterance
    vector, None of a network without `embed`.
    """

    probabilities: dict[str, float]
    weights: Weights
    meaning: str
    vector: NDArray[np.float64] | None


@dataclass(frozen=True)
class Fold:
    """A trained fold with its checkpoint; `recorded`: the probabilities of its chosen
    epoch by utterance and class.
    """

    place: Path
    network: nn.Module
    fitted: Fitted
    described: dict[str, Any]
    recorded: dict[str, dict[str, float]]


def load(place: Path) -> Fold:
    """Raises ConfigurationError for a fold that cannot be read."""
    network, fitted, described = checkpoint.load(place)
    return Fold(place, network, fitted, described, recorded(place))


def recorded(place: Path) -> dict[str, dict[str, float]]:
    """The test probabilities of a fold's chosen epoch, by utterance and class."""
    import pyarrow.compute as pc

    path = place / folders.PROBABILITIES
    if not path.is_file():
        raise ConfigurationError(f"{path} is missing: `dvc pull` fetches it")
    epoch = read_json(place / checkpoint.DESCRIPTION)["epoch"]
    table = read_table(path)
    rows = table.filter(pc.equal(table["epoch"], epoch)).to_pylist()
    return {
        row["utterance_id"]: {
            name.removeprefix("p_"): value for name, value in row.items() if name.startswith("p_")
        }
        for row in rows
    }


def tested(
    folds: Sequence[Fold], names: Sequence[str], inputs: Inputs
) -> Iterator[tuple[str, Seen]]:
    """What the folds saw in each of the utterances, every one of which they tested.

    Raises ConfigurationError where they give other probabilities than when they were
    tested: their data have changed since.
    """
    examples = [
        dataset.Examples(
            inputs, fold.fitted, names, None, fold.described["experiment"]["max_words"]
        )
        for fold in folds
    ]
    for first in range(0, len(names), BATCH):
        part = range(first, min(first + BATCH, len(names)))
        yield from zip(
            names[first : first + BATCH],
            seen(folds, [[read[index] for index in part] for read in examples]),
            strict=True,
        )


def seen(folds: Sequence[Fold], examples: Sequence[Sequence[Example]]) -> list[Seen]:
    """The same utterances by several folds, each with the examples that it reads.

    Raises ConfigurationError where one of them tested an utterance and recorded other
    probabilities.
    """
    given = [_given(fold, own) for fold, own in zip(folds, examples, strict=True)]
    found = []
    for index in range(len(examples[0])):
        shares = [item.shares[index] for item in given]
        weights = [item.weights[index] for item in given]
        vectors = given[0].vectors
        found.append(
            Seen(
                {key: round(float(np.mean([own[key] for own in shares])), 6) for key in shares[0]},
                {key: np.mean([own[key] for own in weights], axis=0) for key in weights[0]},
                given[-1].meaning,
                None if vectors is None else vectors[index],
            )
        )
    return found


@dataclass(frozen=True)
class _Given:
    """What one fold gave to each utterance of a batch."""

    shares: list[dict[str, float]]
    weights: list[Weights]
    meaning: str
    vectors: NDArray[np.float64] | None


def _given(fold: Fold, examples: Sequence[Example]) -> _Given:
    batch = collate(examples)
    explained, embed = (getattr(fold.network, name, None) for name in ("explain", "embed"))
    with torch.inference_mode():
        table = torch.softmax(fold.network(batch).double(), dim=-1).tolist()
        told: Mapping[str, torch.Tensor] = {} if explained is None else explained(batch)
        vectors = None if embed is None else np.asarray(embed(batch).double().numpy())
    shares = [dict(zip(fold.described["classes"], row, strict=True)) for row in table]
    for example, values in zip(examples, shares, strict=True):
        if example.utterance_id in fold.recorded:
            _require_same(fold, example.utterance_id, values)
    lengths = {"words": batch.word_lengths, "frames": batch.frame_lengths}
    weights: list[Weights] = []
    for index in range(len(examples)):
        own = {}
        for key, value in told.items():
            known = [lengths[axis] for axis in key.split("/")[1:]]
            ends = [slice(None if length is None else int(length[index])) for length in known]
            own[key] = value[index][tuple(ends)].double().numpy()
        weights.append(own)
    meaning = (inspect.getdoc(explained) or "") if told else ""
    return _Given(shares, weights, " ".join(meaning.split()), vectors)


def told(
    found: Seen,
    utterance: Utterance,
    spans: Sequence[WordSpan | None],
    described: Mapping[str, Any],
    timing: FrameTiming | None,
    by_token: bool,
) -> dict[str, Any]:
    """Words in time with the weights that the networks gave to them, and what they gave
    to frames; as JSON holds it.

    described: a fold's checkpoint.json. timing: of the frames that the system reads.
    by_token: whether it reads tokens, which stand beside the words then.
    """
    network = described["experiment"]["network"]
    result: dict[str, Any] = {
        "words": [
            {"word": word, "start": span and span.start, "end": span and span.end, "weights": {}}
            for word, span in zip(utterance.words, spans, strict=True)
        ],
        "weights": {key: key.split("/")[1:] for key in found.weights} or None,
    }
    if not found.weights:
        result["reason"] = f"{network} has no attention, gates or alignment of its own"
        return result
    result["meaning"] = found.meaning
    units = result["words"]
    if by_token:
        units = result["tokens"] = [
            {"token": token, "weights": {}} for token in _tokens(utterance, described)
        ]
    for key, values in found.weights.items():
        axes = key.split("/")[1:]
        if axes == ["words"]:
            _give(units, key, [round(float(value), 6) for value in values])
        elif timing is not None:
            if axes == ["frames"]:
                result.setdefault("frames", {})[key] = weights_in_time.curve(values, timing)
                _give(result["words"], key, weights_in_time.on_words(values, spans, timing))
            else:
                _give(units, key, [weights_in_time.attended(row, timing) for row in values])
    return result


def by_token(inputs: Inputs) -> bool:
    """Whether the vectors that a system reads are of tokens and not of words."""
    return inputs.text is not None and inputs.text.info.get("unit") == "token"


def _require_same(fold: Fold, utterance_id: str, values: Mapping[str, float]) -> None:
    known = fold.recorded[utterance_id]
    # What is not a number is not close either.
    if not all(
        abs(value - known.get(name, math.nan)) <= TOLERANCE for name, value in values.items()
    ):
        raise ConfigurationError(
            f"{fold.place} gave {utterance_id} other probabilities when it was tested: its data "
            "have changed since, `dvc repro` brings data and models in step"
        )


def _tokens(utterance: Utterance, described: Mapping[str, Any]) -> list[str]:
    chosen = described["text"]
    settings = text.settings(chosen["name"], chosen["config"])
    return text.row_names(utterance, chosen["name"], settings)


def _give(units: Sequence[dict[str, Any]], key: str, values: Iterable[Any]) -> None:
    """Puts one value on each unit; a unit that the network was not shown gets none."""
    for unit, value in zip(units, values, strict=False):
        unit["weights"][key] = value
