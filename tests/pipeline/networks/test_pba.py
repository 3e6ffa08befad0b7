from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.batch import Batch, Example, Sizes, collate
from pipeline.networks import pba

SIZES = Sizes(feature_dim=6, word_dim=5, vocabulary_size=9, num_classes=3)


def batch_of(*lengths: tuple[int, int]) -> Batch:
    torch.manual_seed(1)
    return collate(
        [
            Example(str(n), frames=torch.randn(t, 6), words=torch.randn(w, 5))
            for n, (t, w) in enumerate(lengths)
        ]
    )


def test_recipe_is_table_1() -> None:
    for name in pba.__all__:
        recipe = getattr(pba, name).recipe
        assert (recipe.optimizer, recipe.nesterov, recipe.momentum) == ("sgd", True, 0.9), name
        assert (recipe.learning_rate, recipe.batch_size, recipe.epochs) == (1e-4, 32, 5000), name


@pytest.mark.parametrize(
    ("name", "apart"),
    [
        ("PBA_2_Pconv", 0),
        ("PBA_1_Pconv", 1),
        ("PBA_2_BLSTM", 2),
        ("PBA_1_BLSTM", 3),
        ("PBA_Attention", 4),
        ("PBA_FC", 5),
    ],
)
def test_modalities_meet_where_figure_6_says(name: str, apart: int) -> None:
    network = getattr(pba, name)(SIZES)
    order = ["Pconv", "Pconv", "BiLSTM", "BiLSTM", "AttentionPooling"]
    for branch in network.branches:
        assert [type(stage).__name__ for stage in branch.stages] == order[:apart]
    assert [type(stage).__name__ for stage in network.trunk] == order[apart:]


@pytest.mark.parametrize("lengths", [((3, 40), (90, 1)), ((25, 25), (24, 26)), ((7, 2),)])
def test_stems_give_audio_and_text_of_any_length_one_shape(
    lengths: tuple[tuple[int, int], ...],
) -> None:
    network = pba.PBA_2_Pconv(SIZES)
    for branch in network.branches:
        assert branch(batch_of(*lengths)).shape == (len(lengths), 25, 64)


