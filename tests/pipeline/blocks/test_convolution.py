"""Convolution and maximum over time: definitions and indifference to padding."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from pipeline.blocks.convolution import Conv1d, MaxPool1d, SeparableConv1d

LENGTHS = torch.tensor([11, 6, 1])


def padded(channels: int) -> Tensor:
    """Deliberately not zero in padding: the layers must not trust it."""
    return torch.randn(3, 11, channels, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "layer",
    [
        Conv1d(4, 5, 1),
        Conv1d(4, 5, 2),
        Conv1d(4, 5, 5),
        Conv1d(4, 5, 4, stride=3),
        Conv1d(4, 8, 3, groups=4),
        SeparableConv1d(4, 5, 3, stride=2),
        MaxPool1d(2),
        MaxPool1d(3, 1),
        MaxPool1d(4, 3),
    ],
    ids=str,
)
def test_padding_changes_nothing(layer: Conv1d | SeparableConv1d | MaxPool1d) -> None:
    x = padded(4)
    together, kept = layer(x, LENGTHS), layer.output_lengths(LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        alone = layer(x[row : row + 1, :length], LENGTHS[row : row + 1])
        assert alone.shape[1] == kept[row] >= 1
        torch.testing.assert_close(together[row, : kept[row]], alone[0])
        assert together[row, kept[row] :].eq(0).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.integers(1, 6), st.integers(1, 4))
def test_convolution_equals_its_sum(length: int, kernel: int, stride: int) -> None:
    layer = Conv1d(2, 3, kernel, stride).double()
    x = torch.randn(1, length, 2, dtype=torch.float64)
    y = layer(x, torch.tensor([length]))
    assert y.shape == (1, -(-length // stride), 3)
    for step in range(y.shape[1]):
        total = layer.conv.bias.clone() if layer.conv.bias is not None else torch.zeros(3)
        for offset in range(kernel):
            place = step * stride - (kernel - 1) // 2 + offset
            if 0 <= place < length:
                total = total + layer.conv.weight[:, :, offset] @ x[0, place]
        torch.testing.assert_close(y[0, step], total)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.integers(1, 5), st.data())
def test_maximum_equals_its_definition(length: int, kernel: int, data: st.DataObject) -> None:
    stride = data.draw(st.integers(1, kernel))
    x = torch.randn(1, length, 2)
    y = MaxPool1d(kernel, stride)(x, torch.tensor([length]))
    assert y.shape[1] == -(-length // stride)
    for step in range(y.shape[1]):
        start = step * stride - (kernel - stride) // 2
        window = x[0, max(start, 0) : start + kernel]
        torch.testing.assert_close(y[0, step], window.max(0).values)


def test_maximum_refuses_to_skip_steps() -> None:
    with pytest.raises(ValueError, match="expected at most kernel_size 2"):
        MaxPool1d(2, 3)


def test_separable_is_a_convolution_with_a_factored_kernel() -> None:
    separable, full = SeparableConv1d(3, 4, 3), Conv1d(3, 4, 3)
    depth, point = separable.depthwise.conv.weight, separable.pointwise.conv.weight
    assert full.conv.bias is not None and separable.pointwise.conv.bias is not None
    full.conv.weight = nn.Parameter(torch.einsum("oc,ck->ock", point[..., 0], depth[:, 0]))
    full.conv.bias = nn.Parameter(separable.pointwise.conv.bias.clone())
    x = padded(3)
    torch.testing.assert_close(separable(x, LENGTHS), full(x, LENGTHS))


@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (2, 1), (5, 3), (3, 3), (4, 6)])
@pytest.mark.parametrize("bias", [True, False])
def test_wide_convolution_equals_torch_with_its_gradients(
    kernel: int, stride: int, bias: bool
) -> None:
    layer = Conv1d(8, 3, kernel, stride, bias=bias).double()
    x = padded(8).double().requires_grad_()
    y = layer(x, LENGTHS)
    slope = torch.randn_like(y)
    inputs = [x, *layer.parameters()]
    expected = torch.zeros_like(y)
    for row, length in enumerate(LENGTHS.tolist()):
        framed = nn.functional.pad(x[row : row + 1, :length].transpose(1, 2), (*layer.padding,))
        # Windows that start inside but end beyond the padding exist only when the
        # stride exceeds the kernel.
        expected[row, : -(-length // stride)] = layer.conv(framed)[0].T
    torch.testing.assert_close(y, expected)
    for made, wanted in zip(
        torch.autograd.grad(y, inputs, slope),
        torch.autograd.grad(expected, inputs, slope),
        strict=True,
    ):
        torch.testing.assert_close(made, wanted)


@pytest.mark.parametrize("size", [1, 2, 4, 20])
def test_disjoint_maximum_has_the_gradient_of_torch(size: int) -> None:
    x = padded(3).double().requires_grad_()
    y = MaxPool1d(size)(x, LENGTHS)
    slope = torch.randn_like(y)
    expected = torch.zeros_like(y)
    for row, length in enumerate(LENGTHS.tolist()):
        pooled = nn.functional.max_pool1d(
            x[row : row + 1, :length].transpose(1, 2), size, ceil_mode=True
        )
        expected[row, : pooled.shape[2]] = pooled[0].T
    torch.testing.assert_close(y, expected)
    torch.testing.assert_close(
        torch.autograd.grad(y, x, slope), torch.autograd.grad(expected, x, slope)
    )
