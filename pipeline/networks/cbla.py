"""Two-channel CNN and BiLSTM with attention for voice, BiLSTM for text, dense fusion.

Cai, Hu, Dong and Zhou, "Audio-Textual Emotion Recognition Based on Improved Neural
Networks" (2019). Inputs: 34 short-term features, at most 100 frames; word vectors, at
most 500 tokens.

Decisions where the paper says nothing:
- Convolutions (section 3.3 says four layers with different numbers of filters): 32, 64,
  128, 256 filters, kernel 5, a maximum over 2 frames after the second and the fourth.
- "Cropped for one-dimensional temporal input" (section 3.3) is read as Keras's layer
  Cropping1D, at its default of one step at each end, after the fourth convolution.
- Activation: LeakyReLU (slope 0.01) in the voice networks (section 4.2.2), ReLU in the
  fusion (section 5).
- Recurrent layers without attention hand on their last state; attention is a learnt
  score per step and a softmax.
- S_CBLA's dense layer has 256 units. S of eq. 6 is the vector that the voice system
  hands to its softmax, H that of T_BL.
- Optimiser: Adam 1e-3. L2 factor of eq. 8: 1e-4.
- Frames and tokens beyond the utterance take no part in recurrence, pooling and
  attention; only S_DNN, which needs a fixed size, sees zeros there.
"""

from collections.abc import Sequence
from typing import Any

from torch import nn

from pipeline.batch import Sizes
from pipeline.blocks.recurrent import LSTM, BiLSTM
from pipeline.networks._cbla_layers import (
    Averaged,
    Classified,
    Convolutions,
    Dense,
    Fused,
    OneChannel,
    Text,
    TwoChannels,
)
from pipeline.networks._system import system

__all__ = [
    "M_CBLA_BL",
    "M_CBLA_BLR",
    "M_CL_BL",
    "M_CL_BLR",
    "M_D_BL",
    "S_CBLA",
    "S_CL",
    "S_CNN",
    "S_DNN",
    "T_BL",
    "T_LSTM",
]

RECIPE: dict[str, Any] = {
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "batch_size": 64,
    "epochs": 20,
    "normalization": "train",
}
L2 = 1e-4


@system("audio", **RECIPE)
def S_DNN(
    sizes: Sizes, *, max_frames: int = 100, dense_sizes: Sequence[int] = (512, 256, 128, 32)
) -> nn.Module:
    """Voice: all frames as one vector, four dense layers (section 4.2.2)."""
    return Classified(Dense(sizes, max_frames, dense_sizes), sizes)


@system("audio", **RECIPE)
def S_CNN(
    sizes: Sizes,
    *,
    max_frames: int = 100,
    channels: Sequence[int] = (32, 64, 128, 256),
    kernel_size: int = 5,
    pool_size: int = 2,
    cropping: Sequence[int] = (1, 1),
) -> nn.Module:
    """Voice: four convolutions, cropping, maximum pooling, global average pooling
    (sections 3.3 and 4.2.2).
    """
    convolutions = Convolutions(sizes.feature_dim, channels, kernel_size, pool_size, cropping)
    return Classified(Averaged(convolutions, max_frames), sizes)


@system("audio", like=S_CNN, **RECIPE)
def S_CL(sizes: Sizes, *, hidden_size: int = 256, **convolutions: Any) -> nn.Module:
    """Voice: one channel, the convolutions' frames run through a bidirectional LSTM
    (section 4.2.2).
    """
    return Classified(_one_channel(sizes, hidden_size, **convolutions), sizes)


@system("audio", like=S_CL, **RECIPE)
def S_CBLA(sizes: Sizes, *, dense_size: int = 256, **channels: Any) -> nn.Module:
    """Voice: convolutions beside a bidirectional LSTM with attention, concatenated,
    dense (section 3.3, figure 4).
    """
    return Classified(_two_channels(sizes, dense_size, **channels), sizes)


