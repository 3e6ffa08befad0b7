"""A stack of convolutions over frames that keeps their number, and computes only the
frames that are asked for.
"""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from pipeline.blocks import _cpu_convolution
from pipeline.blocks.convolution import Conv1d, layer_sizes


class ConvolutionStack(nn.Module):
    """Convolutions of stride 1, each followed by ReLU; the length is kept and padding
    stays zero.
    """

    def __init__(
        self, in_channels: int, channels: Sequence[int], kernel_sizes: Sequence[int]
    ) -> None:
        super().__init__()
        sizes = layer_sizes(in_channels, channels, kernel_sizes)
        self.out_channels = channels[-1]
        self.layers = nn.ModuleList(Conv1d(*size) for size in sizes)
        # torch's default for convolutions halves the signal at each ReLU; three layers
        # on, biases would be all that is left of it, and the first epochs go into
        # growing it back. He et al. (2015), eq. 10, keeps its variance.
        for layer in self.layers:
            conv = cast(Conv1d, layer).conv
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
            if conv.bias is not None:
                nn.init.zeros_(conv.bias)

    def forward(self, x: Tensor, lengths: Tensor, span: Tensor | None = None) -> Tensor:
        """Tensor[B, T, in_channels] and Tensor[B] to Tensor[B, T, channels[-1]], zeros
        in padding.

        span: Tensor[B, 2], the frames [start, end) that the caller will read; all
        others come out as zeros.
        """
        # A hand-written gradient is beyond autocast's reach.
        if x.device.type == "cpu" and not torch.is_autocast_enabled("cpu"):
            convolutions = [cast(Conv1d, layer).conv for layer in self.layers]
            return _cpu_convolution.convolve(x, lengths, convolutions, span, relu=True)
        return self.plain(x, lengths, span)

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Valid steps after the layers: all of them."""
        return lengths

    def output_segments(self, segments: Tensor, lengths: Tensor) -> Tensor:
        """The steps of each word: its frames."""
        return segments

    def plain(self, x: Tensor, lengths: Tensor, span: Tensor | None = None) -> Tensor:
        """The definition; on a CPU `forward` equals it up to rounding, faster."""
        for layer in self.layers:
            x = cast(Conv1d, layer).plain(x, lengths).relu()
        if span is None:
            return x
        steps = torch.arange(x.shape[1], device=x.device)
        return x * ((steps >= span[:, :1]) & (steps < span[:, 1:]))[..., None]
