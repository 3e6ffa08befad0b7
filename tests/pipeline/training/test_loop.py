from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from torch import nn

from pipeline.batch import Batch
from pipeline.lookup import ConfigurationError
from pipeline.networks import Recipe
from pipeline.training import checkpoint
from pipeline.training import loop as training
from pipeline.training.loop import Folders, Task
from tests.resources import fabricated

OUTPUTS = {"checkpoint.json", "checkpoint.safetensors", "history.csv", "probabilities.parquet"}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Folders]]:
    """Inputs of one row of every paper; CMA_raw reads waveforms, the others share
    theirs.
    """
    data = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as monkeypatch:
        fabricated.run_serially(monkeypatch)
        common = fabricated.write_inputs(data / "frames", fabricated.experiment())
        raw = fabricated.write_inputs(data / "raw", fabricated.experiment("CMA_raw"))
    yield {network: raw if network == "CMA_raw" else common for network in fabricated.SMALL}


def train(
    folder: Path, folders: Folders, network: str = "FG_CME", **changes: Any
) -> dict[str, bytes]:
    task = fabricated.task(folder, fabricated.experiment(network, **changes), folders)
    training.train_fold(task)
    return fabricated.files(task.out)


def test_a_fold_leaves_checkpoint_probabilities_and_history(
    tmp_path: Path, inputs: dict[str, Folders]
) -> None:
    task = fabricated.task(tmp_path, fabricated.experiment(), inputs["FG_CME"])
    outcome = training.train_fold(task)
    assert set(fabricated.files(task.out)) == OUTPUTS
    table = pq.read_table(task.out / "probabilities.parquet")
    assert table.column_names == ["epoch", "utterance_id", "p_angry", "p_neutral", "p_sad"]
    tested = [
        item for item, _ in training.read_fold(task.folders.split / "folds.parquet", 0)["test"]
    ]
    assert len(tested) == 12
    assert table["utterance_id"].to_pylist() == tested * 4
    assert table["epoch"].to_pylist() == [epoch for epoch in (1, 2, 3, 4) for _ in tested]
    values = np.stack([table[f"p_{name}"].to_numpy() for name in fabricated.CLASSES], axis=1)
    np.testing.assert_allclose(values.sum(axis=1), 1, atol=1e-6)
    assert outcome.epoch == json.loads((task.out / "checkpoint.json").read_text())["epoch"]
    assert (task.out / "history.csv").read_text().splitlines()[
        0
    ] == "epoch,train_loss,valid_loss,valid_wa,valid_ua"


def test_two_runs_write_the_same_bytes(tmp_path: Path, inputs: dict[str, Folders]) -> None:
    first = train(tmp_path / "a", inputs["FG_CME"])
    assert first == train(tmp_path / "b", inputs["FG_CME"])
    other_seed = fabricated.task(tmp_path / "c", fabricated.experiment(), inputs["FG_CME"], seed=1)
    training.train_fold(other_seed)
    assert (
        fabricated.files(other_seed.out)["checkpoint.safetensors"]
        != first["checkpoint.safetensors"]
    )


