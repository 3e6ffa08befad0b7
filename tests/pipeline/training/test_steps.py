"""Batches, precision and compilation of training steps."""

import shutil
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from torch import Tensor, nn

from pipeline.batch import Batch, Example
from pipeline.blocks.pooling import masked_mean
from pipeline.lookup import ConfigurationError
from pipeline.training import experiment, steps
from pipeline.training.experiment import Training
from pipeline.training.inputs import Folders
from tests.resources import fabricated

CPU = torch.device("cpu")


def examples(count: int) -> list[Example]:
    return [
        Example(f"u{number}", frames=torch.full((number + 1, 2), float(number)), label=0)
        for number in range(count)
    ]


def lengths(training: Training, count: int = 32) -> list[list[int]]:
    torch.manual_seed(0)
    found = []
    for batch in steps.batches(examples(count), training, CPU):
        assert batch.frame_lengths is not None
        found.append(batch.frame_lengths.tolist())
    return found


def test_every_batch_holds_at_least_two_utterances() -> None:
    assert sorted(map(len, lengths(Training(batch_size=3), 7))) == [3, 4]


def test_buckets_bring_similar_lengths_together_in_an_order_that_is_drawn() -> None:
    drawn = lengths(Training(batch_size=4))
    alike = lengths(Training(batch_size=4, bucket_batches=8))
    assert sorted(map(sorted, alike)) == [
        list(range(first, first + 4)) for first in range(1, 33, 4)
    ]
    assert alike != sorted(alike) and drawn != alike
    assert sorted(item for batch in drawn for item in batch) == list(range(1, 33))


def test_batches_are_made_ahead_in_a_thread_that_ends_with_them() -> None:
    before = threading.active_count()
    makers = set()

    def batches() -> Iterator[Batch]:
        for number in range(5):
            makers.add(threading.current_thread())
            yield Batch(frame_lengths=torch.tensor([number]))

    made = [int(batch.frame_lengths) for batch in steps.prefetched(batches(), 2)]
    assert made == list(range(5)) and makers.isdisjoint({threading.current_thread()})
    unfinished = steps.prefetched(batches(), 2)
    next(unfinished)
    unfinished.close()
    assert threading.active_count() == before

    def broken() -> Iterator[Batch]:
        yield Batch()
        raise OSError("a damaged shard")

    with pytest.raises(OSError, match="a damaged shard"):
        list(steps.prefetched(broken(), 2))
    assert threading.active_count() == before


def probabilities(folder: Path) -> np.ndarray:
    table = pq.read_table(folder / "out/probabilities.parquet")
    return np.stack([table[name] for name in table.column_names if name.startswith("p_")])


@pytest.mark.parametrize("network", ["FG_CME", "PBA_1_Pconv"])
def test_bfloat16_trains_as_float32_does_within_its_rounding(
    tmp_path: Path, inputs: dict[str, Folders], network: str
) -> None:
    found = {}
    for precision in ("float32", "bfloat16"):
        stated = {"epochs": 2, "precision": precision}
        fabricated.train(tmp_path / precision, inputs[network], network, training=stated)
        found[precision] = probabilities(tmp_path / precision)
    difference = np.abs(found["bfloat16"] - found["float32"]).max()
    assert 0 < difference < 0.02


def test_float32_is_what_is_trained_where_nothing_is_stated(
    tmp_path: Path, inputs: dict[str, Folders]
) -> None:
    stated = {"precision": "float32", "compile": False, "bucket_batches": 1}
    fabricated.train(tmp_path / "stated", inputs["FG_CME"], training={"epochs": 1, **stated})
    fabricated.train(tmp_path / "unstated", inputs["FG_CME"], training={"epochs": 1})
    np.testing.assert_array_equal(
        probabilities(tmp_path / "stated"), probabilities(tmp_path / "unstated")
    )
    # What stands in checkpoints says nothing that was not said before.
    recipe = fabricated.experiment(training=stated).recipe
    assert not hasattr(recipe, "precision")


def test_what_the_steps_are_computed_with_is_checked() -> None:
    stated = {"corpus": "demo", "network": "FG_CME", "split": "session"}
    for training, said in (
        ({"precision": "float16"}, "experiments.x.training: precision = 'float16'"),
        ({"compile": "perhaps"}, "experiments.x.training: compile"),
        ({"bucket_batches": 0}, "experiments.x.training: bucket_batches = 0"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            experiment.settings("x", {**stated, "training": training})


class Mean(nn.Module):
    """The means of frames through a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.output = nn.Linear(2, 3)

    def forward(self, batch: Batch) -> Tensor:
        return torch.tanh(self.output(masked_mean(*batch.voice())))


def step(training: Training) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    network = Mean()
    (batch,) = steps.batches(examples(4), Training(batch_size=4), CPU)
    logits = steps.computed(network, training, CPU)(batch)
    logits.square().sum().backward()
    return logits.detach(), torch.cat([weight.grad.flatten() for weight in network.parameters()])


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles with g++")
def test_a_compiled_network_gives_the_same_within_rounding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # All but the translation to C++, which takes half a minute.
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    plain, compiled = step(Training()), step(Training(compile=True))
    for expected, found in zip(plain, compiled, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_compiling_without_a_compiler_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(ConfigurationError, match=r"training.compile: true needs a C\+\+ compiler"):
        steps.computed(nn.Identity(), Training(compile=True), CPU)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_gpu_trains_as_the_processor_does(
    tmp_path: Path, inputs: dict[str, Folders], precision: str
) -> None:
    for device in ("cpu", "cuda"):
        stated = {"epochs": 2, "precision": precision}
        fabricated.train(tmp_path / device, inputs["FG_CME"], training=stated, device=device)
    difference = np.abs(probabilities(tmp_path / "cuda") - probabilities(tmp_path / "cpu")).max()
    assert difference < (0.001 if precision == "float32" else 0.03)
