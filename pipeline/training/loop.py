"""The training loop: one fold of one experiment, with the epoch chosen on validation.

Test firewall: nothing here reads a test label. Test rows arrive without one and leave
as probabilities per epoch; `evaluate` alone joins them with labels.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pipeline import folders
from pipeline.batch import Batch, Example, collate
from pipeline.lookup import ConfigurationError
from pipeline.networks import Recipe
from pipeline.schema import Rejection
from pipeline.training import checkpoint, dataset
from pipeline.training.experiment import Experiment

SAVE_SECONDS = 10.0  # between saved states: a killed run repeats at most this much work


@dataclass(frozen=True)
class Folders:
    """Where the inputs of an experiment lie; None for what its system does not read."""

    acoustic: Path | None
    spans: Path | None
    text: Path | None
    split: Path

    @staticmethod
    def of(experiment: Experiment, data: Path) -> Folders:
        """The folders under `data` that an experiment names."""
        corpus = experiment.corpus
        acoustic, alignment, text = experiment.acoustic, experiment.alignment, experiment.text
        return Folders(
            None if acoustic is None else folders.acoustic(data, corpus, acoustic),
            None if alignment is None else folders.spans(data, corpus, alignment),
            None if text is None else folders.text(data, corpus, text),
            folders.split(data, corpus, experiment.split),
        )


@dataclass(frozen=True)
class Task:
    """One fold with one seed; `description` goes into the checkpoint: what prediction
    needs for new recordings.
    """

    experiment: Experiment
    folders: Folders
    classes: tuple[str, ...]
    fold: int
    seed: int
    out: Path
    scratch: Path
    description: dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What a fold reports: the chosen epoch, seconds per epoch, unusable utterances,
    the curve of each epoch.
    """

    fold: int
    seed: int
    epoch: int
    seconds_per_epoch: float
    rejections: tuple[Rejection, ...]
    history: tuple[dict[str, float], ...]


def train_fold(task: Task) -> Outcome:
    """Trains one fold and writes checkpoint, per-epoch test probabilities and history
    to `task.out`.

    Interrupted work goes on from `task.scratch`, and ends with the same numbers as an
    undisturbed run: all randomness of an epoch follows from (seed, fold, epoch).
    """
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    experiment, recipe = task.experiment, task.experiment.recipe
    done = task.scratch / "outcome.json"
    if done.is_file():
        return _restore(task, done)
    device = choose_device(experiment.device)
    needs = experiment.system.needs
    inputs = dataset.open_inputs(task.folders.acoustic, task.folders.spans, task.folders.text)
    rows = read_fold(task.folders.split / folders.FOLDS, task.fold)
    kept: dict[str, list[str]] = {}
    rejections: list[Rejection] = []
    for subset in ("train", "valid", "test"):
        usable, missing = dataset.usable(inputs, [utterance_id for utterance_id, _ in rows[subset]])
        if not usable:
            raise ConfigurationError(
                f"fold {task.fold} has no {subset} utterance that {experiment.network} can use, "
                f"expected a corpus with {sorted(needs)}"
            )
        kept[subset] = usable
        rejections += missing
    labels = {
        utterance_id: task.classes.index(label)
        for subset in ("train", "valid")
        for utterance_id, label in rows[subset]
    }
    fitted = dataset.fit(inputs, kept["train"], experiment.normalization)
    sizes = dataset.sizes(inputs, fitted, len(task.classes))
    examples = {
        subset: dataset.Examples(
            inputs,
            fitted,
            ids,
            None if subset == "test" else [labels[item] for item in ids],
            experiment.max_words,
        )
        for subset, ids in kept.items()
    }
    torch.manual_seed(stream(task.seed, task.fold, "initial"))
    network = experiment.system(sizes, **experiment.hyperparameters).to(device)
    state = _fit(task, recipe, network, examples, device)
    task.out.mkdir(parents=True, exist_ok=True)
    network.load_state_dict(state.best)
    checkpoint.save(
        task.out,
        network,
        fitted,
        sizes,
        {
            **task.description,
            "classes": list(task.classes),
            "fold": task.fold,
            "seed": task.seed,
            "epoch": state.best_epoch,
            "validation": state.history[state.best_epoch - 1],
        },
    )
    _write_probabilities(
        task.out / "probabilities.parquet", kept["test"], task.classes, state.probabilities
    )
    _write_history(task.out / "history.csv", state.history)
    outcome = Outcome(
        task.fold,
        task.seed,
        state.best_epoch,
        state.seconds / len(state.history),
        tuple(rejections),
        tuple(state.history),
    )
    shutil.rmtree(task.scratch, ignore_errors=True)
    task.scratch.mkdir(parents=True)
    shutil.copytree(task.out, task.scratch / "fold")
    unfinished = done.with_suffix(".tmp")
    unfinished.write_text(json.dumps(asdict(outcome)))
    unfinished.replace(done)
    return outcome


