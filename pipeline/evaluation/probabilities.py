"""Test probabilities of trained folds, as `train` wrote them."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import folders, tables
from pipeline.lookup import ConfigurationError


@dataclass(frozen=True)
class Fold:
    """Test probabilities of one trained fold.

    `probabilities`: (num_epochs, num_utterances, num_classes); `epochs`: the epochs'
    numbers, ascending; `epoch`: the one that validation chose by `select`, the last one
    where `select` is None; `measure` (wa, ua or wa_ua, 0.9 WA + 0.1 UA) chooses the
    best test epoch.
    """

    seed: int
    fold: int
    epoch: int
    epochs: Sequence[int]
    utterance_ids: Sequence[str]
    probabilities: NDArray[np.floating[Any]]
    select: str | None = "ua"
    measure: str = "wa"


def read_folds(folder: Path) -> tuple[list[Fold], list[str]]:
    """Folds and classes below models/<experiment>/folds:
    seed-S-fold-K/{checkpoint.json, probabilities.parquet}.

    Raises FileNotFoundError where there are none, ValueError where two folds name
    different classes.
    """

    folds, classes = [], None
    for place in sorted(Path(folder).glob("seed-*-fold-*")):
        _, seed, _, fold = place.name.split("-")
        table = tables.read_table(place / folders.PROBABILITIES).sort_by(
            [("epoch", "ascending"), ("utterance_id", "ascending")]
        )
        columns = [name for name in table.column_names if name.startswith("p_")]
        own = [name.removeprefix("p_") for name in columns]
        classes = classes or own
        if own != classes:
            raise ValueError(f"{place}: classes {own}, expected {classes} as in the other folds")
        epochs, counts = np.unique(table["epoch"].to_numpy(), return_counts=True)
        names = table["utterance_id"].to_pylist()
        number = len(names) // max(1, len(epochs))
        if len(set(counts)) != 1 or names != names[:number] * len(epochs):
            raise ValueError(
                f"{place}: epochs of {sorted(set(counts.tolist()))} utterances, every epoch must "
                "have the same ones: train the fold again"
            )
        shares = np.stack([table[name].to_numpy() for name in columns], axis=1).reshape(
            len(epochs), number, len(own)
        )
        chosen = json.loads((place / "checkpoint.json").read_text(encoding="utf-8"))
        if not {"epoch", "validation", "select", "measure"} <= set(chosen):
            raise ConfigurationError(f"{place} is of an older version: train the fold again")
        folds.append(
            Fold(
                int(seed),
                int(fold),
                int(chosen["epoch"]),
                [int(e) for e in epochs],
                names[:number],
                shares,
                chosen["select"] if "valid_loss" in chosen["validation"] else None,
                chosen["measure"],
            )
        )
    if classes is None:
        raise FileNotFoundError(
            f"no folds in {folder}, expected seed-S-fold-K folders as `train` writes them"
        )
    return folds, classes


def only(folds: Sequence[Fold], utterance_ids: Collection[str]) -> list[Fold]:
    """The folds with no other test utterances than these."""
    wanted, restricted = set(utterance_ids), []
    for fold in folds:
        kept = [index for index, name in enumerate(fold.utterance_ids) if name in wanted]
        names = [fold.utterance_ids[index] for index in kept]
        if names:
            shares = fold.probabilities[:, kept]
            restricted.append(replace(fold, utterance_ids=names, probabilities=shares))
    return restricted
