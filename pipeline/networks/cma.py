"""Cross-modal attention between a convolutional encoder of the waveform and one of the
words.

Krishna D N and Patil, "Multimodal Emotion Recognition using Cross-Modal Attention and
1D Convolutional Neural Networks" (Interspeech 2020).

Decisions where the paper says nothing or cannot be followed:
- Strides and pool sizes: (3, 3, 2) and (4, 3, 2), so that 160000 samples become T = 371
  steps of 27 ms, without a sample skipped; for the spectrum, which has frames already,
  strides (1, 1, 1) and pools (2, 2, 2): 1000 become 125.
- Eq. 5 divides the scores by d_q: here by sqrt(d_q), the form of the paper it cites.
- Residual connections around attention and feed-forward, as in the form it cites; ReLU
  in the feed-forward.
- The paper pads short recordings with zeros to 160000 samples. Here silence that was
  never recorded takes no part in normalisation, recurrence, attention and statistics:
  results do not depend on the batch.
- Batch 32, 20 epochs. The dropout 0.2 of the BiLSTM is used in the attention blocks
  too.
- Self attention uses the same two blocks, the encoder's own output being queries, keys
  and values.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.batch import Batch, Sizes
from pipeline.blocks.attention import AttentionBlock
from pipeline.blocks.cropping import crop
from pipeline.blocks.normalized_convolution import NormalizedConvolution
from pipeline.blocks.pooling import statistics_pooling
from pipeline.blocks.recurrent import BiLSTM
from pipeline.networks._system import system

__all__ = ["CMA_raw", "CMA_spec", "SelfAttn_a", "SelfAttn_t"]

RECIPE: dict[str, Any] = {
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "batch_size": 32,
    "epochs": 20,
}


@system("text", **RECIPE)
def SelfAttn_t(
    sizes: Sizes,
    *,
    max_words: int = 50,
    hidden_size: int = 100,
    size: int = 100,
    num_heads: int = 10,
    num_blocks: int = 2,
    feed_forward_size: int = 100,
    dropout: float = 0.2,
) -> nn.Module:
    """Words alone, attending to themselves (section 5, table 2)."""
    text = _Text(
        sizes.word_dim, max_words=max_words, hidden_size=hidden_size, size=size, dropout=dropout
    )
    attention = _Attention(
        size=size,
        num_heads=num_heads,
        num_blocks=num_blocks,
        feed_forward_size=feed_forward_size,
        dropout=dropout,
    )
    return _SelfAttentive(text, attention, size, sizes.num_classes)


@system("audio", "text", unit="sample", like=SelfAttn_t, **RECIPE)
def CMA_raw(
    sizes: Sizes,
    *,
    max_samples: int = 160000,
    channels: Sequence[int] = (64, 100, 100),
    kernel_sizes: Sequence[int] = (3, 5, 7),
    strides: Sequence[int] = (3, 3, 2),
    pool_sizes: Sequence[int] = (4, 3, 2),
    **hyperparameters: Any,
) -> nn.Module:
    """Waveform and words attend to each other (figure 1, eq. 1-8); batch.frames holds
    one sample per frame.
    """
    return _cross_modal(
        sizes,
        max_frames=max_samples,
        channels=channels,
        kernel_sizes=kernel_sizes,
        strides=strides,
        pool_sizes=pool_sizes,
        **hyperparameters,
    )


@system("audio", "text", like=CMA_raw, without=("max_samples",), **RECIPE)
def CMA_spec(
    sizes: Sizes,
    *,
    max_frames: int = 1000,
    strides: Sequence[int] = (1, 1, 1),
    pool_sizes: Sequence[int] = (2, 2, 2),
    **hyperparameters: Any,
) -> nn.Module:
    """CMA_raw on 10 s of a 257-dimensional spectrum, 25 ms window, 10 ms shift (section
    5).
    """
    return _cross_modal(
        sizes, max_frames=max_frames, strides=strides, pool_sizes=pool_sizes, **hyperparameters
    )


@system("audio", unit="sample", like=CMA_raw, without=("max_words",), **RECIPE)
def SelfAttn_a(sizes: Sizes, *, max_samples: int = 160000, **hyperparameters: Any) -> nn.Module:
    """Waveform alone, attending to itself (section 5, table 2)."""
    voice, attention = _voice(sizes, max_frames=max_samples, **hyperparameters)
    return _SelfAttentive(voice, _Attention(**attention), attention["size"], sizes.num_classes)


def _cross_modal(sizes: Sizes, *, max_words: int, **hyperparameters: Any) -> nn.Module:
    voice, attention = _voice(sizes, **hyperparameters)
    text = _Text(
        sizes.word_dim,
        max_words=max_words,
        hidden_size=hyperparameters["hidden_size"],
        size=attention["size"],
        dropout=attention["dropout"],
    )
    return _CrossModal(
        voice=voice,
        text=text,
        voice_to_text=_Attention(**attention),
        text_to_voice=_Attention(**attention),
        size=attention["size"],
        num_classes=sizes.num_classes,
    )


def _voice(
    sizes: Sizes,
    *,
    max_frames: int,
    channels: Sequence[int],
    kernel_sizes: Sequence[int],
    strides: Sequence[int],
    pool_sizes: Sequence[int],
    hidden_size: int,
    **attention: Any,
) -> tuple["_Voice", dict[str, Any]]:
    """The encoder of the voice, and what is left to say of the attention over it."""
    widths = pairwise([sizes.feature_dim, *channels])
    layers = zip(widths, kernel_sizes, strides, pool_sizes, strict=True)
    blocks = [
        NormalizedConvolution(before, after, kernel, stride, pool)
        for (before, after), kernel, stride, pool in layers
    ]
    recurrent = BiLSTM(channels[-1], hidden_size, dropout=attention["dropout"])
    return _Voice(blocks, max_frames, recurrent, attention["size"]), attention


class _Voice(nn.Module):
    """Section 2.1: three blocks of convolution, batch norm, ReLU and maximum pooling,
    then a bidirectional LSTM.
    """

    def __init__(
        self,
        blocks: Sequence[NormalizedConvolution],
        max_frames: int,
        recurrent: BiLSTM,
        size: int,
    ) -> None:
        super().__init__()
        self.max_frames = max_frames
        self.convolutions = nn.ModuleList(blocks)
        self.recurrent = recurrent
        self.projection = nn.Linear(recurrent.output_size, size)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """H^A: Tensor[B, T, size] (eq. 1 and 2) and its lengths Tensor[B]."""
        x, lengths = crop(*batch.voice(), self.max_frames)
        for block in self.convolutions:
            x, lengths = block(x, lengths), block.output_lengths(lengths)  # type: ignore[operator]
        return self.projection(self.recurrent(x, lengths)), lengths


class _Text(nn.Module):
    """Section 2.2: convolution with kernel 1, then a bidirectional LSTM."""

    def __init__(
        self, word_dim: int, *, max_words: int, hidden_size: int, size: int, dropout: float
    ) -> None:
        super().__init__()
        self.max_words = max_words
        # A convolution with kernel 1 is a linear layer on each word.
        self.convolution = nn.Linear(word_dim, size)
        self.recurrent = BiLSTM(size, hidden_size, dropout=dropout)
        self.projection = nn.Linear(2 * hidden_size, size)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """H^T: Tensor[B, W, size] (eq. 3 and 4) and its lengths Tensor[B]."""
        words, lengths = crop(*batch.text(), self.max_words)
        return self.projection(self.recurrent(self.convolution(words), lengths)), lengths


class _Attention(nn.Module):
    """Section 2.3: blocks through which one sequence attends to another (eq. 5, 6)."""

    def __init__(
        self, *, size: int, num_heads: int, num_blocks: int, feed_forward_size: int, dropout: float
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            AttentionBlock(size, num_heads, feed_forward_size, dropout) for _ in range(num_blocks)
        )

    def forward(self, query: Tensor, memory: Tensor, memory_lengths: Tensor) -> Tensor:
        """Tensor[B, N, size] and Tensor[B, M, size] with lengths Tensor[B] to Tensor[B,
        N, size].
        """
        for block in self.blocks:
            query = block(query, memory, memory_lengths)
        return query


class _CrossModal(nn.Module):
    """CMA-1 (voice asks text) and CMA-2 (text asks voice), statistics pooling of both
    (eq. 7 and 8).
    """

    def __init__(
        self,
        *,
        voice: _Voice,
        text: _Text,
        voice_to_text: _Attention,
        text_to_voice: _Attention,
        size: int,
        num_classes: int,
    ) -> None:
        super().__init__()
        self.voice, self.text = voice, text
        self.voice_to_text, self.text_to_voice = voice_to_text, text_to_voice
        self.classifier = nn.Linear(4 * size, num_classes)

    def embed(self, batch: Batch) -> Tensor:
        """[P^A, P^T], mean and standard deviation of each: Tensor[B, 4 * size]."""
        voice, voice_lengths = self.voice(batch)
        text, text_lengths = self.text(batch)
        heard = self.voice_to_text(voice, text, text_lengths)
        read = self.text_to_voice(text, voice, voice_lengths)
        return torch.cat(
            [statistics_pooling(heard, voice_lengths), statistics_pooling(read, text_lengths)],
            dim=1,
        )

    def forward(self, batch: Batch) -> Tensor:
        """Logits Tensor[B, num_classes]."""
        return self.classifier(self.embed(batch))  # type: ignore[no-any-return]


class _SelfAttentive(nn.Module):
    """One encoder whose output attends to itself, statistics pooling."""

    def __init__(
        self, encoder: _Voice | _Text, attention: _Attention, size: int, num_classes: int
    ) -> None:
        super().__init__()
        self.encoder, self.attention = encoder, attention
        self.classifier = nn.Linear(2 * size, num_classes)

    def embed(self, batch: Batch) -> Tensor:
        """Mean and standard deviation over time: Tensor[B, 2 * size]."""
        x, lengths = self.encoder(batch)
        return statistics_pooling(self.attention(x, x, lengths), lengths)

    def forward(self, batch: Batch) -> Tensor:
        """Logits Tensor[B, num_classes]."""
        return self.classifier(self.embed(batch))  # type: ignore[no-any-return]
