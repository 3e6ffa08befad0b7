"""Trained networks on disk: safetensors and JSON, never pickle."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from pipeline import __version__, lookup
from pipeline.batch import Sizes
from pipeline.training.dataset import Fitted

WEIGHTS, DESCRIPTION = "checkpoint.safetensors", "checkpoint.json"
TABLE = "fitted.table"


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
    _save_file(folder / WEIGHTS, tensors, None)
    values = description | {
        "sizes": asdict(sizes),
        "normalization": {
            "mean": None if fitted.mean is None else [float(value) for value in fitted.mean],
            "deviation": None
            if fitted.deviation is None
            else [float(value) for value in fitted.deviation],
        },
        "vocabulary": list(fitted.vocabulary),
        "versions": {
            "serflow": __version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
    }
    (folder / DESCRIPTION).write_text(
        json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def load(folder: Path) -> tuple[nn.Module, Fitted, dict[str, Any]]:
    """The network in evaluation mode, what was fitted with it, and its description."""
    for name in (WEIGHTS, DESCRIPTION):
        if not (folder / name).is_file():
            raise FileNotFoundError(
                f"{folder / name} is missing, expected a folder written by training"
            )
    description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    tensors = load_file(folder / WEIGHTS)
    experiment = description["experiment"]
    network = lookup.system(experiment["network"])(
        Sizes(**description["sizes"]), **experiment["hyperparameters"]
    )
    network.load_state_dict(
        {
            name.removeprefix("network."): value
            for name, value in tensors.items()
            if name.startswith("network.")
        }
    )
    network.eval()
    moments = {
        name: None if values is None else np.array(values, dtype=np.float32)
        for name, values in description["normalization"].items()
    }
    table = tensors[TABLE].numpy() if TABLE in tensors else None
    return (
        network,
        Fitted(moments["mean"], moments["deviation"], tuple(description["vocabulary"]), table),
        description,
    )


def write_state(path: Path, tensors: dict[str, Tensor], description: dict[str, Any]) -> None:
    """Writes an interrupted training's state in one step: a killed process leaves the
    previous state whole.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    copies = {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}
    _save_file(temporary, copies, {"state": json.dumps(description)})
    temporary.replace(path)


def read_state(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """The state of an interrupted training, or None where there is none."""
    if not path.is_file():
        return None
    with safe_open(path, framework="pt") as file:
        description = json.loads(file.metadata()["state"])
        return {name: file.get_tensor(name) for name in file.keys()}, description  # noqa: SIM118


def _save_file(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None) -> None:
    save_file(dict(sorted(tensors.items())), path, metadata=metadata)
