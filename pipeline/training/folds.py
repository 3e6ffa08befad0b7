"""folds.parquet: who is where in each fold of a split, and the labels that training may
see.
"""

from pathlib import Path

from pipeline import tables
from pipeline.lookup import ConfigurationError
from pipeline.schema import SUBSETS

SUBSET, EMOTION = "subset_", "emotion_"


def fold_numbers(path: Path) -> list[int]:
    """The folds of a file, ascending."""
    names = tables.read_table(path).column_names
    found = [int(name.removeprefix(SUBSET)) for name in names if name.startswith(SUBSET)]
    if not found:
        raise ConfigurationError(f"{path} has no fold, only {names}: build it with `dvc repro`")
    return sorted(found)


def read_fold(path: Path, fold: int) -> dict[str, list[tuple[str, str | None]]]:
    """(utterance_id, label) of each subset of one fold, sorted; a label on a test row
    is an error.
    """
    rows: dict[str, list[tuple[str, str | None]]] = {subset: [] for subset in SUBSETS}
    table = tables.read_table(path, ["utterance_id", f"{SUBSET}{fold}", f"{EMOTION}{fold}"])
    columns = (column.to_pylist() for column in table.columns)
    for utterance_id, subset, emotion in zip(*columns, strict=True):
        if subset is None:
            continue
        if subset not in rows:
            raise ConfigurationError(
                f"{path} is damaged (subset {subset!r}): delete it and run `dvc repro`"
            )
        if subset == "test" and emotion is not None:
            raise ValueError(f"{path}: test row {utterance_id} carries a label")
        rows[subset].append((utterance_id, emotion))
    return {subset: sorted(items) for subset, items in rows.items()}
