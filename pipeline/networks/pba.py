"""Paper D: dual-modal emotion recognition with parallel convolution (Pconv) and
attention-based BLSTM, on CH-SIMS.

Stem, Pconv, Pconv, BLSTM, BLSTM, attention, dense (figures 1 and 4); the ablations stop
earlier (section "Single-modality classification"), and audio and text meet before any
of these stages (figure 6). Hyperparameters of table 1.

What the paper leaves open, decided for all rows:
- SGD's momentum: 0.9. Nesterov's method needs one, and 0.9 is the usual value.
- The stem is a convolution (kernel 3), LeakyReLU, and a pooling of the valid steps to
  25 equal parts, half of the 50 words that texts are padded to. "Dimensions and
  channels remain the same between audio and text": equal parts give audio and text of
  any length one shape, so they can be concatenated anywhere, and batch padding has no
  part in it. They are averaged, since a part of an audio clip holds some 15 frames and
  its maximum is mostly noise.
- The embedding layer is the look-up of word2vec (CBOW) vectors, which stay as fitted on
  the training rows.
- `channels`: 64 of the stem, 64 and 128 filters of the two Bconv, kernel 3; pooling and
  convolutions keep the length. So widths grow 64 -> 128 -> 256, and the first Sconv has
  the N = 128, F_H = 3 of the example below eq. 4.
- BCNN puts an ordinary convolution where Pconv has the depthwise-separable one
  ("replaces the traditional convolution layers in the BCNN with the depthwise separable
  convolution layer at the shortcut connection").
- Rows without BLSTM average their steps before the dense layer; PB takes the last state
  of each direction.
- Attention (eq. 11-13) scores each BLSTM state with a learnt query, f(Q, K) = Q.K /
  sqrt(size), and V = K.
- Fusion is concatenation of the channels.
- LeNet, AlexNet and VGG are the published stacks (LeNet-5 1998, AlexNet 2012, VGG-16
  2015) along the one axis of time, with the kernel sizes, strides, filters and dropout
  of their images. They read frames or words themselves, without the stem; the mean of
  the steps that remain stands for the images' flattened maps, so any length fits.
  AlexNet's and VGG's two dense layers of 4096 read 256 and 512 means here instead of
  9216 and 25088 values, and are 512 wide. LeakyReLU as everywhere in this paper,
  maximum pooling in LeNet too, no local response normalisation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from pipeline.batch import Batch, Sizes
from pipeline.blocks.classic_stack import ClassicStack
from pipeline.blocks.convolution import Conv1d
from pipeline.blocks.equal_parts import equal_parts
from pipeline.blocks.pconv import Pconv, Shortcut
from pipeline.blocks.pooling import AttentionPooling, masked_mean
from pipeline.blocks.recurrent import BiLSTM, final_state
from pipeline.networks._system import system

__all__ = [
    "PBA_1_BLSTM",
    "PBA_2_BLSTM",
    "PBA_FC",
    "AlexNet_a",
    "AlexNet_t",
    "BCNN_a",
    "BCNN_t",
    "LeNet_a",
    "LeNet_t",
    "PBA_1_Pconv",
    "PBA_2_Pconv",
    "PBA_Attention",
    "PBA_a",
    "PBA_t",
    "PB_a",
    "PB_t",
    "Pconv_a",
    "Pconv_t",
    "VGG_a",
    "VGG_t",
]

RECIPE: dict[str, Any] = {
    "optimizer": "sgd",
    "learning_rate": 1e-4,
    "momentum": 0.9,
    "nesterov": True,
    "batch_size": 32,
    "epochs": 5000,
}

_STAGES = ("pconv", "pconv", "blstm", "blstm", "attention")
_LENET = ((6, 5, 1), (2, 2), (16, 5, 1), (2, 2))
_ALEXNET = ((96, 11, 4), (3, 2), (256, 5, 1), (3, 2), (384, 3, 1), (384, 3, 1), (256, 3, 1), (3, 2))
_VGG16 = (
    *((64, 3, 1),) * 2, (2, 2),
    *((128, 3, 1),) * 2, (2, 2),
    *((256, 3, 1),) * 3, (2, 2),
    *((512, 3, 1),) * 3, (2, 2),
    *((512, 3, 1),) * 3, (2, 2),
)  # fmt: skip

Modality = Literal["audio", "text"]
Pool = Callable[[Tensor, Tensor], Tensor]


class Branch(nn.Module):
    """A modality's stem and stages.

    The stem is a convolution, LeakyReLU, and the mean of each of `steps` equal parts:
    any length to Tensor[B, steps, channels]. Nothing is padded after it.
    """

    def __init__(
        self,
        modality: Modality,
        sizes: Sizes,
        channels: int,
        steps: int,
        slope: float,
        stages: Sequence[nn.Module],
    ) -> None:
        super().__init__()
        self.modality, self.steps, self.slope = modality, steps, slope
        self.stem = Conv1d(_width(sizes, modality), channels, 3)
        self.stages = nn.ModuleList(stages)

    def forward(self, batch: Batch) -> Tensor:
        x, lengths = _sequence(batch, self.modality)
        steps = torch.full_like(lengths, self.steps)
        x = equal_parts(leaky_relu(self.stem(x, lengths), self.slope), lengths, steps, self.steps)
        for stage in self.stages:
            x = stage(x, steps)
        return x


class Staged(nn.Module):
    """Branches, the concatenation of their channels, further stages, dense (figures 4
    and 6).
    """

    def __init__(
        self,
        branches: Sequence[Branch],
        trunk: Sequence[nn.Module],
        pool: Pool | None,
        classifier: nn.Linear,
    ) -> None:
        super().__init__()
        self.branches, self.trunk = nn.ModuleList(branches), nn.ModuleList(trunk)
        self.pool, self.classifier = pool, classifier

    def embed(self, batch: Batch) -> Tensor:
        """The vector before the dense layer, Tensor[B, E]."""
        x = torch.cat([branch(batch) for branch in self.branches], dim=-1)
        steps = torch.full((x.shape[0],), x.shape[1], device=x.device)
        for stage in self.trunk:
            x = stage(x, steps)
        return x if self.pool is None else self.pool(x, steps)

    def forward(self, batch: Batch) -> Tensor:
        """Logits Tensor[B, num_classes]."""
        logits: Tensor = self.classifier(self.embed(batch))
        return logits


class Classic(nn.Module):
    """A stack of convolutions on one modality, and the last dense layer (table 4)."""

    def __init__(self, modality: Modality, stack: ClassicStack, num_classes: int) -> None:
        super().__init__()
        self.modality, self.stack = modality, stack
        self.classifier = nn.Linear(stack.output_size, num_classes)

    def embed(self, batch: Batch) -> Tensor:
        """The vector before the last dense layer, Tensor[B, E]."""
        vector: Tensor = self.stack(*_sequence(batch, self.modality))
        return vector

    def forward(self, batch: Batch) -> Tensor:
        """Logits Tensor[B, num_classes]."""
        logits: Tensor = self.classifier(self.embed(batch))
        return logits


@system("audio", **RECIPE)
def BCNN_a(
    sizes: Sizes, *, channels: Sequence[int] = (64, 64, 128), steps: int = 25, slope: float = 0.02
) -> nn.Module:
    """The audio baseline (figure 5, table 2): stem, two blocks of ordinary
    convolutions, mean, dense.
    """
    return _single(sizes, "audio", 2, channels, steps, slope, shortcut="full")


@system("audio", **RECIPE)
def Pconv_a(
    sizes: Sizes, *, channels: Sequence[int] = (64, 64, 128), steps: int = 25, slope: float = 0.02
) -> nn.Module:
    """Stem, two Pconv blocks (figure 2, eq. 2-4), mean, dense, on audio (table 2)."""
    return _single(sizes, "audio", 2, channels, steps, slope)


@system("audio", **RECIPE)
def PB_a(
    sizes: Sizes,
    *,
    channels: Sequence[int] = (64, 64, 128),
    steps: int = 25,
    units: int = 128,
    slope: float = 0.02,
) -> nn.Module:
    """Pconv_a and two BLSTMs of 128 units (eq. 5-10, table 2), last states, dense."""
    return _single(sizes, "audio", 4, channels, steps, slope, units)


@system("audio", **RECIPE)
def PBA_a(
    sizes: Sizes,
    *,
    channels: Sequence[int] = (64, 64, 128),
    steps: int = 25,
    units: int = 128,
    slope: float = 0.02,
) -> nn.Module:
    """PB_a with attention (eq. 11-13, figure 4 without its dotted lines, table 2)."""
    return _single(sizes, "audio", 5, channels, steps, slope, units)


@system("text", **RECIPE)
def BCNN_t(
    sizes: Sizes, *, channels: Sequence[int] = (64, 64, 128), steps: int = 25, slope: float = 0.02
) -> nn.Module:
    """The text baseline (figure 5, table 3): stem, two blocks of ordinary convolutions,
    mean, dense.
    """
    return _single(sizes, "text", 2, channels, steps, slope, shortcut="full")


@system("text", **RECIPE)
def Pconv_t(
    sizes: Sizes, *, channels: Sequence[int] = (64, 64, 128), steps: int = 25, slope: float = 0.02
) -> nn.Module:
    """Stem, two Pconv blocks (figure 2, eq. 2-4), mean, dense, on text (table 3)."""
    return _single(sizes, "text", 2, channels, steps, slope)


@system("text", **RECIPE)
def PB_t(
    sizes: Sizes,
    *,
    channels: Sequence[int] = (64, 64, 128),
    steps: int = 25,
    units: int = 128,
    slope: float = 0.02,
) -> nn.Module:
    """Pconv_t and two BLSTMs of 128 units (eq. 5-10, table 3), last states, dense."""
    return _single(sizes, "text", 4, channels, steps, slope, units)


@system("text", **RECIPE)
def PBA_t(
    sizes: Sizes,
    *,
    channels: Sequence[int] = (64, 64, 128),
    steps: int = 25,
    units: int = 128,
    slope: float = 0.02,
) -> nn.Module:
    """PB_t with attention (eq. 11-13, figure 4 without its dotted lines, table 3)."""
    return _single(sizes, "text", 5, channels, steps, slope, units)


@system("audio", **RECIPE)
def LeNet_a(
    sizes: Sizes, *, dense: Sequence[int] = (120, 84), dropout: float = 0.0, slope: float = 0.02
) -> nn.Module:
    """LeNet-5 along time on audio (table 4): 6 and 16 filters of kernel 5, each pooled
    by 2; dense 120, 84.
    """
    return _classic(sizes, "audio", _LENET, dense, dropout, slope)


@system("text", **RECIPE)
def LeNet_t(
    sizes: Sizes, *, dense: Sequence[int] = (120, 84), dropout: float = 0.0, slope: float = 0.02
) -> nn.Module:
    """LeNet-5 along time on text (table 4): 6 and 16 filters of kernel 5, each pooled
    by 2; dense 120, 84.
    """
    return _classic(sizes, "text", _LENET, dense, dropout, slope)


@system("audio", **RECIPE)
def AlexNet_a(
    sizes: Sizes, *, dense: Sequence[int] = (512, 512), dropout: float = 0.5, slope: float = 0.02
) -> nn.Module:
    """AlexNet along time on audio (table 4): five convolutions, three poolings; dense
    512, 512.
    """
    return _classic(sizes, "audio", _ALEXNET, dense, dropout, slope)


@system("text", **RECIPE)
def AlexNet_t(
    sizes: Sizes, *, dense: Sequence[int] = (512, 512), dropout: float = 0.5, slope: float = 0.02
) -> nn.Module:
    """AlexNet along time on text (table 4): five convolutions, three poolings; dense
    512, 512.
    """
    return _classic(sizes, "text", _ALEXNET, dense, dropout, slope)


@system("audio", **RECIPE)
def VGG_a(
    sizes: Sizes, *, dense: Sequence[int] = (512, 512), dropout: float = 0.5, slope: float = 0.02
) -> nn.Module:
    """VGG-16 along time on audio (table 4): thirteen convolutions, five poolings; dense
    512, 512.
    """
    return _classic(sizes, "audio", _VGG16, dense, dropout, slope)


@system("text", **RECIPE)
def VGG_t(
    sizes: Sizes, *, dense: Sequence[int] = (512, 512), dropout: float = 0.5, slope: float = 0.02
) -> nn.Module:
    """VGG-16 along time on text (table 4): thirteen convolutions, five poolings; dense
    512, 512.
    """
    return _classic(sizes, "text", _VGG16, dense, dropout, slope)


@system("audio", "text", **RECIPE)
def PBA_2_Pconv(
    sizes: Sizes,
    *,
    channels: Sequence[int] = (64, 64, 128),
    steps: int = 25,
    units: int = 128,
    slope: float = 0.02,
) -> nn.Module:
    """Fusion before the first Pconv block (figure 6a, table 5, "2-layer Pconv")."""
    return _fused(sizes, 0, channels, steps, slope, units)


@system("audio", "text", **RECIPE)
def PBA_1_Pconv(
    sizes: Sizes,
    *,
    channels: Sequence[int] = (64, 64, 128),
    steps: int = 25,
    units: int = 128,
    slope: float = 0.02,
) -> nn.Module:
    """Fusion before the second Pconv block, the paper's choice (figures 4 and 6b, table
    5, "1-layer Pconv").
    """
    return _fused(sizes, 1, channels, steps, slope, units)


@system("audio", "text", **RECIPE)
def PBA_2_BLSTM(
    sizes: Sizes,
    *,
    channels: Sequence[int] = (64, 64, 128),
    steps: int = 25,
    units: int = 128,
    slope: float = 0.02,
) -> nn.Module:
    """Fusion before the first BLSTM (figure 6c, table 5, "2-layer BLSTM")."""
    return _fused(sizes, 2, channels, steps, slope, units)


@system("audio", "text", **RECIPE)
def PBA_1_BLSTM(
    sizes: Sizes,
    *,
    channels: Sequence[int] = (64, 64, 128),
    steps: int = 25,
    units: int = 128,
    slope: float = 0.02,
) -> nn.Module:
    """Fusion before the second BLSTM (figure 6d, table 5, "1-layer BLSTM")."""
    return _fused(sizes, 3, channels, steps, slope, units)


@system("audio", "text", **RECIPE)
def PBA_Attention(
    sizes: Sizes,
    *,
    channels: Sequence[int] = (64, 64, 128),
    steps: int = 25,
    units: int = 128,
    slope: float = 0.02,
) -> nn.Module:
    """Fusion before the attention (figure 6e, table 5, "Attention")."""
    return _fused(sizes, 4, channels, steps, slope, units)


@system("audio", "text", **RECIPE)
def PBA_FC(
    sizes: Sizes,
    *,
    channels: Sequence[int] = (64, 64, 128),
    steps: int = 25,
    units: int = 128,
    slope: float = 0.02,
) -> nn.Module:
    """Decision-level fusion, before the dense layer (figure 6f, table 5, "FC")."""
    return _fused(sizes, 5, channels, steps, slope, units)


def _single(
    sizes: Sizes,
    modality: Modality,
    count: int,
    channels: Sequence[int],
    steps: int,
    slope: float,
    units: int = 0,
    shortcut: Shortcut = "separable",
) -> nn.Module:
    stages, width = _stages(channels[0], 0, count, channels, units, slope, shortcut)
    pools: dict[int, Pool] = {2: masked_mean, 4: partial(final_state, bidirectional=True)}
    branch = Branch(modality, sizes, channels[0], steps, slope, stages)
    return Staged([branch], [], pools.get(count), nn.Linear(width, sizes.num_classes))


def _fused(
    sizes: Sizes, at: int, channels: Sequence[int], steps: int, slope: float, units: int
) -> nn.Module:
    branches, width = [], 0
    modalities: tuple[Modality, ...] = ("audio", "text")
    for modality in modalities:
        stages, branch_width = _stages(channels[0], 0, at, channels, units, slope)
        branches.append(Branch(modality, sizes, channels[0], steps, slope, stages))
        width += branch_width
    trunk, width = _stages(width, at, len(_STAGES), channels, units, slope)
    return Staged(branches, trunk, None, nn.Linear(width, sizes.num_classes))


def _stages(
    width: int,
    first: int,
    last: int,
    channels: Sequence[int],
    units: int,
    slope: float,
    shortcut: Shortcut = "separable",
) -> tuple[list[nn.Module], int]:
    """Stages [first, last) on input of `width` channels, and the channels they give."""
    made: list[nn.Module] = []
    for place in range(first, last):
        if _STAGES[place] == "pconv":
            block = Pconv(width, channels[1 + place], slope=slope, shortcut=shortcut)
            made.append(block)
            width = block.out_channels
        elif _STAGES[place] == "blstm":
            made.append(BiLSTM(width, units))
            width = 2 * units
        else:
            made.append(AttentionPooling(width))
    return made, width


def _classic(
    sizes: Sizes,
    modality: Modality,
    layers: Sequence[tuple[int, int, int] | tuple[int, int]],
    dense: Sequence[int],
    dropout: float,
    slope: float,
) -> nn.Module:
    stack = ClassicStack(_width(sizes, modality), layers, dense, dropout, slope)
    return Classic(modality, stack, sizes.num_classes)


def _width(sizes: Sizes, modality: Modality) -> int:
    return sizes.feature_dim if modality == "audio" else sizes.word_dim


def _sequence(batch: Batch, modality: Modality) -> tuple[Tensor, Tensor]:
    return batch.voice() if modality == "audio" else batch.text()
