"""Trained networks on disk: safetensors and JSON, never pickle; read without trust."""

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from pipeline import __version__, tables
from pipeline.batch import Sizes
from pipeline.lookup import ConfigurationError
from pipeline.training import experiment as experiments
from pipeline.training import exported
from pipeline.training.experiment import Experiment
from pipeline.training.fitted import SMALLEST_DEVIATION, Fitted

WEIGHTS, DESCRIPTION = "checkpoint.safetensors", "checkpoint.json"
TABLE, PREFIX = "fitted.table", "network."
NEEDED = ("experiment", "classes", "sizes", "normalization", "vocabulary")
# What training adds for a reader, or for a prediction that needs it.
INPUTS = (
    "tokens", "train_embedding", "language", "acoustic", "alignment", "text", "transcription",
)  # fmt: skip
OPTIONAL = ("name", "recipe", *INPUTS, "versions", "joins")
CHOICE = ("select", "measure")  # of the epoch, on validation and on test
OF_THE_FOLD = ("fold", "seed", "epoch", "validation")
FITTED = ("sizes", "normalization", "vocabulary")  # on the fold's training rows
WIDEST = 10**7  # of any size that a description may ask a network to be built for


def save(
    folder: Path, network: nn.Module, fitted: Fitted, sizes: Sizes, description: dict[str, Any]
) -> None:
    """Writes weights and fitted vectors as safetensors, everything else as JSON beside
    them.
    """
    tensors = {
        f"{PREFIX}{name}": value.detach().cpu().contiguous()
        for name, value in network.state_dict().items()
    }
    if fitted.table is not None:
        tensors[TABLE] = torch.from_numpy(np.ascontiguousarray(fitted.table))
    with tables.replacing(folder / WEIGHTS) as temporary:
        save_file(dict(sorted(tensors.items())), temporary)
    values = description | {
        "sizes": asdict(sizes),
        "normalization": {"mean": _list(fitted.mean), "deviation": _list(fitted.deviation)},
        "vocabulary": list(fitted.vocabulary),
        "versions": {
            "serflow": __version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
    }
    text = json.dumps(values, indent=1, ensure_ascii=False) + "\n"
    tables.write_text(folder / DESCRIPTION, text)


def load(folder: Path) -> tuple[nn.Module, Fitted, dict[str, Any]]:
    """The network in evaluation mode, what was fitted with it, and its description.

    Raises ConfigurationError with one line that names the file when one is missing,
    damaged, or says what no training writes.
    """
    path = folder / DESCRIPTION
    description = read_description(path)
    try:
        tensors = load_file(folder / WEIGHTS)
    except FileNotFoundError:
        raise ConfigurationError(f"{folder / WEIGHTS} is missing: train again") from None
    except (OSError, SafetensorError, ValueError) as error:
        raise _unusable(folder / WEIGHTS, error) from None
    try:
        chosen = _experiment(description)
        sizes = _sizes(description["sizes"], len(description["classes"]))
        fitted = _fitted(description, chosen, sizes, tensors.get(TABLE))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise _unusable(path, error) from None
    try:
        network = _network(chosen, sizes, tensors)
    except (RuntimeError, TypeError, ValueError) as error:
        raise _unusable(folder / WEIGHTS, error) from None
    return network.eval(), fitted, description


def trained_folds(model: Path) -> list[Path]:
    """The folder of every fold and seed below `model` (models/<experiment>), whether or
    not it is whole; raises ConfigurationError where there is none or one is missing.
    """
    places = sorted(path for path in model.glob("folds/*") if path.is_dir())
    if not places:
        raise ConfigurationError(
            f"{model} holds no trained network: --model takes models/<experiment>, which "
            "`dvc repro` makes and `dvc pull` fetches"
        )
    tables.require_folds(model / "folds")
    return places


def load_all(model: Path) -> list[tuple[Path, nn.Module, Fitted, dict[str, Any]]]:
    """The folder, network, fitted values and description of every fold and seed below
    `model` (models/<experiment>).

    Raises ConfigurationError where there is none, one cannot be used, or two are not of
    the same experiment.
    """
    places = trained_folds(model)
    loaded = [(place, *load(place)) for place in places]
    first = loaded[0][3]
    trained: dict[tuple[Any, Any], Path] = {}
    for place, *_, description in loaded:
        path = place / DESCRIPTION
        names = sorted({*first, *description} - {*OF_THE_FOLD, *FITTED, "versions"})
        different = [name for name in names if first.get(name) != description.get(name)]
        if different:
            raise _unusable(
                path, f"its {', '.join(different)} are not those of {places[0] / DESCRIPTION}"
            )
        which = description.get("seed"), description.get("fold")
        if which in trained:
            raise _unusable(path, f"it is the same fold and seed as {trained[which]}")
        trained[which] = path
    exported.check(model, first)
    return loaded


def find(path: Path, model: Path) -> Path:
    """A file that a model's settings name: as it stands, where it is absolute, else in
    the model's folder or the project above it, wherever the command is called.
    """
    above = (model.resolve(), *model.resolve().parents)
    place = next((folder / path for folder in above if (folder / path).exists()), None)
    if place is None:
        raise ConfigurationError(
            f"{path} is neither in {model.resolve()} nor in a folder above it: put it where it "
            "lay in training, in the project that the model belongs to"
        )
    return place


def read_description(path: Path) -> dict[str, Any]:
    """checkpoint.json as it stands; it has the keys that training writes, no others."""
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(f"{path} is missing: train again") from None
    except (OSError, ValueError, RecursionError) as error:
        raise _unusable(path, error) from None
    if not isinstance(description, dict):
        raise _unusable(path, "no JSON object")
    missing = [name for name in NEEDED if name not in description]
    if missing:
        raise _unusable(path, f"no {', '.join(missing)}")
    unknown = sorted(set(description) - {*NEEDED, *OPTIONAL, *CHOICE, *OF_THE_FOLD})
    if unknown:
        raise _unusable(path, f"unknown key {', '.join(unknown)}")
    if not isinstance(description.get("language", ""), str):
        raise _unusable(path, f"language {description['language']!r} is no name")
    if "joins" in description and not _words(description["joins"]):
        raise _unusable(path, f"joins {description['joins']!r} is no list of different names")
    classes = description["classes"]
    if not _words(classes) or not classes:
        raise _unusable(path, f"classes {classes!r} are no list of different names")
    return description


def _experiment(description: Mapping[str, Any]) -> Experiment:
    return experiments.settings("checkpoint", description["experiment"])


def _sizes(values: Mapping[str, Any], num_classes: int) -> Sizes:
    known = {field.name for field in fields(Sizes)}
    if set(values) != known:
        raise ValueError(f"sizes {sorted(values)}, expected {sorted(known)}")
    for name, value in values.items():
        if type(value) is not int or not 0 <= value <= WIDEST:
            raise ValueError(f"sizes.{name} = {value!r}, expected a whole number up to {WIDEST}")
    if values["num_classes"] != num_classes:
        raise ValueError(f"{num_classes} classes, but sizes.num_classes = {values['num_classes']}")
    return Sizes(**values)


def _network(chosen: Experiment, sizes: Sizes, tensors: Mapping[str, Tensor]) -> nn.Module:
    for name, value in tensors.items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise ValueError(f"{name} holds numbers that are not finite")
    # Without memory first: a description may ask for more than the machine has.
    with torch.device("meta"):
        expected = chosen.system(sizes, **chosen.hyperparameters).state_dict()
    weights = {name: value for name, value in tensors.items() if name != TABLE}
    needed = {f"{PREFIX}{name}": value for name, value in expected.items()}
    for what, names in (("lacks", needed.keys() - weights), ("unknown", weights.keys() - needed)):
        if names:
            raise ValueError(f"{what} {min(names)} ({len(names)} of {len(needed)} tensors)")
    for name, value in weights.items():
        for what in ("shape", "dtype"):
            found, wanted = getattr(value, what), getattr(needed[name], what)
            if found != wanted:
                raise ValueError(f"{name} has the {what} {_plain(found)}, not {_plain(wanted)}")
    network: nn.Module = chosen.system(sizes, **chosen.hyperparameters)
    network.load_state_dict({name.removeprefix(PREFIX): item for name, item in weights.items()})
    return network


def _plain(value: Any) -> str:
    return str(tuple(value) if isinstance(value, torch.Size) else value).removeprefix("torch.")


def _fitted(
    description: Mapping[str, Any], chosen: Experiment, sizes: Sizes, table: Tensor | None
) -> Fitted:
    words = description["vocabulary"]
    if not _words(words):
        raise ValueError("vocabulary is no list of different words")
    if sizes.vocabulary_size not in (0, len(words) + 1):
        raise ValueError(f"{len(words)} words, but vocabulary_size = {sizes.vocabulary_size}")
    if table is not None and tuple(table.shape) != (len(words), sizes.word_dim):
        expected = (len(words), sizes.word_dim)
        raise ValueError(f"{TABLE} has the shape {tuple(table.shape)}, expected {expected}")
    if table is not None and table.dtype != torch.float32:
        raise ValueError(f"{TABLE} has the dtype {_plain(table.dtype)}, expected float32")
    moments = description["normalization"]
    mean, deviation = (_row(name, moments[name], sizes) for name in ("mean", "deviation"))
    if (mean is None) != (deviation is None):
        raise ValueError("normalization has one of mean and deviation, expected both or none")
    if (mean is not None) != (sizes.feature_dim > 0 and chosen.normalized_by == "train"):
        raise ValueError(
            f"normalization is {'not ' * (mean is None)}there, but the experiment's is "
            f"{chosen.normalized_by!r}"
        )
    if deviation is not None and not (deviation >= SMALLEST_DEVIATION / 2).all():
        raise ValueError(f"normalization.deviation is not above {SMALLEST_DEVIATION:g}")
    return Fitted(mean, deviation, tuple(words), None if table is None else table.numpy())


def _row(name: str, values: Any, sizes: Sizes) -> NDArray[np.float32] | None:
    if values is None:
        return None
    row = np.array(values, dtype=np.float64)
    largest = np.finfo(np.float32).max
    if row.shape != (sizes.feature_dim,) or not (np.abs(row) <= largest).all():
        raise ValueError(f"normalization.{name}: expected {sizes.feature_dim} finite numbers")
    return row.astype(np.float32)


def _words(values: Any) -> bool:
    return (
        isinstance(values, list)
        and all(isinstance(value, str) and value for value in values)
        and len(set(values)) == len(values)
    )


def _list(row: NDArray[np.float32] | None) -> list[float] | None:
    return None if row is None else [float(value) for value in row]


def _unusable(path: Path, error: Exception | str) -> ConfigurationError:
    said = f"no {error}" if isinstance(error, KeyError) else str(error)
    return ConfigurationError(f"{path} cannot be used: {' '.join(said.split())[:300]}")
