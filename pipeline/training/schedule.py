"""An experiment's work: one task for each fold and seed."""

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import folders, lookup
from pipeline.lookup import ConfigurationError, key_of
from pipeline.schema import Rejection
from pipeline.shards import Shards
from pipeline.training.experiment import Experiment
from pipeline.training.folds import fold_numbers
from pipeline.training.inputs import Folders, Text


@dataclass(frozen=True)
class Task:
    """One fold with one seed. `description` goes into the checkpoint: what prediction
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
    """What a fold reports: the chosen epoch, seconds per epoch, each epoch's curve.

    `rejections` are the utterances that were dropped, `filled` those that were fed with
    zeros in the place of an input, each with what it lacks.
    """

    fold: int
    seed: int
    epoch: int
    seconds_per_epoch: float
    history: tuple[dict[str, float], ...]
    rejections: tuple[Rejection, ...] = ()
    filled: tuple[Rejection, ...] = ()


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

    Their scratch folders follow from settings, inputs, code and versions.
    `description` is what a later prediction needs to know (`params.describe`); the
    language of the words is added here. Raises ConfigurationError for an input that is
    not built.
    """
    inputs = Folders.of(experiment, data)
    for folder in (inputs.acoustic, inputs.spans, inputs.text, inputs.split):
        if folder is not None and not folder.is_dir():
            raise ConfigurationError(f"{folder} is not built: run `serflow sync`, then `dvc repro`")
    folds = fold_numbers(inputs.split / folders.FOLDS)
    modules = ["pipeline.training.fold", experiment.system.__module__]
    described = dict(description)
    if experiment.text is not None:
        # Folds fit their own word vectors: the embedding's code is part of training.
        modules.append(lookup.component("text", experiment.text).__name__)
    if inputs.text is not None:
        described["language"] = Text(inputs.text).info["language"]
    code = lookup.fingerprint(*modules)
    state = scratch / name / key_of(described, code, lookup.environment(), _contents(inputs))
    return [
        Task(
            experiment,
            inputs,
            tuple(classes),
            fold,
            seed,
            folders.fold(models, name, seed, fold),
            state / f"seed-{seed}-fold-{fold}",
            described,
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
    # The index of shards holds their hashes, which hold; the other files are small
    # enough to hash.
    digest = hashlib.sha256()
    unread = (folders.REJECTS, folders.LABELS)
    if inputs.acoustic is not None:
        Shards(inputs.acoustic).check()
    if inputs.text is not None and Text(inputs.text).info["kind"] == "contextual":
        Shards(inputs.text).check()
    for folder in (inputs.acoustic, inputs.spans, inputs.text, inputs.split):
        for path in sorted(folder.glob("*")) if folder is not None else ():
            if path.suffix in (".parquet", ".json", ".npy") and path.name not in unread:
                digest.update(path.name.encode() + b"\0")
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
