"""The parallel convolution module of paper D (section "Pconv module", figure 2): Bconv,
Sconv and Pconv.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from pipeline.blocks.convolution import Conv1d, MaxPool1d, SeparableConv1d
from pipeline.blocks.normalization import MaskedBatchNorm

Shortcut = Literal["separable", "full"]


class ConvolutionUnit(nn.Module):
    """A convolution, LeakyReLU, batch norm: Tensor[B, T, in] -> Tensor[B, T, out],
    zeros in padding.
    """

    def __init__(
        self, convolution: Conv1d | SeparableConv1d, out_channels: int, slope: float
    ) -> None:
        super().__init__()
        self.convolution, self.slope = convolution, slope
        self.norm = MaskedBatchNorm(out_channels)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        y: Tensor = self.norm(leaky_relu(self.convolution(x, lengths), self.slope), lengths)
        return y


def bconv(
    in_channels: int, out_channels: int, kernel_size: int = 3, slope: float = 0.02
) -> ConvolutionUnit:
    """The Bconv unit: Conv1d, LeakyReLU, batch norm."""
    return ConvolutionUnit(Conv1d(in_channels, out_channels, kernel_size), out_channels, slope)


def sconv(
    in_channels: int, out_channels: int, kernel_size: int = 3, slope: float = 0.02
) -> ConvolutionUnit:
    """The Sconv unit: Bconv with a depthwise-separable convolution.

    Its convolution multiplies 1 / out_channels + 1 / kernel_size times as often as a
    full one: eq. 4 with the kernel's one axis in place of the F_H * F_H of an image.
    """
    return ConvolutionUnit(
        SeparableConv1d(in_channels, out_channels, kernel_size), out_channels, slope
    )


class Pconv(nn.Module):
    """concat(max pool, Bconv) + shortcut (figure 2): Tensor[B, T, in] -> Tensor[B, T,
    in + filters], zeros in padding.

    The shortcut is the Sconv unit; `shortcut="full"` puts a second Bconv there, the
    block of the BCNN baseline. Pooling and convolutions have stride 1 and one kernel
    size, so that the three branches keep the length.
    """

    def __init__(
        self,
        in_channels: int,
        filters: int,
        kernel_size: int = 3,
        slope: float = 0.02,
        shortcut: Shortcut = "separable",
    ) -> None:
        super().__init__()
        self.out_channels = in_channels + filters
        self.pool = MaxPool1d(kernel_size, stride=1)
        self.bconv = bconv(in_channels, filters, kernel_size, slope)
        unit = sconv if shortcut == "separable" else bconv
        self.shortcut = unit(in_channels, self.out_channels, kernel_size, slope)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        parallel = torch.cat((self.pool(x, lengths), self.bconv(x, lengths)), dim=-1)
        return parallel + self.shortcut(x, lengths)  # type: ignore[no-any-return]
