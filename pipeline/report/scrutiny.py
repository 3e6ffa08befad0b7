"""What stands behind an experiment's score: in which groups it is right, whether its
probabilities can be believed, what its spread comes from, how far people agree.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline import folders
from pipeline.evaluation import breakdown, calibration, variance
from pipeline.report import accounts
from pipeline.report.audit import Finding
from pipeline.report.experiments import Experiment, percent
from pipeline.tables import read_table

COLUMNS = ["utterance_id", "sex", "session", "style", "duration", "words", "votes", "emotion"]
PARTS = 3  # of equal numbers of utterances: durations and lengths


@dataclass(frozen=True)
class Scrutiny:
    """groups: by heading and group, as `breakdown.groups_of` gives them. worst: its
    heading and group. findings: calibration, spread and agreement in sentences. tenths:
    the reliability curve, before (`stated`) and after (`softened`) the temperature.
    """

    groups: dict[str, dict[str, dict[str, Any]]]
    worst: tuple[str, str] | None
    findings: list[Finding]
    tenths: dict[str, list[dict[str, float]]]


def scrutiny(experiment: Experiment, data_root: Path) -> Scrutiny | None:
    """None where predictions.parquet is not here; groups of what is not here either are
    left out.
    """
    try:
        predictions = experiment.predictions
    except FileNotFoundError:
        return None
    speakers = accounts.speakers(experiment, data_root)
    kinds = {"speaker": {name: own for name, own in speakers.items() if own is not None}}
    path = folders.utterances(data_root, experiment.corpus) / folders.UTTERANCES
    table = read_table(path, COLUMNS) if path.is_file() else None
    if table is not None:
        tested = set(predictions["utterance_id"].to_pylist())
        kinds |= _stated(table.filter(pa.array([name in tested for name in _ids(table)])))
    kinds |= {"placed by": _placed(experiment, data_root)}
    kinds |= {"sentence in training": _heard(experiment, data_root, predictions)}
    found = breakdown.groups_of(predictions, kinds, speakers)
    found = {kind: groups for kind, groups in found.items() if len(groups) > 1 or kind == "class"}
    findings, tenths = _calibration(experiment, predictions)
    findings += _spread(experiment, predictions, speakers)
    if table is not None:
        findings += _agreement(experiment, data_root, table)
    return Scrutiny(found, breakdown.worst(found), findings, tenths)


def _ids(table: pa.Table) -> list[str]:
    names: list[str] = table["utterance_id"].to_pylist()
    return names


def _stated(table: pa.Table) -> dict[str, dict[str, str]]:
    names = _ids(table)
    found = {
        kind: {
            name: value
            for name, value in zip(names, table[kind].to_pylist(), strict=True)
            if value is not None
        }
        for kind in ("sex", "session", "style")
    }
    durations = np.array([value or np.nan for value in table["duration"].to_pylist()], dtype=float)
    lengths = np.array([len(value or ()) or np.nan for value in table["words"].to_pylist()])
    found["duration"] = _thirds(names, durations, "{:.1f} to {:.1f} s")
    found["words"] = _thirds(names, lengths, "{:.0f} to {:.0f}")
    return found


def _thirds(names: list[str], values: Any, shown: str) -> dict[str, str]:
    """Each utterance's third by a value, as its lowest and highest value."""
    known = values[np.isfinite(values)]
    if len(np.unique(known)) < PARTS:
        return {}
    edges = np.quantile(known, np.linspace(0, 1, PARTS + 1)[1:-1])
    part = np.searchsorted(edges, values, side="left")
    texts = {}
    for number in range(PARTS):
        mine = values[(part == number) & np.isfinite(values)]
        if len(mine):
            # The number before keeps the thirds in order.
            texts[number] = f"{'①②③'[number]} " + shown.format(mine.min(), mine.max())
    return {
        name: texts[int(number)]
        for name, number, value in zip(names, part, values, strict=True)
        if np.isfinite(value)
    }


def _placed(experiment: Experiment, data_root: Path) -> dict[str, str]:
    """Who placed the words of each utterance in time."""
    alignment = experiment.settings.get("alignment")
    if alignment is None:
        return {}
    path = folders.spans(data_root, experiment.corpus, alignment) / folders.SPANS
    if not path.is_file():
        return {}
    table = read_table(path, ["utterance_id", "aligner"])
    return dict(zip(_ids(table), table["aligner"].to_pylist(), strict=True))


def _heard(experiment: Experiment, data_root: Path, predictions: pa.Table) -> dict[str, str]:
    """Whether training or validation of a tested utterance's fold has its sentence."""
    path = folders.split(data_root, experiment.corpus, experiment.split) / folders.LABELS
    if not path.is_file():
        return {}
    table = read_table(path)
    folds = sorted({int(number) for number in predictions["fold"].to_pylist()})
    if any(f"heard_{number}" not in table.column_names for number in folds):
        return {}
    heard = {
        number: dict(zip(_ids(table), table[f"heard_{number}"].to_pylist(), strict=True))
        for number in folds
    }
    pairs = zip(_ids(predictions), predictions["fold"].to_pylist(), strict=True)
    return {name: "heard" if heard[int(fold)].get(name) else "not heard" for name, fold in pairs}


