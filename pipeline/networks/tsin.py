"""Paper E: "Multimodal Emotion Recognition With Temporal and Semantic Consistency"
(IEEE/ACM TASLP 29, 2021).

Speech is frames -> LSTM -> S (eq. 1), text is word vectors -> multi-kernel block -> T
(eq. 2). Temporal alignment brings S to the words (eq. 3-5), semantic interaction
weights both (eq. 6-9), an LSTM reads them side by side (eq. 10), a second multi-kernel
block and a dense layer classify (eq. 11, 12). Training as in section IV.B.2.

What the paper leaves open, decided for all systems:
- The LSTMs run in one direction: eq. 1 and 10 name no second.
- Word vectors that are not d wide need no layer of their own: the convolutions of eq. 2
  bring them to d filters.
- The maximum of eq. 2 and the mean of eq. 11 go over the kernels, as both keep the word
  index; the mean over the words follows before the dense layer. The second block has as
  many filters as its input is wide.
- Neither activation nor dropout is named beside eq. 7's tanh: there is none.
- "Weight decay 0.001" is Adam's own (added to the gradient). The learning rate falls to
  a tenth after 50 epochs.
- Frames are cut at n = 500, words at m = 150 (section III.B). What stands there for
  shorter utterances is not said: nothing does, so that eq. 4, 6, 8 and 11 go over their
  own frames and words; `fill` puts zeros there that take part, as fixed n and m imply.
- Eq. 7-9: see `pipeline.blocks.semantic_interaction`.
"""

from collections.abc import Sequence
from typing import Any

from torch import nn

from pipeline.batch import Sizes
from pipeline.blocks.semantic_interaction import SemanticInteraction
from pipeline.networks._system import system
from pipeline.networks._tsin_layers import (
    Limits,
    OneModality,
    SpeechAndText,
    SpeechEncoder,
    TextEncoder,
)

__all__ = [
    "TSIN",
    "Speech",
    "TSIN_fasttext",
    "TSIN_glove",
    "TSIN_googlenews",
    "TSIN_onehot",
    "TSI_wo_SI",
    "TSI_wo_TA",
    "Text",
]

RECIPE: dict[str, Any] = {
    "optimizer": "adam",
    "learning_rate": 1e-4,
    "weight_decay": 1e-3,
    "learning_rate_step": 50,
    "learning_rate_factor": 0.1,
    "batch_size": 64,
    "epochs": 80,
    "normalization": "train",
}


@system("audio", "text", embeddings=("bert",), **RECIPE)
def TSIN(
    sizes: Sizes,
    *,
    dim: int = 768,
    fusion_dim: int = 512,
    attention_dim: int = 768,
    kernels: Sequence[int] = (1, 3, 5),
    crossed: bool = True,
    max_frames: int = 500,
    max_words: int = 150,
    fill: bool = False,
) -> nn.Module:
    """The full network on BERT token vectors (section III, eq. 1-12; tables I-V).

    `dim` is d (eq. 1), `fusion_dim` is d' (eq. 10). `attention_dim`, the width of eq.
    7, is not given: chosen equal to d. `crossed` follows eq. 9 as printed. `max_frames`
    and `max_words` are n and m.
    """
    return _speech_and_text(
        sizes,
        dim=dim,
        fusion_dim=fusion_dim,
        kernels=kernels,
        max_frames=max_frames,
        max_words=max_words,
        fill=fill,
        interaction=SemanticInteraction(dim, attention_dim, crossed),
    )


@system("audio", "text", embeddings=("bert",), like=TSIN, **RECIPE)
def TSI_wo_TA(
    sizes: Sizes, *, dim: int = 768, attention_dim: int = 768, crossed: bool = True, **widths: Any
) -> nn.Module:
    """TSIN without temporal alignment (section IV.D.3, table V): eq. 3-5 are left out.

    The paper then "forcefully aligns" the embeddings and does not say how, and names no
    aligner: the valid frames are cut into as many equal parts as there are words, and
    each part is averaged.
    """
    interaction = SemanticInteraction(dim, attention_dim, crossed)
    return _speech_and_text(sizes, dim=dim, interaction=interaction, alignment=False, **widths)


