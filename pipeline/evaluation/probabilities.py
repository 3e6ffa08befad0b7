"""Test probabilities of trained folds, as `train` wrote them."""

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

    Raises FileNotFoundError where there are none, ConfigurationError where one is
    missing, a file is damaged, or two folds name different classes.
    """

    tables.require_folds(Path(folder))
    folds, classes = [], None
    for place in sorted(Path(folder).glob("seed-*-fold-*")):
        _, seed, _, fold = place.name.split("-")
        table = _read_probabilities(place / folders.PROBABILITIES)
        columns = [name for name in table.column_names if name.startswith("p_")]
        own = [name.removeprefix("p_") for name in columns]
        classes = classes or own
        if own != classes:
            raise ConfigurationError(
                f"{place}: classes {own}, expected {classes} as in the other folds: train the "
                "fold again"
            )
        epochs, counts = np.unique(table["epoch"].to_numpy(), return_counts=True)
        names = table["utterance_id"].to_pylist()
        number = len(names) // max(1, len(epochs))
        if len(set(counts)) != 1 or names != names[:number] * len(epochs):
            raise ConfigurationError(
                f"{place}: epochs of {sorted(set(counts.tolist()))} utterances, every epoch must "
                "have the same ones: train the fold again"
            )
        shares = np.stack([table[name].to_numpy() for name in columns], axis=1).reshape(
            len(epochs), number, len(own)
        )
        chosen = tables.read_json(place / "checkpoint.json")
        if not {"epoch", "validation", "select", "measure"} <= set(chosen):
            raise ConfigurationError(f"{place} is of an older version: train the fold again")
        if chosen["epoch"] not in epochs:
            raise ConfigurationError(
                f"{place}: {folders.PROBABILITIES} lacks epoch {chosen['epoch']!r}, which "
                "checkpoint.json chose: train the fold again"
            )
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


def _read_probabilities(path: Path) -> Any:
    """A fold's table by epoch and utterance, every row of it a distribution."""
    import pyarrow as pa

    table = tables.read_table(path)
    columns = [name for name in table.column_names if name.startswith("p_")]
    needed = {"epoch": pa.types.is_integer, "utterance_id": pa.types.is_string}
    needed |= dict.fromkeys(columns, pa.types.is_floating)
    kinds = {field.name: field.type for field in table.schema}
    fits = bool(columns) and all(
        name in kinds and fits(kinds[name]) and not table[name].null_count
        for name, fits in needed.items()
    )
    if fits:
        sums = sum(table[name].to_numpy().astype(np.float64) for name in columns)
        # A network that diverged gave no numbers: that is scored as wrong.
        fits = not np.any(np.abs(sums - 1) > 1e-3)
    if not fits:
        raise ConfigurationError(
            f"{path} does not hold probabilities of epoch, utterance_id and classes that sum to "
            "one: train the fold again"
        )
    return table.sort_by([("epoch", "ascending"), ("utterance_id", "ascending")])


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
