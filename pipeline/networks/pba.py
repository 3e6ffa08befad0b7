"""Paper D: dual-modal emotion recognition with parallel convolution (Pconv) and
attention-based BLSTM, on CH-SIMS.

Stem, Pconv, Pconv, BLSTM, BLSTM, attention, dense (figures 1 and 4); the ablations stop
earlier, audio and text meet before any stage (figure 6). Hyperparameters of table 1.

What the paper leaves open, decided for all systems (docs/DECISIONS.md says why):
- SGD's momentum: 0.9.
- The stem is a convolution (kernel 3), LeakyReLU, and the means of 25 equal parts. A
  text is filled with zero vectors to 50 words: its parts are pairs of words, and the
  filling takes part in all that follows.
- First weights are Keras's ("the framework"), He's in LeNet, AlexNet and VGG.
- "BLSTM after the embedding layer": the two after the Pconv blocks, and `word_units`.
- The embedding layer starts from CBOW vectors of the training part and is trained.
- `channels`: 64 of the stem, 64 and 128 filters of the two Bconv, kernel 3; pooling and
  convolutions keep the length, so widths grow 64 -> 128 -> 256.
- BCNN puts an ordinary convolution where Pconv has the depthwise-separable one.
- Without BLSTM the steps' mean goes to the dense layer, in PB the last states.
- Attention (eq. 11-13): f(Q, K) = Q.K / sqrt(size) with a learnt query, and V = K.
- Fusion is concatenation of the channels.
- LeNet, AlexNet and VGG are the published stacks (LeNet-5 1998, AlexNet 2012, VGG-16
  2015) along time, with the mean of the steps for the images' flattened maps, dense
  layers of 512 for 4096, LeakyReLU, maximum pooling in LeNet too, and no local response
  normalisation. They read frames or filled words.
"""

from collections.abc import Sequence
from typing import Any

from torch import nn

from pipeline.batch import Sizes
from pipeline.blocks.classic_stack import ClassicStack
from pipeline.blocks.initialization import initialized_as_keras
from pipeline.blocks.pooling import masked_mean
from pipeline.networks._pba_layers import (
    Branch,
    Classic,
    Modality,
    Pool,
    Stage,
    Staged,
    input_width,
    last_states,
    stages,
)
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
    "train_embedding": True,
    "select": "wa",
    "normalization": "train",
}

_BCNN: tuple[Stage, ...] = ("bconv1", "bconv2")
_PCONV: tuple[Stage, ...] = ("pconv1", "pconv2")
_PB: tuple[Stage, ...] = (*_PCONV, "blstm", "blstm")
_PBA: tuple[Stage, ...] = (*_PB, "attention")
_LENET = ((6, 5, 1), (2, 2), (16, 5, 1), (2, 2))
_ALEXNET = ((96, 11, 4), (3, 2), (256, 5, 1), (3, 2), (384, 3, 1), (384, 3, 1), (256, 3, 1), (3, 2))
_VGG16 = (
    *((64, 3, 1),) * 2, (2, 2),
    *((128, 3, 1),) * 2, (2, 2),
    *((256, 3, 1),) * 3, (2, 2),
    *((512, 3, 1),) * 3, (2, 2),
    *((512, 3, 1),) * 3, (2, 2),
)  # fmt: skip


@system("audio", **RECIPE)
def BCNN_a(
    sizes: Sizes, *, channels: Sequence[int] = (64, 64, 128), steps: int = 25, slope: float = 0.02
) -> nn.Module:
    """The audio baseline (figure 5, table 2): stem, two blocks of ordinary
    convolutions, mean, dense.
    """
    return _single(sizes, "audio", _BCNN, masked_mean, channels=channels, steps=steps, slope=slope)


@system("audio", like=BCNN_a, **RECIPE)
def Pconv_a(sizes: Sizes, **hyperparameters: Any) -> nn.Module:
    """Stem, two Pconv blocks (figure 2, eq. 2-4), mean, dense, on audio (table 2)."""
    return _single(sizes, "audio", _PCONV, masked_mean, **hyperparameters)