def log_curves(folder: Path, outcomes: Sequence[Outcome]) -> None:
    """Writes the mean curve over folds and seeds with DVCLive, so that `dvc plots`
    draws and compares it.
    """
    from dvclive import Live  # type: ignore[attr-defined]

    shutil.rmtree(folder, ignore_errors=True)
    with Live(
        str(folder), save_dvc_exp=False, dvcyaml=None, report=None, monitor_system=False
    ) as live:
        for epoch in range(max(len(outcome.history) for outcome in outcomes)):
            curves = [
                outcome.history[epoch] for outcome in outcomes if epoch < len(outcome.history)
            ]
            for name in curves[0]:
                if name != "epoch":
                    live.log_metric(
                        name.replace("_", "/", 1), float(np.mean([curve[name] for curve in curves]))
                    )
            live.next_step()


def read_fold(path: Path, fold: int) -> dict[str, list[tuple[str, str | None]]]:
    """(utterance_id, label) of each subset of one fold; a label on a test row is an
    error.
    """
    table = pq.read_table(path, filters=[("fold", "=", fold)])
    rows: dict[str, list[tuple[str, str | None]]] = {"train": [], "valid": [], "test": []}
    for row in table.to_pylist():
        if row["subset"] == "test" and row["emotion"] is not None:
            raise ValueError(
                f"{path}: test row {row['utterance_id']} carries a label, expected null"
            )
        rows[row["subset"]].append((row["utterance_id"], row["emotion"]))
    return {subset: sorted(items) for subset, items in rows.items()}


def choose_device(name: str) -> torch.device:
    """'auto' is CUDA where there is one, else the CPU."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigurationError("device cuda: no CUDA device here, expected device: auto or cpu")
    return torch.device(name)


def stream(*parts: object) -> int:
    """A seed that follows from its parts alone."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:7], "big")


