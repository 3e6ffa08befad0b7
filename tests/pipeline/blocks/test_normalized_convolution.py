"""The folded block against its plain form."""

import math
from copy import deepcopy

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.blocks import _cpu_folding
from pipeline.blocks.normalized_convolution import NormalizedConvolution


@settings(max_examples=40)
@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=4).filter(lambda lengths: sum(lengths) > 12),
    st.sampled_from([(1, 3, 3, 4), (1, 3, 2, 3), (2, 4, 1, 2), (1, 1, 1, 1)]),
    st.sampled_from([(torch.float64, 1e-7), (torch.float32, 1e-3)]),
)
def test_the_folded_form_equals_the_plain_one(
    lengths: list[int], sizes: tuple[int, int, int, int], precision: tuple[torch.dtype, float]
) -> None:
    dtype, tolerance = precision
    inputs, kernel, stride, pool = sizes
    block = NormalizedConvolution(inputs, 5, kernel, stride, pool).to(dtype)
    with torch.no_grad():
        # A negative scale turns the maximum into the minimum.
        block.norm.weight.copy_(torch.tensor([-1.0, -0.3, 0.5, 1.0, 2.0]))
    reference = deepcopy(block)
    counts = torch.tensor(lengths)
    x = torch.randn(len(lengths), 40, inputs, dtype=dtype) * 2 + 1
    assert _cpu_folding.pays(x, counts, block.convolution, block.pool)
    slope = torch.randn_like(block.eval()(x, counts))
    for training in (True, True, False):
        block.train(training), reference.train(training)
        made, expected = block(x, counts), reference.plain(x, counts)
        torch.testing.assert_close(made, expected, atol=tolerance, rtol=tolerance)
        of_made = torch.autograd.grad(made, list(block.parameters()), slope)
        of_expected = torch.autograd.grad(expected, list(reference.parameters()), slope)
        if dtype == torch.float64:
            for one, other in zip(of_made, of_expected, strict=True):
                torch.testing.assert_close(one, other, atol=tolerance, rtol=tolerance)
    for one, other in zip(block.norm.buffers(), reference.norm.buffers(), strict=True):
        torch.testing.assert_close(one, other, atol=tolerance, rtol=tolerance)
    assert block.output_lengths(counts).tolist() == [
        math.ceil(math.ceil(length / stride) / pool) for length in lengths
    ]


def test_one_step_in_all_has_no_variance() -> None:
    block = NormalizedConvolution(1, 5, 3, 3, 4)
    y = block(torch.randn(1, 2, 1), torch.tensor([2]))
    assert torch.isfinite(y).all() and block.norm.running_mean.eq(0).all()


def test_an_input_that_is_learnt_gets_its_gradient() -> None:
    x = torch.randn(3, 40, 1, requires_grad=True)
    NormalizedConvolution(1, 5, 3)(x, torch.tensor([40, 23, 1])).sum().backward()
    assert x.grad is not None and x.grad.abs().sum() > 0