@system("audio", like=Pconv_a, **RECIPE)
def PB_a(sizes: Sizes, *, units: int = 128, **hyperparameters: Any) -> nn.Module:
    """Pconv_a and two BLSTMs of 128 units (eq. 5-10, table 2), last states, dense."""
    return _single(sizes, "audio", _PB, last_states, units=units, **hyperparameters)


@system("audio", like=PB_a, **RECIPE)
def PBA_a(sizes: Sizes, **hyperparameters: Any) -> nn.Module:
    """PB_a with attention (eq. 11-13, figure 4 without its dotted lines, table 2)."""
    return _single(sizes, "audio", _PBA, None, **hyperparameters)


@system("text", like=BCNN_a, **RECIPE)
def BCNN_t(
    sizes: Sizes, *, max_words: int = 50, word_units: int = 0, **hyperparameters: Any
) -> nn.Module:
    """BCNN_a on text (figure 5, table 3): `max_words` filled steps; `word_units` of a
    BLSTM before the stem, 0 for none.
    """
    words: dict[str, Any] = {"max_words": max_words, "word_units": word_units}
    return _single(sizes, "text", _BCNN, masked_mean, **words, **hyperparameters)


@system("text", like=BCNN_t, **RECIPE)
def Pconv_t(sizes: Sizes, **hyperparameters: Any) -> nn.Module:
    """Pconv_a on text (table 3)."""
    return _single(sizes, "text", _PCONV, masked_mean, **hyperparameters)


@system("text", like=Pconv_t, **RECIPE)
def PB_t(sizes: Sizes, *, units: int = 128, **hyperparameters: Any) -> nn.Module:
    """PB_a on text (table 3)."""
    return _single(sizes, "text", _PB, last_states, units=units, **hyperparameters)


@system("text", like=PB_t, **RECIPE)
def PBA_t(sizes: Sizes, **hyperparameters: Any) -> nn.Module:
    """PBA_a on text (table 3)."""
    return _single(sizes, "text", _PBA, None, **hyperparameters)


@system("audio", **RECIPE)
def LeNet_a(
    sizes: Sizes, *, dense: Sequence[int] = (120, 84), dropout: float = 0.0, slope: float = 0.02
) -> nn.Module:
    """LeNet-5 along time on audio (table 4): 6 and 16 filters of kernel 5, each pooled
    by 2; dense 120, 84.
    """
    return _classic(sizes, "audio", _LENET, dense=dense, dropout=dropout, slope=slope)


@system("audio", **RECIPE)
def AlexNet_a(
    sizes: Sizes, *, dense: Sequence[int] = (512, 512), dropout: float = 0.5, slope: float = 0.02
) -> nn.Module:
    """AlexNet along time on audio (table 4): five convolutions, three poolings; dense
    512, 512.
    """
    return _classic(sizes, "audio", _ALEXNET, dense=dense, dropout=dropout, slope=slope)


@system("audio", like=AlexNet_a, **RECIPE)
def VGG_a(sizes: Sizes, **hyperparameters: Any) -> nn.Module:
    """VGG-16 along time on audio (table 4): thirteen convolutions, five poolings; dense
    512, 512.
    """
    return _classic(sizes, "audio", _VGG16, **hyperparameters)


@system("text", like=LeNet_a, **RECIPE)
def LeNet_t(sizes: Sizes, *, max_words: int = 50, **hyperparameters: Any) -> nn.Module:
    """LeNet_a on text (table 4), `max_words` filled steps."""
    return _classic(sizes, "text", _LENET, max_words=max_words, **hyperparameters)


@system("text", like=AlexNet_a, **RECIPE)
def AlexNet_t(sizes: Sizes, *, max_words: int = 50, **hyperparameters: Any) -> nn.Module:
    """AlexNet_a on text (table 4), `max_words` filled steps."""
    return _classic(sizes, "text", _ALEXNET, max_words=max_words, **hyperparameters)


