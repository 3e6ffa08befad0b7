"""Work of a fold that waits in the scratch folder: an interrupted training's state, and
a finished fold's files.
"""

import hashlib
import json
import logging
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from pipeline import tables
from pipeline.lookup import key_of
from pipeline.schema import Rejection
from pipeline.training.schedule import Outcome, Task

STATE, OUTCOME, FOLD = "state.safetensors", "outcome.json", "fold"


@dataclass
class State:
    """How far a training has come.

    probabilities: (num_utterances, num_classes) of the test rows, for each epoch. best:
    the weights of `best_epoch`.
    """

    history: list[dict[str, float]]
    probabilities: list[NDArray[np.float32]]
    best: dict[str, Tensor]
    best_epoch: int
    seconds: float


def save(scratch: Path, network: nn.Module, optimizer: torch.optim.Optimizer, state: State) -> None:
    """Writes the state after an epoch; the previous one stays whole until then."""
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    tensors |= {f"best.{name}": value for name, value in state.best.items()}
    for number, slots in optimizer.state_dict()["state"].items():
        tensors |= {
            f"optimizer.{number}.{slot}": value
            for slot, value in slots.items()
            if value is not None
        }
    tensors["probabilities"] = torch.from_numpy(np.stack(state.probabilities))
    copies = {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}
    described = json.dumps(
        {"history": state.history, "best_epoch": state.best_epoch, "seconds": state.seconds}
    )
    metadata = {"state": described, "sha256": _hash(copies, described)}
    with tables.replacing(scratch / STATE) as temporary:
        save_file(dict(sorted(copies.items())), temporary, metadata=metadata)


def resume(scratch: Path, network: nn.Module, optimizer: torch.optim.Optimizer) -> State | None:
    """The saved state, its weights and slots put into network and optimiser; None where
    there is none or where it is damaged, which is logged.
    """
    path = scratch / STATE
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if metadata["sha256"] != _hash(tensors, metadata["state"]):
            raise ValueError("it does not have the hash that was written with it")
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        _discard(path, error)
        return None
    network.load_state_dict({name: tensors[f"network.{name}"] for name in network.state_dict()})
    slots: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, number, slot = name.split(".", 2)
            slots.setdefault(int(number), {})[slot] = value
    optimizer.load_state_dict(optimizer.state_dict() | {"state": slots})
    best = {
        name.removeprefix("best."): value
        for name, value in tensors.items()
        if name.startswith("best.")
    }
    probabilities = list(tensors["probabilities"].numpy())
    return State(probabilities=probabilities, best=best, **json.loads(metadata["state"]))


def keep(task: Task, outcome: Outcome) -> None:
    """Keeps a finished fold's files until the experiment's settings, inputs or code
    change.
    """
    if task.scratch.exists():
        shutil.rmtree(task.scratch)
    shutil.copytree(task.out, task.scratch / FOLD)
    reported, hashes = asdict(outcome), _hashes(task.scratch / FOLD)
    tables.write_json(
        task.scratch / OUTCOME,
        {"outcome": reported, "files": hashes, "sha256": key_of(reported, hashes)},
    )


def restore(task: Task) -> Outcome | None:
    """Puts a finished fold's files in place again; None where there are none or where
    one is damaged, which is logged.
    """
    path = task.scratch / OUTCOME
    if not path.is_file():
        return None
    try:
        written: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        reported, hashes = written["outcome"], written["files"]
        if key_of(reported, hashes) != written["sha256"]:
            raise ValueError("it does not have the hash that was written with it")
        found = _hashes(task.scratch / FOLD)
        different = sorted(
            name for name in {*found, *hashes} if found.get(name) != hashes.get(name)
        )
        if different:
            files = ", ".join(f"{FOLD}/{name}" for name in different)
            raise ValueError(f"{files} without the hash that it states")
    except (OSError, KeyError, TypeError, ValueError) as error:
        _discard(path, error)
        return None
    if task.out.exists():
        shutil.rmtree(task.out)
    shutil.copytree(task.scratch / FOLD, task.out)
    for name in ("rejections", "filled"):
        reported[name] = tuple(Rejection(**item) for item in reported[name])
    return Outcome(**reported | {"history": tuple(reported["history"])})


def _hash(tensors: dict[str, Tensor], described: str) -> str:
    digest = hashlib.sha256(described.encode())
    for name, value in sorted(tensors.items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _hashes(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
    }


def _discard(path: Path, error: Exception) -> None:
    reason = " ".join(str(error).split())
    logging.getLogger(__name__).warning("%s is damaged (%s): trained again", path, reason)
    shutil.rmtree(path.parent)
