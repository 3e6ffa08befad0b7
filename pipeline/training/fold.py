"""One fold of one experiment, from its inputs to its files.

Test firewall: nothing here reads a test label. Test rows arrive without one and leave
as probabilities per epoch; `evaluate` alone joins them with labels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from pipeline import __version__, folders, lookup, tables
from pipeline.lookup import ConfigurationError
from pipeline.schema import Rejection
from pipeline.training import checkpoint, loop, saved
from pipeline.training.dataset import Examples
from pipeline.training.fitted import fit, sizes
from pipeline.training.folds import read_fold
from pipeline.training.inputs import Inputs, lacking, open_inputs
from pipeline.training.schedule import Outcome, Task
from pipeline.training.word_vectors import TrainedVectors


def train_fold(task: Task) -> Outcome:
    """Trains one fold and writes checkpoint, per-epoch test probabilities and history
    to `task.out`; a finished fold is taken from `task.scratch`.
    """
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    # Filling fresh memory finds reads of it, none of which is here, and takes up to a
    # fifth of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    outcome = saved.restore(task)
    if outcome is not None:
        return outcome
    experiment = task.experiment
    device = choose_device(experiment.device, task.fold + task.seed)
    inputs = open_inputs(task.folders)
    rows = read_fold(task.folders.split / folders.FOLDS, task.fold)
    kept, incomplete = _usable(task, inputs, rows)
    labels = {
        utterance_id: task.classes.index(label)
        for subset in ("train", "valid")
        for utterance_id, label in rows[subset]
    }
    trains = experiment.trains_embedding
    fitted = fit(inputs, kept["train"], experiment.normalized_by, trains)
    # One-hot words have no table: the layer that reads them is trained anyway.
    start = fitted.table if trains else None
    widths = sizes(inputs, fitted, len(task.classes))
    examples = {
        subset: Examples(
            inputs,
            fitted,
            ids,
            None if subset == "test" else [labels[item] for item in ids],
            experiment.max_words,
        )
        for subset, ids in kept.items()
    }
    torch.manual_seed(loop.stream(task.seed, task.fold, "initial"))
    network = experiment.system(widths, **experiment.hyperparameters).to(device)
    if start is not None:
        if hasattr(network, "solve"):
            raise ConfigurationError(
                f"train_embedding: {experiment.network} takes no steps that could train word "
                "vectors: remove the line"
            )
        network = TrainedVectors(network, start).to(device)
    try:
        state = loop.train(task, network, examples, device)
    except torch.cuda.OutOfMemoryError:
        raise ConfigurationError(
            f"fold {task.fold} does not fit into the memory of the GPU beside the others that "
            "train there: SERFLOW_WORKERS=1 trains one at a time, what was finished is kept"
        ) from None
    network.load_state_dict(state.best)
    if isinstance(network, TrainedVectors):
        fitted, network = replace(fitted, table=network.table()), network.network
    chosen = {
        "classes": list(task.classes),
        "fold": task.fold,
        "seed": task.seed,
        "epoch": state.best_epoch,
        "train_embedding": start is not None,
        "validation": state.history[state.best_epoch - 1],
    }
    checkpoint.save(task.out, network, fitted, widths, {**task.description, **chosen})
    _write_probabilities(
        task.out / folders.PROBABILITIES, kept["test"], task.classes, state.probabilities
    )
    _write_history(task.out / "history.csv", state.history)
    outcome = Outcome(
        task.fold,
        task.seed,
        state.best_epoch,
        state.seconds / len(state.history),
        tuple(state.history),
        rejections=() if experiment.fills else incomplete,
        filled=incomplete if experiment.fills else (),
    )
    saved.keep(task, outcome)
    return outcome


def choose_device(name: str, number: int = 0) -> torch.device:
    """'auto' is CUDA where there is one, else the CPU; the `number`s go round where
    there are several GPUs.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "cuda" and not count:
        raise ConfigurationError(
            "device: cuda, but there is no CUDA device: set device to auto or cpu"
        )
    if name == "cpu" or not count:
        return torch.device("cpu")
    return torch.device("cuda", number % count)


def environment(device: str) -> dict[str, str]:
    """What an experiment is trained with: `lookup.environment`, this project's version
    and the device.
    """
    found = {"serflow": __version__, **lookup.environment(), "device": "cpu"}
    if choose_device(device).type == "cuda":
        found |= {"device": torch.cuda.get_device_name(), "cuda": str(torch.version.cuda)}
    return found


def _usable(
    task: Task, inputs: Inputs, rows: Mapping[str, Sequence[tuple[str, str | None]]]
) -> tuple[dict[str, list[str]], tuple[Rejection, ...]]:
    """The utterances of each subset, and why some of them lack an input."""
    kept: dict[str, list[str]] = {}
    incomplete: list[Rejection] = []
    for subset, listed in rows.items():
        utterance_ids = [utterance_id for utterance_id, _ in listed]
        missing = lacking(inputs, utterance_ids)
        incomplete += missing.values()
        whole = [utterance_id for utterance_id in utterance_ids if utterance_id not in missing]
        kept[subset] = utterance_ids if task.experiment.fills else whole
        if listed and not whole:
            network, needs = task.experiment.network, sorted(task.experiment.system.needs)
            raise ConfigurationError(
                f"fold {task.fold} has no {subset} utterance that {network} can use: "
                f"it reads {', '.join(needs)}"
            )
    return kept, tuple(incomplete)


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
    with tables.replacing(path) as temporary:
        pq.write_table(pa.table(columns), temporary)


def _write_history(path: Path, history: Sequence[Mapping[str, float]]) -> None:
    lines = [",".join(history[0])] + [
        ",".join(f"{value:.9g}" for value in curve.values()) for curve in history
    ]
    tables.write_text(path, "\n".join(lines) + "\n")
