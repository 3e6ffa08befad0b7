import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from pipeline.lookup import ConfigurationError
from pipeline.training import fold, folds
from pipeline.training.inputs import Folders
from pipeline.training.schedule import Task
from tests.resources import fabricated, fold_rows

OUTPUTS = {"checkpoint.json", "checkpoint.safetensors", "history.csv", "probabilities.parquet"}


def test_a_fold_leaves_checkpoint_probabilities_and_history(
    tmp_path: Path, inputs: dict[str, Folders]
) -> None:
    task = fabricated.task(tmp_path, fabricated.experiment(), inputs["FG_CME"])
    outcome = fold.train_fold(task)
    assert set(fabricated.files(task.out)) == OUTPUTS
    table = pq.read_table(task.out / "probabilities.parquet")
    assert table.column_names == ["epoch", "utterance_id", "p_angry", "p_neutral", "p_sad"]
    tested = [item for item, _ in folds.read_fold(task.folders.split / "folds.parquet", 0)["test"]]
    assert len(tested) == 12
    assert table["utterance_id"].to_pylist() == tested * 4
    assert table["epoch"].to_pylist() == [epoch for epoch in (1, 2, 3, 4) for _ in tested]
    values = np.stack([table[f"p_{name}"].to_numpy() for name in fabricated.CLASSES], axis=1)
    np.testing.assert_allclose(values.sum(axis=1), 1, atol=1e-6)
    assert outcome.epoch == json.loads((task.out / "checkpoint.json").read_text())["epoch"]
    assert (task.out / "history.csv").read_text().splitlines()[
        0
    ] == "epoch,train_loss,train_wa,valid_loss,valid_wa,valid_ua,valid_temperature"


def test_two_runs_write_the_same_bytes(tmp_path: Path, inputs: dict[str, Folders]) -> None:
    first = fabricated.train(tmp_path / "a", inputs["FG_CME"])
    assert first == fabricated.train(tmp_path / "b", inputs["FG_CME"])
    other_seed = fabricated.task(tmp_path / "c", fabricated.experiment(), inputs["FG_CME"], seed=1)
    fold.train_fold(other_seed)
    assert (
        fabricated.files(other_seed.out)["checkpoint.safetensors"]
        != first["checkpoint.safetensors"]
    )


def test_test_labels_cannot_change_a_byte(
    tmp_path: Path, inputs: dict[str, Folders], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fabricated.train(tmp_path / "before", inputs["FG_CME"])
    fabricated.run_serially(monkeypatch)
    folders = fabricated.write_inputs(tmp_path / "data", fabricated.experiment())
    rotated = [fabricated.label(number + 1) for number in range(fabricated.NUM_UTTERANCES)]
    fabricated.write_labels(folders.split, rotated)
    assert fabricated.train(tmp_path / "rotated", folders) == before
    (folders.split / "labels.parquet").unlink()
    assert fabricated.train(tmp_path / "absent", folders) == before


def test_other_folds_rows_cannot_change_a_byte(
    tmp_path: Path, inputs: dict[str, Folders], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fabricated.train(tmp_path / "before", inputs["FG_CME"])
    fabricated.run_serially(monkeypatch)
    folders = fabricated.write_inputs(tmp_path / "data", fabricated.experiment())
    path = folders.split / "folds.parquet"
    rows = fold_rows.read(path)
    changed = [(*row[:3], "sad") if row[0] == 1 and row[3] else row for row in rows]
    assert changed != rows
    fold_rows.write(path, changed)
    assert fabricated.train(tmp_path / "after", folders) == before


def test_a_training_label_does_change_the_checkpoint(
    tmp_path: Path, inputs: dict[str, Folders], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The firewall tests above would pass on a loop that reads no label at all."""
    before = fabricated.train(tmp_path / "before", inputs["FG_CME"])
    fabricated.run_serially(monkeypatch)
    folders = fabricated.write_inputs(tmp_path / "data", fabricated.experiment())
    path = folders.split / "folds.parquet"
    rows = fold_rows.read(path)
    index = next(index for index, row in enumerate(rows) if row[:2] == (0, "train"))
    other = next(label for label in fabricated.CLASSES if label != rows[index][3])
    fold_rows.write(path, [*rows[:index], (*rows[index][:3], other), *rows[index + 1 :]])
    assert (
        fabricated.train(tmp_path / "after", folders)["checkpoint.safetensors"]
        != before["checkpoint.safetensors"]
    )


def test_utterances_without_an_input_are_rejected_and_the_rest_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fabricated.run_serially(monkeypatch)
    folders = fabricated.write_inputs(tmp_path / "data", fabricated.experiment())
    spans = pq.read_table(folders.spans / "spans.parquet").to_pylist()
    pq.write_table(
        pa.Table.from_pylist([row for row in spans if row["utterance_id"] != "u00"]),
        folders.spans / "spans.parquet",
    )
    experiment = fabricated.experiment(missing="drop")
    outcome = fold.train_fold(fabricated.task(tmp_path, experiment, folders))
    assert [(item.utterance_id, item.reason, item.detail) for item in outcome.rejections] == [
        ("u00", "input missing", "word alignment")
    ]
    tested = pq.read_table(tmp_path / "out" / "probabilities.parquet")["utterance_id"].to_pylist()
    assert "u00" not in tested and "u01" in tested
    filling = fabricated.task(tmp_path / "filled", fabricated.experiment(missing="fill"), folders)
    outcome = fold.train_fold(filling)
    assert [(item.utterance_id, item.detail) for item in outcome.filled] == [
        ("u00", "word alignment")
    ]
    assert not outcome.rejections
    tested = pq.read_table(filling.out / "probabilities.parquet")["utterance_id"].to_pylist()
    assert "u00" in tested


def test_a_corpus_without_the_modality_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fabricated.run_serially(monkeypatch)
    folders = fabricated.write_inputs(tmp_path / "data", fabricated.experiment())
    table = pq.read_table(folders.spans / "spans.parquet")
    pq.write_table(table.slice(0, 0), folders.spans / "spans.parquet")
    with pytest.raises(
        ConfigurationError,
        match="no train utterance that FG_CME can use: it reads alignment, audio, text",
    ):
        fold.train_fold(fabricated.task(tmp_path, fabricated.experiment(), folders))


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert fold.choose_device("auto") == torch.device("cpu")
    with pytest.raises(ConfigurationError, match="set device to auto or cpu"):
        fold.choose_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    chosen = [fold.choose_device("auto", number) for number in range(3)]
    assert chosen == [torch.device("cuda", number) for number in (0, 1, 0)]
    assert fold.choose_device("cpu") == torch.device("cpu")


def test_a_fold_that_does_not_fit_into_a_gpu_is_one_line(
    tmp_path: Path, inputs: dict[str, Folders], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(fold.loop, "train", full)
    task = fabricated.task(tmp_path, fabricated.experiment(), inputs["FG_CME"])
    with pytest.raises(ConfigurationError, match=r"fold 0 does not fit .* SERFLOW_WORKERS=1"):
        fold.train_fold(task)


def test_tasks_are_plain_values(inputs: dict[str, Folders], tmp_path: Path) -> None:
    """They travel to worker processes."""
    import pickle

    task = fabricated.task(tmp_path, fabricated.experiment(), inputs["FG_CME"])
    sent = pickle.dumps(task)
    assert isinstance(pickle.loads(sent), Task)  # noqa: S301  (its own bytes)
