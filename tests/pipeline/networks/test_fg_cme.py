"""What is particular to the FG-CME systems."""

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from pipeline.batch import Batch, Sizes
from pipeline.blocks.ctc_alignment import alignment_loss
from pipeline.networks import fg_cme

SIZES = Sizes(feature_dim=40, word_dim=300, vocabulary_size=10, num_classes=4)
SMALL: dict[str, Any] = {
    "channels": (4, 5, 6),
    "semantic_size": 7,
    "hidden_size": 8,
    "classifier_size": 9,
}


def batch() -> Batch:
    generator = torch.Generator().manual_seed(0)
    return Batch(
        frames=torch.randn(2, 30, 40, generator=generator),
        frame_lengths=torch.tensor([30, 20]),
        words=torch.randn(2, 3, 300, generator=generator),
        word_ids=torch.tensor([[1, 2, 3], [4, 0, 0]]),
        word_lengths=torch.tensor([3, 2]),
        segments=torch.tensor([[[2, 10], [10, 15], [20, 28]], [[5, 9], [9, 9], [0, 0]]]),
        labels=torch.tensor([0, 3]),
    )


def test_published_sizes() -> None:
    network: Any = fg_cme.FG_CME(SIZES)
    shapes = [tuple(layer.conv.weight.shape) for layer in network.acoustic.layers]
    assert shapes == [(64, 40, 5), (128, 64, 2), (128, 128, 2)]
    assert network.semantic.weight.shape == (256, 300)
    assert network.excitation.acoustic_gate.weight.shape == (256, 256)
    assert (network.recurrent.lstm.input_size, network.recurrent.lstm.hidden_size) == (512, 256)
    assert [tuple(network.classifier[place].weight.shape) for place in (0, 2)] == [
        (128, 512),
        (4, 128),
    ]
    assert network.embed(batch()).shape == (2, 512)


@pytest.mark.parametrize("name", ["FG_CME", "wo_excite_a", "wo_excite_s", "ctc_align"])
def test_residual_excitation_is_another_network_that_trains(name: str) -> None:
    system = getattr(fg_cme, name)
    networks = []
    for form in ("paper", "residual"):
        torch.manual_seed(0)
        networks.append(system(SIZES, excitation=form, **SMALL))
    paper, residual = networks
    assert not torch.allclose(paper(batch()), residual(batch()))
    F.cross_entropy(residual(batch()), batch().labels).backward()
    reached = [p for n, p in residual.named_parameters() if not n.startswith("alignment")]
    assert all(
        parameter.grad is not None and torch.isfinite(parameter.grad).all() for parameter in reached
    )


def test_ablations_remove_their_gate_only() -> None:
    full = {name for name, _ in fg_cme.FG_CME(SIZES, **SMALL).named_parameters()}
    for system, gone in (
        (fg_cme.wo_excite_a, {"acoustic"}),
        (fg_cme.wo_excite_s, {"semantic"}),
        (fg_cme.wo_excite_m, {"acoustic", "semantic"}),
    ):
        kept = {name for name, _ in system(SIZES, **SMALL).named_parameters()}
        assert full - kept == {f"excitation.{modality}_gate.weight" for modality in gone}


def test_frames_outside_all_words_have_no_influence() -> None:
    network = fg_cme.FG_CME(SIZES, **SMALL).eval()
    loud = batch().frames.clone()  # type: ignore[union-attr]
    # Kernels 5, 2, 2 see two frames before and four after a frame.
    loud[1, 13:] = 99.0
    torch.testing.assert_close(network(replace(batch(), frames=loud)), network(batch()))
    loud[1, 12] = 99.0
    assert not torch.allclose(network(replace(batch(), frames=loud)), network(batch()))


def test_an_utterance_without_any_placed_word_still_has_logits() -> None:
    network = fg_cme.FG_CME(SIZES, **SMALL)
    logits = network(replace(batch(), segments=torch.zeros(2, 3, 2, dtype=torch.long)))
    logits.sum().backward()
    assert torch.isfinite(logits).all()


def test_ctc_loss_is_added_with_its_weight() -> None:
    network: Any = fg_cme.ctc_align(SIZES, ctc_weight=0.5, **SMALL).train()
    logits = network(batch())
    predicted = network._predicted
    assert torch.equal(predicted.frame_lengths, batch().frame_lengths)
    expected = F.cross_entropy(logits, batch().labels) + 0.5 * alignment_loss(
        *predicted, batch().word_lengths
    )
    torch.testing.assert_close(network.training_loss(batch(), logits), expected)
    with pytest.raises(ValueError, match="call the network on this batch first"):
        network.training_loss(batch(), logits)


def test_ctc_align_reads_no_segments() -> None:
    network = fg_cme.ctc_align(SIZES, **SMALL).eval()
    assert torch.equal(network(replace(batch(), segments=None)), network(batch()))


def test_every_system_trains_as_published() -> None:
    for name in fg_cme.__all__:
        recipe = getattr(fg_cme, name).recipe
        assert (recipe.optimizer, recipe.learning_rate, recipe.batch_size, recipe.epochs) == (
            "adam",
            5e-4,
            32,
            20,
        )


def test_the_benchmark_compares_equal_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(__file__).parents[3] / "benchmarks" / "training_step.py"
    spec = importlib.util.spec_from_file_location("training_step", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, value in {"BATCH": 3, "FRAMES": 60, "WORDS": 4}.items():
        monkeypatch.setattr(module, name, value)
    differences = module.check_equal(module.make_batch("back to back"))
    assert differences["float64_relative"] < 1e-10
