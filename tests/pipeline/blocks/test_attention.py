"""Attention against torch's scaled_dot_product_attention and MultiheadAttention."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from pipeline.blocks.attention import AttentionBlock, MultiHeadAttention, attend

LENGTHS = torch.tensor([7, 3])
MASK = torch.arange(7) < LENGTHS[:, None]
QUERY, MEMORY = torch.randn(2, 5, 20), torch.randn(2, 7, 20)


def test_attend_equals_scaled_dot_product_attention() -> None:
    query, key, value = torch.randn(2, 3, 5, 8), torch.randn(2, 3, 7, 8), torch.randn(2, 3, 7, 6)
    mask = MASK[:, None, None, :]
    inputs = [item.requires_grad_() for item in (query, key, value)]
    ours = attend(query, key, value, mask)
    expected = F.scaled_dot_product_attention(query, key, value, attn_mask=mask.expand(2, 3, 5, 7))
    torch.testing.assert_close(ours, expected)
    slope = torch.randn_like(ours)
    for made, wanted in zip(
        torch.autograd.grad(ours, inputs, slope),
        torch.autograd.grad(expected, inputs, slope),
        strict=True,
    ):
        torch.testing.assert_close(made, wanted)


def test_attending_to_nothing_gives_zeros_and_finite_gradients() -> None:
    key = torch.randn(1, 4, 8, requires_grad=True)
    attended = attend(
        torch.randn(1, 2, 8), key, torch.randn(1, 4, 8), torch.zeros(1, 1, 4, dtype=torch.bool)
    )
    attended.sum().backward()
    assert attended.eq(0).all() and key.grad is not None and torch.isfinite(key.grad).all()


def test_the_weights_told_are_those_of_torch_multihead_attention() -> None:
    ours, reference = MultiHeadAttention(20, 10), nn.MultiheadAttention(20, 10, batch_first=True)
    with torch.no_grad():
        parts = (ours.query, ours.key, ours.value)
        reference.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
        reference.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
    query, memory = torch.randn(2, 5, 20), torch.randn(2, 7, 20)
    _, expected = reference(query, memory, memory, key_padding_mask=~MASK)
    torch.testing.assert_close(ours.weights(query, memory, LENGTHS), expected)


def test_heads_equal_torch_multihead_attention() -> None:
    ours, reference = MultiHeadAttention(20, 10), nn.MultiheadAttention(20, 10, batch_first=True)
    reference.in_proj_weight = nn.Parameter(
        torch.cat([ours.query.weight, ours.key.weight, ours.value.weight])
    )
    reference.in_proj_bias = nn.Parameter(
        torch.cat([ours.query.bias, ours.key.bias, ours.value.bias])
    )
    reference.out_proj.load_state_dict(ours.output.state_dict())
    query, memory = torch.randn(2, 5, 20), torch.randn(2, 7, 20)
    expected, _ = reference(query, memory, memory, key_padding_mask=~MASK, need_weights=False)
    torch.testing.assert_close(ours(query, memory, LENGTHS), expected)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_few_queries_change_nothing_but_rounding(dropout: float) -> None:
    plain = MultiHeadAttention(20, 4, dropout)
    few = MultiHeadAttention(20, 4, dropout, few_queries=True)
    # The bias of the keys, which few queries do without, has no part in the weights.
    assert few.load_state_dict(plain.state_dict(), strict=False).unexpected_keys == ["key.bias"]
    made = []
    for attention in (plain, few):
        torch.manual_seed(7)  # the same weights are dropped
        memory = MEMORY.clone().requires_grad_()
        heard = attention(QUERY, memory, LENGTHS)
        leaves = [leaf for name, leaf in attention.named_parameters() if name != "key.bias"]
        slopes = torch.autograd.grad(heard.square().sum(), [memory, *leaves])
        made.append([heard, *slopes])
    torch.testing.assert_close(made[1], made[0], atol=1e-5, rtol=1e-4)
    assert made[1][1][~MASK].eq(0).all()


def test_block_is_pre_norm_with_residuals() -> None:
    block = AttentionBlock(20, 4, 12)
    x, memory = torch.randn(2, 5, 20), torch.randn(2, 7, 20)
    after = x + block.attention(block.query_norm(x), block.memory_norm(memory), LENGTHS)
    norm, first, _, _, second = block.feed_forward
    expected = after + second(F.relu(first(norm(after))))
    torch.testing.assert_close(block(x, memory, LENGTHS), expected)


def test_uneven_heads_are_refused() -> None:
    with pytest.raises(ValueError, match="size 100 is not divisible by num_heads 3"):
        MultiHeadAttention(100, 3)
