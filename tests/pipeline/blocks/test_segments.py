"""Word pooling on segment bounds, both forms."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pipeline.blocks.segments import covered_span, plain_segment_mean_max, segment_mean_max
from tests.resources.gradients import assert_agree

Pool = Callable[[Tensor, Tensor], Tensor]


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


@settings(max_examples=80)
@given(cases(), st.sampled_from([(torch.float64, None), (torch.float32, 1e-5)]))
def test_the_cpu_form_equals_the_plain_one(
    case: tuple[Tensor, Tensor], precision: tuple[torch.dtype, float | None]
) -> None:
    x, segments = case
    dtype, tolerance = precision
    x = x.to(dtype).requires_grad_()
    made, expected = segment_mean_max(x, segments), plain_segment_mean_max(x, segments)
    assert torch.equal(made[..., x.shape[2] :], expected[..., x.shape[2] :])
    assert_agree(made, expected, [x], tolerance)


FORMS = pytest.mark.parametrize("pool", [segment_mean_max, plain_segment_mean_max])


@FORMS
def test_one_word_is_the_mean_and_maximum_of_its_frames(pool: Pool) -> None:
    x = torch.randn(1, 6, 3)
    expected = torch.cat([x[0, 2:5].mean(0), x[0, 2:5].max(0).values])
    torch.testing.assert_close(pool(x, torch.tensor([[[2, 5]]]))[0, 0], expected)


@FORMS
def test_empty_word_gives_zeros_even_where_frames_are_negative(pool: Pool) -> None:
    pooled = pool(torch.full((1, 4, 2), -3.0), torch.tensor([[[2, 2], [0, 4], [3, 1]]]))
    assert pooled[0, 0].eq(0).all() and pooled[0, 2].eq(0).all() and pooled[0, 1].eq(-3).all()


@FORMS
def test_no_words_at_all(pool: Pool) -> None:
    x = torch.randn(2, 5, 3, requires_grad=True)
    pooled = pool(x, torch.zeros(2, 0, 2, dtype=torch.long))
    assert pooled.shape == (2, 0, 6)
    none = pool(x, torch.zeros(2, 3, 2, dtype=torch.long))
    none.sum().backward()
    assert none.eq(0).all() and x.grad is not None and x.grad.eq(0).all()


@FORMS
def test_shared_maximum_gives_its_gradient_to_the_earliest_frame(pool: Pool) -> None:
    x = torch.ones(1, 3, 1, requires_grad=True)
    pool(x, torch.tensor([[[0, 3]]]))[..., 1].sum().backward()
    assert x.grad is not None and x.grad.flatten().tolist() == [1.0, 0.0, 0.0]


@FORMS
def test_bfloat16_sums_keep_single_precision(pool: Pool) -> None:
    x = torch.cat([torch.full((1, 1, 1), 256.0), torch.ones(1, 512, 1)], dim=1).bfloat16()
    mean = pool(x, torch.tensor([[[0, 513]]]))[0, 0, 0]
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
