"""What is particular to the CBLA systems."""

from dataclasses import asdict, replace
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from pipeline.batch import Batch, Sizes
from pipeline.networks import cbla
from pipeline.networks._cbla_layers import Convolutions

SIZES = Sizes(feature_dim=34, word_dim=300, vocabulary_size=10, num_classes=4)


def batch(num_frames: int = 120, num_words: int = 6) -> Batch:
    generator = torch.Generator().manual_seed(0)
    return Batch(
        frames=torch.randn(2, num_frames, 34, generator=generator),
        frame_lengths=torch.tensor([num_frames, num_frames - 40]),
        words=torch.randn(2, num_words, 300, generator=generator),
        word_lengths=torch.tensor([num_words, 2]),
    )


def test_published_sizes() -> None:
    dense: Any = cbla.S_DNN(SIZES)
    assert [tuple(layer.weight.shape) for layer in dense.encoder.layers] == [
        (512, 3400),
        (256, 512),
        (128, 256),
        (32, 128),
    ]
    fused: Any = cbla.M_CBLA_BLR(SIZES)
    assert [layer.weight.shape[0] for layer in fused.fusion] + [
        fused.classifier.weight.shape[0]
    ] == [1024, 512, 4]
    assert fused.text.recurrent.lstm.hidden_size == fused.voice.context.lstm.hidden_size == 256
    assert (
        fused.text.recurrent.bidirectional
        and not cbla.T_LSTM(SIZES).encoder.recurrent.bidirectional
    )  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["S_DNN", "S_CNN", "S_CL", "S_CBLA"])
def test_frames_beyond_the_hundredth_are_not_read(name: str) -> None:
    network = getattr(cbla, name)(SIZES).eval()
    other = batch().frames.clone()  # type: ignore[union-attr]
    other[:, 100:] = 99.0
    torch.testing.assert_close(network(replace(batch(), frames=other)), network(batch()))
    other[:, 99] = 99.0
    assert not torch.allclose(network(replace(batch(), frames=other)), network(batch()))


def test_words_beyond_the_limit_are_not_read() -> None:
    network = cbla.T_BL(SIZES, max_words=4).eval()
    other = batch().words.clone()  # type: ignore[union-attr]
    other[:, 4:] = 99.0
    torch.testing.assert_close(network(replace(batch(), words=other)), network(batch()))


@pytest.mark.parametrize("name", ["M_CL_BL", "M_CBLA_BL"])
def test_l2_systems_differ_by_the_penalty_alone(name: str) -> None:
    plain, penalised = getattr(cbla, name), getattr(cbla, name + "R")
    before, after = asdict(plain.recipe), asdict(penalised.recipe)
    assert (
        before.pop("l2") == 0
        and after.pop("l2") > 0
        and before == after
        and after["weight_decay"] == 0
    )
    networks = []
    for system in (plain, penalised):
        torch.manual_seed(0)
        networks.append(system(SIZES).eval())
    assert torch.equal(networks[0](batch()), networks[1](batch()))


def test_a_maximum_follows_each_pair_of_convolutions() -> None:
    convolutions = Convolutions(3, (4, 5, 6, 7), kernel_size=3, pool_size=2, cropping=(0, 0))
    x = torch.randn(1, 11, 3, generator=torch.Generator().manual_seed(0))
    pooled, lengths = convolutions(x, torch.tensor([11]))
    expected = x.transpose(1, 2)
    for number, layer in enumerate(convolutions.layers):
        weight, bias = layer.conv.weight, layer.conv.bias
        expected = F.leaky_relu(F.conv1d(expected, weight, bias, padding=1))
        if number in (1, 3):
            expected = F.max_pool1d(expected, 2, ceil_mode=True)
    assert lengths.tolist() == [3]
    torch.testing.assert_close(pooled, expected.transpose(1, 2))
    with pytest.raises(ValueError, match="come in pairs"):
        Convolutions(3, (4, 5, 6), kernel_size=3, pool_size=2, cropping=(0, 0))


@torch.no_grad()
def test_the_last_convolution_is_cropped_before_its_maximum() -> None:
    torch.manual_seed(0)
    whole = Convolutions(3, (4, 5), kernel_size=3, pool_size=2, cropping=(0, 0))
    cropped = Convolutions(3, (4, 5), kernel_size=3, pool_size=2, cropping=(2, 1))
    cropped.load_state_dict(whole.state_dict())
    x = torch.randn(2, 12, 3)
    pooled, lengths = cropped(x, torch.tensor([12, 3]))
    assert lengths.tolist() == [5, 2], "three steps are not more than the three to crop"
    convolved = x[:1].transpose(1, 2)
    for layer in whole.layers:
        weight, bias = layer.conv.weight, layer.conv.bias
        convolved = F.leaky_relu(F.conv1d(convolved, weight, bias, padding=1))
    expected = F.max_pool1d(convolved[..., 2:-1], 2, ceil_mode=True)[0].T
    torch.testing.assert_close(pooled[0, :5], expected)
    torch.testing.assert_close(pooled[1], whole(x, torch.tensor([12, 3]))[0][1])
    assert not pooled[0, 5:].any()
    with pytest.raises(ValueError, match=r"cropping \[1\], expected the steps"):
        Convolutions(3, (4, 5), kernel_size=3, pool_size=2, cropping=(1,))


@pytest.mark.parametrize("name", ["S_CNN", "S_CL", "S_CBLA", "M_CL_BL", "M_CBLA_BLR"])
def test_every_system_with_convolutions_crops_one_step_at_each_end(name: str) -> None:
    networks = []
    for settings in ({}, {"cropping": (1, 1)}, {"cropping": (0, 0)}):
        torch.manual_seed(0)
        networks.append(getattr(cbla, name)(SIZES, **settings).eval())
    published, cropped, whole = (network(batch()) for network in networks)
    assert torch.equal(published, cropped) and not torch.allclose(published, whole)
