"""Where the spread of a score comes from: seeds, folds, speakers."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.evaluation.breakdown import shares_right

SMALL = 0.005  # half a point: a standard error of the mean over seeds that does not matter


def seed_and_fold(rows: Sequence[Mapping[str, Any]], measure: str = "ua") -> dict[str, Any] | None:
    """Standard deviations of `measure` that come from seeds, from folds and from both
    together, and `seeds_needed`: so many that the mean over seeds has a standard error
    of half a point or less. None unless there are two seeds on the same two folds or
    more.

    The analysis of variance of a table with one value in each cell (a random effect of
    seeds, one of folds, the rest); rows as in per_fold.csv. A variance that comes out
    negative is 0.
    """
    seeds, folds = (sorted({int(row[key]) for row in rows}) for key in ("seed", "fold"))
    if len(seeds) < 2 or len(folds) < 2 or len(rows) != len(seeds) * len(folds):
        return None
    values = np.full((len(seeds), len(folds)), np.nan)
    for row in rows:
        values[seeds.index(int(row["seed"])), folds.index(int(row["fold"]))] = row[measure]
    if np.isnan(values).any():
        return None
    number, parts = values.shape
    mean = values.mean()
    by_seed, by_fold = values.mean(axis=1), values.mean(axis=0)
    rest = values - by_seed[:, None] - by_fold[None] + mean
    between_seeds = parts * ((by_seed - mean) ** 2).sum() / (number - 1)
    between_folds = number * ((by_fold - mean) ** 2).sum() / (parts - 1)
    within = (rest**2).sum() / ((number - 1) * (parts - 1))
    seed = max(0.0, (between_seeds - within) / parts)
    fold = max(0.0, (between_folds - within) / number)
    # The mean over folds of one seed moves by its own effect and by the rest.
    of_a_seed = seed + within / parts
    return {
        "seed": math.sqrt(seed),
        "fold": math.sqrt(fold),
        "rest": math.sqrt(within),
        "seeds": number,
        "seeds_needed": max(1, math.ceil(of_a_seed / SMALL**2)),
    }


def between_speakers(
    predictions: pa.Table, speakers: Mapping[str, str | None]
) -> dict[str, Any] | None:
    """Standard deviation of the share right between speakers beyond what so few
    utterances of each give by chance; None with fewer than two speakers of two.

    The random effect of an analysis of variance with groups of different sizes.
    """
    names, _, right = shares_right(predictions)
    members: dict[str, list[float]] = {}
    for name, share in zip(names, right, strict=True):
        if (speaker := speakers.get(name)) is not None:
            members.setdefault(speaker, []).append(float(share))
    groups = [np.array(values) for values in members.values() if len(values) > 1]
    if len(groups) < 2:
        return None
    sizes = np.array([len(values) for values in groups])
    means = np.array([values.mean() for values in groups])
    total = sizes.sum()
    mean = (sizes * means).sum() / total
    between = (sizes * (means - mean) ** 2).sum() / (len(groups) - 1)
    within = sum(((values - values.mean()) ** 2).sum() for values in groups) / (total - len(groups))
    size = (total - (sizes**2).sum() / total) / (len(groups) - 1)
    return {"speaker": math.sqrt(max(0.0, (between - within) / size)), "speakers": len(groups)}