def test_test_labels_cannot_change_a_byte(
    tmp_path: Path, inputs: dict[str, Folders], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = train(tmp_path / "before", inputs["FG_CME"])
    fabricated.run_serially(monkeypatch)
    folders = fabricated.write_inputs(tmp_path / "data", fabricated.experiment())
    rotated = [fabricated.label(number + 1) for number in range(fabricated.NUM_UTTERANCES)]
    fabricated.write_labels(folders.split, rotated)
    assert train(tmp_path / "rotated", folders) == before
    (folders.split / "labels.parquet").unlink()
    assert train(tmp_path / "absent", folders) == before


def test_other_folds_rows_cannot_change_a_byte(
    tmp_path: Path, inputs: dict[str, Folders], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = train(tmp_path / "before", inputs["FG_CME"])
    fabricated.run_serially(monkeypatch)
    folders = fabricated.write_inputs(tmp_path / "data", fabricated.experiment())
    path = folders.split / "folds.parquet"
    rows = pq.read_table(path).to_pylist()
    changed = [
        row | {"emotion": "sad"} if row["fold"] == 1 and row["emotion"] else row for row in rows
    ]
    assert changed != rows
    pq.write_table(pa.Table.from_pylist(changed), path)
    assert train(tmp_path / "after", folders) == before


def test_a_training_label_does_change_the_checkpoint(
    tmp_path: Path, inputs: dict[str, Folders], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The firewall tests above would pass on a loop that reads no label at all."""
    before = train(tmp_path / "before", inputs["FG_CME"])
    fabricated.run_serially(monkeypatch)
    folders = fabricated.write_inputs(tmp_path / "data", fabricated.experiment())
    path = folders.split / "folds.parquet"
    rows = pq.read_table(path).to_pylist()
    first = next(row for row in rows if row["fold"] == 0 and row["subset"] == "train")
    first["emotion"] = next(label for label in fabricated.CLASSES if label != first["emotion"])
    pq.write_table(pa.Table.from_pylist(rows), path)
    assert (
        train(tmp_path / "after", folders)["checkpoint.safetensors"]
        != before["checkpoint.safetensors"]
    )


def test_a_label_on_a_test_row_is_refused(tmp_path: Path) -> None:
    table = pa.table(
        {
            "fold": [0, 0],
            "subset": ["train", "test"],
            "utterance_id": ["a", "b"],
            "emotion": ["x", "y"],
        }
    )
    pq.write_table(table, tmp_path / "folds.parquet")
    with pytest.raises(ValueError, match="test row b carries a label, expected null"):
        training.read_fold(tmp_path / "folds.parquet", 0)


class Killed(BaseException):
    """What no handler of the code under test may swallow."""


def kill_after(monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    """Ends training in the middle of an epoch: after that many batches."""
    counted = {"steps": 0}
    whole = training.loss_of

    def loss_of(*arguments: Any) -> torch.Tensor:
        counted["steps"] += 1
        if counted["steps"] > steps:
            raise Killed
        return whole(*arguments)

    monkeypatch.setattr(training, "loss_of", loss_of)


@pytest.mark.parametrize("network", sorted(fabricated.SMALL))
def test_a_killed_fold_ends_as_an_undisturbed_one(
    tmp_path: Path, inputs: dict[str, Folders], network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The rate falls between the epochs before and after the kill, and the paper's own
    # optimiser has its state.
    changes = {"training": {"learning_rate_step": 2, "learning_rate_factor": 0.5}}
    undisturbed = train(tmp_path / "whole", inputs[network], network, **changes)
    monkeypatch.setattr(training, "SAVE_SECONDS", -1.0)
    with monkeypatch.context() as disturbed:
        kill_after(disturbed, steps=5)
        with pytest.raises(Killed):
            train(tmp_path / "killed", inputs[network], network, **changes)
    assert not (tmp_path / "killed" / "out").exists()
    epochs = []
    validate = training._validate
    monkeypatch.setattr(training, "_validate", lambda *given: epochs.append(1) or validate(*given))
    resumed = train(tmp_path / "killed", inputs[network], network, **changes)
    assert resumed == undisturbed
    assert len(epochs) == 2, (
        "the two epochs before the kill were saved, expected only the others to be repeated"
    )


CHILD = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from pipeline import training
from pipeline.training import Folders
from tests.resources import fabricated
training.SAVE_SECONDS = -1.0
save, saved = training._save, []
def dying(*given):
    save(*given)
    saved.append(1)
    if len(saved) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
training._save = dying
folder, data = Path(sys.argv[1]), Path(sys.argv[2])
chosen = fabricated.experiment()
training.train_fold(fabricated.task(folder, chosen, Folders.of(chosen, data)))
"""


def test_a_process_killed_by_the_system_goes_on(tmp_path: Path, inputs: dict[str, Folders]) -> None:
    data = inputs["FG_CME"].acoustic.parents[2]
    script = CHILD.format(tests=str(Path(__file__).parents[2]))
    ended = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "killed", data], capture_output=True, text=True
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert [path.name for path in (tmp_path / "killed").iterdir()] == ["scratch"]
    assert train(tmp_path / "killed", inputs["FG_CME"]) == train(
        tmp_path / "whole", inputs["FG_CME"]
    )


def test_finished_folds_are_restored_without_training(
    tmp_path: Path, inputs: dict[str, Folders], monkeypatch: pytest.MonkeyPatch
) -> None:
    task = fabricated.task(tmp_path, fabricated.experiment(), inputs["FG_CME"])
    outcome = training.train_fold(task)
    before = fabricated.files(task.out)
    (task.out / "checkpoint.safetensors").unlink()
    (task.out / "stale").write_text("of another experiment")
    monkeypatch.setattr(training, "_fit", lambda *_: pytest.fail("trained again"))
    assert training.train_fold(task) == outcome
    assert fabricated.files(task.out) == before


def test_an_outcome_cut_off_by_a_kill_is_not_taken_for_one(
    tmp_path: Path, inputs: dict[str, Folders], monkeypatch: pytest.MonkeyPatch
) -> None:
    task = fabricated.task(tmp_path, fabricated.experiment(), inputs["FG_CME"])

    def half_written(path: Path, text: str, *_: Any, **__: Any) -> int:
        path.write_bytes(text[: len(text) // 2].encode())
        raise Killed

    with monkeypatch.context() as disturbed:
        whole = Path.write_text
        disturbed.setattr(
            Path,
            "write_text",
            lambda path, text, **k: (half_written if "outcome" in path.name else whole)(path, text),
        )
        with pytest.raises(Killed):
            training.train_fold(task)
    training.train_fold(task)
    assert set(fabricated.files(task.out)) == OUTPUTS


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
    outcome = training.train_fold(fabricated.task(tmp_path, fabricated.experiment(), folders))
    assert [(item.utterance_id, item.reason, item.detail) for item in outcome.rejections] == [
        ("u00", "input missing", "word alignment")
    ]
    tested = pq.read_table(tmp_path / "out" / "probabilities.parquet")["utterance_id"].to_pylist()
    assert "u00" not in tested and "u01" in tested


def test_a_corpus_without_the_modality_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fabricated.run_serially(monkeypatch)
    folders = fabricated.write_inputs(tmp_path / "data", fabricated.experiment())
    table = pq.read_table(folders.spans / "spans.parquet")
    pq.write_table(table.slice(0, 0), folders.spans / "spans.parquet")
    with pytest.raises(
        ConfigurationError,
        match=r"no train utterance that FG_CME can use, expected a corpus with \[",
    ):
        training.train_fold(fabricated.task(tmp_path, fabricated.experiment(), folders))


def test_learning_rate_falls_in_steps(
    tmp_path: Path, inputs: dict[str, Folders], monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = []
    make = training.make_optimizer

    def watched(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
        optimizer = make(network, recipe)
        step = optimizer.step
        optimizer.step = lambda *given: (
            rates.append(optimizer.param_groups[0]["lr"]),
            step(*given),
        )  # type: ignore
        return optimizer

    monkeypatch.setattr(training, "make_optimizer", watched)
    changes = {
        "learning_rate": 0.01,
        "learning_rate_step": 2,
        "learning_rate_factor": 0.1,
        "batch_size": 32,
    }
    train(tmp_path, inputs["FG_CME"], training={**changes, "epochs": 5})
    np.testing.assert_allclose(rates, [0.01, 0.01, 0.001, 0.001, 0.0001])


class Scaled(nn.Module):
    """Weights, a bias and a norm, with values that are easily squared."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
        self.bias = nn.Parameter(torch.tensor([100.0, 100.0]))
        self.norm = nn.LayerNorm(2)


def labelled() -> Batch:
    return Batch(
        frames=torch.zeros(2, 1, 1), frame_lengths=torch.tensor([1, 1]), labels=torch.tensor([0, 1])
    )


def test_l2_adds_squared_weights_without_biases_and_norms() -> None:
    logits = torch.tensor([[2.0, 0.0], [0.0, 0.0]])
    plain = (math.log(1 + math.exp(-2)) + math.log(2)) / 2
    assert training.loss_of(Scaled(), labelled(), logits, 0.0).item() == pytest.approx(plain)
    assert training.loss_of(Scaled(), labelled(), logits, 0.5).item() == pytest.approx(
        plain + 0.5 * 30
    )


def test_a_network_may_bring_its_own_loss() -> None:
    network = Scaled()
    network.training_loss = lambda batch, logits: logits.sum()  # type: ignore[assignment]
    assert training.loss_of(network, labelled(), torch.ones(2, 2), 0.1).item() == pytest.approx(
        4 + 3
    )


def test_a_batch_without_labels_has_no_loss() -> None:
    with pytest.raises(ValueError, match="expected training or validation rows"):
        training.loss_of(Scaled(), replace(labelled(), labels=None), torch.ones(2, 2), 0.0)


@pytest.mark.parametrize(
    ("select", "curves", "expected"),
    [
        ("ua", [(0.5, 0.9, 1.0), (0.6, 0.8, 1.0), (0.4, 0.9, 1.0)], 2),
        ("ua", [(0.5, 0.9, 1.0), (0.5, 0.9, 0.7), (0.5, 0.9, 0.8)], 2),
        ("ua", [(0.5, 0.9, 0.7), (0.5, 0.9, 0.7), (0.5, 0.9, 0.7)], 1),
        ("wa", [(0.5, 0.7, 1.0), (0.6, 0.8, 1.0), (0.4, 0.9, 2.0)], 3),
        ("loss", [(0.5, 0.9, 1.0), (0.6, 0.8, 0.5), (0.9, 0.9, 0.6)], 2),
    ],
    ids=["best ua", "tie: lower loss", "tie: earlier", "best wa", "lowest loss"],
)
def test_validation_chooses_the_epoch(
    tmp_path: Path,
    inputs: dict[str, Folders],
    monkeypatch: pytest.MonkeyPatch,
    select: str,
    curves: list[tuple[float, float, float]],
    expected: int,
) -> None:
    said = iter([{"valid_ua": ua, "valid_wa": wa, "valid_loss": loss} for ua, wa, loss in curves])
    monkeypatch.setattr(training, "_validate", lambda *_: next(said))
    task = fabricated.task(
        tmp_path, fabricated.experiment(select=select, training={"epochs": 3}), inputs["FG_CME"]
    )
    assert training.train_fold(task).epoch == expected
    # The weights are those of that epoch, not of the last.
    chosen, _, _ = checkpoint.load(task.out)
    shorter = fabricated.experiment(select="loss", training={"epochs": expected})
    falling = iter(
        [{"valid_ua": 0.0, "valid_wa": 0.0, "valid_loss": -float(epoch)} for epoch in range(3)]
    )
    monkeypatch.setattr(training, "_validate", lambda *_: next(falling))
    last = fabricated.task(tmp_path / "shorter", shorter, inputs["FG_CME"])
    training.train_fold(last)
    for name, value in checkpoint.load(last.out)[0].state_dict().items():
        assert torch.equal(chosen.state_dict()[name], value)


def test_validation_measures_against_plain_counting() -> None:
    probabilities = np.array([[0.7, 0.3], [0.6, 0.4], [0.2, 0.8], [0.9, 0.1]], np.float32)
    measured = training._validate(probabilities, np.array([0, 0, 0, 1]))
    assert measured["valid_wa"] == 0.5
    assert measured["valid_ua"] == pytest.approx((2 / 3 + 0) / 2)
    assert measured["valid_loss"] == pytest.approx(-np.log([0.7, 0.6, 0.2, 0.1]).mean())


def test_a_loss_that_is_no_number_stops_with_advice(
    tmp_path: Path, inputs: dict[str, Folders]
) -> None:
    with pytest.raises(FloatingPointError, match=r"epoch \d of fold 0, expected a number: lower"):
        train(tmp_path, inputs["PBA_1_Pconv"], "PBA_1_Pconv", training={"learning_rate": 1e30})


def test_every_batch_holds_at_least_two_utterances() -> None:
    examples = [fabricated_example(number) for number in range(7)]
    torch.manual_seed(0)
    sizes = [batch.size for batch in training._batches(examples, 3)]
    assert sorted(sizes) == [3, 4]


def fabricated_example(number: int) -> Any:
    from pipeline.batch import Example

    return Example(f"u{number}", frames=torch.full((number + 1, 2), float(number)), label=0)


def test_probabilities_come_back_in_the_order_of_the_examples() -> None:
    class Mean(nn.Module):
        def forward(self, batch: Batch) -> torch.Tensor:
            assert batch.frames is not None
            return batch.frames.amax(dim=(1, 2))[:, None] * torch.tensor([1.0, 0.0])

    order = [5, 0, 3, 1]
    examples = [fabricated_example(number) for number in order]
    made = training.probabilities_of(Mean(), examples, torch.device("cpu"), batch_size=2)
    expected = torch.softmax(torch.tensor([[float(number), 0.0] for number in order]), dim=1)
    np.testing.assert_allclose(made, expected.numpy(), rtol=1e-6)


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert training.choose_device("auto") == torch.device("cpu")
    with pytest.raises(ConfigurationError, match="expected device: auto or cpu"):
        training.choose_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert training.choose_device("auto") == torch.device("cuda")


def test_optimisers_follow_the_recipe() -> None:
    network = nn.Linear(2, 2)
    adam = training.make_optimizer(network, Recipe(learning_rate=0.25, weight_decay=0.5))
    assert isinstance(adam, torch.optim.Adam)
    assert (adam.defaults["lr"], adam.defaults["weight_decay"]) == (0.25, 0.5)
    sgd = training.make_optimizer(network, Recipe(optimizer="sgd", momentum=0.9, nesterov=True))
    assert isinstance(sgd, torch.optim.SGD)
    assert (sgd.defaults["momentum"], sgd.defaults["nesterov"]) == (0.9, True)


def test_curves_are_means_over_folds(tmp_path: Path) -> None:
    histories = [
        ({"epoch": 1, "valid_ua": 0.2}, {"epoch": 2, "valid_ua": 0.4}),
        ({"epoch": 1, "valid_ua": 0.6},),
    ]
    outcomes = [
        training.Outcome(fold, 0, 1, 0.0, (), history) for fold, history in enumerate(histories)
    ]
    training.log_curves(tmp_path / "live", outcomes)
    (written,) = (tmp_path / "live").rglob("ua.tsv")
    values = [float(line.split("\t")[-1]) for line in written.read_text().splitlines()[1:]]
    assert values == pytest.approx([0.4, 0.4])


def test_every_epoch_of_every_fold_has_its_own_randomness() -> None:
    seeds = {
        training.stream(seed, fold, epoch)
        for seed in range(3)
        for fold in range(3)
        for epoch in range(3)
    }
    assert len(seeds) == 27
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_tasks_are_plain_values(inputs: dict[str, Folders], tmp_path: Path) -> None:
    """They travel to worker processes."""
    import pickle

    task = fabricated.task(tmp_path, fabricated.experiment(), inputs["FG_CME"])
    assert isinstance(pickle.loads(pickle.dumps(task)), Task)