def make_optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimiser over all parameters."""
    if recipe.optimizer == "adam":
        return torch.optim.Adam(
            network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay
        )
    return torch.optim.SGD(
        network.parameters(),
        recipe.learning_rate,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        weight_decay=recipe.weight_decay,
    )


def loss_of(network: nn.Module, batch: Batch, logits: Tensor, l2: float) -> Tensor:
    """Cross entropy or the network's own loss, plus l2 times the sum of squared weights
    (no biases, no norms).
    """
    if batch.labels is None:
        raise ValueError("a batch without labels has no loss, expected training or validation rows")
    own = getattr(network, "training_loss", None)
    loss: Tensor = (
        nn.functional.cross_entropy(logits.float(), batch.labels)
        if own is None
        else own(batch, logits)
    )
    if l2:
        loss = loss + l2 * sum(
            weight.square().sum() for weight in network.parameters() if weight.ndim > 1
        )
    return loss


def probabilities_of(
    network: nn.Module, examples: Sequence[Example], device: torch.device, batch_size: int = 64
) -> NDArray[np.float32]:
    """(len(examples), num_classes) softmax outputs in evaluation mode, in the order of
    the examples.
    """
    network.eval()
    order = sorted(range(len(examples)), key=lambda item: (_length(examples[item]), item))
    made: list[Tensor] = []
    with torch.inference_mode():
        for first in range(0, len(order), batch_size):
            batch = collate([examples[item] for item in order[first : first + batch_size]])
            made.append(torch.softmax(network(batch.to(device)).float(), dim=-1).cpu())
    values = torch.cat(made).numpy()
    restored = np.empty_like(values)
    restored[order] = values
    return restored


@dataclass
class _State:
    history: list[dict[str, float]]
    probabilities: list[NDArray[np.float32]]
    best: dict[str, Tensor]
    best_epoch: int
    seconds: float


def _fit(
    task: Task,
    recipe: Recipe,
    network: nn.Module,
    examples: Mapping[str, dataset.Examples],
    device: torch.device,
) -> _State:
    optimizer = make_optimizer(network, recipe)
    state = _resume(task.scratch, network, optimizer) or _State([], [], {}, 0, 0.0)
    valid_labels = np.array([example.label for example in examples["valid"]])
    saved = time.monotonic()
    for epoch in range(len(state.history) + 1, recipe.epochs + 1):
        began = time.monotonic()
        torch.manual_seed(stream(task.seed, task.fold, epoch))
        rate = recipe.learning_rate
        if recipe.learning_rate_step:
            rate *= recipe.learning_rate_factor ** ((epoch - 1) // recipe.learning_rate_step)
        for group in optimizer.param_groups:
            group["lr"] = rate
        network.train()
        total = 0.0
        for batch in _batches(examples["train"], recipe.batch_size):
            batch = batch.to(device)
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(network, batch, network(batch), recipe.l2)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            total += loss.item() * batch.size
        train_loss = total / len(examples["train"])
        if not math.isfinite(train_loss):
            raise FloatingPointError(
                f"loss is {train_loss} in epoch {epoch} of fold {task.fold}, "
                "expected a number: lower training.learning_rate"
            )
        curve = {"epoch": epoch, "train_loss": train_loss}
        curve |= _validate(probabilities_of(network, examples["valid"], device), valid_labels)
        state.probabilities.append(probabilities_of(network, examples["test"], device))
        state.history.append(curve)
        if state.best_epoch == 0 or _merit(curve, task) > _merit(
            state.history[state.best_epoch - 1], task
        ):
            state.best_epoch = epoch
            state.best = {
                name: value.detach().clone() for name, value in network.state_dict().items()
            }
        state.seconds += time.monotonic() - began
        if time.monotonic() - saved > SAVE_SECONDS:
            _save(task.scratch, network, optimizer, state)
            saved = time.monotonic()
    return state


def _batches(examples: Sequence[Example], batch_size: int) -> Iterator[Batch]:
    order = torch.randperm(len(examples)).tolist()
    pieces = [order[first : first + batch_size] for first in range(0, len(order), batch_size)]
    # Batch norm cannot work on a single utterance: a last batch of one joins its
    # neighbour.
    if len(pieces) > 1 and len(pieces[-1]) == 1:
        pieces[-2:] = [pieces[-2] + pieces[-1]]
    for piece in pieces:
        yield collate([examples[item] for item in piece])


def _validate(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> dict[str, float]:
    right = probabilities.argmax(axis=1) == labels
    picked = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return {
        "valid_loss": float(-np.log(np.maximum(picked, 1e-12)).mean()),
        "valid_wa": float(right.mean()),
        "valid_ua": float(np.mean([right[labels == label].mean() for label in np.unique(labels)])),
    }


def _merit(curve: Mapping[str, float], task: Task) -> tuple[float, float]:
    # Few validation utterances tie often: the lower loss decides, then the earlier
    # epoch.
    measure = (
        -curve["valid_loss"]
        if task.experiment.select == "loss"
        else curve[f"valid_{task.experiment.select}"]
    )
    return measure, -curve["valid_loss"]


def _length(example: Example) -> int:
    first = example.frames if example.frames is not None else example.words
    return 0 if first is None else len(first)


def _save(
    scratch: Path, network: nn.Module, optimizer: torch.optim.Optimizer, state: _State
) -> None:
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    tensors |= {f"best.{name}": value for name, value in state.best.items()}
    for number, slots in optimizer.state_dict()["state"].items():
        tensors |= {
            f"optimizer.{number}.{slot}": value
            for slot, value in slots.items()
            if value is not None
        }
    tensors["probabilities"] = torch.from_numpy(np.stack(state.probabilities))
    description = {
        "history": state.history,
        "best_epoch": state.best_epoch,
        "seconds": state.seconds,
    }
    checkpoint.write_state(scratch / "state.safetensors", tensors, description)


def _resume(scratch: Path, network: nn.Module, optimizer: torch.optim.Optimizer) -> _State | None:
    found = checkpoint.read_state(scratch / "state.safetensors")
    if found is None:
        return None
    tensors, description = found
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
    return _State(
        description["history"],
        probabilities,
        best,
        description["best_epoch"],
        description["seconds"],
    )


def _restore(task: Task, done: Path) -> Outcome:
    shutil.rmtree(task.out, ignore_errors=True)
    shutil.copytree(task.scratch / "fold", task.out)
    values = json.loads(done.read_text())
    rejections = tuple(Rejection(**item) for item in values.pop("rejections"))
    return Outcome(rejections=rejections, history=tuple(values.pop("history")), **values)


def _write_probabilities(
    path: Path,
    utterance_ids: Sequence[str],
    classes: Sequence[str],
    epochs: Sequence[NDArray[np.float32]],
) -> None:
    values = np.stack(epochs)
    columns: dict[str, Any] = {
        "epoch": pa.array(
            np.repeat(np.arange(1, len(values) + 1, dtype=np.int32), len(utterance_ids))
        ),
        "utterance_id": pa.array(list(utterance_ids) * len(values)),
    }
    for number, name in enumerate(classes):
        columns[f"p_{name}"] = pa.array(values[:, :, number].ravel())
    pq.write_table(pa.table(columns), path)


def _write_history(path: Path, history: Sequence[Mapping[str, float]]) -> None:
    lines = [",".join(history[0])] + [
        ",".join(f"{value:.9g}" for value in curve.values()) for curve in history
    ]
    path.write_text("\n".join(lines) + "\n")
