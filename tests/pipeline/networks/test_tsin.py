import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from pipeline.batch import Batch, Example, Sizes, collate
from pipeline.networks import tsin
from pipeline.networks._tsin_layers import SpeechEncoder

SIZES = Sizes(feature_dim=6, word_dim=5, vocabulary_size=9, num_classes=4)
SMALL = {"dim": 7, "fusion_dim": 3, "attention_dim": 4}
LENGTHS = ((19, 4), (8, 1), (30, 6))


@pytest.fixture
def batch() -> Batch:
    generator = torch.Generator().manual_seed(1)
    return collate(
        [
            Example(
                str(number),
                frames=torch.randn(frames, 6, generator=generator),
                words=torch.randn(words, 5, generator=generator),
                word_ids=torch.randint(0, 9, (words,), generator=generator),
            )
            for number, (frames, words) in enumerate(LENGTHS)
        ]
    )


def test_recipe_is_section_iv_b_2() -> None:
    for name in tsin.__all__:
        recipe = getattr(tsin, name).recipe
        assert (recipe.optimizer, recipe.learning_rate, recipe.weight_decay) == (
            "adam",
            1e-4,
            1e-3,
        ), name
        assert (recipe.learning_rate_step, recipe.learning_rate_factor) == (50, 0.1), name
        assert (recipe.batch_size, recipe.epochs) == (64, 80), name


def test_published_widths() -> None:
    network = tsin.TSIN(Sizes(120, 768, 0, 4))
    assert (network.speech.lstm.input_size, network.speech.lstm.hidden_size) == (120, 768)
    assert (network.fusion.input_size, network.fusion.hidden_size) == (2 * 768, 512)
    for block in (network.text.block, network.block):
        assert [convolution.kernel_size for convolution in block.convolutions] == [(1,), (3,), (5,)]


def kernels(block: nn.Module, x: Tensor) -> Tensor:
    return torch.stack([convolution(x.T[None])[0].T for convolution in block.convolutions])


def by_equation(network: nn.Module, frames: Tensor, words: Tensor) -> Tensor:
    """Logits of one utterance by equations 1-11 as printed, but for the softmax of eq.
    8.
    """
    s = network.speech.lstm(frames[None])[0][0]
    t = kernels(network.text.block, words).amax(0)
    u = []
    for t_j in t:
        strength = [math.exp(float(t_j @ s_i) / math.sqrt(len(t_j))) for s_i in s]
        u.append(sum(a / sum(strength) * s_i for a, s_i in zip(strength, s, strict=True)))
    aligned = torch.stack(u)
    part = network.interaction
    h_t, h_s = t.mean(0), aligned.mean(0)
    w_t = [
        math.exp(part.score(torch.tanh(part.of_speech(u_i) + part.of_text(h_t)))) for u_i in aligned
    ]
    w_s = [math.exp(part.score(torch.tanh(part.of_text(t_i) + part.of_speech(h_s)))) for t_i in t]
    both = [
        torch.cat([u_i * s_w / sum(w_s), t_i * t_w / sum(w_t)])
        for u_i, t_i, s_w, t_w in zip(aligned, t, w_s, w_t, strict=True)
    ]
    fused = network.fusion(torch.stack(both)[None])[0][0]
    logits: Tensor = network.classifier(kernels(network.block, fused).mean(0).mean(0))
    return logits


