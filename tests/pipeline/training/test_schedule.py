from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline import lookup, params
from pipeline.training import schedule
from tests.resources import fabricated


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    fabricated.run_serially(monkeypatch)
    # Folder names as a params file would give them.
    chosen = fabricated.experiment()
    object.__setattr__(chosen, "corpus", "manifest")
    object.__setattr__(chosen, "acoustic", "fbank")
    object.__setattr__(chosen, "alignment", "uniform")
    object.__setattr__(chosen, "split", "random")
    fabricated.write_inputs(tmp_path / "data", chosen)
    return tmp_path / "data"


def read(**changes: object) -> params.Params:
    experiment = {
        "corpus": "manifest",
        "network": "FG_CME",
        "acoustic": "fbank",
        "alignment": "uniform",
        "text": "one_hot",
        "split": "random",
        "seeds": [3, 4],
    }
    experiments = {"first": experiment | changes}
    document = {
        "corpora": {"manifest": {"root": "x"}},
        "acoustic": {"fbank": {}},
        "alignment": {"uniform": {"chain": {"uniform": {}}}},
        "text": {"one_hot": {}},
        "splits": {
            "random": {
                "labels": {"sad": "sad", "mad": "angry", "angry": "angry", "neutral": "neutral"}
            }
        },
        "experiments": experiments,
    }
    from pipeline.training.experiment import Experiment

    made = {name: Experiment(**values) for name, values in experiments.items()}
    return params.check({**document, "build": params.needed_builds(made, document)})


def tasks(data: Path, **changes: object) -> list:
    return schedule.tasks(
        read(**changes), "first", data, data.parent / "models", data.parent / "scratch"
    )


def test_one_task_for_each_fold_and_seed(data: Path) -> None:
    work = tasks(data)
    assert [(task.seed, task.fold) for task in work] == [(3, 0), (3, 1), (4, 0), (4, 1)]
    assert schedule.folds_of(work) == [0, 1]
    assert work[0].classes == ("sad", "angry", "neutral")
    assert work[3].out == data.parent / "models" / "first" / "folds" / "seed-4-fold-1"
    assert len({task.scratch for task in work}) == 4


def test_the_description_says_all_that_prediction_needs(data: Path) -> None:
    said = tasks(data)[0].description
    assert said["experiment"]["network"] == "FG_CME"
    assert said["recipe"]["learning_rate"] == 5e-4
    assert said["acoustic"] == {"name": "fbank", "config": {}}
    assert said["alignment"]["chain"] == {"uniform": {}}
    assert said["text"] == {"name": "one_hot", "config": {}}
    assert said["tokens"] == {}


def test_saved_work_is_found_again(data: Path) -> None:
    assert [task.scratch for task in tasks(data)] == [task.scratch for task in tasks(data)]


def test_saved_work_of_other_settings_is_not(data: Path) -> None:
    before = tasks(data)[0].scratch
    assert tasks(data, training={"epochs": 3})[0].scratch != before
    assert tasks(data, hyperparameters={"dropout": 0.5})[0].scratch != before


@pytest.mark.parametrize(
    "changed", ["acoustic/manifest/fbank/index.parquet", "splits/manifest/random/folds.parquet"]
)
def test_saved_work_of_other_inputs_is_not(data: Path, changed: str) -> None:
    before = tasks(data)[0].scratch
    table = pq.read_table(data / changed)
    pq.write_table(table.slice(0, table.num_rows - 1), data / changed)
    assert tasks(data)[0].scratch != before


def test_test_labels_do_not_name_the_scratch_folder(data: Path) -> None:
    before = tasks(data)[0].scratch
    fabricated.write_labels(
        data / "splits" / "manifest" / "random", ["sad"] * fabricated.NUM_UTTERANCES
    )
    assert tasks(data)[0].scratch == before


@pytest.mark.parametrize(
    "module", ["training.py", "networks/fg_cme.py", "blocks/fine_grained.py", "text/one_hot.py"]
)
def test_saved_work_of_other_code_is_not(
    data: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    before = tasks(data)[0].scratch
    changed = lookup.ROOT / module
    read_bytes = Path.read_bytes
    monkeypatch.setattr(
        Path, "read_bytes", lambda path: read_bytes(path) + (b"#" if path == changed else b"")
    )
    assert tasks(data)[0].scratch != before


def test_older_work_of_the_same_experiment_is_forgotten(data: Path) -> None:
    older, current = tasks(data, training={"epochs": 3}), tasks(data)
    for task in [*older, *current]:
        task.scratch.mkdir(parents=True)
    schedule.forget_older(current)
    assert all(task.scratch.is_dir() for task in current)
    assert not any(task.scratch.exists() for task in older)
