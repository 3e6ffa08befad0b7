"""The folded block against its parts one after another."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from pipeline.blocks.normalized_convolution import NormalizedConvolution

LENGTHS = torch.tensor([40, 23, 1])


def parts(block: NormalizedConvolution, x: Tensor) -> Tensor:
    steps = block.convolution.output_lengths(LENGTHS)
    made: Tensor = block.pool(block.norm(block.convolution(x, LENGTHS), steps), steps).relu()
    return made


@pytest.mark.parametrize(
    ("inputs", "kernel", "stride", "pool"), [(1, 3, 3, 4), (1, 3, 2, 3), (2, 4, 1, 2), (1, 1, 1, 1)]
)
def test_folded_equals_the_parts(inputs: int, kernel: int, stride: int, pool: int) -> None:
    torch.manual_seed(0)
    block = NormalizedConvolution(inputs, 5, kernel, stride, pool).double()
    reference = NormalizedConvolution(inputs, 5, kernel, stride, pool).double()
    with torch.no_grad():
        block.norm.weight.uniform_(-1, 2)  # a negative scale turns the maximum into the minimum
    reference.load_state_dict(block.state_dict())
    assert block.narrow
    x = torch.randn(3, 40, inputs, dtype=torch.float64) * 2 + 1
    for training in (True, True, False):
        block.train(training), reference.train(training)
        made, expected = block(x, LENGTHS), parts(reference, x)
        torch.testing.assert_close(made, expected)
        slope = torch.randn_like(made)
        for one, other in zip(
            torch.autograd.grad(made, list(block.parameters()), slope),
            torch.autograd.grad(expected, list(reference.parameters()), slope),
            strict=True,
        ):
            torch.testing.assert_close(one, other)
    torch.testing.assert_close(block.norm.running_mean, reference.norm.running_mean)
    torch.testing.assert_close(block.norm.running_var, reference.norm.running_var)
    assert block.output_lengths(LENGTHS).tolist() == [
        made.shape[1],
        math.ceil(math.ceil(23 / stride) / pool),
        1,
    ]


def test_one_step_in_all_has_no_variance() -> None:
    block = NormalizedConvolution(1, 5, 3, 3, 4)
    y = block(torch.randn(1, 2, 1), torch.tensor([2]))
    assert torch.isfinite(y).all() and block.norm.running_mean.eq(0).all()


def test_an_input_that_is_learnt_gets_its_gradient() -> None:
    x = torch.randn(3, 40, 1, requires_grad=True)
    NormalizedConvolution(1, 5, 3)(x, LENGTHS).sum().backward()
    assert x.grad is not None and x.grad.abs().sum() > 0
