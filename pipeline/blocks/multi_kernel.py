"""The multi-kernel adaptive weighting block of TSIN (section III.B.2, eq. 2; section
III.D, eq. 11).

Convolutions with kernels 1, 3 and 5 read a sequence in parallel. Eq. 2 takes their
maximum, eq. 11 their mean. The paper names no activation between, so there is none.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from pipeline.batch import length_mask
from pipeline.blocks import _cpu_convolution
from pipeline.blocks.pooling import masked_mean


class MultiKernelMax(nn.Module):
    """Maximum over parallel convolutions (eq. 2): Tensor[B, T, in] -> Tensor[B, T,
    out], zero in padding.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernels: Sequence[int] = (1, 3, 5)
    ) -> None:
        super().__init__()
        self.convolutions = _convolutions(in_channels, out_channels, kernels)

    def forward(self, values: Tensor, lengths: Tensor) -> Tensor:
        if values.device.type == "cpu":
            return _cpu_convolution.multi_kernel_max(values, lengths, self.convolutions)
        return self.plain(values, lengths)

    def plain(self, values: Tensor, lengths: Tensor) -> Tensor:
        """The definition; on a CPU `forward` equals it up to rounding, faster."""
        highest = _parallel(self.convolutions, values, lengths).amax(dim=0)[:, :-1]
        return highest * length_mask(lengths, values.shape[1])[..., None]


class MultiKernelMean(nn.Module):
    """Mean over parallel convolutions (eq. 11), then over the valid steps: Tensor[B, T,
    in] -> Tensor[B, out].
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernels: Sequence[int] = (1, 3, 5)
    ) -> None:
        super().__init__()
        self.convolutions = _convolutions(in_channels, out_channels, kernels)

    def forward(self, values: Tensor, lengths: Tensor) -> Tensor:
        if values.device.type == "cpu":
            return _cpu_convolution.multi_kernel_mean(values, lengths, self.convolutions)
        return self.plain(values, lengths)

    def plain(self, values: Tensor, lengths: Tensor) -> Tensor:
        """The definition; on a CPU `forward` equals it up to rounding, faster."""
        mean = _parallel(self.convolutions, values, lengths).mean(dim=0)
        # An empty sequence is read as one zero step.
        return masked_mean(mean, lengths.clamp(min=1))


def _parallel(convolutions: nn.ModuleList, values: Tensor, lengths: Tensor) -> Tensor:
    """Each convolution's output over valid steps and zeros after them, among these one
    step more than the batch has: Tensor[kernels, B, T + 1, out].
    """
    values = values * length_mask(lengths, values.shape[1])[..., None]
    values = pad(values, (0, 0, 0, 1)).transpose(1, 2)
    return torch.stack([convolution(values).transpose(1, 2) for convolution in convolutions])


def _convolutions(in_channels: int, out_channels: int, kernels: Sequence[int]) -> nn.ModuleList:
    if not kernels or any(kernel % 2 == 0 for kernel in kernels):
        raise ValueError(
            f"kernels = {tuple(kernels)}, expected at least one, all odd, "
            "so that the length is kept"
        )
    return nn.ModuleList(
        nn.Conv1d(in_channels, out_channels, kernel, padding=kernel // 2) for kernel in kernels
    )
