"""Two-channel CNN and BiLSTM with attention for voice, BiLSTM for text, dense fusion.

Cai, Hu, Dong and Zhou, "Audio-Textual Emotion Recognition Based on Improved Neural
Networks" (2019). Inputs: 34 short-term features, at most 100 frames; word vectors, at
most 500 tokens.

Decisions where the paper says nothing:
- Convolutions (section 3.3 says four layers with different numbers of filters): 32, 64,
  128, 256 filters, kernel 5, a maximum over 2 frames after the second and the fourth.
- Activation: LeakyReLU (slope 0.01) in the voice networks (section 4.2.2), ReLU in the
  fusion (section 5).
- Recurrent layers without attention hand on their last state; attention is a learnt
  score per step and a softmax.
- S_CBLA's dense layer has 256 units. S of eq. 6 is the vector that the voice row hands
  to its softmax, H that of T_BL.
- Optimiser: Adam 1e-3. L2 factor of eq. 8: 1e-4.
- Frames and tokens beyond the utterance take no part in recurrence, pooling and
  attention; only S_DNN, which needs a fixed size, sees zeros there.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.batch import Batch, Sizes
from pipeline.blocks.convolution import Conv1d, MaxPool1d
from pipeline.blocks.cropping import crop, fit
from pipeline.blocks.pooling import AttentionPooling, masked_mean
from pipeline.blocks.recurrent import LSTM, BiLSTM
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
}
L2 = 1e-4


@system("audio", **RECIPE)
def S_DNN(
    sizes: Sizes, *, max_frames: int = 100, dense_sizes: Sequence[int] = (512, 256, 128, 32)
) -> nn.Module:
    """Voice: all frames as one vector, four dense layers (section 4.2.2)."""
    return _Classified(_Dense(sizes, max_frames, dense_sizes), sizes)


@system("audio", **RECIPE)
def S_CNN(
    sizes: Sizes,
    *,
    max_frames: int = 100,
    channels: Sequence[int] = (32, 64, 128, 256),
    kernel_size: int = 5,
    pool_size: int = 2,
) -> nn.Module:
    """Voice: four convolutions, maximum pooling, global average pooling (section
    4.2.2).
    """
    return _Classified(_Averaged(sizes, max_frames, channels, kernel_size, pool_size), sizes)


@system("audio", **RECIPE)
def S_CL(
    sizes: Sizes,
    *,
    max_frames: int = 100,
    channels: Sequence[int] = (32, 64, 128, 256),
    kernel_size: int = 5,
    pool_size: int = 2,
    hidden_size: int = 256,
) -> nn.Module:
    """Voice: one channel, the convolutions' frames run through a bidirectional LSTM
    (section 4.2.2).
    """
    return _Classified(
        _OneChannel(sizes, max_frames, channels, kernel_size, pool_size, hidden_size), sizes
    )


@system("audio", **RECIPE)
def S_CBLA(
    sizes: Sizes,
    *,
    max_frames: int = 100,
    channels: Sequence[int] = (32, 64, 128, 256),
    kernel_size: int = 5,
    pool_size: int = 2,
    hidden_size: int = 256,
    dense_size: int = 256,
) -> nn.Module:
    """Voice: convolutions beside a bidirectional LSTM with attention, concatenated,
    dense (section 3.3, figure 4).
    """
    return _Classified(
        _TwoChannels(sizes, max_frames, channels, kernel_size, pool_size, hidden_size, dense_size),
        sizes,
    )


@system("text", **RECIPE)
def T_LSTM(sizes: Sizes, *, max_words: int = 500, hidden_size: int = 256) -> nn.Module:
    """Text: LSTM over word vectors (section 4.2.1, eq. 1-3)."""
    return _Classified(_Text(sizes, max_words, hidden_size, bidirectional=False), sizes)


@system("text", **RECIPE)
def T_BL(sizes: Sizes, *, max_words: int = 500, hidden_size: int = 256) -> nn.Module:
    """Text: bidirectional LSTM over word vectors (section 3.2, figure 3)."""
    return _Classified(_Text(sizes, max_words, hidden_size, bidirectional=True), sizes)


@system("audio", "text", **RECIPE)
def M_D_BL(
    sizes: Sizes,
    *,
    max_frames: int = 100,
    max_words: int = 500,
    dense_sizes: Sequence[int] = (512, 256, 128, 32),
    hidden_size: int = 256,
    fusion_sizes: Sequence[int] = (1024, 512),
) -> nn.Module:
    """S_DNN and T_BL, fused (section 4.2.3, eq. 6 and 7)."""
    voice = _Dense(sizes, max_frames, dense_sizes)
    return _Fused(
        _Text(sizes, max_words, hidden_size, bidirectional=True), voice, sizes, fusion_sizes
    )


@system("audio", "text", **RECIPE)
def M_CL_BL(
    sizes: Sizes,
    *,
    max_frames: int = 100,
    max_words: int = 500,
    channels: Sequence[int] = (32, 64, 128, 256),
    kernel_size: int = 5,
    pool_size: int = 2,
    hidden_size: int = 256,
    fusion_sizes: Sequence[int] = (1024, 512),
) -> nn.Module:
    """S_CL and T_BL, fused (section 4.2.3, eq. 6 and 7)."""
    voice = _OneChannel(sizes, max_frames, channels, kernel_size, pool_size, hidden_size)
    return _Fused(
        _Text(sizes, max_words, hidden_size, bidirectional=True), voice, sizes, fusion_sizes
    )


@system("audio", "text", l2=L2, **RECIPE)
def M_CL_BLR(
    sizes: Sizes,
    *,
    max_frames: int = 100,
    max_words: int = 500,
    channels: Sequence[int] = (32, 64, 128, 256),
    kernel_size: int = 5,
    pool_size: int = 2,
    hidden_size: int = 256,
    fusion_sizes: Sequence[int] = (1024, 512),
) -> nn.Module:
    """M_CL_BL with the squared weights in the loss (section 4.2.3, eq. 8)."""
    voice = _OneChannel(sizes, max_frames, channels, kernel_size, pool_size, hidden_size)
    return _Fused(
        _Text(sizes, max_words, hidden_size, bidirectional=True), voice, sizes, fusion_sizes
    )


@system("audio", "text", **RECIPE)
def M_CBLA_BL(
    sizes: Sizes,
    *,
    max_frames: int = 100,
    max_words: int = 500,
    channels: Sequence[int] = (32, 64, 128, 256),
    kernel_size: int = 5,
    pool_size: int = 2,
    hidden_size: int = 256,
    dense_size: int = 256,
    fusion_sizes: Sequence[int] = (1024, 512),
) -> nn.Module:
    """S_CBLA and T_BL, fused (section 4.2.3, eq. 6 and 7)."""
    voice = _TwoChannels(
        sizes, max_frames, channels, kernel_size, pool_size, hidden_size, dense_size
    )
    return _Fused(
        _Text(sizes, max_words, hidden_size, bidirectional=True), voice, sizes, fusion_sizes
    )


@system("audio", "text", l2=L2, **RECIPE)
def M_CBLA_BLR(
    sizes: Sizes,
    *,
    max_frames: int = 100,
    max_words: int = 500,
    channels: Sequence[int] = (32, 64, 128, 256),
    kernel_size: int = 5,
    pool_size: int = 2,
    hidden_size: int = 256,
    dense_size: int = 256,
    fusion_sizes: Sequence[int] = (1024, 512),
) -> nn.Module:
    """M_CBLA_BL with the squared weights in the loss (figure 1, eq. 8): the proposed
    network.
    """
    voice = _TwoChannels(
        sizes, max_frames, channels, kernel_size, pool_size, hidden_size, dense_size
    )
    return _Fused(
        _Text(sizes, max_words, hidden_size, bidirectional=True), voice, sizes, fusion_sizes
    )


class _Dense(nn.Module):
    """All frames as one vector through dense layers."""

    def __init__(self, sizes: Sizes, max_frames: int, dense_sizes: Sequence[int]) -> None:
        super().__init__()
        self.max_frames = max_frames
        self.output_size = dense_sizes[-1]
        widths = pairwise([max_frames * sizes.feature_dim, *dense_sizes])
        self.layers = nn.ModuleList(nn.Linear(before, after) for before, after in widths)

    def forward(self, batch: Batch) -> Tensor:
        """Tensor[B, dense_sizes[-1]]."""
        x = fit(batch.frames, batch.frame_lengths, self.max_frames).flatten(1)
        for layer in self.layers:
            x = F.leaky_relu(layer(x))
        return x


class _Convolutions(nn.Module):
    """Four convolutions with LeakyReLU; a maximum after every second one halves the
    frames.
    """

    def __init__(
        self, in_channels: int, channels: Sequence[int], kernel_size: int, pool_size: int
    ) -> None:
        super().__init__()
        self.output_size = channels[-1]
        widths = pairwise([in_channels, *channels])
        self.layers = nn.ModuleList(Conv1d(before, after, kernel_size) for before, after in widths)
        self.pool = MaxPool1d(pool_size)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Tensor[B, T, in_channels] and Tensor[B] to pooled frames Tensor[B, T',
        output_size] and their lengths.
        """
        for index, layer in enumerate(self.layers):
            x = F.leaky_relu(layer(x, lengths))
            if index % 2:
                x, lengths = self.pool(x, lengths), self.pool.output_lengths(lengths)
        return x, lengths


