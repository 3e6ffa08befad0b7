"""Stacks of convolution and pooling along time with dense layers on top: the classic
image networks on one axis.
"""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from pipeline.blocks.convolution import Conv1d, MaxPool1d
from pipeline.blocks.pooling import masked_mean


class ClassicStack(nn.Module):
    """Convolutions with LeakyReLU and maximum pooling, the mean of the steps that
    remain, dense layers with dropout.

    `layers` are (filters, kernel size, stride) of convolutions and (kernel size,
    stride) of poolings; a layer of stride s leaves ceil(length / s) steps, so any
    length of one step or more fits. He initialisation: under torch's own, a stack as
    deep as VGG-16 hands on next to nothing of its input.
    """

    def __init__(
        self,
        in_channels: int,
        layers: Sequence[tuple[int, int, int] | tuple[int, int]],
        dense: Sequence[int],
        dropout: float,
        slope: float,
    ) -> None:
        super().__init__()
        self.slope = slope
        self.layers = nn.ModuleList()
        for layer in layers:
            if len(layer) == 3:
                filters, kernel_size, stride = layer
                self.layers.append(Conv1d(in_channels, filters, kernel_size, stride))
                in_channels = filters
            else:
                self.layers.append(MaxPool1d(*layer))
        self.dense = nn.ModuleList(nn.Linear(*widths) for widths in pairwise((in_channels, *dense)))
        self.dropout = nn.Dropout(dropout)
        self.output_size = (in_channels, *dense)[-1]
        for parameter in self.parameters():
            if parameter.ndim == 1:
                nn.init.zeros_(parameter)
            else:
                nn.init.kaiming_normal_(parameter, a=slope)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Tensor[B, T, in_channels] and Tensor[B] to Tensor[B, output_size]."""
        for layer in self.layers:
            x = layer(x, lengths)
            if isinstance(layer, Conv1d):
                x = leaky_relu(x, self.slope)
            if isinstance(layer, Conv1d | MaxPool1d):
                lengths = layer.output_lengths(lengths)
        x = masked_mean(x, lengths)
        for dense in self.dense:
            x = self.dropout(leaky_relu(dense(x), self.slope))
        return x
