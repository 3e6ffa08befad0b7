"""One utterance as a trained system saw it: its words in time, the class probabilities,
and the weights that the network gave to words and frames.
"""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline import folders
from pipeline.lookup import ConfigurationError
from pipeline.report import seen
from pipeline.schema import Utterance, WordSpan
from pipeline.tables import read_json, read_rejections, read_spans, read_table, read_utterances
from pipeline.training import checkpoint, settings
from pipeline.training.experiment import Experiment
from pipeline.training.inputs import Folders, Inputs, lacking, open_inputs


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
    loaded = [seen.load(place) for place in places if utterance_id in seen.recorded(place)]
    if not loaded:
        raise ConfigurationError(
            f"no fold of {model} tested {utterance_id!r}{_why_not(utterance_id, model, data)}"
        )
    inputs = _open(experiment, data)
    filled = _filled(experiment, inputs, utterance_id)
    ((_, found),) = seen.tested(loaded, [utterance_id], inputs)
    spans, alignment = _spans(utterance, experiment, data)
    return {
        "utterance_id": utterance_id,
        "model": str(model),
        "network": experiment.network,
        "corpus": experiment.corpus,
        "class": _label(model, utterance_id),
        "folds": sorted({int(fold.described["fold"]) for fold in loaded}),
        "seeds": sorted({int(fold.described["seed"]) for fold in loaded}),
        "probabilities": found.probabilities,
        "filled": filled,
        "alignment": alignment,
        **seen.told(
            found, utterance, spans, loaded[0].described, inputs.timing, seen.by_token(inputs)
        ),
    }


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
