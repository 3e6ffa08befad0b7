from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.lookup import ConfigurationError
from pipeline.training import folds
from tests.resources import fold_rows


def test_who_is_not_in_a_fold_is_not_read(tmp_path: Path) -> None:
    rows = [(0, "test", "b", None), (0, "train", "a", "sad"), (10, "valid", "c", "angry")]
    fold_rows.write(tmp_path / "folds.parquet", rows)
    assert folds.fold_numbers(tmp_path / "folds.parquet") == [0, 10]
    assert folds.read_fold(tmp_path / "folds.parquet", 0) == {
        "train": [("a", "sad")],
        "valid": [],
        "test": [("b", None)],
    }


def test_a_label_on_a_test_row_is_refused(tmp_path: Path) -> None:
    rows = [(0, "train", "a", "x"), (0, "test", "b", "y")]
    fold_rows.write(tmp_path / "folds.parquet", rows)
    with pytest.raises(ValueError, match="test row b carries a label"):
        folds.read_fold(tmp_path / "folds.parquet", 0)


def test_folds_of_another_form_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "folds.parquet"
    pq.write_table(pa.table({"fold": [0], "subset": ["test"], "utterance_id": ["a"]}), path)
    with pytest.raises(ConfigurationError, match=r"folds.parquet has no fold, only .*dvc repro"):
        folds.fold_numbers(path)
    with pytest.raises(ConfigurationError, match=r"folds.parquet has no column 'subset_0'"):
        folds.read_fold(path, 0)
