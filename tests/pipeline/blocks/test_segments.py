"""Word pooling on segment bounds against plain loops."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pipeline.blocks.segments import covered_span, segment_mean_max


def by_loop(x: Tensor, segments: Tensor) -> Tensor:
    batch, num_frames, channels = x.shape
    pooled = x.new_zeros(batch, segments.shape[1], 2 * channels)
    for row in range(batch):
        for word in range(segments.shape[1]):
            start, end = (min(max(int(bound), 0), num_frames) for bound in segments[row, word])
            if end > start:
                frames = x[row, start:end]
                pooled[row, word] = torch.cat([frames.mean(0), frames.max(0).values])
    return pooled


@st.composite
def cases(draw: st.DrawFn) -> tuple[Tensor, Tensor]:
    """Segments in any order: empty, touching, overlapping, reaching over the end."""
    batch, num_frames, words, channels = (draw(st.integers(1, high)) for high in (3, 12, 5, 3))
    bound = st.integers(0, num_frames + 2)
    segments = draw(
        st.lists(st.tuples(bound, bound), min_size=batch * words, max_size=batch * words)
    )
    seed = draw(st.integers(0, 1000))
    x = torch.randn(
        batch,
        num_frames,
        channels,
        generator=torch.Generator().manual_seed(seed),
        dtype=torch.float64,
    )
    return x, torch.tensor(segments).view(batch, words, 2)


@settings(max_examples=80, deadline=None)
@given(cases())
def test_pooling_and_its_gradient_equal_a_double_loop(case: tuple[Tensor, Tensor]) -> None:
    x, segments = case
    x = x.requires_grad_()
    pooled, expected = segment_mean_max(x, segments), by_loop(x, segments)
    torch.testing.assert_close(pooled, expected)
    slope = torch.linspace(-1, 1, pooled.numel(), dtype=x.dtype).view_as(pooled)
    (gradient,) = torch.autograd.grad(pooled, x, slope)
    wanted = (
        torch.autograd.grad(expected, x, slope, allow_unused=True)[0]
        if expected.requires_grad
        else None
    )
    torch.testing.assert_close(gradient, torch.zeros_like(x) if wanted is None else wanted)


def test_numerical_gradient() -> None:
    x = torch.randn(2, 6, 3, dtype=torch.float64, requires_grad=True)
    segments = torch.tensor([[[0, 3], [2, 6]], [[4, 4], [1, 5]]])
    assert torch.autograd.gradcheck(lambda frames: segment_mean_max(frames, segments), x)


def test_empty_word_gives_zeros_even_where_frames_are_negative() -> None:
    pooled = segment_mean_max(torch.full((1, 4, 2), -3.0), torch.tensor([[[2, 2], [0, 4], [3, 1]]]))
    assert pooled[0, 0].eq(0).all() and pooled[0, 2].eq(0).all() and pooled[0, 1].eq(-3).all()


def test_no_words_at_all() -> None:
    x = torch.randn(2, 5, 3, requires_grad=True)
    pooled = segment_mean_max(x, torch.zeros(2, 0, 2, dtype=torch.long))
    assert pooled.shape == (2, 0, 6)
    none = segment_mean_max(x, torch.zeros(2, 3, 2, dtype=torch.long))
    none.sum().backward()
    assert none.eq(0).all() and x.grad is not None and x.grad.eq(0).all()


def test_shared_maximum_gives_its_gradient_to_the_earliest_frame() -> None:
    x = torch.ones(1, 3, 1, requires_grad=True)
    segment_mean_max(x, torch.tensor([[[0, 3]]]))[..., 1].sum().backward()
    assert x.grad is not None and x.grad.flatten().tolist() == [1.0, 0.0, 0.0]


def test_bfloat16_sums_keep_single_precision() -> None:
    x = torch.cat([torch.full((1, 1, 1), 256.0), torch.ones(1, 512, 1)], dim=1).bfloat16()
    mean = segment_mean_max(x, torch.tensor([[[0, 513]]]))[0, 0, 0]
    # Added up in bfloat16 the ones would be lost beside 256: the mean would be 0.5
    # instead of 1.5.
    assert mean.dtype == torch.bfloat16 and mean.item() == pytest.approx(768 / 513, rel=0.01)


def test_runs_under_deterministic_algorithms() -> None:
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        x = torch.randn(2, 9, 4, requires_grad=True)
        segment_mean_max(x, torch.tensor([[[0, 5], [3, 9]], [[0, 4], [4, 8]]])).sum().backward()
    finally:
        torch.use_deterministic_algorithms(before)


def test_covered_span() -> None:
    segments = torch.tensor([[[5, 9], [2, 4], [0, 0]], [[0, 0], [7, 7], [3, 1]]])
    assert covered_span(segments).tolist() == [[2, 9], [0, 0]]
