import dataclasses
import json
import re
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline import folders, lookup, params, shards
from pipeline.lookup import ConfigurationError
from pipeline.shards import Shards
from pipeline.training import schedule
from pipeline.training.schedule import Task
from tests.resources import fabricated

CHOSEN = {
    "corpus": "manifest",
    "network": "FG_CME",
    "acoustic": "fbank",
    "alignment": "uniform",
    "text": "one_hot",
    "split": "random",
}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    fabricated.run_serially(monkeypatch)
    fabricated.write_inputs(tmp_path / "data", fabricated.experiment(**CHOSEN))
    return tmp_path / "data"


def read(**changes: object) -> params.Params:
    return params.check(
        {
            "corpora": {"manifest": {"root": "x"}},
            "acoustic": {"fbank": {}},
            "alignment": {"uniform": {"chain": {"uniform": {}}}},
            "text": {"one_hot": {}},
            "splits": {"random": {"labels": {"sad": "sad", "mad": "angry", "angry": "angry"}}},
            "experiments": {"first": CHOSEN | {"seeds": [3, 4]} | changes},
        }
    )


def tasks(data: Path, **changes: object) -> list[Task]:
    read_params = read(**changes)
    chosen = read_params.experiments["first"]
    described = params.describe(read_params, "first")
    models, scratch = data.parent / "models", data.parent / "scratch"
    return schedule.tasks("first", chosen, described, ("sad", "angry"), data, models, scratch)


def test_one_task_for_each_fold_and_seed(data: Path) -> None:
    work = tasks(data)
    assert [(task.seed, task.fold) for task in work] == [(3, 0), (3, 1), (4, 0), (4, 1)]
    assert schedule.folds_of(work) == [0, 1]
    assert work[0].classes == ("sad", "angry")
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
    assert said["language"] == "en"


def test_saved_work_is_found_again(data: Path) -> None:
    assert [task.scratch for task in tasks(data)] == [task.scratch for task in tasks(data)]


def test_saved_work_of_other_settings_is_not(data: Path) -> None:
    before = tasks(data)[0].scratch
    assert tasks(data, training={"epochs": 3})[0].scratch != before
    assert tasks(data, hyperparameters={"dropout": 0.5})[0].scratch != before


@pytest.mark.parametrize("changed", ["acoustic/manifest/fbank", "splits/manifest/random"])
def test_saved_work_of_other_inputs_is_not(data: Path, changed: str) -> None:
    before = tasks(data)[0].scratch
    if changed.startswith("acoustic"):
        attributes = Shards(data / changed).attributes
        rows = fabricated.produce(4, raw=False)
        shards.build(data / changed, {"u00": "another"}, lambda _: [0], rows, attributes, "made")
    else:
        path = data / changed / folders.FOLDS
        table = pq.read_table(path)
        pq.write_table(table.slice(0, table.num_rows - 1), path)
    assert tasks(data)[0].scratch != before


def test_saved_work_of_other_versions_is_not(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tasks(data)[0].scratch
    monkeypatch.setattr(lookup, "environment", lambda: {"torch": "0.1"})
    assert tasks(data)[0].scratch != before


def test_test_labels_do_not_name_the_scratch_folder(data: Path) -> None:
    before = tasks(data)[0].scratch
    fabricated.write_labels(
        data / "splits" / "manifest" / "random", ["sad"] * fabricated.NUM_UTTERANCES
    )
    assert tasks(data)[0].scratch == before


@pytest.mark.parametrize(
    "module",
    [
        "training/loop.py",
        "training/saved.py",
        "networks/fg_cme.py",
        "blocks/recurrent.py",
        "text/one_hot.py",
    ],
)
def test_saved_work_of_other_code_is_not(
    data: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    before = tasks(data)[0].scratch
    changed = lookup.ROOT / module
    read_text = Path.read_text
    monkeypatch.setattr(
        Path,
        "read_text",
        lambda path, **how: read_text(path, **how) + ("ANOTHER = 1" if path == changed else ""),
    )
    assert tasks(data)[0].scratch != before


def test_older_work_of_the_same_experiment_is_forgotten(data: Path) -> None:
    older, current = tasks(data, training={"epochs": 3}), tasks(data)
    for task in [*older, *current]:
        task.scratch.mkdir(parents=True)
    schedule.forget_older(current)
    assert all(task.scratch.is_dir() for task in current)
    assert not any(task.scratch.exists() for task in older)


@pytest.mark.parametrize(
    "missing",
    ["acoustic/manifest/fbank", "spans/manifest/uniform", "text/manifest/one_hot"],
)
def test_what_is_not_built_is_named_with_the_way_to_build_it(data: Path, missing: str) -> None:
    shutil.rmtree(data / missing)
    expected = f"{data / missing} is not built: run `serflow sync`, then `dvc repro`"
    with pytest.raises(ConfigurationError, match=re.escape(expected)):
        tasks(data)


def test_the_language_is_that_of_the_words(data: Path) -> None:
    info = data / "text/manifest/one_hot/info.json"
    written = json.loads(info.read_text())
    info.write_text(json.dumps(written | {"language": "zh"}))
    assert tasks(data)[0].description["language"] == "zh"


def test_tasks_read_no_label_of_the_corpus(data: Path) -> None:
    (folders.utterances(data, "manifest") / folders.UTTERANCES).unlink()
    assert tasks(data)[0].description["language"] == "en"


def test_a_system_without_words_has_no_language(data: Path) -> None:
    chosen = dataclasses.replace(
        fabricated.experiment(**CHOSEN),
        network="LSTM_Attn_a",
        alignment=None,
        text=None,
        hyperparameters={},
    )
    work = schedule.tasks("first", chosen, {"name": "first"}, ("sad",), data, data, data)
    assert work[0].description == {"name": "first"}
