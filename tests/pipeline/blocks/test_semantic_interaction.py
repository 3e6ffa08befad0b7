import math

import pytest
import torch
from torch import Tensor

from pipeline.batch import length_mask
from pipeline.blocks.semantic_interaction import SemanticInteraction


def by_equation(block: SemanticInteraction, t: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
    """Equations 6-9 for one utterance, step by step: t, u (W, d)."""
    x_s, x_t, b, v = (
        block.of_speech.weight,
        block.of_text.weight,
        block.of_text.bias,
        block.score.weight[0],
    )
    h_t, h_s = t.mean(0), u.mean(0)
    w_t = [math.exp(v @ torch.tanh(x_s @ u_i + x_t @ h_t + b)) for u_i in u]
    w_s = [math.exp(v @ torch.tanh(x_t @ t_i + x_s @ h_s + b)) for t_i in t]
    on_speech, on_text = (w_s, w_t) if block.crossed else (w_t, w_s)
    return (
        torch.stack([u_i * w / sum(on_speech) for u_i, w in zip(u, on_speech, strict=True)]),
        torch.stack([t_i * w / sum(on_text) for t_i, w in zip(t, on_text, strict=True)]),
    )


@torch.no_grad()
@pytest.mark.parametrize("crossed", [True, False])
def test_equals_the_equations_one_utterance_at_a_time(crossed: bool) -> None:
    torch.manual_seed(0)
    block = SemanticInteraction(6, 4, crossed)
    words, speech, lengths = torch.randn(3, 5, 6), torch.randn(3, 5, 6), torch.tensor([5, 1, 3])
    speech_out, words_out = block(words, speech, length_mask(lengths, 5))
    for row, n in enumerate(lengths.tolist()):
        expected_speech, expected_words = by_equation(block, words[row, :n], speech[row, :n])
        torch.testing.assert_close(speech_out[row, :n], expected_speech, atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(words_out[row, :n], expected_words, atol=1e-6, rtol=1e-5)
        assert not speech_out[row, n:].any() and not words_out[row, n:].any()


def test_a_text_without_words_gives_zeros_and_finite_gradients() -> None:
    block = SemanticInteraction(6, 4)
    words, speech = torch.randn(2, 3, 6, requires_grad=True), torch.randn(2, 3, 6)
    speech_out, words_out = block(words, speech, length_mask(torch.tensor([3, 0]), 3))
    assert not speech_out[1].any() and not words_out[1].any()
    (speech_out.sum() + words_out.square().sum()).backward()
    assert all(
        parameter.grad is not None and parameter.grad.isfinite().all()
        for parameter in block.parameters()
    )
    assert words.grad is not None and words.grad.isfinite().all()
