"""folds.parquet as rows (fold, subset, utterance_id, emotion), one for each utterance
of a fold.
"""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.training import folds

Row = tuple[int, str, str, str | None]


def read(path: Path) -> list[Row]:
    """The rows of a file; the class of a test row is None."""
    return [
        (fold, subset, utterance_id, emotion)
        for fold in folds.fold_numbers(path)
        for subset, members in folds.read_fold(path, fold).items()
        for utterance_id, emotion in members
    ]


def write(path: Path, rows: Iterable[Row]) -> None:
    """Writes a file of these rows as they are: a label on a test row stays."""
    place = {(fold, name): (subset, emotion) for fold, subset, name, emotion in rows}
    names = sorted({name for _, name in place})
    columns = {"utterance_id": pa.array(names, pa.string())}
    for fold in sorted({fold for fold, _ in place}):
        found = [place.get((fold, name), (None, None)) for name in names]
        for index, column in enumerate(("subset", "emotion")):
            columns[f"{column}_{fold}"] = pa.array([row[index] for row in found], pa.string())
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
