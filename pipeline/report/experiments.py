"""What the folders below models/ say about the experiments that were run."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline.demo import CORPORA as SYNTHETIC


@dataclass(frozen=True)
class Experiment:
    """One evaluated experiment: its folder, its settings as params.yaml stated them,
    and its metrics.json.
    """

    name: str
    folder: Path
    settings: dict[str, Any]
    metrics: dict[str, Any]

    @property
    def corpus(self) -> str:
        """Name of the corpus, as in params.yaml."""
        return str(self.settings["corpus"])

    @property
    def network(self) -> str:
        """Name of the network row."""
        return str(self.settings["network"])

    @property
    def split(self) -> str:
        """Name of the split, as in params.yaml."""
        return str(self.settings["split"])

    @property
    def synthetic(self) -> bool:
        """Whether no human being speaks in the corpus."""
        return self.corpus.split("-", 1)[0] in SYNTHETIC

    @cached_property
    def folds(self) -> list[dict[str, float]]:
        """Rows of per_fold.csv."""
        with (self.folder / "per_fold.csv").open(encoding="utf-8", newline="") as file:
            return [
                {key: float(value) for key, value in row.items()} for row in csv.DictReader(file)
            ]

    @cached_property
    def predictions(self) -> Any:
        """The table predictions.parquet."""
        import pyarrow.parquet as pq

        return pq.read_table(self.folder / "predictions.parquet")

    @cached_property
    def histories(self) -> dict[str, list[dict[str, float]]]:
        """Rows of each fold's history.csv, by the name of the fold's folder."""
        found = {}
        for path in sorted(self.folder.glob("folds/seed-*-fold-*/history.csv")):
            with path.open(encoding="utf-8", newline="") as file:
                found[path.parent.name] = [
                    {key: float(value) for key, value in row.items()}
                    for row in csv.DictReader(file)
                ]
        return found

    @cached_property
    def checkpoint(self) -> dict[str, Any]:
        """Description of the first fold's checkpoint: recipe, classes, settings of
        every component.
        """
        paths = sorted(self.folder.glob("folds/seed-*-fold-*/checkpoint.json"))
        return dict(json.loads(paths[0].read_text(encoding="utf-8"))) if paths else {}


def experiments(models_root: Path) -> list[Experiment]:
    """Evaluated experiments below models/, sorted by corpus, split and name."""
    found = []
    for path in sorted(models_root.glob("*/metrics.json")):
        described = path.parent / "folds" / "experiment.json"
        if described.is_file():
            settings = json.loads(described.read_text(encoding="utf-8"))["experiment"]
            metrics = json.loads(path.read_text(encoding="utf-8"))
            found.append(Experiment(path.parent.name, path.parent, settings, metrics))
    return sorted(found, key=lambda item: (item.corpus, item.split, item.name))


def percent(value: float | None, digits: int = 1) -> str:
    """A share as percent; '–' where there is none."""
    return "–" if value is None else f"{100 * value:.{digits}f}"


def metric(metrics: dict[str, Any], name: str) -> Any:
    """A value of nested metrics by a dotted name such as 'test_selected.recall.angry';
    None where it is missing.
    """
    value: Any = metrics
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value
