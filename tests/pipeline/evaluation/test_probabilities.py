"""Folds as training leaves them, and what no training leaves."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.evaluation.probabilities import read_folds
from pipeline.lookup import ConfigurationError

NAMES = ["a", "b", "c"]


def write(folder: Path, classes: tuple[str, ...] = ("angry", "sad")) -> Path:
    """A fold of two epochs."""
    folder.mkdir(parents=True)
    shares = np.array([[0.25, 0.75], [0.5, 0.5], [1.0, 0.0]] * 2, np.float32)
    columns = {
        "epoch": pa.array([1, 1, 1, 2, 2, 2], pa.int32()),
        "utterance_id": pa.array(NAMES * 2),
        **{f"p_{name}": pa.array(shares[:, place]) for place, name in enumerate(classes)},
    }
    pq.write_table(pa.table(columns), folder / "probabilities.parquet")
    chosen = {"epoch": 2, "validation": {"valid_loss": 1.0}, "select": "ua", "measure": "wa"}
    (folder / "checkpoint.json").write_text(json.dumps(chosen))
    return folder


def cell(column: str, value: object) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        path = folder / "probabilities.parquet"
        table = pq.read_table(path)
        cells = [value, *table[column].to_pylist()[1:]]
        place, kind = table.column_names.index(column), table.schema.field(column).type
        pq.write_table(table.set_column(place, column, pa.array(cells, kind)), path)

    return change


def without(*columns: str) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        path = folder / "probabilities.parquet"
        pq.write_table(pq.read_table(path).drop_columns(list(columns)), path)

    return change


def content(name: str, data: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(data)


DAMAGED: dict[str, tuple[Callable[[Path], object], str]] = {
    "no table": (content("probabilities.parquet", b"PAR1"), r"probabilities\.parquet cannot be"),
    "table missing": (
        lambda folder: (folder / "probabilities.parquet").unlink(),
        r"probabilities\.parquet is missing",
    ),
    "more than one": (cell("p_sad", 7.0), r"probabilities\.parquet does not hold"),
    "infinite": (cell("p_sad", float("inf")), r"probabilities\.parquet does not hold"),
    "empty cell": (cell("p_sad", None), r"probabilities\.parquet does not hold"),
    "no name": (cell("utterance_id", None), r"probabilities\.parquet does not hold"),
    "no class": (without("p_sad", "p_angry"), r"probabilities\.parquet does not hold"),
    "no epoch": (without("epoch"), r"probabilities\.parquet does not hold"),
    "epochs of unequal length": (cell("epoch", 2), r"fold-0: epochs of \[2, 4\] utterances"),
    "description cut": (content("checkpoint.json", b'{"epoch": 2'), r"checkpoint\.json cannot be"),
    "description no object": (content("checkpoint.json", b"[]"), r"checkpoint\.json cannot be"),
    "an epoch that was not trained": (
        content("checkpoint.json", b'{"epoch": 9, "validation": {}, "select": 0, "measure": "wa"}'),
        r"probabilities\.parquet lacks epoch 9, which checkpoint\.json chose",
    ),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_fold_is_one_line_with_its_name(tmp_path: Path, kind: str) -> None:
    write(tmp_path / "seed-0-fold-1")
    folder = write(tmp_path / "seed-0-fold-0")
    damage, said = DAMAGED[kind]
    damage(folder)
    with pytest.raises(ConfigurationError, match=said) as raised:
        read_folds(tmp_path)
    assert str(folder) in str(raised.value) and "\n" not in str(raised.value)


def test_classes_in_another_order_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "seed-0-fold-0")
    write(tmp_path / "seed-0-fold-1", classes=("sad", "angry"))
    with pytest.raises(ConfigurationError, match=r"fold-1: classes \['sad', 'angry'\], expected"):
        read_folds(tmp_path)


def test_a_network_that_gave_no_number_is_read_as_it_is(tmp_path: Path) -> None:
    folder = write(tmp_path / "seed-0-fold-0")
    cell("p_sad", float("nan"))(folder)
    ((fold,), classes) = read_folds(tmp_path)
    assert classes == ["angry", "sad"] and np.isnan(fold.probabilities[0, 0, 1])


def test_a_fold_that_training_finished_is_not_left_out(tmp_path: Path) -> None:
    write(tmp_path / "seed-0-fold-0")
    stated = {"folds": ["seed-0-fold-0", "seed-0-fold-1"]}
    (tmp_path / "experiment.json").write_text(json.dumps(stated))
    with pytest.raises(ConfigurationError, match=r"seed-0-fold-1 is missing, 1 of 2 folds: `dvc"):
        read_folds(tmp_path)
    write(tmp_path / "seed-0-fold-1")
    assert len(read_folds(tmp_path)[0]) == 2
