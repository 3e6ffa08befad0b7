"""How a trained system sees one new recording: the page that the report has of a tested
utterance, and the same as JSON.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline import audio
from pipeline.commands import predict, trained
from pipeline.commands.trained import Inputs, Model
from pipeline.report import heard, seen, utterance_page
from pipeline.report.heard import Alignment, Recording
from pipeline.schema import Utterance, WordSpan


def explain(
    recording: Path, said: str | None, model: Path, language: str | None, out: Path
) -> dict[str, Any]:
    """Words in time, probabilities and weights, the mean over all networks of `model`,
    which heard the recording for the first time; writes the page into `out`.

    Arguments and errors as of `predict`; AudioError for a recording that cannot be
    used, whatever the networks read.
    """
    known = trained.load(model)
    utterance = predict.utterance_of(recording, said, known, language, None)
    waveform, rate = audio.read(recording)
    utterance = replace(
        utterance,
        utterance_id=recording.name,
        audio_path=str(recording),
        duration=len(waveform) / rate,
    )
    utterance, inputs = trained.read(known, utterance, {})
    found = _seen(known, utterance, inputs)
    spans: Sequence[WordSpan | None] = inputs.placed or [None] * len(utterance.words)
    described = known.description
    pooling = getattr(known.settings["text"][1], "pooling", "word") if known.reads_words else "word"
    told = seen.told(found, utterance, spans, described, inputs.timing, pooling == "token")
    path = _write(known, utterance, inputs, found, told, out)
    return {
        "recording": str(recording),
        "model": str(model),
        "network": described["experiment"]["network"],
        "networks": len(known.folds),
        "probabilities": found.probabilities,
        "alignment": described["experiment"].get("alignment"),
        **told,
        "page": str(path),
    }


def _seen(model: Model, utterance: Utterance, inputs: Inputs) -> seen.Seen:
    folds = [
        seen.Fold(place, network, fitted, own, {}) for place, network, fitted, own in model.folds
    ]
    examples = [[trained.example(model, fold, utterance, inputs)] for fold in model.folds]
    (found,) = seen.seen(folds, examples)
    return found


def _write(
    model: Model,
    utterance: Utterance,
    inputs: Inputs,
    found: seen.Seen,
    told: dict[str, Any],
    out: Path,
) -> Path:
    name, described = model.folder.resolve().name, model.description
    experiment, classes = described["experiment"], list(found.probabilities)
    alignments = []
    if inputs.placed:
        check = described["alignment"].get("check", {})
        alignments.append(Alignment(experiment["alignment"], inputs.placed, check))
    shares = list(found.probabilities.values())
    line = utterance_page.row(utterance, None, shares, chunk="0")
    predicted = {"truth": None, "predicted": classes[line[3]], "probabilities": found.probabilities}
    heard.write(Recording(utterance, alignments, {name: predicted}, ""), out)
    key = heard.key(utterance.utterance_id)
    heard.write_data(out / "seen" / "0.js", "seen/0", {key: told})
    values = {
        "experiment": name,
        "network": experiment["network"],
        "alignment": experiment.get("alignment"),
        "classes": classes,
        "recordings": ".",
        "single": True,
        "unseen": None,
        "rows": [line],
    }
    context = {
        "name": name,
        "lead": f"{experiment['network']} heard {utterance.utterance_id}",
        "report": None,
        "synthetic": model.synthetic,
        "classes": classes,
        "counts": None,
        "shown": None,
    }
    return utterance_page.write_files(out, values, context)
