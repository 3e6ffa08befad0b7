"""The released form of paper B's systems against plain PyTorch, written from what the
authors' released code does.

The reference reads one utterance at a time and knows no padding.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.batch import Batch, Sizes
from pipeline.blocks.ctc_alignment import alignment_loss
from pipeline.networks import fg_cme

SIZES = Sizes(feature_dim=40, word_dim=300, vocabulary_size=10, num_classes=4)
SEEN = 7  # frames that a step has read: kernels 5, 2, 2


def batch() -> Batch:
    """Words that overlap, are empty, end with the last frame; silence around them."""
    generator = torch.Generator().manual_seed(0)
    return Batch(
        frames=torch.randn(2, 40, 40, generator=generator),
        frame_lengths=torch.tensor([40, 23]),
        words=torch.randn(2, 3, 300, generator=generator),
        word_ids=torch.tensor([[1, 2, 3], [4, 0, 0]]),
        word_lengths=torch.tensor([3, 2]),
        segments=torch.tensor([[[9, 13], [12, 20], [33, 40]], [[5, 9], [9, 9], [0, 0]]]),
        labels=torch.tensor([0, 3]),
    )


def utterances() -> list[dict[str, Tensor]]:
    whole = batch()
    assert whole.frames is not None and whole.words is not None
    assert whole.word_ids is not None and whole.segments is not None
    return [
        {
            "frames": whole.frames[item, :frames],
            "words": whole.words[item, :words],
            "ids": whole.word_ids[item, :words],
            "segments": whole.segments[item, :words],
        }
        for item, (frames, words) in enumerate(((40, 3), (23, 2)))
    ]


def lstm(layer: nn.LSTM, x: Tensor) -> tuple[Tensor, Tensor]:
    states, (last, _) = layer(x[None])
    return states[0], last


def convolve(network: Any, frames: Tensor) -> Tensor:
    x = frames.T[None]
    for layer in network.layers:
        x = F.conv1d(x, layer.weight, layer.bias)
    return x[0].T


def mean_max(steps: Tensor, segments: Tensor) -> Tensor:
    """A step belongs to a word when one of the frames that it has read does."""
    words = []
    for start, end in segments.tolist():
        of_word = [
            step
            for number, step in enumerate(steps)
            if any(start <= frame < end for frame in range(number, number + SEEN))
        ]
        if not of_word:
            words.append(steps.new_zeros(2 * steps.shape[1]))
            continue
        stacked = torch.stack(of_word)
        mean = stacked.sum(0) / (len(of_word) + 1e-6)
        words.append(torch.cat([mean, stacked.max(0).values]))
    return torch.stack(words)


def excite(gates: Any, voice: Tensor, text: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
    by_word = text_gate = None
    if gates.acoustic_gate is not None:
        by_word = gates.acoustic_gate.weight[ids]
    if gates.semantic_gate is not None:
        text_gate = voice @ gates.semantic_gate.weight.T + gates.semantic_gate.bias
    excited = []
    for values, gate in ((voice, by_word), (text, text_gate)):
        if gate is None:
            excited.append(values)
        elif gates.form == "additive":
            excited.append(values + gate)
        else:
            scaled = torch.sigmoid(gate) * values
            excited.append(scaled + values if gates.form == "residual" else scaled)
    return excited[0], excited[1]


def fused(network: Any, voice: Tensor, utterance: dict[str, Tensor]) -> Tensor:
    semantic = network.semantic
    text = utterance["words"] @ semantic.weight.T + semantic.bias
    voice, text = excite(network.excitation, voice, text, utterance["ids"])
    states, _ = lstm(network.recurrent.lstm, torch.cat([text, voice], dim=1)[:, order(network)])
    return F.linear(states.max(0).values, network.classifier.weight, network.classifier.bias)


def order(network: Any) -> Tensor:
    """The release concatenates text first, here voice stands first: the same network
    with its recurrent layer's columns in another order.
    """
    text = network.excitation.semantic_size
    return torch.cat([torch.arange(text, network.recurrent.lstm.input_size), torch.arange(text)])


def fine_grained(network: Any, utterance: dict[str, Tensor]) -> Tensor:
    voice = mean_max(convolve(network.acoustic, utterance["frames"]), utterance["segments"])
    return fused(network, voice, utterance)


def ctc_aligned(network: Any, utterance: dict[str, Tensor]) -> Tensor:
    steps = convolve(network.network.acoustic, utterance["frames"])
    scores, _ = lstm(network.alignment.states.lstm, steps)
    shares = torch.softmax(scores, dim=1)[:, 1 : len(utterance["ids"]) + 1]
    return fused(network.network, shares.T @ steps, utterance)


def attentive(kind: str) -> Callable[[Any, dict[str, Tensor]], Tensor]:
    def logits(network: Any, utterance: dict[str, Tensor]) -> Tensor:
        states, _ = lstm(network.encoder.recurrent.lstm, utterance[kind])
        query = network.encoder.pool.score.weight[0]
        weights = torch.softmax(states @ query / 512**0.5, dim=0)
        made: Tensor = network.classifier(weights @ states)
        return made

    return logits


def multi_hop(network: Any, utterance: dict[str, Tensor]) -> Tensor:
    frames, last = lstm(network.voice.lstm, utterance["frames"])
    words, _ = lstm(network.text.lstm, utterance["words"])
    query = torch.cat([last[0, 0], last[1, 0]])
    found = torch.softmax(words @ query, dim=0) @ words
    heard = torch.softmax(frames @ found, dim=0) @ frames
    made: Tensor = network.classifier(torch.cat([query, found, heard]))
    return made


def attention_fusion(network: Any, utterance: dict[str, Tensor]) -> Tensor:
    frames, _ = lstm(network.voice.lstm, utterance["frames"])
    words, _ = lstm(network.text.lstm, utterance["words"])
    parts = [network.attention.query, network.attention.key, network.attention.value]
    # The keys have no bias: it would add the same to all scores of a query.
    biases = [torch.zeros(512) if part.bias is None else part.bias for part in parts]
    reference = nn.MultiheadAttention(512, 4, dropout=0.5, batch_first=True).eval()
    state = {
        "in_proj_weight": torch.cat([part.weight for part in parts]),
        "in_proj_bias": torch.cat(biases),
        "out_proj.weight": network.attention.output.weight,
        "out_proj.bias": network.attention.output.bias,
    }
    reference.load_state_dict(state)
    heard, _ = reference(words[None], frames[None], frames[None])
    states, _ = lstm(network.recurrent.lstm, torch.cat([words, heard[0]], dim=1))
    made: Tensor = network.classifier(states.max(0).values)
    return made


REFERENCES: list[tuple[str, dict[str, Any], Callable[[Any, dict[str, Tensor]], Tensor]]] = [
    ("FG_CME", {}, fine_grained),
    ("FG_CME", {"excitation": "additive"}, fine_grained),
    ("FG_CME", {"excitation": "paper"}, fine_grained),
    ("wo_excite_a", {}, fine_grained),
    ("wo_excite_s", {"excitation": "additive"}, fine_grained),
    ("wo_excite_m", {}, fine_grained),
    ("ctc_align", {}, ctc_aligned),
    ("LSTM_Attn_a", {}, attentive("frames")),
    ("LSTM_Attn_s", {}, attentive("words")),
    ("MHA_m", {}, multi_hop),
    ("AttnFusion_m", {}, attention_fusion),
]


@pytest.mark.parametrize(("name", "changes", "reference"), REFERENCES)
def test_logits_equal_those_of_a_plain_network_with_the_same_weights(
    name: str, changes: dict[str, Any], reference: Callable[[Any, dict[str, Tensor]], Tensor]
) -> None:
    torch.manual_seed(0)
    network = getattr(fg_cme, name)(SIZES, form="released", **changes).eval()
    with torch.no_grad():
        expected = torch.stack([reference(network, item) for item in utterances()])
        torch.testing.assert_close(network(batch()), expected, atol=1e-5, rtol=1e-5)


def test_gates_of_each_system() -> None:
    for name, form in (("FG_CME", "residual"), ("wo_excite_s", "residual")):
        assert getattr(fg_cme, name)(SIZES, form="released").excitation.form == form
    assert fg_cme.ctc_align(SIZES, form="released").network.excitation.form == "additive"
    assert fg_cme.FG_CME(SIZES).excitation.form == "paper"


def test_widths_of_the_release() -> None:
    network = fg_cme.FG_CME(SIZES, form="released")
    shapes = {name: tuple(value.shape) for name, value in network.named_parameters()}
    assert shapes["excitation.acoustic_gate.weight"] == (10, 256)
    assert shapes["excitation.semantic_gate.bias"] == (256,)
    assert shapes["classifier.weight"] == (4, 512)
    aligned = fg_cme.ctc_align(SIZES, form="released", max_words=30)
    assert [layer.out_channels for layer in aligned.network.acoustic.layers] == [64, 128, 256]
    assert (aligned.alignment.states.lstm.num_layers, aligned.alignment.states.output_size) == (
        2,
        31,
    )


def test_the_ctc_loss_counts_the_steps_that_remain() -> None:
    network = fg_cme.ctc_align(SIZES, form="released", ctc_weight=0.5).train()
    logits = network(batch())
    predicted, lengths = network._predicted
    assert lengths.tolist() == [40 - SEEN + 1, 23 - SEEN + 1]
    expected = F.cross_entropy(logits, batch().labels) + 0.5 * alignment_loss(
        predicted, lengths, batch().word_lengths
    )
    torch.testing.assert_close(network.training_loss(batch(), logits), expected)


@pytest.mark.parametrize("name", fg_cme.__all__)
def test_an_utterance_shorter_than_the_convolutions_has_logits(name: str) -> None:
    network = getattr(fg_cme, name)(SIZES, form="released").train()
    short = replace(
        batch(),
        frames=batch().frames[:, :4],  # type: ignore[index]
        frame_lengths=torch.tensor([4, 3]),
        segments=torch.tensor([[[0, 2], [2, 3], [3, 4]], [[0, 3], [3, 3], [0, 0]]]),
    )
    logits = network(short)
    own = getattr(network, "training_loss", None)
    loss = F.cross_entropy(logits, short.labels) if own is None else own(short, logits)
    loss.backward()
    assert torch.isfinite(logits).all()
    assert all(
        torch.isfinite(value.grad).all() for value in network.parameters() if value.grad is not None
    )


def test_attention_starts_as_in_the_release() -> None:
    torch.manual_seed(0)
    query = fg_cme.LSTM_Attn_a(SIZES, form="released").encoder.pool.score.weight
    assert abs(query.std().item() - 1) < 0.1
    attention = fg_cme.AttnFusion_m(SIZES, form="released").attention
    reference = nn.MultiheadAttention(512, 4)
    for part, weight in zip(
        (attention.query, attention.key, attention.value),
        reference.in_proj_weight.chunk(3),
        strict=True,
    ):
        assert abs(part.weight.std() - weight.std()) < 1e-3
        assert part.weight.abs().max() <= (6 / 2048) ** 0.5
    for part in (attention.query, attention.value, attention.output):
        assert part.bias.eq(0).all()
    assert attention.dropout.p == 0.5


@pytest.mark.parametrize(
    ("name", "changes"),
    [("FG_CME", {"classifier_size": 64}), ("ctc_align", {"alignment_size": 32})],
)
def test_what_the_released_form_does_not_have_is_refused(
    name: str, changes: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="`form: released` has none, leave it out"):
        getattr(fg_cme, name)(SIZES, form="released", **changes)
