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

from torch import nn

from pipeline.batch import Sizes
from pipeline.blocks.normalized_convolution import NormalizedConvolution
from pipeline.blocks.recurrent import BiLSTM
from pipeline.networks._cma_layers import Attention, CrossModal, SelfAttentive, Text, Voice
from pipeline.networks._system import system

__all__ = ["CMA_raw", "CMA_spec", "SelfAttn_a", "SelfAttn_t"]

RECIPE: dict[str, Any] = {
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "batch_size": 32,
    "epochs": 20,
    "normalization": "train",
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
    text = Text(
        sizes.word_dim, max_words=max_words, hidden_size=hidden_size, size=size, dropout=dropout
    )
    attention = Attention(
        size=size,
        num_heads=num_heads,
        num_blocks=num_blocks,
        feed_forward_size=feed_forward_size,
        dropout=dropout,
    )
    return SelfAttentive(text, attention, size, sizes.num_classes)


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
    return SelfAttentive(voice, Attention(**attention), attention["size"], sizes.num_classes)


def _cross_modal(sizes: Sizes, *, max_words: int, **hyperparameters: Any) -> nn.Module:
    voice, attention = _voice(sizes, **hyperparameters)
    text = Text(
        sizes.word_dim,
        max_words=max_words,
        hidden_size=hyperparameters["hidden_size"],
        size=attention["size"],
        dropout=attention["dropout"],
    )
    return CrossModal(
        voice=voice,
        text=text,
        voice_to_text=Attention(**attention),
        text_to_voice=Attention(**attention),
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
) -> tuple[Voice, dict[str, Any]]:
    """The encoder of the voice, and what is left to say of the attention over it."""
    widths = pairwise([sizes.feature_dim, *channels])
    if not len(channels) == len(kernel_sizes) == len(strides) == len(pool_sizes):
        raise ValueError(
            f"{len(channels)} channels, {len(kernel_sizes)} kernel sizes, {len(strides)} strides, "
            f"{len(pool_sizes)} pool sizes: expected one of each for every layer"
        )
    layers = zip(widths, kernel_sizes, strides, pool_sizes, strict=True)
    blocks = [
        NormalizedConvolution(before, after, kernel, stride, pool)
        for (before, after), kernel, stride, pool in layers
    ]
    recurrent = BiLSTM(channels[-1], hidden_size, dropout=attention["dropout"])
    return Voice(blocks, max_frames, recurrent, attention["size"]), attention
