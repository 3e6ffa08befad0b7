"""Pooling over time against plain loops."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.blocks.pooling import (
    AttentionPooling,
    masked_max,
    masked_mean,
    masked_std,
    statistics_pooling,
)


@settings(max_examples=30)
@given(st.lists(st.integers(0, 7), min_size=1, max_size=4), st.integers(0, 99))
def test_statistics_equal_plain_loops(lengths: list[int], seed: int) -> None:
    x = torch.randn(len(lengths), 7, 3, generator=torch.Generator().manual_seed(seed))
    counts = torch.tensor(lengths)
    for row, length in enumerate(lengths):
        valid = x[row, :length]
        mean, highest, std = (
            pool(x, counts)[row] for pool in (masked_mean, masked_max, masked_std)
        )
        if length == 0:
            assert mean.eq(0).all() and highest.eq(0).all()
            continue
        torch.testing.assert_close(mean, valid.mean(0))
        torch.testing.assert_close(highest, valid.max(0).values)
        torch.testing.assert_close(std, valid.var(0, correction=0).add(1e-5).sqrt())
        torch.testing.assert_close(statistics_pooling(x, counts)[row], torch.cat([mean, std]))


def test_standard_deviation_of_one_step_has_a_finite_gradient() -> None:
    x = torch.randn(1, 4, 3, requires_grad=True)
    statistics_pooling(x, torch.tensor([1])).sum().backward()
    assert x.grad is not None and torch.isfinite(x.grad).all()


def test_attention_weights_are_a_softmax_of_the_scores_of_valid_steps() -> None:
    for hidden_size in (None, 5):
        pool = AttentionPooling(4, hidden_size)
        x, lengths = torch.randn(2, 6, 4), torch.tensor([6, 2])
        weights = pool.weights(x, lengths)
        torch.testing.assert_close(weights.sum(1), torch.ones(2))
        assert weights[1, 2:].eq(0).all()
        scores = pool.score(
            x[1, :2] / 2 if pool.hidden is None else torch.tanh(pool.hidden(x[1, :2]))
        )
        torch.testing.assert_close(pool(x, lengths)[1], (scores.softmax(0) * x[1, :2]).sum(0))


def test_attention_over_nothing_gives_zeros() -> None:
    assert AttentionPooling(4)(torch.randn(1, 3, 4), torch.tensor([0])).eq(0).all()
