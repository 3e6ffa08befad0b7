"""An experiment's work: one task for each fold and seed."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipeline import folders, lookup
from pipeline.shards import key_of
from pipeline.training.experiment import Experiment
from pipeline.training.loop import Folders, Task


def tasks(
    name: str,
    experiment: Experiment,
    description: Mapping[str, Any],
    classes: Sequence[str],
    data: Path,
    models: Path,
    scratch: Path,
) -> list[Task]:
    """Tasks of an experiment, seeds outermost.

    Their scratch folders follow from settings, inputs and code. `description` is what
    a later prediction needs to know (`params.describe`).
    """
    inputs = Folders.of(experiment, data)
    table = pq.read_table(inputs.split / folders.FOLDS, columns=["fold"])
    folds = sorted(set(table["fold"].to_pylist()))
    modules = ["pipeline.training.loop", experiment.system.__module__]
    if experiment.text is not None:
        # Folds fit their own word vectors: the embedding's code is part of training.
        modules.append(lookup.component("text", experiment.text).__name__)
    code = lookup.fingerprint(*modules)
    state = scratch / name / key_of(description, code, _contents(inputs))
    return [
        Task(
            experiment,
            inputs,
            tuple(classes),
            fold,
            seed,
            folders.fold(models, name, seed, fold),
            state / f"seed-{seed}-fold-{fold}",
            dict(description),
        )
        for seed in experiment.seeds
        for fold in folds
    ]


def forget_older(work: Sequence[Task]) -> None:
    """Removes what earlier settings, inputs or code of the same experiment left in the
    scratch folder.
    """
    current = {task.scratch.parent for task in work}
    for older in {place for task in work for place in task.scratch.parents[1].iterdir()} - current:
        shutil.rmtree(older)


def folds_of(work: Sequence[Task]) -> list[int]:
    """Fold numbers in the tasks."""
    return sorted({task.fold for task in work})


def _contents(inputs: Folders) -> str:
    # Shard contents are named by the keys in their index; the other files are small
    # enough to hash.
    digest = hashlib.sha256()
    unread = (folders.REJECTS, folders.LABELS)
    for folder in (inputs.acoustic, inputs.spans, inputs.text, inputs.split):
        for path in sorted(folder.glob("*")) if folder is not None else ():
            if path.suffix in (".parquet", ".json", ".npy") and path.name not in unread:
                digest.update(path.name.encode() + b"\0")
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