@system(
    "audio", "text", embeddings=("bert",), like=TSIN, without=("attention_dim", "crossed"), **RECIPE
)
def TSI_wo_SI(sizes: Sizes, **widths: Any) -> nn.Module:
    """TSIN without semantic interaction (section IV.D.3, table V): eq. 6-9 are left
    out, eq. 10 reads U and T.
    """
    return _speech_and_text(sizes, interaction=None, **widths)


@system("text", embeddings=("bert",), **RECIPE)
def Text(
    sizes: Sizes,
    *,
    dim: int = 768,
    kernels: Sequence[int] = (1, 3, 5),
    max_words: int = 150,
    fill: bool = False,
) -> nn.Module:
    """The text encoder and the classification module (section IV.D.2, table V; eq. 2,
    11, 12).
    """
    limits = Limits(max_words=max_words, fill=fill)
    encoder = TextEncoder(sizes.word_dim, dim, kernels)
    return OneModality(encoder, dim, kernels, sizes.num_classes, limits)


@system("audio", **RECIPE)
def Speech(
    sizes: Sizes,
    *,
    dim: int = 768,
    kernels: Sequence[int] = (1, 3, 5),
    max_frames: int = 500,
    fill: bool = False,
) -> nn.Module:
    """The speech encoder and the classification module (section IV.D.2, table V; eq. 1,
    11, 12).
    """
    limits = Limits(max_frames=max_frames, fill=fill)
    encoder = SpeechEncoder(sizes.feature_dim, dim)
    return OneModality(encoder, dim, kernels, sizes.num_classes, limits)


@system("audio", "text", embeddings=("glove",), like=TSIN, **RECIPE)
def TSIN_glove(sizes: Sizes, **hyperparameters: Any) -> Any:
    """TSIN on GloVe vectors (section IV.D.1, figure 4): the experiment's `text` is
    `glove`, 300 wide.
    """
    return TSIN(sizes, **hyperparameters)


@system("audio", "text", embeddings=("word2vec",), like=TSIN, **RECIPE)
def TSIN_googlenews(sizes: Sizes, **hyperparameters: Any) -> Any:
    """TSIN on GoogleNews vectors (section IV.D.1, figure 4): the experiment's `text` is
    `word2vec` with a path.
    """
    return TSIN(sizes, **hyperparameters)


@system("audio", "text", embeddings=("fasttext",), like=TSIN, **RECIPE)
def TSIN_fasttext(sizes: Sizes, **hyperparameters: Any) -> Any:
    """TSIN on fastText vectors (section IV.D.1, figure 4): the experiment's `text` is
    `fasttext`.
    """
    return TSIN(sizes, **hyperparameters)


@system("audio", "text", embeddings=("one_hot",), like=TSIN, **RECIPE)
def TSIN_onehot(
    sizes: Sizes, *, dim: int = 768, attention_dim: int = 768, crossed: bool = True, **widths: Any
) -> nn.Module:
    """TSIN on one-hot vectors (section IV.D.1, figure 4): the experiment's `text` is
    `one_hot`.

    The vectors are brought to d by a matrix, which only looks up a word id's row; the
    dense vectors are not read.
    """
    interaction = SemanticInteraction(dim, attention_dim, crossed)
    vocabulary = sizes.vocabulary_size
    return _speech_and_text(
        sizes, dim=dim, interaction=interaction, vocabulary_size=vocabulary, **widths
    )


def _speech_and_text(
    sizes: Sizes,
    *,
    dim: int,
    fusion_dim: int,
    kernels: Sequence[int],
    max_frames: int,
    max_words: int,
    fill: bool,
    interaction: SemanticInteraction | None,
    alignment: bool = True,
    vocabulary_size: int | None = None,
) -> SpeechAndText:
    return SpeechAndText(
        SpeechEncoder(sizes.feature_dim, dim),
        TextEncoder(sizes.word_dim, dim, kernels, vocabulary_size),
        dim,
        fusion_dim,
        kernels,
        sizes.num_classes,
        Limits(max_frames, max_words, fill),
        alignment,
        interaction,
    )
