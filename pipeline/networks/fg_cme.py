"""Fine-grained cross modality excitement: word by word fusion of voice and text, and
its baselines.

Li, Ding, Wu and Liu, "Learning Fine-Grained Cross Modality Excitement for Speech
Emotion Recognition", 2021. Section 4.3 gives sizes and optimiser; batch and epochs are
those of the authors' released code.

Every system has two forms. `form: paper` is what the text says; `form: released` is
what the released code builds, `_fg_cme_released.py` says where they differ.

The released code scores an epoch by 0.9 WA + 0.1 UA. An utterance without words that
were placed in time has no word-level voice: it is dropped, for all systems of a table.

Decisions where the paper says nothing: ReLU after each convolution, whose weights start
as He et al. (2015) propose; FCN(128, classes) has one ReLU between its layers; no
dropout; W^s has a bias, the gates have none (section 3.3 prints none). Word vectors are
trained in the released form alone: in the paper W^s is what fine-tunes them. The
baselines have one linear layer as classifier, after `dropout` of the utterance vector
(0 unless told), and recurrent layers of 256 units per direction, as in the released
code.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

from torch import nn

from pipeline.batch import Batch, Sizes
from pipeline.blocks.convolution_stack import ConvolutionStack
from pipeline.blocks.ctc_alignment import CTCAlignment, soft_mean_max
from pipeline.blocks.excitation import CrossModalityExcitation, Excitation
from pipeline.blocks.unpadded_convolutions import UnpaddedConvolutions
from pipeline.networks import _fg_cme_released as released
from pipeline.networks._fg_cme_baselines import (
    AttentionFusion,
    AttentiveEncoder,
    ConvolutionLSTM,
    MultiHop,
    Unimodal,
    UtteranceConcatenation,
)
from pipeline.networks._fine_grained import CTCAligned, FineGrained
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

Form = Literal["paper", "released"]

RECIPE: dict[str, Any] = {
    "optimizer": "adam",
    "learning_rate": 5e-4,
    "batch_size": 32,
    "epochs": 20,
    "train_embedding": "released",
    "select": "wa_ua",
    "missing": "drop",
    "normalization": "train",
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
    excitation: Excitation | None = None,
    form: Form = "paper",
) -> nn.Module:
    """The proposed network (figure 1, section 3): word-level voice and text, each
    exciting the other.

    `excitation`: "paper" (section 3.3), or the released code's "residual" and
    "additive"; None is that of the form. `dropout` acts on the words before the
    recurrent layer and on the utterance vector. The released form has no
    `classifier_size`.
    """
    return _fine_grained(
        sizes,
        ("acoustic", "semantic"),
        channels=channels,
        kernel_sizes=kernel_sizes,
        semantic_size=semantic_size,
        excitation=excitation,
        hidden_size=hidden_size,
        classifier_size=classifier_size,
        dropout=dropout,
        form=form,
    )


@system("audio", "text", "alignment", like=FG_CME, **RECIPE)
def wo_excite_a(sizes: Sizes, **hyperparameters: Any) -> nn.Module:
    """FG_CME without acoustic excitation (section 4.5): text does not scale voice."""
    return _fine_grained(sizes, ("semantic",), **hyperparameters)


@system("audio", "text", "alignment", like=FG_CME, **RECIPE)
def wo_excite_s(sizes: Sizes, **hyperparameters: Any) -> nn.Module:
    """FG_CME without semantic excitation (section 4.5): voice does not scale text."""
    return _fine_grained(sizes, ("acoustic",), **hyperparameters)


@system("audio", "text", "alignment", like=FG_CME, without=("excitation",), **RECIPE)
def wo_excite_m(sizes: Sizes, **hyperparameters: Any) -> nn.Module:
    """FG_CME without any excitation (section 4.5): aligned words of both modalities,
    concatenated.
    """
    return _fine_grained(sizes, (), **hyperparameters)


@system("audio", "text", like=FG_CME, **RECIPE)
def ctc_align(
    sizes: Sizes,
    *,
    alignment_size: int = 64,
    max_words: int = 128,
    ctc_weight: float = 0.1,
    form: Form = "paper",
    **hyperparameters: Any,
) -> nn.Module:
    """FG_CME whose alignment matrix A is predicted by a CTC module trained with it
    (section 4.5, "w/ CTC Align").

    Decisions: the module is an LSTM of `alignment_size` units over the acoustic
    embedding; the loss is cross entropy + `ctc_weight` * CTC loss (per word); words
    from `max_words` on get no voice. The soft A enters the mean-max pooling of section
    3.2 as printed: a normalised weighted mean, and the maximum of a_ij x_i. The
    released form has no `alignment_size`.
    """
    if form == "released":
        settings = released.settings(alignment_size=alignment_size, **hyperparameters)
        return released.ctc_aligned(sizes, max_words=max_words, ctc_weight=ctc_weight, **settings)
    predictor = partial(CTCAlignment, hidden_size=alignment_size, max_words=max_words)
    return _fine_grained(
        sizes,
        ("acoustic", "semantic"),
        predictor=predictor,
        ctc_weight=ctc_weight,
        **hyperparameters,
    )


@system("audio", **RECIPE)
def CNN_LSTM_a(
    sizes: Sizes,
    *,
    channels: Sequence[int] = (64, 128, 128),
    kernel_sizes: Sequence[int] = (5, 2, 2),
    pool_size: int = 4,
    hidden_size: int = 256,
    dropout: float = 0.0,
    form: Form = "paper",
) -> nn.Module:
    """Voice only: convolutions, then an LSTM whose last state stands for the utterance
    (section 4.2, baseline 1).

    Decisions: the convolutions of FG_CME in the same form; then, as Satt et al. (2017)
    pool between convolution and recurrence, a maximum over `pool_size` frames.
    """
    stack = UnpaddedConvolutions if form == "released" else ConvolutionStack
    convolutions = stack(sizes.feature_dim, channels, kernel_sizes)
    return ConvolutionLSTM(convolutions, pool_size, hidden_size, sizes.num_classes, dropout)


@system("audio", **RECIPE)
def LSTM_Attn_a(
    sizes: Sizes, *, hidden_size: int = 256, dropout: float = 0.0, form: Form = "paper"
) -> nn.Module:
    """Voice only: bidirectional LSTM over frames, attention pooling (section 4.2,
    baseline 2).
    """
    encoder = _encoder(form)(sizes.feature_dim, hidden_size)
    return Unimodal(Batch.voice, encoder, sizes.num_classes, dropout)


@system("text", **RECIPE)
def LSTM_Attn_s(
    sizes: Sizes, *, hidden_size: int = 256, dropout: float = 0.0, form: Form = "paper"
) -> nn.Module:
    """Text only: bidirectional LSTM over words, attention pooling (section 4.2,
    baseline 4).
    """
    encoder = _encoder(form)(sizes.word_dim, hidden_size)
    return Unimodal(Batch.text, encoder, sizes.num_classes, dropout)


@system("audio", "text", **RECIPE)
def UttConcat_m(
    sizes: Sizes, *, hidden_size: int = 256, dropout: float = 0.0, form: Form = "paper"
) -> nn.Module:
    """Two bidirectional LSTMs whose utterance vectors are concatenated (section 4.2,
    baseline 5).

    Decision: attention pooling makes the utterance vectors, so that fusion alone tells
    it from the unimodal baselines.
    """
    encoder = _encoder(form)
    voice = encoder(sizes.feature_dim, hidden_size)
    text = encoder(sizes.word_dim, hidden_size)
    return UtteranceConcatenation(voice, text, sizes.num_classes, dropout)


@system("audio", "text", **RECIPE)
def AttnFusion_m(
    sizes: Sizes,
    *,
    hidden_size: int = 256,
    num_heads: int = 4,
    dropout: float = 0.0,
    form: Form = "paper",
) -> nn.Module:
    """Words attend to frames by multi-head attention; both go on word by word (section
    4.2, baseline 6).

    Decision: 4 heads. A bidirectional LSTM over [word, attended voice] and a maximum
    over words follow, as in FG_CME.
    """
    fusion = released.attention_fusion if form == "released" else AttentionFusion
    return fusion(sizes, hidden_size, num_heads, dropout)


@system("audio", "text", **RECIPE)
def MHA_m(
    sizes: Sizes, *, hidden_size: int = 256, dropout: float = 0.0, form: Form = "paper"
) -> nn.Module:
    """Multi-hop attention between the modalities (section 4.2, baseline 7; Yoon et al.
    2019, "MHA-2").

    The last state of the voice attends to the words, what it finds there attends to the
    frames; the classifier reads all three vectors. The released form does not divide
    the scores by sqrt(512).
    """
    return MultiHop(sizes, hidden_size, dropout, scaled=form == "paper")


def _fine_grained(
    sizes: Sizes,
    excited: tuple[Literal["acoustic", "semantic"], ...],
    *,
    form: Form = "paper",
    **hyperparameters: Any,
) -> nn.Module:
    """FG_CME with gates on the `excited` modalities only."""
    if form == "released":
        return released.fine_grained(sizes, excited, **released.settings(**hyperparameters))
    return _of_paper(sizes, excited, **hyperparameters)


def _of_paper(
    sizes: Sizes,
    excited: tuple[Literal["acoustic", "semantic"], ...],
    *,
    channels: Sequence[int],
    kernel_sizes: Sequence[int],
    semantic_size: int,
    excitation: Excitation | None = None,
    predictor: Callable[[int], CTCAlignment] | None = None,
    ctc_weight: float = 0.0,
    **widths: Any,
) -> nn.Module:
    """The form of section 3; a `predictor` makes the alignment matrix from the acoustic
    embedding of given width.
    """
    convolutions = ConvolutionStack(sizes.feature_dim, channels, kernel_sizes)
    gates = CrossModalityExcitation(
        2 * convolutions.out_channels,
        semantic_size,
        acoustic="acoustic" in excited,
        semantic="semantic" in excited,
        form=excitation or "paper",
        vocabulary_size=sizes.vocabulary_size,
    )
    # Before the layers above, so that a seed gives the weights that it always gave.
    alignment = None if predictor is None else predictor(convolutions.out_channels)
    network = FineGrained(sizes, convolutions, gates, **widths)
    if alignment is None:
        return network
    return CTCAligned(network, alignment, ctc_weight, soft_mean_max)


def _encoder(form: Form) -> Callable[[int, int], AttentiveEncoder]:
    return released.attentive_encoder if form == "released" else AttentiveEncoder
