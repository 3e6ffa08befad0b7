"""One utterance as a trained system saw it: its words in time, the class probabilities,
and the weights that the network gave to words and frames.
"""

import difflib
import inspect
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline import folders, text
from pipeline.batch import collate
from pipeline.lookup import ConfigurationError
from pipeline.report import weights_in_time
from pipeline.schema import Utterance, WordSpan
from pipeline.tables import read_json, read_rejections, read_spans, read_table, read_utterances
from pipeline.training import checkpoint, dataset, settings
from pipeline.training.experiment import Experiment
from pipeline.training.inputs import Folders, Inputs, lacking, open_inputs

Weights = dict[str, NDArray[np.float64]]

# Between what a fold computed when it was tested and what it computes here.
TOLERANCE = 0.01


@dataclass(frozen=True)
class _Tested:
    """What the folds that tested an utterance say of it, mean over them."""

    folds: list[int]
    seeds: list[int]
    probabilities: dict[str, float]
    weights: Weights
    meaning: str


def explain(utterance_id: str, model: Path, data: Path) -> dict[str, Any]:
    """Words, spans, probabilities and weights of an utterance by the folds of `model`
    (models/<experiment>) that tested it, never by one that trained on it; of several
    seeds the mean.

    Raises ConfigurationError for an unknown utterance, one that no fold tested, a model
    without checkpoints, or data that are missing or are not those of the test.
    """
    places = checkpoint.trained_folds(model)
    described = checkpoint.read_description(places[0] / checkpoint.DESCRIPTION)
    experiment = settings("checkpoint", described["experiment"])
    utterance = _utterance(utterance_id, experiment.corpus, data)
    testing = [place for place in places if _recorded(place, utterance_id)]
    if not testing:
        raise ConfigurationError(
            f"no fold of {model} tested {utterance_id!r}{_why_not(utterance_id, model, data)}"
        )
    inputs = _open(experiment, data)
    filled = _filled(experiment, inputs, utterance_id)
    tested = _tested(testing, utterance_id, inputs)
    spans, alignment = _spans(utterance, experiment, data)
    found: dict[str, Any] = {
        "utterance_id": utterance_id,
        "model": str(model),
        "network": experiment.network,
        "corpus": experiment.corpus,
        "class": _label(model, utterance_id),
        "folds": tested.folds,
        "seeds": tested.seeds,
        "probabilities": tested.probabilities,
        "filled": filled,
        "alignment": alignment,
        "words": [
            {"word": word, "start": span and span.start, "end": span and span.end, "weights": {}}
            for word, span in zip(utterance.words, spans, strict=True)
        ],
        "weights": {key: key.split("/")[1:] for key in tested.weights} or None,
    }
    if not tested.weights:
        found["reason"] = f"{experiment.network} has no attention, gates or alignment of its own"
        return found
    found["meaning"] = tested.meaning
    units = found["words"]
    if inputs.text is not None and inputs.text.info.get("unit") == "token":
        units = found["tokens"] = [
            {"token": token, "weights": {}} for token in _tokens(utterance, described)
        ]
    timing = inputs.timing
    for key, values in tested.weights.items():
        axes = key.split("/")[1:]
        if axes == ["words"]:
            _give(units, key, [round(float(value), 6) for value in values])
        elif timing is not None:
            if axes == ["frames"]:
                found.setdefault("frames", {})[key] = weights_in_time.curve(values, timing)
                _give(found["words"], key, weights_in_time.on_words(values, spans, timing))
            else:
                _give(units, key, [weights_in_time.attended(row, timing) for row in values])
    return found


def _utterance(utterance_id: str, corpus: str, data: Path) -> Utterance:
    path = folders.utterances(data, corpus) / folders.UTTERANCES
    if not path.is_file():
        raise ConfigurationError(f"{path} is missing: `dvc pull` fetches it, `dvc repro` makes it")
    known = {item.utterance_id: item for item in read_utterances(path)}
    if utterance_id not in known:
        near = difflib.get_close_matches(utterance_id, known, n=5, cutoff=0.5) or sorted(known)[:5]
        raise ConfigurationError(
            f"{corpus} has no utterance {utterance_id!r} among its {len(known)}, near names: {near}"
        )
    return known[utterance_id]


def _recorded(place: Path, utterance_id: str) -> dict[str, float]:
    """The test probabilities of the chosen epoch by class, {} for a fold that did not
    test the utterance.
    """
    import pyarrow.compute as pc

    path = place / folders.PROBABILITIES
    if not path.is_file():
        raise ConfigurationError(f"{path} is missing: `dvc pull` fetches it")
    epoch = read_json(place / checkpoint.DESCRIPTION)["epoch"]
    table = read_table(path)
    mine = pc.and_(pc.equal(table["utterance_id"], utterance_id), pc.equal(table["epoch"], epoch))
    rows = table.filter(mine).to_pylist()
    return {
        name.removeprefix("p_"): value
        for row in rows
        for name, value in row.items()
        if name.startswith("p_")
    }


