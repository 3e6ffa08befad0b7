"""Convolution and maximum over time: definitions and indifference to padding."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from pipeline.blocks import _cpu_convolution
from pipeline.blocks.convolution import Conv1d, MaxPool1d, SeparableConv1d
from tests.resources.gradients import assert_agree

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


@settings(max_examples=40)
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


@settings(max_examples=40)
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


@settings(max_examples=60)
@given(
    st.lists(st.integers(0, 11), min_size=1, max_size=4),
    st.integers(1, 5),
    st.integers(1, 6),
    st.booleans(),
    st.sampled_from([(torch.float64, None), (torch.float32, 1e-4)]),
)
def test_the_cpu_form_equals_the_plain_one(
    lengths: list[int],
    kernel: int,
    stride: int,
    bias: bool,
    precision: tuple[torch.dtype, float | None],
) -> None:
    dtype, tolerance = precision
    layer = Conv1d(8, 3, kernel, stride, bias=bias).to(dtype)
    assert _cpu_convolution.pays(layer.conv)
    x = torch.randn(len(lengths), 11, 8, dtype=dtype, requires_grad=True)
    counts = torch.tensor(lengths)
    made, expected = layer(x, counts), layer.plain(x, counts)
    assert_agree(made, expected, [x, *layer.parameters()], tolerance)


@pytest.mark.parametrize("kernel", [1, 2, 3, 6])
@pytest.mark.parametrize("bias", [True, False])
def test_a_batch_without_padding_is_convolved_as_one_product(kernel: int, bias: bool) -> None:
    layer = Conv1d(8, 3, kernel, bias=bias).double()
    x = torch.randn(4, 7, 8, dtype=torch.float64, requires_grad=True)
    made, expected = _cpu_convolution.unfolded(x, layer.conv), layer.plain(x, torch.full((4,), 7))
    assert_agree(made, expected, [x, *layer.parameters()])


@pytest.mark.parametrize("size", [1, 2, 4, 20])
def test_a_shared_maximum_gives_its_gradient_to_the_first_step(size: int) -> None:
    x = torch.ones(3, 11, 2, requires_grad=True)
    MaxPool1d(size)(x, LENGTHS).sum().backward()
    assert x.grad is not None
    for row, length in enumerate(LENGTHS.tolist()):
        first = [float(step < length and step % size == 0) for step in range(11)]
        assert x.grad[row, :, 0].tolist() == first


def test_maximum_over_an_empty_sequence_is_zero() -> None:
    x = torch.randn(2, 5, 3, requires_grad=True)
    y = MaxPool1d(2)(x, torch.tensor([0, 5]))
    y.sum().backward()
    assert y[0].eq(0).all() and x.grad is not None and x.grad[0].eq(0).all()
