"""A stack of convolutions over frames that keeps their number."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from pipeline.blocks.convolution import Conv1d


class ConvolutionStack(nn.Module):
    """Convolutions of stride 1, each followed by ReLU; the length is kept and padding stays zero."""

    def __init__(self, in_channels: int, channels: Sequence[int], kernel_sizes: Sequence[int]) -> None:
        super().__init__()
        if len(channels) != len(kernel_sizes) or not channels:
            raise ValueError(f"{len(channels)} channels and {len(kernel_sizes)} kernel sizes, expected one of each")
        self.out_channels = channels[-1]
        widths = [in_channels, *channels]
        self.layers = nn.ModuleList(
            Conv1d(before, after, kernel)
            for (before, after), kernel in zip(pairwise(widths), kernel_sizes, strict=True)
        )

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Tensor[B, T, in_channels] and Tensor[B] to Tensor[B, T, channels[-1]], zeros in padding."""
        for layer in self.layers:
            x = layer(x, lengths).relu()
        return x
