"""The stack's utterance-by-utterance form against layer after layer over the padded
batch.
"""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.blocks.convolution_stack import ConvolutionStack
from tests.resources.gradients import assert_agree

LENGTHS = torch.tensor([12, 7, 1, 3])
SPAN = torch.tensor([[2, 9], [0, 7], [0, 1], [3, 3]])


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(0, 12), st.integers(-1, 14), st.integers(-1, 14)),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from([(5, 2, 2), (1, 4), (3,)]),
    st.booleans(),
    st.sampled_from([(torch.float64, None), (torch.float32, 1e-4)]),
)
def test_the_cpu_form_equals_the_plain_one(
    rows: list[tuple[int, int, int]],
    kernels: tuple[int, ...],
    whole: bool,
    precision: tuple[torch.dtype, float | None],
) -> None:
    dtype, tolerance = precision
    stack = ConvolutionStack(3, range(4, 4 + len(kernels)), kernels).to(dtype)
    x = torch.randn(len(rows), 12, 3, dtype=dtype, requires_grad=True)
    lengths = torch.tensor([length for length, _, _ in rows])
    span = None if whole else torch.tensor([[start, end] for _, start, end in rows])
    made, expected = stack(x, lengths, span), stack.plain(x, lengths, span)
    assert_agree(made, expected, [x, *stack.parameters()], tolerance)


def test_autocast_takes_the_other_form_and_stays_near() -> None:
    stack = ConvolutionStack(3, (4, 5), (3, 2))
    x, span = torch.randn(4, 12, 3), SPAN
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = stack(x, LENGTHS, span)
    assert low.dtype == torch.bfloat16
    torch.testing.assert_close(low.float(), stack(x, LENGTHS, span), atol=0.05, rtol=0.05)


def test_same_bits_alone_and_in_a_batch() -> None:
    stack = ConvolutionStack(3, (4, 5), (5, 2))
    x = torch.randn(4, 12, 3)
    together = stack(x, LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        alone = stack(x[row : row + 1, :length], LENGTHS[row : row + 1])
        assert torch.equal(alone[0], together[row, :length])


def test_unequal_lists_are_refused() -> None:
    with pytest.raises(ValueError, match="2 channels and 1 kernel sizes"):
        ConvolutionStack(3, (4, 5), (3,))