@system("text", like=AlexNet_t, **RECIPE)
def VGG_t(sizes: Sizes, **hyperparameters: Any) -> nn.Module:
    """VGG_a on text (table 4)."""
    return _classic(sizes, "text", _VGG16, **hyperparameters)


@system("audio", "text", like=PBA_t, **RECIPE)
def PBA_2_Pconv(sizes: Sizes, **hyperparameters: Any) -> nn.Module:
    """Fusion before the first Pconv block (figure 6a, table 5, "2-layer Pconv")."""
    return _fused(sizes, apart=(), together=_PBA, **hyperparameters)


@system("audio", "text", like=PBA_t, **RECIPE)
def PBA_1_Pconv(sizes: Sizes, **hyperparameters: Any) -> nn.Module:
    """Fusion before the second Pconv block, the paper's choice (figures 4 and 6b, table
    5, "1-layer Pconv").
    """
    return _fused(
        sizes,
        apart=("pconv1",),
        together=("pconv2", "blstm", "blstm", "attention"),
        **hyperparameters,
    )


@system("audio", "text", like=PBA_t, **RECIPE)
def PBA_2_BLSTM(sizes: Sizes, **hyperparameters: Any) -> nn.Module:
    """Fusion before the first BLSTM (figure 6c, table 5, "2-layer BLSTM")."""
    return _fused(
        sizes,
        apart=("pconv1", "pconv2"),
        together=("blstm", "blstm", "attention"),
        **hyperparameters,
    )


@system("audio", "text", like=PBA_t, **RECIPE)
def PBA_1_BLSTM(sizes: Sizes, **hyperparameters: Any) -> nn.Module:
    """Fusion before the second BLSTM (figure 6d, table 5, "1-layer BLSTM")."""
    return _fused(
        sizes,
        apart=("pconv1", "pconv2", "blstm"),
        together=("blstm", "attention"),
        **hyperparameters,
    )


@system("audio", "text", like=PBA_t, **RECIPE)
def PBA_Attention(sizes: Sizes, **hyperparameters: Any) -> nn.Module:
    """Fusion before the attention (figure 6e, table 5, "Attention")."""
    return _fused(
        sizes,
        apart=("pconv1", "pconv2", "blstm", "blstm"),
        together=("attention",),
        **hyperparameters,
    )


@system("audio", "text", like=PBA_t, **RECIPE)
def PBA_FC(sizes: Sizes, **hyperparameters: Any) -> nn.Module:
    """Decision-level fusion, before the dense layer (figure 6f, table 5, "FC")."""
    return _fused(sizes, apart=_PBA, together=(), **hyperparameters)


def _single(
    sizes: Sizes, modality: Modality, order: Sequence[Stage], pool: Pool | None, **settings: Any
) -> nn.Module:
    branch = Branch(modality, sizes, order, **settings)
    classifier = nn.Linear(branch.output_size, sizes.num_classes)
    return initialized_as_keras(Staged([branch], [], pool, classifier))


def _fused(
    sizes: Sizes,
    *,
    apart: Sequence[Stage],
    together: Sequence[Stage],
    steps: int,
    max_words: int,
    word_units: int,
    **settings: Any,
) -> nn.Module:
    """The stages `apart` on audio and on text, `together` on their concatenated
    channels.
    """
    words: dict[str, Any] = {"max_words": max_words, "word_units": word_units}
    audio = Branch("audio", sizes, apart, steps=steps, **settings)
    text = Branch("text", sizes, apart, steps=steps, **words, **settings)
    trunk, width = stages(together, audio.output_size + text.output_size, **settings)
    classifier = nn.Linear(width, sizes.num_classes)
    return initialized_as_keras(Staged([audio, text], trunk, None, classifier))


def _classic(
    sizes: Sizes,
    modality: Modality,
    layers: Sequence[tuple[int, int, int] | tuple[int, int]],
    *,
    dense: Sequence[int],
    dropout: float,
    slope: float,
    max_words: int = 0,
) -> nn.Module:
    stack = ClassicStack(input_width(sizes, modality), layers, dense, dropout, slope)
    return Classic(modality, stack, sizes.num_classes, max_words)
