import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.batch import Batch
from pipeline.networks import Recipe
from pipeline.training import checkpoint, fold, loop
from pipeline.training.inputs import Folders
from tests.resources import fabricated, fold_rows


def test_learning_rate_falls_in_steps(
    tmp_path: Path, inputs: dict[str, Folders], monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = []
    make = loop.make_optimizer

    def watched(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
        optimizer = make(network, recipe)
        step = optimizer.step
        optimizer.step = lambda *given: (
            rates.append(optimizer.param_groups[0]["lr"]),
            step(*given),
        )  # type: ignore
        return optimizer

    monkeypatch.setattr(loop, "make_optimizer", watched)
    changes = {
        "learning_rate": 0.01,
        "learning_rate_step": 2,
        "learning_rate_factor": 0.1,
        "batch_size": 32,
    }
    fabricated.train(tmp_path, inputs["FG_CME"], training={**changes, "epochs": 5})
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
    assert loop.loss_of(Scaled(), labelled(), logits, 0.0).item() == pytest.approx(plain)
    assert loop.loss_of(Scaled(), labelled(), logits, 0.5).item() == pytest.approx(plain + 0.5 * 30)


def test_a_network_may_bring_its_own_loss() -> None:
    network = Scaled()
    network.training_loss = lambda batch, logits: logits.sum()  # type: ignore[assignment]
    assert loop.loss_of(network, labelled(), torch.ones(2, 2), 0.1).item() == pytest.approx(4 + 3)


def test_a_batch_without_labels_has_no_loss() -> None:
    with pytest.raises(ValueError, match="expected training or validation rows"):
        loop.loss_of(Scaled(), replace(labelled(), labels=None), torch.ones(2, 2), 0.0)


@pytest.mark.parametrize(
    ("select", "curves", "expected"),
    [
        ("ua", [(0.5, 0.9, 1.0), (0.6, 0.8, 1.0), (0.4, 0.9, 1.0)], 2),
        ("ua", [(0.5, 0.9, 1.0), (0.5, 0.9, 0.7), (0.5, 0.9, 0.8)], 2),
        ("ua", [(0.5, 0.9, 0.7), (0.5, 0.9, 0.7), (0.5, 0.9, 0.7)], 1),
        ("wa", [(0.5, 0.7, 1.0), (0.6, 0.8, 1.0), (0.4, 0.9, 2.0)], 3),
        ("wa_ua", [(0.9, 0.70, 1.0), (0.1, 0.80, 1.0), (0.3, 0.79, 1.0)], 3),
        ("loss", [(0.5, 0.9, 1.0), (0.6, 0.8, 0.5), (0.9, 0.9, 0.6)], 2),
    ],
    ids=["best ua", "tie: lower loss", "tie: earlier", "best wa", "0.9 WA + 0.1 UA", "lowest loss"],
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
    monkeypatch.setattr(loop, "_validate", lambda *_: next(said))
    task = fabricated.task(
        tmp_path, fabricated.experiment(select=select, training={"epochs": 3}), inputs["FG_CME"]
    )
    assert fold.train_fold(task).epoch == expected
    # The weights are those of that epoch, not of the last.
    chosen, _, _ = checkpoint.load(task.out)
    shorter = fabricated.experiment(select="loss", training={"epochs": expected})
    falling = iter(
        [{"valid_ua": 0.0, "valid_wa": 0.0, "valid_loss": -float(epoch)} for epoch in range(3)]
    )
    monkeypatch.setattr(loop, "_validate", lambda *_: next(falling))
    last = fabricated.task(tmp_path / "shorter", shorter, inputs["FG_CME"])
    fold.train_fold(last)
    for name, value in checkpoint.load(last.out)[0].state_dict().items():
        assert torch.equal(chosen.state_dict()[name], value)


def test_without_validation_the_last_epoch_is_the_result(
    tmp_path: Path, inputs: dict[str, Folders]
) -> None:
    split = tmp_path / "split"
    rows = [
        (fold, "train" if subset == "valid" else subset, *rest)
        for fold, subset, *rest in fold_rows.read(inputs["FG_CME"].split / "folds.parquet")
    ]
    fold_rows.write(split / "folds.parquet", rows)
    folders = replace(inputs["FG_CME"], split=split)
    experiment = fabricated.experiment(training={"epochs": 3})
    outcome = fold.train_fold(fabricated.task(tmp_path, experiment, folders))
    assert outcome.epoch == 3
    assert [set(curve) for curve in outcome.history] == [{"epoch", "train_loss", "train_wa"}] * 3
    described = checkpoint.read_description(tmp_path / "out" / "checkpoint.json")
    assert "valid_loss" not in described["validation"]


def test_validation_measures_against_plain_counting() -> None:
    probabilities = np.array([[0.7, 0.3], [0.6, 0.4], [0.2, 0.8], [0.9, 0.1]], np.float32)
    measured = loop._validate(probabilities, np.array([0, 0, 0, 1]))
    assert measured["valid_wa"] == 0.5
    assert measured["valid_ua"] == pytest.approx((2 / 3 + 0) / 2)
    assert measured["valid_loss"] == pytest.approx(-np.log([0.7, 0.6, 0.2, 0.1]).mean())


def test_a_loss_that_is_no_number_stops_with_advice(
    tmp_path: Path, inputs: dict[str, Folders]
) -> None:
    with pytest.raises(
        FloatingPointError, match=r"in epoch \d of fold 0: lower training.learning_rate"
    ):
        fabricated.train(
            tmp_path, inputs["PBA_1_Pconv"], "PBA_1_Pconv", training={"learning_rate": 1e30}
        )


def test_training_accuracy_is_that_of_the_training_steps(
    tmp_path: Path, inputs: dict[str, Folders]
) -> None:
    class Longest(nn.Module):
        """Says class 1 of an utterance of three frames or more."""

        def __init__(self) -> None:
            super().__init__()
            self.bias = nn.Parameter(torch.zeros(2))

        def forward(self, batch: Batch) -> torch.Tensor:
            lengths = batch.frame_lengths
            assert lengths is not None
            return torch.stack([2.5 - lengths, lengths - 2.5], dim=1) + 1e-9 * self.bias

    examples = [replace(fabricated_example(number), label=number % 2) for number in range(7)]
    task = fabricated.task(
        tmp_path, fabricated.experiment(training={"epochs": 1, "batch_size": 3}), inputs["FG_CME"]
    )
    parts = {"train": examples, "valid": examples[:3], "test": examples[:2]}
    (curve,) = loop.train(task, Longest(), parts, torch.device("cpu")).history
    # Lengths 1 to 7, labels 0 1 0 1 0 1 0: said 0 0 1 1 1 1 1.
    assert curve["train_wa"] == pytest.approx(3 / 7)


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
    made = loop.probabilities_of(Mean(), examples, torch.device("cpu"), batch_size=2)
    expected = torch.softmax(torch.tensor([[float(number), 0.0] for number in order]), dim=1)
    np.testing.assert_allclose(made, expected.numpy(), rtol=1e-6)


def test_optimisers_follow_the_recipe() -> None:
    network = nn.Linear(2, 2)
    adam = loop.make_optimizer(network, Recipe(learning_rate=0.25, weight_decay=0.5))
    assert isinstance(adam, torch.optim.Adam)
    assert (adam.defaults["lr"], adam.defaults["weight_decay"]) == (0.25, 0.5)
    sgd = loop.make_optimizer(network, Recipe(optimizer="sgd", momentum=0.9, nesterov=True))
    assert isinstance(sgd, torch.optim.SGD)
    assert (sgd.defaults["momentum"], sgd.defaults["nesterov"]) == (0.9, True)


def test_every_epoch_of_every_fold_has_its_own_randomness() -> None:
    seeds = {
        loop.stream(seed, fold, epoch)
        for seed in range(3)
        for fold in range(3)
        for epoch in range(3)
    }
    assert len(seeds) == 27
    assert all(0 <= seed < 2**63 for seed in seeds)