@system("text", **RECIPE)
def T_LSTM(sizes: Sizes, *, max_words: int = 500, hidden_size: int = 256) -> nn.Module:
    """Text: LSTM over word vectors (section 4.2.1, eq. 1-3)."""
    return Classified(Text(LSTM(sizes.word_dim, hidden_size), max_words), sizes)


@system("text", **RECIPE)
def T_BL(sizes: Sizes, *, max_words: int = 500, hidden_size: int = 256) -> nn.Module:
    """Text: bidirectional LSTM over word vectors (section 3.2, figure 3)."""
    return Classified(Text(BiLSTM(sizes.word_dim, hidden_size), max_words), sizes)


@system("audio", "text", like=S_DNN, **RECIPE)
def M_D_BL(
    sizes: Sizes,
    *,
    max_words: int = 500,
    hidden_size: int = 256,
    fusion_sizes: Sequence[int] = (1024, 512),
    **voice: Any,
) -> nn.Module:
    """S_DNN and T_BL, fused (section 4.2.3, eq. 6 and 7)."""
    return _fused(sizes, Dense(sizes, **voice), max_words, hidden_size, fusion_sizes)


@system("audio", "text", like=S_CL, **RECIPE)
def M_CL_BL(
    sizes: Sizes,
    *,
    max_words: int = 500,
    hidden_size: int = 256,
    fusion_sizes: Sequence[int] = (1024, 512),
    **voice: Any,
) -> nn.Module:
    """S_CL and T_BL, fused (section 4.2.3, eq. 6 and 7)."""
    channel = _one_channel(sizes, hidden_size, **voice)
    return _fused(sizes, channel, max_words, hidden_size, fusion_sizes)


@system("audio", "text", like=M_CL_BL, l2=L2, **RECIPE)
def M_CL_BLR(sizes: Sizes, **hyperparameters: Any) -> nn.Module:
    """M_CL_BL with the squared weights in the loss (section 4.2.3, eq. 8)."""
    network: nn.Module = M_CL_BL(sizes, **hyperparameters)
    return network


@system("audio", "text", like=S_CBLA, **RECIPE)
def M_CBLA_BL(
    sizes: Sizes,
    *,
    max_words: int = 500,
    hidden_size: int = 256,
    fusion_sizes: Sequence[int] = (1024, 512),
    **voice: Any,
) -> nn.Module:
    """S_CBLA and T_BL, fused (section 4.2.3, eq. 6 and 7)."""
    channels = _two_channels(sizes, hidden_size=hidden_size, **voice)
    return _fused(sizes, channels, max_words, hidden_size, fusion_sizes)


@system("audio", "text", like=M_CBLA_BL, l2=L2, **RECIPE)
def M_CBLA_BLR(sizes: Sizes, **hyperparameters: Any) -> nn.Module:
    """M_CBLA_BL with the squared weights in the loss (figure 1, eq. 8): the proposed
    network.
    """
    network: nn.Module = M_CBLA_BL(sizes, **hyperparameters)
    return network


def _one_channel(
    sizes: Sizes, hidden_size: int, max_frames: int, **convolutions: Any
) -> OneChannel:
    stack = Convolutions(sizes.feature_dim, **convolutions)
    return OneChannel(stack, max_frames, BiLSTM(stack.output_size, hidden_size))


def _two_channels(
    sizes: Sizes, dense_size: int, hidden_size: int, max_frames: int, **convolutions: Any
) -> TwoChannels:
    stack = Convolutions(sizes.feature_dim, **convolutions)
    return TwoChannels(stack, max_frames, BiLSTM(sizes.feature_dim, hidden_size), dense_size)


def _fused(
    sizes: Sizes,
    voice: Dense | OneChannel | TwoChannels,
    max_words: int,
    hidden_size: int,
    fusion_sizes: Sequence[int],
) -> Fused:
    text = Text(BiLSTM(sizes.word_dim, hidden_size), max_words)
    return Fused(text, voice, fusion_sizes, sizes.num_classes)
