"""Test probabilities and labels to scores, with intervals, under three ways of choosing
the epoch.

WA is the share of utterances that are right (accuracy), UA the mean of the classes'
recalls. A class that a fold does not test is left out of that fold's means. The
headline is what the field reports, the mean over folds (and seeds) of each fold's
score; `pooled.` holds the scores of all folds' predictions taken together.

    (top level)     the epoch that the inner validation set chose
    test_selected.  each fold's best epoch on its own test part, by the measure that the
                    paper states: what some papers report, never the headline
    last_epoch.     for orientation

Without validation the headline is the last epoch.
"""

import csv
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline import folders, tables
from pipeline.evaluation import bootstrap
from pipeline.evaluation.probabilities import Fold
from pipeline.evaluation.scores import confusion_matrix, merit, scores, summary
from pipeline.lookup import ConfigurationError

SELECTIONS = ("validation", "test_selected", "last_epoch")
# What people compare: metrics.json, which DVC knows as metrics. All else is details.
COUNTS = ("n", "filled", "folds", "seeds")
HEADLINE = ("wa", "ua", "macro_f1", "recall", "wa_ci95", "ua_ci95", "selected_by", *COUNTS)


@dataclass(frozen=True)
class Evaluation:
    """Everything `evaluate` writes: nested metrics, one row per fold, one row per
    tested utterance.
    """

    metrics: dict[str, Any]
    per_fold: pa.Table
    predictions: pa.Table


def evaluate_experiment(
    folds: Sequence[Fold],
    truth: Mapping[str, str],
    classes: Sequence[str],
    speakers: Mapping[str, str | None] | None = None,
    filled: Collection[str] = (),
    resamples: int = 2000,
    seed: int = 0,
) -> Evaluation:
    """Scores of an experiment's folds; `truth` and `speakers` by utterance_id,
    `classes` in the order of the last axis, `filled` the utterances that were fed with
    zeros in the place of an input.

    The 95 % intervals are percentiles of a bootstrap that draws whole speakers where
    all are known and there are five or more, else utterances; `bootstrap.resampled`
    says which. Raises ValueError for utterances without a label, a fold given twice, or
    probabilities of another shape.
    """
    order = sorted(folds, key=lambda fold: (fold.seed, fold.fold))
    if not order or len({(fold.seed, fold.fold) for fold in order}) != len(order):
        raise ValueError(f"{len(order)} folds, expected at least one, and each seed and fold once")
    index = {name: i for i, name in enumerate(classes)}
    truths = [_truth(fold, truth, index) for fold in order]
    guesses = [_predicted(fold) for fold in order]
    merits = [
        [merit(confusion_matrix(own, epoch, len(classes)), fold.measure) for epoch in guess]
        for fold, guess, own in zip(order, guesses, truths, strict=True)
    ]
    # The first of several equal ones, as a loop that keeps an epoch only when it beats
    # all before it.
    chosen = {
        "validation": [list(fold.epochs).index(fold.epoch) for fold in order],
        "test_selected": [int(np.argmax(values)) for values in merits],
        "last_epoch": [len(fold.epochs) - 1 for fold in order],
    }
    select = order[0].select
    selected_by = {
        "validation": "last epoch, no validation" if select is None else f"validation {select}",
        "test_selected": f"test {order[0].measure}",
        "last_epoch": "last epoch",
    }
    names = sorted({name for fold in order for name in fold.utterance_ids})
    clusters, resampled = bootstrap.units_of(names, speakers)
    units = {"fold": [fold.fold for fold in order], "seed": [fold.seed for fold in order]}
    metrics: dict[str, Any] = {}
    details: dict[str, list[dict[str, Any]]] = {}
    place = {name: position for position, name in enumerate(names)}
    places = [np.array([place[name] for name in fold.utterance_ids]) for fold in order]
    for selection, positions in chosen.items():
        picked = [guess[position] for guess, position in zip(guesses, positions, strict=True)]
        confusions = [
            confusion_matrix(own, guess, len(classes))
            for own, guess in zip(truths, picked, strict=True)
        ]
        together = np.sum(confusions, axis=0)
        details[selection] = [scores(confusion, classes) for confusion in confusions]
        found = summary(details[selection], classes, units)
        pooled = scores(together, classes)
        found["pooled"] = {key: pooled[key] for key in ("wa", "ua", "macro_f1", "macro_precision")}
        counted = bootstrap.tallies(clusters, places, truths, picked, len(classes))
        found |= bootstrap.intervals(counted, resamples, seed)
        found["epoch_mean"] = float(
            np.mean([order[i].epochs[position] for i, position in enumerate(positions)])
        )
        found["selected_by"] = selected_by[selection]
        found["without_prediction"] = int(together[:, -1].sum())
        metrics |= found if selection == "validation" else {selection: found}
    metrics["n"] = len(names)
    metrics["filled"] = len(set(filled).intersection(names))
    metrics["folds"] = len(set(units["fold"]))
    metrics["seeds"] = len(set(units["seed"]))
    metrics["bootstrap"] = {
        "resampled": resampled,
        "units": int(clusters.max()) + 1,
        "resamples": resamples,
    }
    return Evaluation(
        _rounded(metrics),
        _per_fold(order, details, chosen),
        _predictions(order, truths, guesses, chosen["validation"], classes),
    )


