"""Convolution, batch norm, maximum over time, ReLU: one block of a waveform encoder."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.batch import length_mask
from pipeline.blocks.convolution import Conv1d, MaxPool1d
from pipeline.blocks.normalization import MaskedBatchNorm

NARROW = 16  # input values of a window up to which the folded form is used


class NormalizedConvolution(nn.Module):
    """Conv1d, batch norm over valid steps, maximum over `pool_size` steps, ReLU (the
    last two commute).

    Where a window has few values, as on a waveform, the block is folded: mean and
    variance of each channel follow exactly from the mean and covariance of the windows,
    so the normalisation becomes part of the weights, and only the maxima are ever
    stored. The other form would write every channel of every step several times over.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        pool_size: int = 1,
    ) -> None:
        super().__init__()
        self.convolution = Conv1d(in_channels, out_channels, kernel_size, stride)
        self.norm = MaskedBatchNorm(out_channels)
        self.pool = MaxPool1d(pool_size)
        self.narrow = in_channels * kernel_size <= NARROW and pool_size <= 127

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Tensor[B, T, in_channels] and Tensor[B] to Tensor[B, ceil(ceil(T / stride) /
        pool_size), out_channels].
        """
        steps = self.convolution.output_lengths(lengths)
        learn = self.training and int(steps.sum()) > 1
        if self.narrow and not x.requires_grad and learn == self.training:
            with torch.autocast(x.device.type, enabled=False):
                return self._folded(
                    x.float() if x.dtype != torch.float64 else x, lengths, steps
                ).relu()
        return self.pool(self.norm(self.convolution(x, lengths), steps), steps).relu()  # type: ignore[no-any-return]

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Valid steps after the block."""
        return self.pool.output_lengths(self.convolution.output_lengths(lengths))

    def _folded(self, x: Tensor, lengths: Tensor, steps: Tensor) -> Tensor:
        convolution, norm = self.convolution.conv, self.norm
        kernel, stride = convolution.kernel_size[0], self.convolution.stride
        length = -(-x.shape[1] // stride)
        left = self.convolution.padding[0]
        right = max(0, (length - 1) * stride + kernel - left - x.shape[1])
        x = F.pad(x * length_mask(lengths, x.shape[1])[..., None], (0, 0, left, right))
        windows = x.unfold(1, kernel, stride)[:, :length].flatten(2)
        weight = convolution.weight.flatten(1)
        assert convolution.bias is not None
        mask = length_mask(steps, length)
        if self.training:
            mean, variance = self._statistics(windows, mask, weight, convolution.bias)
        else:
            mean, variance = norm.running_mean, norm.running_var
        scale = norm.weight / (variance + norm.eps).sqrt()
        shift = norm.bias + (convolution.bias - mean) * scale
        pooled: Tensor = _MaximumOfProducts.apply(
            windows, mask, self.pool.stride, weight * scale[:, None], shift
        )  # type: ignore[no-untyped-call]
        return pooled

    def _statistics(
        self, windows: Tensor, mask: Tensor, weight: Tensor, bias: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Mean and variance of each output channel over the valid steps; the running
        ones are moved towards them.
        """
        norm = self.norm
        valid = mask[..., None]
        count = mask.sum()
        centre = (windows * valid).sum((0, 1)) / count
        centred = ((windows - centre) * valid).flatten(0, 1)
        covariance = centred.t() @ centred / count
        mean = weight @ centre + bias
        variance = torch.einsum("oi,ij,oj->o", weight, covariance, weight)
        with torch.no_grad():
            norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), norm.momentum)
            unbiased = variance * (count / (count - 1))
            norm.running_var.lerp_(unbiased.to(norm.running_var.dtype), norm.momentum)
        return mean, variance


class _MaximumOfProducts(torch.autograd.Function):
    """max over `size` neighbouring windows u of W u + b, utterance by utterance;
    invalid windows do not count.
    """

    @staticmethod
    def forward(
        ctx: Any, windows: Tensor, mask: Tensor, size: int, weight: Tensor, bias: Tensor
    ) -> Tensor:
        batch, length, _ = windows.shape
        shape = (batch, -(-length // size), weight.shape[0])
        out = windows.new_zeros(shape)
        winner = torch.zeros(shape, dtype=torch.int8, device=windows.device)
        counts = mask.sum(1).tolist()
        transposed = weight.t().contiguous()
        for index, count in enumerate(counts):
            for offset in range(min(size, count)):
                product = torch.addmm(bias, windows[index, offset:count:size], transposed)
                rows = product.shape[0]
                if offset == 0:
                    out[index, :rows] = product
                    continue
                winner[index, :rows].masked_fill_(product > out[index, :rows], offset)
                torch.maximum(out[index, :rows], product, out=out[index, :rows])
        ctx.save_for_backward(windows, winner, weight)
        ctx.counts, ctx.size = counts, size
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        windows, winner, weight = ctx.saved_tensors
        of_weight, of_bias = torch.zeros_like(weight), weight.new_zeros(weight.shape[0])
        for index, count in enumerate(ctx.counts):
            kept = -(-count // ctx.size)
            slope = gradients[0][index, :kept]
            of_bias += slope.sum(0)
            for offset in range(min(ctx.size, count)):
                inputs = windows[index, offset : count : ctx.size]
                chosen = slope[: inputs.shape[0]] * (winner[index, : inputs.shape[0]] == offset)
                of_weight.addmm_(chosen.t(), inputs)
        return None, None, None, of_weight, of_bias
