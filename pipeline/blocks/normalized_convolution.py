"""Convolution, batch norm, maximum over time, ReLU: one block of a waveform encoder."""

from torch import Tensor, nn

from pipeline.blocks import _cpu_folding
from pipeline.blocks.convolution import Conv1d, MaxPool1d
from pipeline.blocks.normalization import MaskedBatchNorm


class NormalizedConvolution(nn.Module):
    """Conv1d, batch norm over valid steps, maximum over `pool_size` steps, ReLU (the
    last two commute).
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

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Tensor[B, T, in_channels] and Tensor[B] to Tensor[B, ceil(ceil(T / stride) /
        pool_size), out_channels].
        """
        if x.device.type == "cpu" and _cpu_folding.pays(x, lengths, self.convolution, self.pool):
            return _cpu_folding.folded(x, lengths, self.convolution, self.norm, self.pool)
        return self.plain(x, lengths)

    def plain(self, x: Tensor, lengths: Tensor) -> Tensor:
        """The definition; on a CPU `forward` equals it up to rounding, faster."""
        steps = self.convolution.output_lengths(lengths)
        x = self.norm(self.convolution(x, lengths), steps)
        return self.pool(x, steps).relu()  # type: ignore[no-any-return]

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Valid steps after the block."""
        return self.pool.output_lengths(self.convolution.output_lengths(lengths))
