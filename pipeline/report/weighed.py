"""What the folds of an experiment weighed in the utterances that they tested, as files
beside its page of utterances.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.report.heard import key, write_data
from pipeline.schema import Utterance, WordSpan

TOGETHER = 20  # utterances of one file
NEAREST = 8


@dataclass(frozen=True)
class Weighed:
    """The seeds of one test fold of an experiment, whose files go to `folder`.

    experiment: its name; spans: of the words, by utterance, where they are known.
    """

    experiment: str
    settings: Mapping[str, Any]
    places: Sequence[Path]
    fold: int
    utterances: Mapping[str, Utterance]
    spans: Mapping[str, Sequence[WordSpan]]
    data: Path
    folder: Path


def write(item: Weighed) -> None:
    import torch

    from pipeline.report import seen
    from pipeline.training import settings
    from pipeline.training.inputs import Folders, lacking, open_inputs

    torch.set_num_threads(1)
    inputs = open_inputs(Folders.of(settings(item.experiment, item.settings), item.data))
    loaded = [seen.load(place) for place in item.places]
    names = list(item.utterances)
    filled = lacking(inputs, names)
    told, vectors = {}, []
    for name, found in seen.tested(loaded, names, inputs):
        utterance = item.utterances[name]
        spans: Sequence[WordSpan | None] = item.spans.get(name, [])
        if [span.word for span in spans if span] != list(utterance.words):
            spans = [None] * len(utterance.words)
        told[name] = seen.told(
            found, utterance, spans, loaded[0].described, inputs.timing, seen.by_token(inputs)
        )
        told[name]["filled"] = filled[name].detail if name in filled else None
        vectors.append(found.vector)
    seed = int(loaded[0].described["seed"])
    for name, near in _neighbours(names, vectors).items():
        told[name]["neighbours"] = [
            [f"{key(other)}.{seed}.{item.fold}", similarity] for other, similarity in near
        ]
    for first in range(0, len(names), TOGETHER):
        chunk, part = file_of(item.fold, first), names[first : first + TOGETHER]
        write_data(
            item.folder / f"{chunk}.js", f"seen/{chunk}", {key(name): told[name] for name in part}
        )


def _neighbours(
    names: Sequence[str], vectors: Sequence[NDArray[np.float64] | None]
) -> dict[str, list[tuple[str, float]]]:
    """The NEAREST others of each utterance by the cosine of their vectors; {} of a
    network that gives none.
    """
    given = [vector for vector in vectors if vector is not None]
    if len(given) < len(names):
        return {}
    table = np.stack(given)
    table /= np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-12)
    found = {}
    for index, name in enumerate(names):
        cosine = table @ table[index]
        order = [other for other in np.argsort(-cosine, kind="stable") if other != index]
        found[name] = [(names[other], round(float(cosine[other]), 4)) for other in order[:NEAREST]]
    return found


def file_of(fold: int, place: int) -> str:
    """The file that holds the utterance at a place among those that a fold tested,
    sorted by their ids.
    """
    return f"fold-{fold}-{place // TOGETHER}"