@torch.no_grad()
def test_pba_a_equals_the_figures_written_with_torch() -> None:
    torch.manual_seed(0)
    network = pba.PBA_a(SIZES, channels=(4, 3, 5), steps=6, units=7)
    for _ in range(3):
        network(batch_of((30, 1), (22, 1)))  # running statistics away from 0 and 1
    network.eval()
    branch = network.branches[0]
    batch = batch_of((19, 1), (41, 1))
    expected = []
    for frames, length in zip(batch.frames, batch.frame_lengths, strict=True):
        stem = branch.stem.conv
        x = F.leaky_relu(F.conv1d(frames[:length].T[None], stem.weight, stem.bias, padding=1), 0.02)
        x = F.adaptive_avg_pool1d(x, 6)
        for block in branch.stages[:2]:
            bconv, sconv = block.bconv, block.shortcut
            full = bconv.convolution.conv
            depthwise, pointwise = (
                sconv.convolution.depthwise.conv,
                sconv.convolution.pointwise.conv,
            )
            separable = F.conv1d(x, depthwise.weight, padding=1, groups=x.shape[1])
            separable = F.conv1d(separable, pointwise.weight, pointwise.bias)
            parallel = [
                F.max_pool1d(x, 3, 1, 1),
                unit(bconv.norm, F.conv1d(x, full.weight, full.bias, padding=1)),
            ]
            x = torch.cat(parallel, 1) + unit(sconv.norm, separable)
        states = x.transpose(1, 2)
        for stage in branch.stages[2:4]:
            states = stage.lstm(states)[0]
        query = branch.stages[4].score.weight
        attended = F.scaled_dot_product_attention(query[None], states, states)[:, 0]
        expected.append(network.classifier(attended)[0])
    torch.testing.assert_close(network(batch), torch.stack(expected), atol=1e-5, rtol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("num_words", [1, 7, 50, 60])
def test_texts_are_fifty_filled_words_that_are_pooled_in_pairs(num_words: int) -> None:
    torch.manual_seed(0)
    network = pba.BCNN_t(SIZES, channels=(4, 3, 5)).eval()
    branch = network.branches[0]
    batch = batch_of((1, num_words), (1, 40))
    filled = torch.zeros(5, 50)
    filled[:, :num_words] = batch.words[0, :num_words].T[:, :50]
    stem = branch.stem.conv
    x = F.leaky_relu(F.conv1d(filled[None], stem.weight, stem.bias, padding=1), 0.02)
    x = F.avg_pool1d(x, 2).transpose(1, 2)
    for block in branch.stages:
        x = block(x, torch.tensor([25]))
    torch.testing.assert_close(network(batch)[0], network.classifier(x.mean(1))[0])


@torch.no_grad()
@pytest.mark.parametrize("name", ["BCNN_t", "PBA_t", "VGG_t", "PBA_1_Pconv"])
def test_words_that_are_zero_vectors_are_the_filling(name: str) -> None:
    torch.manual_seed(0)
    network = getattr(pba, name)(SIZES).eval()
    batch = batch_of((30, 7))
    padded = replace(
        batch, words=F.pad(batch.words, (0, 0, 0, 9)), word_lengths=batch.word_lengths + 9
    )
    torch.testing.assert_close(network(padded), network(batch))


@torch.no_grad()
def test_a_blstm_may_stand_between_the_words_and_their_stem() -> None:
    torch.manual_seed(0)
    network = pba.PBA_1_Pconv(SIZES, word_units=3).eval()
    audio, text = network.branches
    assert audio.context is None and text.context.lstm.hidden_size == 3
    assert text.stem.conv.in_channels == 6
    batch = batch_of((30, 7))
    filled = F.pad(batch.words, (0, 0, 0, 43))
    states = text.context.lstm(filled)[0]
    plain = replace(batch, words=states, word_lengths=torch.tensor([50]))
    expected = network(batch)
    text.context = None
    torch.testing.assert_close(network(plain), expected)


def unit(norm: nn.Module, convolved: Tensor) -> Tensor:
    return F.batch_norm(
        F.leaky_relu(convolved, 0.02), norm.running_mean, norm.running_var, norm.weight, norm.bias
    )


def test_separable_shortcuts_are_all_that_sets_pconv_apart_from_bcnn() -> None:
    full = {name: value.shape for name, value in pba.BCNN_a(SIZES).named_parameters()}
    separable = {name: value.shape for name, value in pba.Pconv_a(SIZES).named_parameters()}
    assert all(".shortcut.convolution." in name for name in full.keys() ^ separable.keys())
    assert sum(shape.numel() for shape in separable.values()) < 0.65 * sum(
        shape.numel() for shape in full.values()
    )


@pytest.mark.parametrize(
    ("name", "convolutions", "dense"), [("LeNet_a", 2, 3), ("AlexNet_t", 5, 3), ("VGG_a", 13, 3)]
)
def test_classic_networks_have_their_published_depth(
    name: str, convolutions: int, dense: int
) -> None:
    layers = list(getattr(pba, name)(SIZES).modules())
    assert sum(isinstance(layer, nn.Conv1d) for layer in layers) == convolutions
    assert sum(isinstance(layer, nn.Linear) for layer in layers) == dense


@torch.no_grad()
@pytest.mark.parametrize("length", [1, 2, 7, 32])
def test_lenet_equals_torchs_layers(length: int) -> None:
    torch.manual_seed(0)
    network = pba.LeNet_a(SIZES).eval()
    batch = batch_of((length, 1), (40, 1))
    x = batch.frames[0, :length].T[None]
    for layer in (0, 2):
        conv = network.stack.layers[layer].conv
        x = F.leaky_relu(F.conv1d(x, conv.weight, conv.bias, padding=2), 0.02)
        x = F.max_pool1d(x, 2, ceil_mode=True)
    vector = x.mean(dim=2)
    for layer in network.stack.dense:
        vector = F.leaky_relu(layer(vector), 0.02)
    torch.testing.assert_close(network(batch)[:1], network.classifier(vector), atol=1e-6, rtol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("name", ["LeNet_t", "AlexNet_t", "VGG_t"])
def test_one_word_is_enough_and_padding_to_fifty_changes_nothing(name: str) -> None:
    network = getattr(pba, name)(SIZES).eval()
    batch = batch_of((1, 1), (1, 50), (1, 9))
    together = network(batch)
    for words, logits, length in zip(batch.words, together, (1, 50, 9), strict=True):
        alone = Batch(words=words[None, :length], word_lengths=torch.tensor([length]))
        torch.testing.assert_close(network(alone)[0], logits, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_he_initialisation_carries_the_signal_through_vgg() -> None:
    torch.manual_seed(0)
    network = pba.VGG_a(SIZES).eval()
    vectors = network.embed(batch_of((64, 1), (80, 1), (50, 1)))
    assert vectors.std(dim=0).mean() > 1e-2


@pytest.mark.parametrize("name", ["BCNN_t", "PBA_a", "PBA_FC"])
def test_first_weights_are_those_of_keras(name: str) -> None:
    torch.manual_seed(0)
    network = getattr(pba, name)(SIZES)
    assert not network.classifier.bias.any()
    for stem in (branch.stem.conv for branch in network.branches):
        bound = (6 / (3 * stem.in_channels + 3 * 64)) ** 0.5
        assert 0.95 * bound < stem.weight.abs().max() <= bound and not stem.bias.any()