def _truth(fold: Fold, truth: Mapping[str, str], index: Mapping[str, int]) -> NDArray[np.int64]:
    where = f"seed {fold.seed}, fold {fold.fold}"
    shape = (len(fold.epochs), len(fold.utterance_ids), len(index))
    if (
        fold.probabilities.shape != shape
        or 0 in shape
        or list(fold.epochs) != sorted(set(fold.epochs))
    ):
        raise ValueError(
            f"{where}: probabilities {fold.probabilities.shape}, expected {shape} and "
            "ascending epochs"
        )
    if fold.epoch not in fold.epochs:
        raise ValueError(f"{where}: chosen epoch {fold.epoch}, expected one of {list(fold.epochs)}")
    if len(set(fold.utterance_ids)) != len(fold.utterance_ids):
        raise ValueError(f"{where}: an utterance is tested twice")
    strangers = [name for name in fold.utterance_ids if truth.get(name) not in index]
    if strangers:
        raise ValueError(
            f"{where}: no class for {len(strangers)} utterances ({strangers[:3]}), "
            f"expected one of {list(index)}"
        )
    return np.array([index[truth[name]] for name in fold.utterance_ids], dtype=np.int64)


def _predicted(fold: Fold) -> NDArray[np.int64]:
    """(num_epochs, num_utterances) class indices; -1, which is never right, where a
    diverged network gave no number.
    """
    finite = np.isfinite(fold.probabilities).all(axis=2)
    return np.where(finite, np.where(finite[..., None], fold.probabilities, 0.0).argmax(axis=2), -1)


def _per_fold(
    folds: Sequence[Fold],
    details: Mapping[str, Sequence[Mapping[str, Any]]],
    chosen: Mapping[str, Sequence[int]],
) -> pa.Table:
    rows = []
    for i, fold in enumerate(folds):
        row: dict[str, Any] = {"seed": fold.seed, "fold": fold.fold, "n": len(fold.utterance_ids)}
        for selection in SELECTIONS:
            prefix = "" if selection == "validation" else f"{selection}_"
            row[f"{prefix}epoch"] = int(fold.epochs[chosen[selection][i]])
            row |= {
                f"{prefix}{key}": round(details[selection][i][key], 6)
                for key in ("wa", "ua", "macro_f1")
            }
        rows.append(row)
    return pa.Table.from_pylist(rows)


def _predictions(
    folds: Sequence[Fold],
    truths: Sequence[NDArray[np.int64]],
    guesses: Sequence[NDArray[np.int64]],
    positions: Sequence[int],
    classes: Sequence[str],
) -> pa.Table:
    tables = []
    for fold, own, guess, position in zip(folds, truths, guesses, positions, strict=True):
        order = np.argsort(np.array(fold.utterance_ids), kind="stable")
        count = len(order)
        columns = {
            "fold": pa.array([fold.fold] * count, pa.int32()),
            "seed": pa.array([fold.seed] * count, pa.int32()),
            "utterance_id": pa.array([fold.utterance_ids[i] for i in order], pa.string()),
            "label": pa.array([classes[own[i]] for i in order], pa.string()),
            "predicted": pa.array(
                [classes[c] if (c := guess[position, i]) >= 0 else None for i in order], pa.string()
            ),
            "epoch": pa.array([int(fold.epoch)] * count, pa.int32()),
        }
        shares = fold.probabilities[position][order]
        columns |= {
            f"p_{name}": pa.array(shares[:, c].astype(np.float32)) for c, name in enumerate(classes)
        }
        tables.append(pa.table(columns))
    return pa.concat_tables(tables)


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return round(value, 6) if isinstance(value, float) else value


def write(evaluation: Evaluation, folder: Path) -> None:
    """models/<experiment>/{metrics.json, details.json, per_fold.csv,
    predictions.parquet, confusion.csv}.

    metrics.json has the headline and, under `test_selected`, the same of the best test
    epoch; details.json has the rest under the same names, and `read` joins the two.

    confusion.csv has a row (actual, predicted) for each tested utterance: `dvc plots`
    draws a matrix from that.
    """
    import pyarrow.parquet as pq

    with tables.replacing(folder / folders.PREDICTIONS) as temporary:
        pq.write_table(evaluation.predictions, temporary)
    actual = evaluation.predictions["label"].to_pylist()
    predicted = [name or "none" for name in evaluation.predictions["predicted"].to_pylist()]
    lines: dict[str, list[Sequence[Any]]] = {
        "confusion.csv": [("actual", "predicted"), *zip(actual, predicted, strict=True)],
        "per_fold.csv": [
            evaluation.per_fold.column_names,
            *(list(row.values()) for row in evaluation.per_fold.to_pylist()),
        ],
    }
    for name, content in lines.items():
        with (
            tables.replacing(folder / name) as temporary,
            temporary.open("w", encoding="utf-8", newline="") as file,
        ):
            csv.writer(file, lineterminator="\n").writerows(content)
    found = evaluation.metrics
    best = found["test_selected"]
    headline = {key: value for key, value in found.items() if key in HEADLINE}
    headline["test_selected"] = {key: value for key, value in best.items() if key in HEADLINE}
    details = {key: value for key, value in found.items() if key not in headline}
    details["test_selected"] = {
        key: value for key, value in best.items() if key not in headline["test_selected"]
    }
    tables.write_json(folder / folders.DETAILS, details)
    tables.write_json(folder / folders.METRICS, headline)


def read(folder: Path) -> dict[str, Any]:
    """The metrics that `write` left in models/<experiment>, as `Evaluation` has them.

    Raises ConfigurationError with one line where they are of a version that wrote them
    otherwise.
    """
    headline = tables.read_json(folder / folders.METRICS)
    details = folder / folders.DETAILS
    if "selected_by" not in headline or not details.is_file():
        raise ConfigurationError(
            f"{folder / folders.METRICS} has no {details.name} beside it, or does not say what "
            f"chose the epoch: it is of an older version, run `dvc repro evaluate@{folder.name}`"
        )
    rest = tables.read_json(details)
    best = headline.get("test_selected", {}) | rest.pop("test_selected", {})
    return headline | rest | {"test_selected": best}
