"""Convolution and max pooling over time in layout (batch, time, channels), untouched by
padding.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.batch import length_mask


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
        conv = self.conv
        if _by_utterance_pays(x, conv):
            y: Tensor = _ByUtterance.apply(
                x, lengths.tolist(), self.padding[0], self.stride, conv.weight, conv.bias
            )  # type: ignore[no-untyped-call]
            return y
        x = x * length_mask(lengths, x.shape[1])[..., None]
        y = conv(F.pad(x.transpose(1, 2), self.padding)).transpose(1, 2)
        return y * length_mask(self.output_lengths(lengths), y.shape[1])[..., None]

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Valid steps after the layer: ceil(lengths / stride)."""
        return _ceil_divide(lengths, self.stride)


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
        if self.kernel_size == self.stride <= 127:
            y: Tensor = _DisjointMaximum.apply(x, lengths, self.stride)  # type: ignore[no-untyped-call]
            return y
        length = x.shape[1]
        steps = -(-length // self.stride)
        left = (self.kernel_size - self.stride) // 2
        right = max(0, (steps - 1) * self.stride + self.kernel_size - left - length)
        mask = length_mask(lengths, length)[..., None]
        # The lowest finite number, not -inf: a window of padding only must not turn
        # gradients into NaN.
        floor = torch.finfo(x.dtype).min
        x = F.pad(x.masked_fill(~mask, floor).transpose(1, 2), (left, right), value=floor)
        pooled = F.max_pool1d(x, self.kernel_size, self.stride)[..., :steps].transpose(1, 2)
        kept = length_mask(self.output_lengths(lengths), steps)[..., None]
        return pooled.masked_fill(~kept, 0.0)

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Valid steps after the layer: ceil(lengths / stride)."""
        return _ceil_divide(lengths, self.stride)


def _by_utterance_pays(x: Tensor, conv: nn.Conv1d) -> bool:
    # Matrix products with fewer than 8 columns leave a CPU idle, and autocast does not
    # reach into own functions.
    wide = conv.groups == 1 and conv.in_channels >= 8
    return wide and x.device.type == "cpu" and not torch.is_autocast_enabled("cpu")


class _ByUtterance(torch.autograd.Function):
    """The convolution as a sum of one matrix product per kernel position, over the
    valid steps of each utterance.

    On a CPU this is faster than torch's routine by the padding it leaves out and the
    layouts it does not rearrange.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        lengths: list[int],
        left: int,
        stride: int,
        weight: Tensor,
        bias: Tensor | None,
    ) -> Tensor:
        positions = weight.permute(2, 1, 0).contiguous()
        out = x.new_zeros(x.shape[0], -(-x.shape[1] // stride), weight.shape[0])
        start = x.new_zeros(weight.shape[0]) if bias is None else bias
        for index, length in enumerate(lengths):
            windows = _Windows(length, left, stride, weight.shape[2])
            state, rows = windows.surround(x[index, :length]), out[index, : windows.steps]
            torch.addmm(start, windows.at(state, 0), positions[0], out=rows)
            for offset in range(1, len(positions)):
                torch.addmm(rows, windows.at(state, offset), positions[offset], out=rows)
        ctx.save_for_backward(x, positions)
        ctx.lengths, ctx.left, ctx.stride = lengths, left, stride
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        x, positions = ctx.saved_tensors
        of_positions, of_bias = torch.zeros_like(positions), positions.new_zeros(positions.shape[2])
        of_x = torch.zeros_like(x) if ctx.needs_input_grad[0] else None
        for index, length in enumerate(ctx.lengths):
            windows = _Windows(length, ctx.left, ctx.stride, len(positions))
            state, slope = windows.surround(x[index, :length]), gradients[0][index, : windows.steps]
            of_bias += slope.sum(0)
            for offset, of_position in enumerate(of_positions):
                of_position.addmm_(windows.at(state, offset).t(), slope)
            if of_x is not None:
                of_state = torch.zeros_like(state)
                for offset, position in enumerate(positions):
                    windows.at(of_state, offset).addmm_(slope, position.t())
                of_x[index, :length] = of_state[ctx.left : ctx.left + length]
        return (
            of_x,
            None,
            None,
            None,
            of_positions.permute(2, 1, 0),
            of_bias if ctx.needs_input_grad[5] else None,
        )


class _Windows:
    """Which input steps one utterance's output steps read, at each position of the
    kernel.
    """

    def __init__(self, length: int, left: int, stride: int, kernel: int) -> None:
        self.steps = -(-length // stride)
        self.stride = stride
        # One past the last output step's first input; an empty utterance has none.
        self.reach = (self.steps - 1) * stride + 1 if self.steps else 0
        self.zeros = (left, max(0, self.reach + kernel - 1 - left - length))

    def surround(self, state: Tensor) -> Tensor:
        return F.pad(state, (0, 0, *self.zeros)) if any(self.zeros) else state

    def at(self, state: Tensor, offset: int) -> Tensor:
        return state[offset : offset + self.reach : self.stride]


class _DisjointMaximum(torch.autograd.Function):
    """Maximum over windows that do not overlap; one byte per output remembers the
    winner.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, lengths: Tensor, size: int) -> Tensor:
        shape = (x.shape[0], -(-x.shape[1] // size), x.shape[2])
        floor = torch.finfo(x.dtype).min
        highest = x.new_full(shape, floor)
        winner = torch.zeros(shape, dtype=torch.int8, device=x.device)
        steps = torch.arange(shape[1], device=x.device) * size
        for offset in range(min(size, x.shape[1])):
            part = x[:, offset::size]
            count = part.shape[1]
            valid = (steps[:count] + offset < lengths[:, None])[..., None]
            part = part.masked_fill(~valid, floor)
            winner[:, :count].masked_fill_(part > highest[:, :count], offset)
            torch.maximum(highest[:, :count], part, out=highest[:, :count])
        kept = (steps < lengths[:, None])[..., None]
        ctx.save_for_backward(winner, kept)
        ctx.input_shape, ctx.size = x.shape, size
        return highest.masked_fill_(~kept, 0.0)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        winner, kept = ctx.saved_tensors
        slope = gradients[0] * kept
        of_x = slope.new_zeros(ctx.input_shape)
        for offset in range(min(ctx.size, of_x.shape[1])):
            part = of_x[:, offset :: ctx.size]
            count = part.shape[1]
            torch.mul(slope[:, :count], winner[:, :count] == offset, out=part)
        return of_x, None, None


def _ceil_divide(lengths: Tensor, stride: int) -> Tensor:
    return (
        lengths if stride == 1 else torch.div(lengths + stride - 1, stride, rounding_mode="floor")
    )