class _Averaged(nn.Module):
    """Convolutions and the average over time."""

    def __init__(
        self,
        sizes: Sizes,
        max_frames: int,
        channels: Sequence[int],
        kernel_size: int,
        pool_size: int,
    ) -> None:
        super().__init__()
        self.max_frames = max_frames
        self.convolutions = _Convolutions(sizes.feature_dim, channels, kernel_size, pool_size)
        self.output_size = self.convolutions.output_size

    def forward(self, batch: Batch) -> Tensor:
        """Tensor[B, channels[-1]]."""
        return masked_mean(
            *self.convolutions(*crop(batch.frames, batch.frame_lengths, self.max_frames))
        )


class _OneChannel(nn.Module):
    """Convolutions, then a bidirectional LSTM, last states."""

    def __init__(
        self,
        sizes: Sizes,
        max_frames: int,
        channels: Sequence[int],
        kernel_size: int,
        pool_size: int,
        hidden_size: int,
    ) -> None:
        super().__init__()
        self.max_frames = max_frames
        self.convolutions = _Convolutions(sizes.feature_dim, channels, kernel_size, pool_size)
        self.recurrent = BiLSTM(self.convolutions.output_size, hidden_size)
        self.output_size = 2 * hidden_size

    def forward(self, batch: Batch) -> Tensor:
        """Tensor[B, 2 * hidden_size]."""
        x, lengths = self.convolutions(*crop(batch.frames, batch.frame_lengths, self.max_frames))
        return self.recurrent.final_state(self.recurrent(x, lengths), lengths)


