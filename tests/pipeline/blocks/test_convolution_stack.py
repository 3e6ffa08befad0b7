"""The stack's utterance-by-utterance form against layer after layer over the padded
batch.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pipeline.blocks.convolution_stack import ConvolutionStack

LENGTHS = torch.tensor([12, 7, 1, 3])
SPANS = {
    "all": None,
    "inner": torch.tensor([[2, 9], [0, 7], [0, 1], [3, 3]]),
    "beyond the end": torch.tensor([[4, 99], [6, 8], [5, 9], [0, 2]]),
}


def layer_by_layer(stack: ConvolutionStack, x: Tensor, span: Tensor | None) -> Tensor:
    for layer in stack.layers:
        x = layer(x, LENGTHS).relu()
    steps = torch.arange(x.shape[1])
    if span is None:
        return x
    return x * ((steps >= span[:, :1]) & (steps < span[:, 1:]))[..., None]


@pytest.mark.parametrize("span", list(SPANS.values()), ids=list(SPANS))
@pytest.mark.parametrize("kernels", [(5, 2, 2), (1, 4), (3,)])
def test_equals_the_layers_one_after_another(kernels: tuple[int, ...], span: Tensor | None) -> None:
    torch.manual_seed(0)
    stack = ConvolutionStack(3, range(4, 4 + len(kernels)), kernels).double()
    x = torch.randn(4, 12, 3, dtype=torch.float64, requires_grad=True)
    y, expected = stack(x, LENGTHS, span), layer_by_layer(stack, x, span)
    torch.testing.assert_close(y, expected)
    slope = torch.randn_like(y)
    inputs = [x, *stack.parameters()]
    for made, wanted in zip(
        torch.autograd.grad(y, inputs, slope),
        torch.autograd.grad(expected, inputs, slope),
        strict=True,
    ):
        torch.testing.assert_close(made, wanted)


def test_autocast_takes_the_other_form_and_stays_near() -> None:
    stack = ConvolutionStack(3, (4, 5), (3, 2))
    x, span = torch.randn(4, 12, 3), SPANS["inner"]
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
