"""Convolutions over frames without padding and without activation: one linear map of a
window, as the released code of FG-CME has it.
"""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.batch import length_mask
from pipeline.blocks import _cpu_convolution
from pipeline.blocks.convolution import layer_sizes


class UnpaddedConvolutions(nn.Module):
    """Convolutions of stride 1 one after another; step t of the output has read the
    frames t to t + `lost`.

    A sequence of up to `lost` frames has no valid step.
    """

    def __init__(
        self, in_channels: int, channels: Sequence[int], kernel_sizes: Sequence[int]
    ) -> None:
        super().__init__()
        sizes = layer_sizes(in_channels, channels, kernel_sizes)
        self.out_channels = channels[-1]
        self.lost = sum(kernel - 1 for kernel in kernel_sizes)
        self.layers = nn.ModuleList(nn.Conv1d(*size) for size in sizes)

    def forward(self, x: Tensor, lengths: Tensor, span: Tensor | None = None) -> Tensor:
        """Tensor[B, T, in_channels] and Tensor[B] to Tensor[B, max(T - lost, 1),
        channels[-1]], zeros in padding.

        span: Tensor[B, 2], the output steps [start, end) that the caller will read; all
        others come out as zeros.
        """
        steps = max(x.shape[1] - self.lost, 1)
        x = F.pad(x, (0, 0, 0, steps + self.lost - x.shape[1]))
        ends = self.output_lengths(lengths)[:, None]
        wanted = torch.cat([torch.zeros_like(ends), ends], dim=1) if span is None else span
        wanted = wanted.clamp(min=0).minimum(ends)
        # A hand-written gradient is beyond autocast's reach.
        if x.device.type == "cpu" and not torch.is_autocast_enabled("cpu"):
            return self._on_cpu(x, lengths, wanted, steps)
        return self.plain(x, wanted)

    def plain(self, x: Tensor, wanted: Tensor) -> Tensor:
        """The definition; on a CPU `forward` equals it up to rounding, faster.

        wanted: Tensor[B, 2], the output steps that are no zeros.
        """
        x = x.transpose(1, 2)
        for layer in self.layers:
            x = layer(x)
        x = x.transpose(1, 2)
        start, end = (length_mask(bound, x.shape[1]) for bound in wanted.unbind(dim=1))
        return x * (end & ~start)[..., None]

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Valid steps after the layers: lengths - lost, at least 0."""
        return (lengths - self.lost).clamp(min=0)

    def output_segments(self, segments: Tensor, lengths: Tensor) -> Tensor:
        """The steps that have read a frame of each word: Tensor[B, W, 2] of frames
        [start, end) to steps, (0, 0) for an empty word.
        """
        ends = self.output_lengths(lengths)[:, None]
        start = (segments[..., 0] - self.lost).clamp(min=0)
        end = segments[..., 1].minimum(ends)
        empty = (segments[..., 1] <= segments[..., 0]) | (end <= start)
        return torch.stack([start, end], dim=-1).masked_fill(empty[..., None], 0)

    def _on_cpu(self, x: Tensor, lengths: Tensor, wanted: Tensor, steps: int) -> Tensor:
        # Counted as if the length were kept: steps that read no padding are the same.
        convolutions = [cast(nn.Conv1d, layer) for layer in self.layers]
        before = sum((conv.kernel_size[0] - 1) // 2 for conv in convolutions)
        inside = wanted + before * (wanted[:, 1:] > wanted[:, :1])
        return _cpu_convolution.convolve(x, lengths, convolutions, inside)[:, before:][:, :steps]