def _calibration(
    experiment: Experiment, predictions: pa.Table
) -> tuple[list[Finding], dict[str, list[dict[str, float]]]]:
    columns = [f"p_{name}" for name in experiment.classes]
    shares = np.stack([predictions[name].to_numpy() for name in columns], axis=1).astype(float)
    place = {name: number for number, name in enumerate(experiment.classes)}
    labels = np.array([place[name] for name in predictions["label"].to_pylist()])
    finite = np.isfinite(shares).all(axis=1)
    tenths = {"stated": calibration.reliability(shares[finite], labels[finite])}
    error = calibration.expected_error(tenths["stated"])
    said = sum(item["n"] * item["said"] for item in tenths["stated"]) / finite.sum()
    right = sum(item["n"] * item["right"] for item in tenths["stated"]) / finite.sum()
    bold = "surer than it should be" if said > right else "less sure than it could be"
    text = (
        f"It gives its answer {percent(said, 0)} % on average and is right in {percent(right, 0)} "
        f"%: expected calibration error {percent(error)} points"
    )
    if error >= 0.05:
        text += f", {bold}"
    temperatures = _temperatures(experiment)
    rows = list(zip(predictions["seed"].to_pylist(), predictions["fold"].to_pylist(), strict=True))
    if temperatures and set(rows) <= set(temperatures):
        own = np.array([temperatures[row] for row in rows])
        soft = calibration.softened(shares[finite], own[finite])
        tenths["softened"] = calibration.reliability(soft, labels[finite])
        after = percent(calibration.expected_error(tenths["softened"]))
        mean = float(np.mean(list(temperatures.values())))
        text += f"; {after} with the temperature that validation gives ({mean:.2f} on average)"
    return [Finding("good" if error < 0.05 else "warn", f"{text}.")], tenths


def _temperatures(experiment: Experiment) -> dict[tuple[int, int], float]:
    """By seed and fold, of the chosen epochs; {} where validation gave none."""
    found = {}
    for row in experiment.folds:
        seed, fold, epoch = (int(row[key]) for key in ("seed", "fold", "epoch"))
        name = folders.fold(experiment.folder.parent, experiment.name, seed, fold).name
        for curve in experiment.histories.get(name, ()):
            if int(curve["epoch"]) == epoch and "valid_temperature" in curve:
                found[seed, fold] = curve["valid_temperature"]
    return found


def _spread(
    experiment: Experiment, predictions: pa.Table, speakers: Mapping[str, str | None]
) -> list[Finding]:
    found = []
    between = variance.between_speakers(predictions, speakers)
    if between is not None:
        found.append(
            Finding(
                "unknown",
                f"Speakers differ by {percent(between['speaker'])} points (standard deviation of "
                f"WA over {between['speakers']} speakers, beyond chance).",
            )
        )
    parts = variance.seed_and_fold(experiment.folds)
    if parts is None:
        found.append(Finding("unknown", "One seed or one fold: what seeds add is not known."))
        return found
    enough = parts["seeds"] >= parts["seeds_needed"]
    text = (
        f"UA moves by {percent(parts['seed'])} points between seeds, {percent(parts['fold'])} "
        f"between folds, {percent(parts['rest'])} for other reasons (standard deviations): "
        f"{parts['seeds_needed']} seeds make its mean good to half a point, "
        f"{parts['seeds']} were run."
    )
    found.append(Finding("good" if enough else "warn", text))
    return found


def _agreement(experiment: Experiment, data_root: Path, table: pa.Table) -> list[Finding]:
    """How often one vote of an annotator is the label that the corpus settled on."""
    path = folders.split(data_root, experiment.corpus, experiment.split) / folders.LABELS
    if not path.is_file():
        return []
    labels = read_table(path, ["utterance_id", "emotion"])
    truth = dict(zip(_ids(labels), labels["emotion"].to_pylist(), strict=True))
    raw = dict(zip(_ids(table), table["emotion"].to_pylist(), strict=True))
    meant = {raw[name]: label for name, label in truth.items() if name in raw}
    tested = set(experiment.predictions["utterance_id"].to_pylist())
    right: dict[str, list[bool]] = {}
    for name, votes in zip(_ids(table), table["votes"].to_pylist(), strict=True):
        if name in tested:
            # A vote may have its annotator before it.
            own = [meant.get(vote.rpartition(":")[2]) == truth[name] for vote in votes or ()]
            right.setdefault(truth[name], []).extend(own)
    counted = [values for values in right.values() if values]
    if not counted:
        return []
    number = sum(map(len, counted))
    wa, ua = sum(map(sum, counted)) / number, float(np.mean([np.mean(own) for own in counted]))
    text = (
        f"People: one annotator's vote is the corpus's label in {percent(wa)} % (UA {percent(ua)}, "
        f"{number} votes), this system in {percent(experiment.metrics['wa'])} % "
        f"(UA {percent(experiment.metrics['ua'])}). The vote has a part in that label."
    )
    return [Finding("unknown", text)]