@torch.no_grad()
def test_logits_equal_the_equations_one_utterance_at_a_time(batch: Batch) -> None:
    torch.manual_seed(0)
    network = tsin.TSIN(SIZES, **SMALL)
    assert batch.frames is not None and batch.words is not None
    expected = [
        by_equation(network, batch.frames[n, :t], batch.words[n, :w])
        for n, (t, w) in enumerate(LENGTHS)
    ]
    torch.testing.assert_close(network(batch), torch.stack(expected), atol=1e-6, rtol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("block", [4, 10, 125])
def test_speech_is_encoded_as_if_packed(batch: Batch, block: int) -> None:
    encoder = SpeechEncoder(6, 7, block)
    packed = pack_padded_sequence(
        batch.frames, batch.frame_lengths, batch_first=True, enforce_sorted=False
    )
    expected, _ = pad_packed_sequence(encoder.lstm(packed)[0], batch_first=True)
    states = encoder(batch) * batch.frame_mask[..., None]
    torch.testing.assert_close(states, expected, atol=1e-6, rtol=1e-5)


@torch.no_grad()
def test_one_hot_look_up_equals_one_hot_vectors_times_the_matrix(batch: Batch) -> None:
    network = tsin.TSIN_onehot(SIZES, **SMALL)
    assert batch.word_ids is not None and (batch.word_ids == 0).any()
    one_hot = nn.functional.one_hot(batch.word_ids, 9)[
        ..., 1:
    ].float()  # the unknown word is the zero vector
    vectors = one_hot @ network.text.table.weight[1:]
    expected = network.text.block(vectors, batch.word_lengths)
    torch.testing.assert_close(network.text(batch), expected)


@torch.no_grad()
def test_without_alignment_each_word_takes_its_share_of_the_frames(batch: Batch) -> None:
    network = tsin.TSI_wo_TA(SIZES, **SMALL)
    frames, words = network.speech(batch), network.text(batch)
    shares = torch.zeros_like(words)
    for row, (num_frames, num_words) in enumerate(LENGTHS):
        for word in range(num_words):
            first, last = (
                word * num_frames // num_words,
                math.ceil((word + 1) * num_frames / num_words),
            )
            shares[row, word] = frames[row, first:last].mean(0)
    fused = network.fusion(torch.cat(network.interaction(words, shares, batch.word_mask), dim=-1))[
        0
    ]
    expected = network.classifier(network.block(fused, batch.word_lengths))
    torch.testing.assert_close(network(batch), expected, atol=1e-6, rtol=1e-5)


@torch.no_grad()
def test_without_interaction_the_lstm_reads_aligned_speech_and_text_as_they_are(
    batch: Batch,
) -> None:
    torch.manual_seed(0)
    full = tsin.TSIN(SIZES, **SMALL)
    bare = tsin.TSI_wo_SI(SIZES, dim=7, fusion_dim=3)
    bare.load_state_dict(
        {name: value for name, value in full.state_dict().items() if "interaction" not in name}
    )
    full.interaction.forward = lambda words, speech, mask: (speech, words)
    torch.testing.assert_close(bare(batch), full(batch))


@torch.no_grad()
@pytest.mark.parametrize("name", ["TSIN", "TSI_wo_TA", "TSIN_onehot", "Text", "Speech"])
def test_frames_and_words_beyond_the_limits_are_not_read(name: str, batch: Batch) -> None:
    limits = {"max_frames": 10, "max_words": 2}
    system = getattr(tsin, name)
    settings = {**SMALL, **limits}
    settings = {key: settings[key] for key in settings if key in system.hyperparameters}
    torch.manual_seed(0)
    network = system(SIZES, **settings).eval()
    cut = replace(
        batch,
        frames=batch.frames[:, :10],
        frame_lengths=batch.frame_lengths.clamp(max=10),
        words=batch.words[:, :2],
        word_ids=batch.word_ids[:, :2],
        word_lengths=batch.word_lengths.clamp(max=2),
    )
    torch.testing.assert_close(network(batch), network(cut))
    for limit in limits.keys() & system.hyperparameters.keys():
        torch.manual_seed(0)
        further = system(SIZES, **{**settings, limit: 30}).eval()
        assert not torch.allclose(network(batch), further(batch)), limit
        assert system.hyperparameters[limit] is int


@torch.no_grad()
@pytest.mark.parametrize("name", ["TSIN", "TSI_wo_SI", "TSIN_onehot", "Text", "Speech"])
def test_filling_takes_part_as_zeros(name: str, batch: Batch) -> None:
    system = getattr(tsin, name)
    settings = {**SMALL, "max_frames": 40, "max_words": 9}
    settings = {key: settings[key] for key in settings if key in system.hyperparameters}
    torch.manual_seed(0)
    network = system(SIZES, **settings).eval()
    torch.manual_seed(0)
    filling = system(SIZES, **settings, fill=True).eval()
    filled = collate(
        [
            Example(
                str(row),
                frames=pad(batch.frames[row, :frames], (0, 0, 0, 40 - frames)),
                words=pad(batch.words[row, :words], (0, 0, 0, 9 - words)),
                word_ids=pad(batch.word_ids[row, :words], (0, 9 - words)),
            )
            for row, (frames, words) in enumerate(LENGTHS)
        ]
    )
    torch.testing.assert_close(filling(batch), network(filled))
    assert not torch.allclose(filling(batch), network(batch))
    if hasattr(filling, "explain"):
        for key, weights in filling.explain(batch).items():
            expected = network.explain(filled)[key]
            own = [slice(size) for size in weights.shape]
            mask = batch.word_mask if weights.ndim == 2 else batch.word_mask[..., None]
            if weights.ndim == 3:
                mask = mask & batch.frame_mask[:, None]
            torch.testing.assert_close(weights, expected[tuple(own)] * mask)
