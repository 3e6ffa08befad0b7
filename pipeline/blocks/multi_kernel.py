"""The multi-kernel adaptive weighting block of TSIN (section III.B.2, eq. 2; section
III.D, eq. 11).

Convolutions with kernels 1, 3 and 5 read a sequence in parallel. Eq. 2 takes their
maximum, eq. 11 their mean. The paper names no activation between, so there is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from pipeline.batch import length_mask


class MultiKernelMax(nn.Module):
    """Maximum over parallel convolutions (eq. 2): Tensor[B, T, in] -> Tensor[B, T,
    out], zero in padding.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernels: Sequence[int] = (1, 3, 5)
    ) -> None:
        super().__init__()
        self.convolutions = _convolutions(in_channels, out_channels, kernels)
        self.reach = max(kernels) // 2

    def forward(self, values: Tensor, lengths: Tensor) -> Tensor:
        # Short texts in a batch padded to its longest cost as much as the longest. All
        # valid steps in one row, with as many zero steps between neighbours as the
        # widest kernel reaches, cost what they hold.
        gap, size = self.reach, values.shape[1]
        mask = length_mask(lengths, size)
        first = torch.cumsum(lengths + gap, 0) - lengths
        steps = (first[:, None] + torch.arange(size, device=values.device))[mask]
        row = values.new_zeros(int((lengths + gap).sum() + gap), values.shape[2]).index_copy(
            0, steps, values[mask]
        )
        row = row.T.unsqueeze(0)
        highest = self.convolutions[0](row)
        for convolution in self.convolutions[1:]:
            highest = torch.maximum(highest, convolution(row))
        valid: Tensor = highest[0].T[steps]
        return valid.new_zeros(*mask.shape, valid.shape[1]).masked_scatter(mask[..., None], valid)


class MultiKernelMean(nn.Module):
    """Mean over parallel convolutions (eq. 11), then over the valid steps: Tensor[B, T,
    in] -> Tensor[B, out].

    Both means and the convolutions are linear, so they are swapped: each kernel's tap
    is applied once to the mean of the steps it meets, not to every step. Equal to
    convolving first, at 1 / T of the multiplications.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernels: Sequence[int] = (1, 3, 5)
    ) -> None:
        super().__init__()
        self.convolutions = _convolutions(in_channels, out_channels, kernels)
        self.reach = max(kernels) // 2

    def forward(self, values: Tensor, lengths: Tensor) -> Tensor:
        reach = self.reach
        offset = torch.arange(-reach, reach + 1, device=values.device)[:, None]
        step = torch.arange(values.shape[1], device=values.device)
        ends = lengths[:, None, None]
        # A tap at `offset` meets step t exactly when the output step t - offset exists.
        met = (step < ends) & (step >= offset) & (step - offset < ends)
        taps = ((met.to(values.dtype) @ values) / ends.clamp(min=1)).transpose(1, 2)
        total = torch.zeros((), device=values.device)
        for convolution in cast(Iterable[nn.Conv1d], self.convolutions):
            half = convolution.weight.shape[2] // 2
            tapped = taps[..., reach - half : reach + half + 1].flatten(1)
            total = total + linear(tapped, convolution.weight.flatten(1), convolution.bias)
        return total / len(self.convolutions)


def _convolutions(in_channels: int, out_channels: int, kernels: Sequence[int]) -> nn.ModuleList:
    if not kernels or any(kernel % 2 == 0 for kernel in kernels):
        raise ValueError(
            f"kernels = {tuple(kernels)}, expected at least one, all odd, so that the length is kept"
        )
    return nn.ModuleList(
        nn.Conv1d(in_channels, out_channels, kernel, padding=kernel // 2) for kernel in kernels
    )
