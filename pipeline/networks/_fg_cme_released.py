"""The networks of paper B as its authors' released code builds them, where that
differs from the paper (github.com/tal-ai/FG_CME, model.py).

In all of them: convolutions without padding and without activation, with torch's
default start; a step belongs to a word when any frame that it has read does; the
classifier is one linear layer; the recipe trains the word vectors. The gates have a
bias, and the acoustic gate is looked up by word id.

Left out, because it makes an utterance's result depend on its batch: MHA's reshape of
the last states, which mixes utterances; padded frames as keys in AttnFusion and as
part of P x in the CTC variant. UttConcat and CNN + LSTM are not released: they take
what the others share.
"""

from collections.abc import Sequence
from typing import Any

from torch import nn

from pipeline.batch import Sizes
from pipeline.blocks.attention import MultiHeadAttention
from pipeline.blocks.ctc_alignment import ReleasedCTCAlignment, soft_sum
from pipeline.blocks.excitation import CrossModalityExcitation, Excitation
from pipeline.blocks.unpadded_convolutions import UnpaddedConvolutions
from pipeline.networks._fg_cme_baselines import AttentionFusion, AttentiveEncoder
from pipeline.networks._fine_grained import CTCAligned, FineGrained

# Hyperparameters that only the form of the paper has, as published.
PAPER_ONLY = {"classifier_size": 128, "alignment_size": 64}


def settings(**hyperparameters: Any) -> dict[str, Any]:
    """The hyperparameters that the released form has; ValueError where one that it
    lacks is not the published one.
    """
    for name, published in PAPER_ONLY.items():
        given = hyperparameters.pop(name, published)
        if given != published:
            raise ValueError(f"{name} = {given}: `form: released` has none, leave it out")
    return hyperparameters


def fine_grained(
    sizes: Sizes,
    excited: Sequence[str],
    *,
    channels: Sequence[int],
    kernel_sizes: Sequence[int],
    semantic_size: int,
    excitation: Excitation | None = None,
    hidden_size: int,
    dropout: float,
) -> FineGrained:
    """FG_CME with gates on the `excited` modalities: "MeanMaxExcite", whose version 2
    (excitation "residual", the one that ran on RAVDESS) is the default.
    """
    convolutions = UnpaddedConvolutions(sizes.feature_dim, channels, kernel_sizes)
    width = 2 * convolutions.out_channels
    gates = _gates(sizes, width, semantic_size, excited, excitation or "residual")
    return FineGrained(sizes, convolutions, gates, hidden_size, None, dropout)


def ctc_aligned(
    sizes: Sizes,
    *,
    channels: Sequence[int],
    kernel_sizes: Sequence[int],
    semantic_size: int,
    excitation: Excitation | None,
    hidden_size: int,
    dropout: float,
    max_words: int,
    ctc_weight: float,
) -> CTCAligned:
    """The CTC variant: two LSTM layers align, the voice of a word is P x.

    There is no mean-max pooling that would double the width, so the last convolution
    has twice its filters: 64, 128, 256. Gates are additive unless told. The weight of
    the CTC loss is not released.
    """
    doubled = (*channels[:-1], 2 * channels[-1])
    convolutions = UnpaddedConvolutions(sizes.feature_dim, doubled, kernel_sizes)
    width, both = convolutions.out_channels, ("acoustic", "semantic")
    gates = _gates(sizes, width, semantic_size, both, excitation or "additive")
    alignment = ReleasedCTCAlignment(width, max_words)
    network = FineGrained(sizes, convolutions, gates, hidden_size, None, dropout)
    return CTCAligned(network, alignment, ctc_weight, soft_sum)


def attentive_encoder(input_size: int, hidden_size: int) -> AttentiveEncoder:
    """LSTM_Attn's encoder, whose attention query starts from N(0, 1)."""
    encoder = AttentiveEncoder(input_size, hidden_size)
    nn.init.normal_(encoder.pool.score.weight)
    return encoder


def attention_fusion(
    sizes: Sizes, hidden_size: int, num_heads: int, dropout: float
) -> AttentionFusion:
    """AttnFusion with dropout 0.5 on its attention weights, which start as those of
    torch's MultiheadAttention. The number of heads is not released.
    """
    network = AttentionFusion(sizes, hidden_size, num_heads, dropout, attention_dropout=0.5)
    _start_as_torch(network.attention)
    return network


def _gates(
    sizes: Sizes,
    acoustic_size: int,
    semantic_size: int,
    excited: Sequence[str],
    form: Excitation,
) -> CrossModalityExcitation:
    return CrossModalityExcitation(
        acoustic_size,
        semantic_size,
        acoustic="acoustic" in excited,
        semantic="semantic" in excited,
        form=form,
        released=True,
        vocabulary_size=sizes.vocabulary_size,
    )


def _start_as_torch(attention: MultiHeadAttention) -> None:
    # torch draws the three projections as one matrix of three times the height.
    size = attention.query.in_features
    bound = (6 / (size + 3 * size)) ** 0.5
    for projection in (attention.query, attention.key, attention.value):
        nn.init.uniform_(projection.weight, -bound, bound)
        if projection.bias is not None:
            nn.init.zeros_(projection.bias)
    nn.init.zeros_(attention.output.bias)
