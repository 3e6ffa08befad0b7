"""What the folders below models/ say about the experiments that were run."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import folders, lookup, tables
from pipeline.evaluation import metrics as scored
from pipeline.evaluation import scores
from pipeline.lookup import ConfigurationError

REFERENCES = ("Reference_a", "Reference_s", "Reference_m")  # of networks/reference.py


@dataclass(frozen=True)
class Experiment:
    """One evaluated experiment: folder, section of params.yaml, scores."""

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
        """Name of the system, as in params.yaml."""
        return str(self.settings["network"])

    @property
    def split(self) -> str:
        """Name of the split, as in params.yaml."""
        return str(self.settings["split"])

    @property
    def reference(self) -> bool:
        """Whether it is a linear classifier that others are to beat."""
        return self.network in REFERENCES

    @property
    def validated(self) -> bool:
        """Whether a validation set chose the epoch; else the last one is the result."""
        return not str(self.metrics["selected_by"]).startswith("last epoch")

    @property
    def synthetic(self) -> str:
        """What its corpus has of synthetic speech, in words; '' for none."""
        return synthetic_speech(self.corpus, self.checkpoint.get("joins", ()))

    @property
    def classes(self) -> list[str]:
        """The emotions that it tells apart."""
        return list(self.metrics["recall"])

    @property
    def trained(self) -> list[Path]:
        """Folders of its trained folds, sorted."""
        return folders.trained_folds(self.folder.parent, self.name)

    @cached_property
    def folds(self) -> list[dict[str, float]]:
        """Rows of per_fold.csv: the scores of each fold and seed."""
        return _read_numbers(self.folder / "per_fold.csv")

    @cached_property
    def predictions(self) -> Any:
        """The table predictions.parquet; FileNotFoundError where it is not here."""
        path = self.folder / folders.PREDICTIONS
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing: `dvc pull` fetches it")
        return tables.read_table(path)

    @property
    def confusion(self) -> NDArray[np.int64]:
        """Counts of folds and seeds, (num_classes, num_classes), true classes down."""
        place = {name: index for index, name in enumerate(self.classes)}
        truth = np.array([place[name] for name in self.predictions["label"].to_pylist()])
        predicted = np.array(
            [place.get(name, -1) for name in self.predictions["predicted"].to_pylist()]
        )
        return scores.confusion_matrix(truth, predicted, len(place))[:, : len(place)]

    @cached_property
    def histories(self) -> dict[str, list[dict[str, float]]]:
        """Rows of each fold's history.csv, by the name of the fold's folder."""
        paths = [folder / "history.csv" for folder in self.trained]
        return {path.parent.name: _read_numbers(path) for path in paths if path.is_file()}

    @cached_property
    def checkpoint(self) -> dict[str, Any]:
        """checkpoint.json of the first fold: recipe, versions, component settings."""
        return read_json(self.trained[0] / "checkpoint.json") if self.trained else {}


def experiments(models_root: Path) -> list[Experiment]:
    """Evaluated experiments below models/, sorted by corpus, split and name."""
    found = []
    for path in sorted(models_root.glob(f"*/{folders.METRICS}")):
        name = path.parent.name
        described = folders.trained(models_root, name) / "experiment.json"
        if described.is_file():
            settings = read_json(described)["experiment"]
            found.append(Experiment(name, path.parent, settings, scored.read(path.parent)))
    return sorted(found, key=lambda item: (item.corpus, item.split, item.name))


def is_synthetic(corpus: str) -> bool:
    """Whether the corpus's module says SYNTHETIC; recorded speech has no such line."""
    if corpus.split("-", 1)[0] not in lookup.names("corpora"):
        return False
    return bool(getattr(lookup.component("corpora", corpus), "SYNTHETIC", False))


def synthetic_speech(corpus: str, joins: Sequence[str] = ()) -> str:
    """'synthetic speech', or 'partly synthetic speech (demo)' of a corpus that joins
    others; '' where only people speak.
    """
    made = [name for name in joins or [corpus] if is_synthetic(name)]
    if len(made) < len(joins):
        return f"partly synthetic speech ({', '.join(made)})" if made else ""
    return "synthetic speech" if made else ""


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object, {} where there is no file."""
    return tables.read_json(path) if path.is_file() else {}


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


def _read_numbers(path: Path) -> list[dict[str, float]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [
                {key: float(value) for key, value in row.items()} for row in csv.DictReader(file)
            ]
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise ConfigurationError(
            f"{path} cannot be read ({error}): delete it and build it again with `dvc repro`"
        ) from None
