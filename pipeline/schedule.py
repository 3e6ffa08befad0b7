"""An experiment's work: one task for each fold and seed, each with everything a later prediction needs to know."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipeline import lookup
from pipeline import params as parameters
from pipeline.params import Params
from pipeline.shards import key_of
from pipeline.training import Folders, Task


def tasks(params: Params, name: str, data: Path, models: Path, scratch: Path) -> list[Task]:
    """Tasks of an experiment, seeds outermost; their scratch folders follow from settings, inputs and code."""
    chosen = parameters.named(params, name)
    folders = Folders.of(chosen, data)
    classes = tuple(dict.fromkeys(params.splits[chosen.split]["labels"].values()))
    folds = sorted(set(pq.read_table(folders.split / "folds.parquet", columns=["fold"])["fold"].to_pylist()))
    description = describe(params, name)
    # Folds fit their own word vectors: the embedding's code is part of training.
    embedding = lookup.component("text", chosen.text).__name__
    code = lookup.fingerprint("pipeline.training", lookup.row(chosen.network).__module__, embedding)
    state = scratch / name / key_of(description, code, _contents(folders))
    return [
        Task(
            chosen,
            folders,
            classes,
            fold,
            seed,
            models / name / "folds" / f"seed-{seed}-fold-{fold}",
            state / f"seed-{seed}-fold-{fold}",
            description,
        )
        for seed in chosen.seeds
        for fold in folds
    ]


def describe(params: Params, name: str) -> dict[str, Any]:
    """What turns a new recording into this experiment's inputs: the settings of every component it names."""
    chosen = parameters.named(params, name)
    return {
        "name": name,
        "experiment": asdict(chosen),
        "recipe": asdict(chosen.recipe),
        "tokens": dict(params.corpora[chosen.corpus].tokens),
        "acoustic": {"name": chosen.acoustic, "config": params.acoustic[chosen.acoustic]},
        "alignment": {"name": chosen.alignment, **asdict(params.alignment[chosen.alignment])},
        "text": {"name": chosen.text, "config": params.text[chosen.text]},
    }


def forget_older(work: Sequence[Task]) -> None:
    """Removes what earlier settings, inputs or code of the same experiment left in the scratch folder."""
    current = {task.scratch.parent for task in work}
    for older in {place for task in work for place in task.scratch.parents[1].iterdir()} - current:
        shutil.rmtree(older)


def folds_of(work: Sequence[Task]) -> list[int]:
    """Fold numbers in the tasks."""
    return sorted({task.fold for task in work})


def _contents(folders: Folders) -> str:
    # Shard contents are named by the keys in their index; the other files are small enough to hash.
    digest = hashlib.sha256()
    for folder in (folders.acoustic, folders.spans, folders.text, folders.split):
        for path in sorted(folder.glob("*")):
            if path.suffix in (".parquet", ".json", ".npy") and path.name not in ("rejects.parquet", "labels.parquet"):
                digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
