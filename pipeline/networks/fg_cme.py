"""Fine-grained cross modality excitement: word by word fusion of voice and text, and
its baselines.

Li, Ding, Wu and Liu, "Learning Fine-Grained Cross Modality Excitement for Speech
Emotion Recognition", 2021. Section 4.3 gives sizes and optimiser; batch and epochs are
those of the authors' released code.

Decisions where the paper says nothing: ReLU after each convolution, whose weights start
as He et al. (2015) propose; FCN(128, classes) has one ReLU between its layers; no
dropout; W^s has a bias, the gates have none (section 3.3 prints none). Word vectors are
not trained further: W^s is what fine-tunes them. The baselines have one linear layer as
classifier, after `dropout` of the utterance vector (0 unless told), and recurrent
layers of 256 units per direction, as in the released code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.batch import Batch, Sizes
from pipeline.blocks.attention import MultiHeadAttention, attend
from pipeline.blocks.convolution import MaxPool1d
from pipeline.blocks.convolution_stack import ConvolutionStack
from pipeline.blocks.ctc_alignment import CTCAlignment
from pipeline.blocks.excitation import CrossModalityExcitation, Form
from pipeline.blocks.fine_grained import CTCAligned, FineGrained
from pipeline.blocks.pooling import AttentionPooling, masked_max
from pipeline.blocks.recurrent import LSTM, BiLSTM
from pipeline.networks._system import system

__all__ = [
    "FG_CME",
    "AttnFusion_m",
    "CNN_LSTM_a",
    "LSTM_Attn_a",
    "LSTM_Attn_s",
    "MHA_m",
    "UttConcat_m",
    "ctc_align",
    "wo_excite_a",
    "wo_excite_m",
    "wo_excite_s",
]

RECIPE: dict[str, Any] = {
    "optimizer": "adam",
    "learning_rate": 5e-4,
    "batch_size": 32,
    "epochs": 20,
}


@system("audio", "text", "alignment", **RECIPE)
def FG_CME(
    sizes: Sizes,
    *,
    channels: Sequence[int] = (64, 128, 128),
    kernel_sizes: Sequence[int] = (5, 2, 2),
    semantic_size: int = 256,
    hidden_size: int = 256,
    classifier_size: int = 128,
    dropout: float = 0.0,
    excitation: Form = "paper",
) -> nn.Module:
    """The proposed network (figure 1, section 3): word-level voice and text, each
    exciting the other.

    `excitation`: "paper" (section 3.3) or "residual" (the released code's gates).
    `dropout` acts on the words before the recurrent layer and on the utterance vector.
    """
    stack = ConvolutionStack(sizes.feature_dim, channels, kernel_sizes)
    gates = CrossModalityExcitation(
        2 * stack.out_channels,
        semantic_size,
        form=excitation,
        vocabulary_size=sizes.vocabulary_size,
    )
    return FineGrained(sizes, stack, gates, semantic_size, hidden_size, classifier_size, dropout)


@system("audio", "text", "alignment", **RECIPE)
def wo_excite_a(
    sizes: Sizes,
    *,
    channels: Sequence[int] = (64, 128, 128),
    kernel_sizes: Sequence[int] = (5, 2, 2),
    semantic_size: int = 256,
    hidden_size: int = 256,
    classifier_size: int = 128,
    dropout: float = 0.0,
    excitation: Form = "paper",
) -> nn.Module:
    """FG_CME without acoustic excitation (section 4.5): text does not scale voice."""
    stack = ConvolutionStack(sizes.feature_dim, channels, kernel_sizes)
    gates = CrossModalityExcitation(
        2 * stack.out_channels, semantic_size, acoustic=False, form=excitation
    )
    return FineGrained(sizes, stack, gates, semantic_size, hidden_size, classifier_size, dropout)


@system("audio", "text", "alignment", **RECIPE)
def wo_excite_s(
    sizes: Sizes,
    *,
    channels: Sequence[int] = (64, 128, 128),
    kernel_sizes: Sequence[int] = (5, 2, 2),
    semantic_size: int = 256,
    hidden_size: int = 256,
    classifier_size: int = 128,
    dropout: float = 0.0,
    excitation: Form = "paper",
) -> nn.Module:
    """FG_CME without semantic excitation (section 4.5): voice does not scale text."""
    stack = ConvolutionStack(sizes.feature_dim, channels, kernel_sizes)
    gates = CrossModalityExcitation(
        2 * stack.out_channels,
        semantic_size,
        semantic=False,
        form=excitation,
        vocabulary_size=sizes.vocabulary_size,
    )
    return FineGrained(sizes, stack, gates, semantic_size, hidden_size, classifier_size, dropout)


@system("audio", "text", "alignment", **RECIPE)
def wo_excite_m(
    sizes: Sizes,
    *,
    channels: Sequence[int] = (64, 128, 128),
    kernel_sizes: Sequence[int] = (5, 2, 2),
    semantic_size: int = 256,
    hidden_size: int = 256,
    classifier_size: int = 128,
    dropout: float = 0.0,
) -> nn.Module:
    """FG_CME without any excitation (section 4.5): aligned words of both modalities,
    concatenated.
    """
    stack = ConvolutionStack(sizes.feature_dim, channels, kernel_sizes)
    gates = CrossModalityExcitation(
        2 * stack.out_channels, semantic_size, acoustic=False, semantic=False
    )
    return FineGrained(sizes, stack, gates, semantic_size, hidden_size, classifier_size, dropout)


@system("audio", "text", **RECIPE)
def ctc_align(
    sizes: Sizes,
    *,
    channels: Sequence[int] = (64, 128, 128),
    kernel_sizes: Sequence[int] = (5, 2, 2),
    semantic_size: int = 256,
    hidden_size: int = 256,
    classifier_size: int = 128,
    dropout: float = 0.0,
    excitation: Form = "paper",
    alignment_size: int = 64,
    max_words: int = 128,
    ctc_weight: float = 0.1,
) -> nn.Module:
    """FG_CME whose alignment matrix A is predicted by a CTC module trained with it
    (section 4.5, "w/ CTC Align").

    Decisions: the module is an LSTM of `alignment_size` units over the acoustic
    embedding; the loss is cross entropy + `ctc_weight` * CTC loss (per word); words
    from `max_words` on get no voice. The soft A enters the mean-max pooling of section
    3.2 as printed: a normalised weighted mean, and the maximum of a_ij x_i.
    """
    stack = ConvolutionStack(sizes.feature_dim, channels, kernel_sizes)
    gates = CrossModalityExcitation(
        2 * stack.out_channels,
        semantic_size,
        form=excitation,
        vocabulary_size=sizes.vocabulary_size,
    )
    alignment = CTCAlignment(stack.out_channels, alignment_size, max_words)
    network = FineGrained(sizes, stack, gates, semantic_size, hidden_size, classifier_size, dropout)
    return CTCAligned(network, alignment, ctc_weight)


@system("audio", **RECIPE)
def CNN_LSTM_a(
    sizes: Sizes,
    *,
    channels: Sequence[int] = (64, 128, 128),
    kernel_sizes: Sequence[int] = (5, 2, 2),
    pool_size: int = 4,
    hidden_size: int = 256,
    dropout: float = 0.0,
) -> nn.Module:
    """Voice only: convolutions, then an LSTM whose last state stands for the utterance
    (section 4.2, baseline 1).

    Decisions: the convolutions of FG_CME; then, as Satt et al. (2017) pool between
    convolution and recurrence, a maximum over `pool_size` frames.
    """
    return _ConvolutionLSTM(sizes, channels, kernel_sizes, pool_size, hidden_size, dropout)


@system("audio", **RECIPE)
def LSTM_Attn_a(sizes: Sizes, *, hidden_size: int = 256, dropout: float = 0.0) -> nn.Module:
    """Voice only: bidirectional LSTM over frames, attention pooling (section 4.2,
    baseline 2).
    """
    return _Unimodal(sizes, "frames", hidden_size, dropout)


@system("text", **RECIPE)
def LSTM_Attn_s(sizes: Sizes, *, hidden_size: int = 256, dropout: float = 0.0) -> nn.Module:
    """Text only: bidirectional LSTM over words, attention pooling (section 4.2,
    baseline 4).
    """
    return _Unimodal(sizes, "words", hidden_size, dropout)


@system("audio", "text", **RECIPE)
def UttConcat_m(sizes: Sizes, *, hidden_size: int = 256, dropout: float = 0.0) -> nn.Module:
    """Two bidirectional LSTMs whose utterance vectors are concatenated (section 4.2,
    baseline 5).

    Decision: attention pooling makes the utterance vectors, so that fusion alone tells
    it from the unimodal baselines.
    """
    return _UtteranceConcatenation(sizes, hidden_size, dropout)


@system("audio", "text", **RECIPE)
def AttnFusion_m(
    sizes: Sizes, *, hidden_size: int = 256, num_heads: int = 4, dropout: float = 0.0
) -> nn.Module:
    """Words attend to frames by multi-head attention; both go on word by word (section
    4.2, baseline 6).

    Decision: 4 heads. A bidirectional LSTM over [word, attended voice] and a maximum
    over words follow, as in FG_CME.
    """
    return _AttentionFusion(sizes, hidden_size, num_heads, dropout)


@system("audio", "text", **RECIPE)
def MHA_m(sizes: Sizes, *, hidden_size: int = 256, dropout: float = 0.0) -> nn.Module:
    """Multi-hop attention between the modalities (section 4.2, baseline 7; Yoon et al.
    2019, "MHA-2").

    The last state of the voice attends to the words, what it finds there attends to the
    frames; the classifier reads all three vectors.
    """
    return _MultiHop(sizes, hidden_size, dropout)


class _ConvolutionLSTM(nn.Module):
    """Convolutions, maximum over a few frames, LSTM, last state."""

    def __init__(
        self,
        sizes: Sizes,
        channels: Sequence[int],
        kernel_sizes: Sequence[int],
        pool_size: int,
        hidden_size: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.convolutions = ConvolutionStack(sizes.feature_dim, channels, kernel_sizes)
        self.pool = MaxPool1d(pool_size)
        self.recurrent = LSTM(self.convolutions.out_channels, hidden_size)
        self.classifier = _classifier(hidden_size, sizes.num_classes, dropout)

    def embed(self, batch: Batch) -> Tensor:
        """The LSTM's last state: Tensor[B, hidden_size]."""
        assert batch.frames is not None and batch.frame_lengths is not None
        x = self.pool(self.convolutions(batch.frames, batch.frame_lengths), batch.frame_lengths)
        lengths = self.pool.output_lengths(batch.frame_lengths)
        return self.recurrent.final_state(self.recurrent(x, lengths), lengths)

    def forward(self, batch: Batch) -> Tensor:
        """Logits Tensor[B, num_classes]."""
        return self.classifier(self.embed(batch))  # type: ignore[no-any-return]


class _AttentiveEncoder(nn.Module):
    """Bidirectional LSTM and attention pooling."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.recurrent = BiLSTM(input_size, hidden_size)
        self.pool = AttentionPooling(self.recurrent.output_size)

    def forward(self, x: Tensor | None, lengths: Tensor | None) -> Tensor:
        """Tensor[B, T, input_size] and Tensor[B] to Tensor[B, 2 * hidden_size]."""
        assert x is not None and lengths is not None
        return self.pool(self.recurrent(x, lengths), lengths)  # type: ignore[no-any-return]


class _Unimodal(nn.Module):
    """One modality's attentive encoder and a linear classifier."""

    def __init__(self, sizes: Sizes, modality: str, hidden_size: int, dropout: float) -> None:
        super().__init__()
        self.modality = modality
        self.encoder = _AttentiveEncoder(
            sizes.feature_dim if modality == "frames" else sizes.word_dim, hidden_size
        )
        self.classifier = _classifier(2 * hidden_size, sizes.num_classes, dropout)

    def embed(self, batch: Batch) -> Tensor:
        """The pooled states: Tensor[B, 2 * hidden_size]."""
        if self.modality == "frames":
            return self.encoder(batch.frames, batch.frame_lengths)  # type: ignore[no-any-return]
        return self.encoder(batch.words, batch.word_lengths)  # type: ignore[no-any-return]

    def forward(self, batch: Batch) -> Tensor:
        """Logits Tensor[B, num_classes]."""
        return self.classifier(self.embed(batch))  # type: ignore[no-any-return]


class _UtteranceConcatenation(nn.Module):
    """Both modalities' attentive encoders side by side."""

    def __init__(self, sizes: Sizes, hidden_size: int, dropout: float) -> None:
        super().__init__()
        self.voice = _AttentiveEncoder(sizes.feature_dim, hidden_size)
        self.text = _AttentiveEncoder(sizes.word_dim, hidden_size)
        self.classifier = _classifier(4 * hidden_size, sizes.num_classes, dropout)

    def embed(self, batch: Batch) -> Tensor:
        """[voice, text]: Tensor[B, 4 * hidden_size]."""
        voice = self.voice(batch.frames, batch.frame_lengths)
        return torch.cat([voice, self.text(batch.words, batch.word_lengths)], dim=1)

    def forward(self, batch: Batch) -> Tensor:
        """Logits Tensor[B, num_classes]."""
        return self.classifier(self.embed(batch))  # type: ignore[no-any-return]


class _AttentionFusion(nn.Module):
    """Words with the voice they attend to, through a bidirectional LSTM."""

    def __init__(self, sizes: Sizes, hidden_size: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.voice = BiLSTM(sizes.feature_dim, hidden_size)
        self.text = BiLSTM(sizes.word_dim, hidden_size)
        self.attention = MultiHeadAttention(2 * hidden_size, num_heads)
        self.recurrent = BiLSTM(4 * hidden_size, hidden_size)
        self.classifier = _classifier(2 * hidden_size, sizes.num_classes, dropout)

    def embed(self, batch: Batch) -> Tensor:
        """Maximum over words: Tensor[B, 2 * hidden_size]."""
        assert batch.frames is not None and batch.frame_lengths is not None
        assert batch.words is not None and batch.word_lengths is not None
        words = self.text(batch.words, batch.word_lengths)
        heard = self.attention(
            words, self.voice(batch.frames, batch.frame_lengths), batch.frame_lengths
        )
        fused = self.recurrent(
            torch.cat([words, heard.to(words.dtype)], dim=-1), batch.word_lengths
        )
        return masked_max(fused, batch.word_lengths)

    def forward(self, batch: Batch) -> Tensor:
        """Logits Tensor[B, num_classes]."""
        return self.classifier(self.embed(batch))  # type: ignore[no-any-return]


class _MultiHop(nn.Module):
    """Two hops of attention: voice to words, words to frames."""

    def __init__(self, sizes: Sizes, hidden_size: int, dropout: float) -> None:
        super().__init__()
        self.voice = BiLSTM(sizes.feature_dim, hidden_size)
        self.text = BiLSTM(sizes.word_dim, hidden_size)
        self.classifier = _classifier(6 * hidden_size, sizes.num_classes, dropout)

    def embed(self, batch: Batch) -> Tensor:
        """[last voice state, words it found, frames those found]: Tensor[B, 6 *
        hidden_size].
        """
        assert batch.frames is not None and batch.frame_lengths is not None
        assert batch.words is not None and batch.word_lengths is not None
        frames, words = (
            self.voice(batch.frames, batch.frame_lengths),
            self.text(batch.words, batch.word_lengths),
        )
        last = self.voice.final_state(frames, batch.frame_lengths)
        found_words = attend(last[:, None], words, words, batch.word_mask[:, None])
        found_frames = attend(found_words, frames, frames, batch.frame_mask[:, None])
        return torch.cat([last, found_words[:, 0], found_frames[:, 0]], dim=1)

    def forward(self, batch: Batch) -> Tensor:
        """Logits Tensor[B, num_classes]."""
        return self.classifier(self.embed(batch))  # type: ignore[no-any-return]


def _classifier(size: int, num_classes: int, dropout: float) -> nn.Module:
    return nn.Sequential(nn.Dropout(dropout), nn.Linear(size, num_classes))
