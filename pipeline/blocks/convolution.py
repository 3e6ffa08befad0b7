"""Convolution and max pooling over time in layout (batch, time, channels), untouched by
padding.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.batch import length_mask
from pipeline.blocks import _cpu_convolution


class Conv1d(nn.Module):
    """Convolution over time that keeps the length (stride 1) or divides it by the
    stride, rounded up.

    Output step i reads the input steps from i * stride - (kernel_size - 1) // 2 on, so
    an even kernel leans to the future. Steps outside the sequence count as zeros,
    whether or not the batch holds padding there.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.stride = stride
        left = (kernel_size - 1) // 2
        self.padding = (left, kernel_size - 1 - left)
        self.conv = nn.Conv1d(
            in_channels, out_channels, kernel_size, stride, groups=groups, bias=bias
        )

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Tensor[B, T, in_channels] and Tensor[B] to Tensor[B, ceil(T / stride),
        out_channels], zeros in padding.
        """
        if x.device.type == "cpu" and _cpu_convolution.pays(self.conv):
            if self.stride == 1 and bool((lengths == x.shape[1]).all()):
                return _cpu_convolution.unfolded(x, self.conv)
            return _cpu_convolution.convolve(x, lengths, [self.conv])
        return self.plain(x, lengths)

    def plain(self, x: Tensor, lengths: Tensor) -> Tensor:
        """The definition; on a CPU `forward` equals it up to rounding, faster."""
        x = x * length_mask(lengths, x.shape[1])[..., None]
        y: Tensor = self.conv(F.pad(x.transpose(1, 2), self.padding)).transpose(1, 2)
        return y * length_mask(self.output_lengths(lengths), y.shape[1])[..., None]

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Valid steps after the layer: ceil(lengths / stride)."""
        return _ceil_divide(lengths, self.stride)


def layer_sizes(
    in_channels: int, channels: Sequence[int], kernel_sizes: Sequence[int]
) -> list[tuple[int, int, int]]:
    """Input channels, output channels and kernel of each layer of a stack; ValueError
    unless there is one of each for every layer.
    """
    if len(channels) != len(kernel_sizes) or not channels:
        raise ValueError(
            f"{len(channels)} channels and {len(kernel_sizes)} kernel sizes: "
            "expected one of each for every layer"
        )
    return list(zip([in_channels, *channels], channels, kernel_sizes, strict=False))


class SeparableConv1d(nn.Module):
    """Depthwise-separable convolution: each channel alone over time, then a kernel-1
    mix of the channels.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1
    ) -> None:
        super().__init__()
        self.depthwise = Conv1d(
            in_channels, in_channels, kernel_size, stride, groups=in_channels, bias=False
        )
        self.pointwise = Conv1d(in_channels, out_channels, 1)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Tensor[B, T, in_channels] to Tensor[B, ceil(T / stride), out_channels], zeros
        in padding.
        """
        y: Tensor = self.pointwise(self.depthwise(x, lengths), self.output_lengths(lengths))
        return y

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Valid steps after the layer: ceil(lengths / stride)."""
        return self.depthwise.output_lengths(lengths)


class MaxPool1d(nn.Module):
    """Maximum over windows of valid steps; ceil(T / stride) steps remain, so the
    shortest sequence keeps one.

    Step i pools the input from i * stride - (kernel_size - stride) // 2 on (kernel_size
    = stride: disjoint windows, stride 1: centred windows that keep the length).
    """

    def __init__(self, kernel_size: int, stride: int | None = None) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        if self.stride > kernel_size:
            raise ValueError(
                f"stride {self.stride} skips steps, expected at most kernel_size {kernel_size}"
            )

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Tensor[B, T, C] and Tensor[B] to Tensor[B, ceil(T / stride), C], zeros in
        padding.
        """
        length = x.shape[1]
        steps = -(-length // self.stride)
        left = (self.kernel_size - self.stride) // 2
        right = max(0, (steps - 1) * self.stride + self.kernel_size - left - length)
        mask = length_mask(lengths, length)[..., None]
        # The lowest finite number, not -inf: a window of padding only must not turn
        # gradients into NaN.
        floor = torch.finfo(x.dtype).min
        x = F.pad(x.masked_fill(~mask, floor), (0, 0, left, right), value=floor)
        if x.device.type == "cpu":
            pooled = F.max_pool1d(x.transpose(1, 2), self.kernel_size, self.stride)
            pooled = pooled.transpose(1, 2)[:, :steps]
        else:
            # Unlike max_pool1d, unfold and max have a deterministic gradient on CUDA.
            pooled = x.unfold(1, self.kernel_size, self.stride)[:, :steps].max(dim=-1).values
        kept = length_mask(self.output_lengths(lengths), steps)[..., None]
        return pooled.masked_fill(~kept, 0.0)

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Valid steps after the layer: ceil(lengths / stride)."""
        return _ceil_divide(lengths, self.stride)


def _ceil_divide(lengths: Tensor, stride: int) -> Tensor:
    return (
        lengths if stride == 1 else torch.div(lengths + stride - 1, stride, rounding_mode="floor")
    )