class _TwoChannels(nn.Module):
    """Averaged convolutions beside an attentive bidirectional LSTM, joined by a dense
    layer.
    """

    def __init__(
        self,
        sizes: Sizes,
        max_frames: int,
        channels: Sequence[int],
        kernel_size: int,
        pool_size: int,
        hidden_size: int,
        dense_size: int,
    ) -> None:
        super().__init__()
        self.max_frames = max_frames
        self.local = _Averaged(sizes, max_frames, channels, kernel_size, pool_size)
        self.context = BiLSTM(sizes.feature_dim, hidden_size)
        self.attention = AttentionPooling(2 * hidden_size)
        self.dense = nn.Linear(self.local.output_size + 2 * hidden_size, dense_size)
        self.output_size = dense_size

    def forward(self, batch: Batch) -> Tensor:
        """Tensor[B, dense_size]."""
        frames, lengths = crop(batch.frames, batch.frame_lengths, self.max_frames)
        context = self.attention(self.context(frames, lengths), lengths)
        return F.leaky_relu(self.dense(torch.cat([self.local(batch), context], dim=1)))


class _Text(nn.Module):
    """LSTM over word vectors, last state."""

    def __init__(self, sizes: Sizes, max_words: int, hidden_size: int, bidirectional: bool) -> None:
        super().__init__()
        self.max_words = max_words
        self.recurrent = (BiLSTM if bidirectional else LSTM)(sizes.word_dim, hidden_size)
        self.output_size = self.recurrent.output_size

    def forward(self, batch: Batch) -> Tensor:
        """Tensor[B, output_size]."""
        words, lengths = crop(batch.words, batch.word_lengths, self.max_words)
        return self.recurrent.final_state(self.recurrent(words, lengths), lengths)


class _Classified(nn.Module):
    """One encoder and a softmax layer."""

    def __init__(
        self, encoder: _Dense | _Averaged | _OneChannel | _TwoChannels | _Text, sizes: Sizes
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.classifier = nn.Linear(encoder.output_size, sizes.num_classes)

    def embed(self, batch: Batch) -> Tensor:
        """The encoder's vector: Tensor[B, output_size]."""
        return self.encoder(batch)  # type: ignore[no-any-return]

    def forward(self, batch: Batch) -> Tensor:
        """Logits Tensor[B, num_classes]."""
        return self.classifier(self.embed(batch))  # type: ignore[no-any-return]


class _Fused(nn.Module):
    """V = [H, S] (eq. 6) through dense layers."""

    def __init__(
        self,
        text: _Text,
        voice: _Dense | _OneChannel | _TwoChannels,
        sizes: Sizes,
        fusion_sizes: Sequence[int],
    ) -> None:
        super().__init__()
        self.text, self.voice = text, voice
        widths = pairwise([text.output_size + voice.output_size, *fusion_sizes])
        self.fusion = nn.ModuleList(nn.Linear(before, after) for before, after in widths)
        self.classifier = nn.Linear(fusion_sizes[-1], sizes.num_classes)

    def embed(self, batch: Batch) -> Tensor:
        """The last dense layer before the softmax: Tensor[B, fusion_sizes[-1]]."""
        x = torch.cat([self.text(batch), self.voice(batch)], dim=1)
        for layer in self.fusion:
            x = F.relu(layer(x))
        return x

    def forward(self, batch: Batch) -> Tensor:
        """Logits Tensor[B, num_classes]."""
        return self.classifier(self.embed(batch))  # type: ignore[no-any-return]
