"""Paper D: learning of fusion, audio and text (figure 7), their F1 (figure 8), and the
divisions of the corpus (figure 9).
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import folders
from pipeline.lookup import ConfigurationError
from pipeline.report import paper_charts
from pipeline.report.experiments import Experiment
from pipeline.report.figures_cbla import class_scores
from pipeline.report.paper_sources import Sources, write_rows
from pipeline.report.tables import protocol_of
from pipeline.training.folds import fold_numbers, read_fold

SYSTEMS = {"PBA_1_Pconv": "fusion", "PBA_a": "audio", "PBA_t": "text"}
CURVES = ("train_wa", "valid_wa", "train_loss", "valid_loss")
SUBSETS = ("training", "validation", "test")


def curves(sources: Sources, path: Path) -> list[str]:
    """Figure 7: accuracy and loss, mean over folds and seeds."""
    picked, lines = sources.pick(list(SYSTEMS))
    means: dict[str, dict[str, list[float]]] = {}
    rows: list[dict[str, Any]] = []
    for name, item in picked.items():
        if not item.histories:
            lines.append(f"no curves of {item.name}: `dvc pull` fetches its history.csv")
            continue
        own = mean_history(item)
        if "train_wa" not in own:
            lines.append(
                f"no training accuracy of {item.name}, whose training did not write it yet: train "
                f"it again (`dvc repro --force train@{item.name}`)"
            )
        means[f"{SYSTEMS[name]} ({name})"] = own
        for epoch in range(len(next(iter(own.values())))):
            values = {key: own[key][epoch] if key in own else None for key in CURVES}
            rows.append({"system": name, "experiment": item.name, "epoch": epoch + 1, **values})
    if not rows:
        raise ConfigurationError("; ".join(lines))
    paper_charts.training_curves(
        path, means, f"Accuracy and loss: {sources.place(picked.values())}"
    )
    write_rows(path, rows)
    return lines


def f1(sources: Sources, path: Path) -> list[str]:
    """Figure 8."""
    return class_scores(sources, path, list(SYSTEMS), "f1", "fusion, audio and text")


def divisions(sources: Sources, path: Path) -> list[str]:
    """Figure 9: accuracy of the fusion by the division of the corpus.

    Of several experiments on one division the one that differs from most others in the
    split alone counts. Training accuracy is that of the chosen epoch's own steps. The
    paper prefers 7:2:1 for its training accuracy.
    """
    fusions = [
        item
        for item in sources.found
        if item.network == "PBA_1_Pconv" and protocol_of(item) == "ratio"
    ]
    alike = Counter(map(_but_for_the_split, fusions))
    runs: dict[str, Experiment] = {}
    for item in sorted(fusions, key=lambda item: -alike[_but_for_the_split(item)]):
        runs.setdefault(division(item, sources.data_root), item)
    recipe = f"`serflow use pba-{sources.corpus}-divisions` and `dvc repro` make the others"
    if len(runs) < 2:
        raise ConfigurationError(f"{len(runs)} divisions of PBA_1_Pconv: {recipe}")
    bars: dict[str, list[float | None]] = {subset: [] for subset in SUBSETS}
    rows: list[dict[str, Any]] = []
    for name in sorted(runs, reverse=True):
        item = runs[name]
        scores: list[float | None] = [*_at_chosen(item), item.metrics["wa"]]
        for subset, value in zip(SUBSETS, scores, strict=True):
            bars[subset].append(None if value is None else 100 * value)
        row = {"division": name, "experiment": item.name, "n_test": item.metrics["n"]}
        rows.append(row | {f"{subset}_wa": values[-1] for subset, values in bars.items()})
    shown = {subset: values for subset, values in bars.items() if set(values) != {None}}
    title = f"PBA_1_Pconv by training : validation : test, {sources.place(runs.values())}"
    paper_charts.grouped_bars(
        path, [row["division"] for row in rows], shown, {}, "", "accuracy (%)", title
    )
    write_rows(path, rows)
    return []


def mean_history(item: Experiment) -> dict[str, list[float]]:
    """The curves of an experiment by name, mean over the folds and seeds that came as
    far.
    """
    histories = list(item.histories.values())
    longest = max(map(len, histories))
    return {
        key: [
            float(np.mean([history[epoch][key] for history in histories if epoch < len(history)]))
            for epoch in range(longest)
        ]
        for key in CURVES
        if all(key in row for history in histories for row in history)
    }


def division(item: Experiment, data_root: Path) -> str:
    """The split's shares in tenths, '7:2:1', counted where it lies."""
    path = folders.split(data_root, item.corpus, item.split) / folders.FOLDS
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: `dvc pull` fetches it, `dvc repro` makes it")
    counts: Counter[str] = Counter()
    for fold in fold_numbers(path):
        counts.update({name: len(rows) for name, rows in read_fold(path, fold).items()})
    tenths = [round(10 * counts[name] / counts.total()) for name in ("train", "valid", "test")]
    return ":".join(map(str, tenths))


def _but_for_the_split(item: Experiment) -> str:
    """All other settings of an experiment."""
    return json.dumps(item.settings | {"split": None}, sort_keys=True)


def _at_chosen(item: Experiment) -> list[float | None]:
    """Training and validation accuracy at the epoch that each fold chose."""
    found: dict[str, list[float]] = {"train_wa": [], "valid_wa": []}
    for row in item.folds:
        place = folders.fold(item.folder.parent, item.name, int(row["seed"]), int(row["fold"]))
        history = item.histories.get(place.name, [])
        for curve in history:
            if curve["epoch"] == row["epoch"]:
                for key, values in found.items():
                    values += [curve[key]] if key in curve else []
    return [float(np.mean(values)) if values else None for values in found.values()]


FIGURES = {"fig7_curves": curves, "fig8_f1": f1, "fig9_divisions": divisions}