def _why_not(utterance_id: str, model: Path, data: Path) -> str:
    """The reason that a stage gave for leaving the utterance out."""
    settings = read_json(model / "folds" / "experiment.json")["experiment"]
    split = folders.split(data, settings["corpus"], settings["split"])
    for path in (model / "folds" / folders.REJECTS, split / folders.REJECTS):
        for row in read_rejections(path) if path.is_file() else ():
            if row.utterance_id == utterance_id:
                return f": {row.stage} left it out, {row.reason} {row.detail}".rstrip()
    return f": the split {settings['split']!r} tests it in no fold"


def _open(experiment: Experiment, data: Path) -> Inputs:
    places = Folders.of(experiment, data)
    for folder in (places.acoustic, places.spans, places.text):
        if folder is not None and not folder.is_dir():
            raise ConfigurationError(
                f"{folder} is missing: `dvc pull` fetches it, `dvc repro` makes it"
            )
    return open_inputs(places)


def _filled(experiment: Experiment, inputs: Inputs, utterance_id: str) -> str | None:
    """The inputs that the system reads as zeros, because the utterance has none."""
    missing = lacking(inputs, [utterance_id])
    if not missing:
        return None
    detail = missing[utterance_id].detail
    if not experiment.fills:
        raise ConfigurationError(
            f"{utterance_id} has no {detail} any more, which it had when the model was tested: "
            "`dvc repro` brings data and models in step"
        )
    return detail


def _tested(places: Sequence[Path], utterance_id: str, inputs: Inputs) -> _Tested:
    folds, seeds, outputs, weights, meaning = [], [], [], [], ""
    for place in places:
        network, fitted, described = checkpoint.load(place)
        examples = dataset.Examples(
            inputs, fitted, [utterance_id], None, described["experiment"]["max_words"]
        )
        batch = collate([examples[0]])
        explained = getattr(network, "explain", None)
        with torch.inference_mode():
            shares = torch.softmax(network(batch).double(), dim=-1)[0].tolist()
            given: Mapping[str, torch.Tensor] = {} if explained is None else explained(batch)
        values = dict(zip(described["classes"], shares, strict=True))
        _require_same(place, utterance_id, values)
        folds.append(int(described["fold"]))
        seeds.append(int(described["seed"]))
        outputs.append(values)
        weights.append({key: value[0].double().numpy() for key, value in given.items()})
        meaning = inspect.getdoc(explained) or "" if given else meaning
    return _Tested(
        sorted(set(folds)),
        sorted(set(seeds)),
        {key: round(float(np.mean([item[key] for item in outputs])), 6) for key in outputs[0]},
        {key: np.mean([item[key] for item in weights], axis=0) for key in weights[0]},
        " ".join(meaning.split()),
    )


def _require_same(place: Path, utterance_id: str, values: Mapping[str, float]) -> None:
    recorded = _recorded(place, utterance_id)
    # What is not a number is not close either.
    if not all(
        abs(value - recorded.get(name, math.nan)) <= TOLERANCE for name, value in values.items()
    ):
        raise ConfigurationError(
            f"{place} gave {utterance_id} other probabilities when it was tested: its data have "
            "changed since, `dvc repro` brings data and models in step"
        )


def _spans(
    utterance: Utterance, experiment: Experiment, data: Path
) -> tuple[Sequence[WordSpan | None], str | None]:
    """The words' times and the alignment they come from: the one that the system reads,
    else the first at hand that placed every word.
    """
    root = folders.spans(data, experiment.corpus, "any").parent
    own = [experiment.alignment] if experiment.alignment is not None else []
    for name in own or sorted(path.name for path in root.glob("*")):
        path = folders.spans(data, experiment.corpus, name) / folders.SPANS
        found = read_spans(path).get(utterance.utterance_id, []) if path.is_file() else []
        if found and [span.word for span in found] == list(utterance.words):
            return found, name
    return [None] * len(utterance.words), None


def _label(model: Path, utterance_id: str) -> str | None:
    """The true class, None where predictions.parquet is not here."""
    path = model / folders.PREDICTIONS
    if not path.is_file():
        return None
    table = read_table(path, columns=["utterance_id", "label"])
    known = dict(zip(table["utterance_id"].to_pylist(), table["label"].to_pylist(), strict=True))
    return known.get(utterance_id)


def _tokens(utterance: Utterance, described: Mapping[str, Any]) -> list[str]:
    chosen = described["text"]
    settings = text.settings(chosen["name"], chosen["config"])
    return text.row_names(utterance, chosen["name"], settings)


def _give(units: Sequence[dict[str, Any]], key: str, values: Iterable[Any]) -> None:
    """Puts one value on each unit; a unit that the network was not shown gets none."""
    for unit, value in zip(units, values, strict=False):
        unit["weights"][key] = value
