from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import splits
from pipeline.lookup import ConfigurationError
from pipeline.schema import SUBSETS
from pipeline.splits import _groups
from pipeline.training.folds import read_fold
from tests.resources.divided import corpus, divided, folds_of, subsets


def test_folds_are_groups_of_speakers_of_nearly_equal_size():
    result = divided("speaker", corpus(per_speaker=10), folds=4)
    speakers = [{name[3:5] for name in subsets(result, fold)["test"]} for fold in folds_of(result)]
    assert sorted(map(len, speakers)) == [2, 2, 3, 3]
    assert sum(map(len, speakers)) == len(set().union(*speakers)) == 10


def test_named_speakers_are_tested_in_one_fold():
    result = divided("speaker", corpus(), test=["1F", "4M"])
    assert folds_of(result) == [0]
    assert {name[3:5] for name in subsets(result)["test"]} == {"1F", "4M"}


def test_a_fold_takes_a_byte_for_an_utterance_and_is_read_alone(tmp_path: Path):
    """A row for each utterance and fold was 7 GB for 500 speakers and 200,000
    utterances.
    """
    utterances = corpus(sessions=20, per_speaker=5)
    result = divided("speaker", utterances)
    assert [fold.nbytes for fold in result.folds] == [len(utterances)] * 40
    splits.write(result, tmp_path / "folds.parquet", tmp_path / "labels.parquet")
    assert pq.read_metadata(tmp_path / "folds.parquet").num_rows == len(utterances)
    # What stands in the columns of other folds is not looked at.
    table = pq.read_table(tmp_path / "folds.parquet")
    place = table.column_names.index("subset_3")
    nowhere = pa.array(["nowhere"] * len(table))
    pq.write_table(table.set_column(place, "subset_3", nowhere), tmp_path / "folds.parquet")
    found = read_fold(tmp_path / "folds.parquet", 30)
    read = {(name, subset, label) for subset, part in found.items() for name, label in part}
    assert read == {
        (name, SUBSETS[subset], None if SUBSETS[subset] == "test" else label)
        for name, subset, label in zip(
            result.utterance_ids, result.folds[30].tolist(), result.emotions, strict=True
        )
    }


def test_more_folds_than_fit_into_memory_are_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_groups, "LARGEST", 10 * 120 - 1)
    with pytest.raises(ConfigurationError, match=r"10 folds of 120 utterances .*: set `folds`"):
        divided("speaker", corpus())
    assert folds_of(divided("speaker", corpus(), folds=9)) == list(range(9))
