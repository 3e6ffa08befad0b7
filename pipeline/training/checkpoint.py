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
from pipeline.training.experiment import Experiment
from pipeline.training.fitted import Fitted

WEIGHTS, DESCRIPTION = "checkpoint.safetensors", "checkpoint.json"
TABLE = "fitted.table"
NEEDED = ("experiment", "classes", "sizes", "normalization", "vocabulary")
# What training adds for a reader, or for a prediction that needs it.
INPUTS = ("tokens", "train_embedding", "language", "acoustic", "alignment", "text")
OPTIONAL = ("name", "recipe", *INPUTS, "versions")
CHOICE = ("select", "measure")  # of the epoch, on validation and on test
OF_THE_FOLD = ("fold", "seed", "epoch", "validation")
WIDEST = 10**7  # of any size that a description may ask a network to be built for


def save(
    folder: Path, network: nn.Module, fitted: Fitted, sizes: Sizes, description: dict[str, Any]
) -> None:
    """Writes weights and fitted vectors as safetensors, everything else as JSON beside
    them.
    """
    tensors = {
        f"network.{name}": value.detach().cpu().contiguous()
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
        fitted = _fitted(description, sizes, tensors.get(TABLE))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise _unusable(path, error) from None
    try:
        for name, value in tensors.items():
            if value.is_floating_point() and not torch.isfinite(value).all():
                raise ValueError(f"{name} holds numbers that are not finite")
        network: nn.Module = chosen.system(sizes, **chosen.hyperparameters)
        prefix = "network."
        network.load_state_dict(
            {
                name.removeprefix(prefix): value
                for name, value in tensors.items()
                if name.startswith(prefix)
            }
        )
    except (RuntimeError, TypeError, ValueError) as error:
        raise _unusable(folder / WEIGHTS, error) from None
    return network.eval(), fitted, description


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


def _fitted(description: Mapping[str, Any], sizes: Sizes, table: Tensor | None) -> Fitted:
    words = description["vocabulary"]
    if not _words(words):
        raise ValueError("vocabulary is no list of different words")
    if sizes.vocabulary_size not in (0, len(words) + 1):
        raise ValueError(f"{len(words)} words, but vocabulary_size = {sizes.vocabulary_size}")
    if table is not None and tuple(table.shape) != (len(words), sizes.word_dim):
        expected = (len(words), sizes.word_dim)
        raise ValueError(f"{TABLE} has the shape {tuple(table.shape)}, expected {expected}")
    moments = description["normalization"]
    mean, deviation = (_row(name, moments[name], sizes) for name in ("mean", "deviation"))
    if (mean is None) != (deviation is None):
        raise ValueError("normalization has one of mean and deviation, expected both or none")
    if deviation is not None and not (deviation > 0).all():
        raise ValueError("normalization.deviation is not above zero")
    return Fitted(mean, deviation, tuple(words), None if table is None else table.numpy())


def _row(name: str, values: Any, sizes: Sizes) -> NDArray[np.float32] | None:
    if values is None:
        return None
    row = np.array(values, dtype=np.float32)
    if row.shape != (sizes.feature_dim,) or not np.isfinite(row).all():
        raise ValueError(f"normalization.{name}: expected {sizes.feature_dim} finite numbers")
    return row


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
