"""Word by word fusion of voice and text (FG-CME section 3), with a given or with a
learnt alignment.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.batch import Batch, Sizes
from pipeline.blocks.convolution_stack import ConvolutionStack
from pipeline.blocks.ctc_alignment import CTCAlignment, soft_mean_max
from pipeline.blocks.excitation import CrossModalityExcitation
from pipeline.blocks.pooling import masked_max
from pipeline.blocks.recurrent import BiLSTM
from pipeline.blocks.segments import covered_span, segment_mean_max


class FineGrained(nn.Module):
    """Sections 3.1 to 3.4 with a given stack of convolutions and given gates."""

    def __init__(
        self,
        sizes: Sizes,
        acoustic: ConvolutionStack,
        excitation: CrossModalityExcitation,
        semantic_size: int,
        hidden_size: int,
        classifier_size: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.acoustic = acoustic
        self.semantic = nn.Linear(sizes.word_dim, semantic_size)
        self.excitation = excitation
        self.recurrent = BiLSTM(2 * acoustic.out_channels + semantic_size, hidden_size)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Sequential(
            nn.Linear(2 * hidden_size, classifier_size),
            nn.ReLU(),
            nn.Linear(classifier_size, sizes.num_classes),
        )

    def frames(self, batch: Batch, span: Tensor | None = None) -> Tensor:
        """Acoustic embedding of each frame, or of those in span: Tensor[B, 2] (section
        3.1.1): Tensor[B, T, C].
        """
        assert batch.frames is not None and batch.frame_lengths is not None
        frames: Tensor = self.acoustic(batch.frames, batch.frame_lengths, span)
        return frames

    def fuse(self, voice: Tensor, batch: Batch) -> Tensor:
        """Utterance vector of word-level voice Z^a: Tensor[B, W, 2C] and the batch's
        words (sections 3.3 and 3.4).
        """
        assert batch.words is not None and batch.word_lengths is not None
        voice, text = self.excitation(voice, self.semantic(batch.words), batch.word_ids)
        words = self.dropout(torch.cat([voice, text.to(voice.dtype)], dim=-1))
        return self.dropout(
            masked_max(self.recurrent(words, batch.word_lengths), batch.word_lengths)
        )  # type: ignore[no-any-return]

    def embed(self, batch: Batch) -> Tensor:
        """h*, the maximum over words: Tensor[B, 2 * hidden_size]."""
        assert batch.segments is not None
        # Silence before the first and after the last word is read by no word: it is not
        # computed.
        frames = self.frames(batch, covered_span(batch.segments))
        return self.fuse(segment_mean_max(frames, batch.segments), batch)

    def forward(self, batch: Batch) -> Tensor:
        """Logits Tensor[B, num_classes] (eq. 1)."""
        return self.classifier(self.embed(batch))  # type: ignore[no-any-return]


class CTCAligned(nn.Module):
    """A fine-grained network that takes the alignment from a module trained beside it."""

    def __init__(self, network: FineGrained, alignment: CTCAlignment, ctc_weight: float) -> None:
        super().__init__()
        self.network = network
        self.alignment = alignment
        self.ctc_weight = ctc_weight
        self._predicted: Tensor | None = None

    def embed(self, batch: Batch) -> Tensor:
        """h*, the maximum over words: Tensor[B, 2 * hidden_size]."""
        assert (
            batch.frame_lengths is not None
            and batch.words is not None
            and batch.word_lengths is not None
        )
        frames = self.network.frames(batch)
        predicted = self.alignment(frames, batch.frame_lengths, batch.word_lengths)
        # Kept for the loss of the same step, so that the alignment is not computed
        # twice.
        self._predicted = predicted if self.training else None
        weights = self.alignment.weights(predicted, batch.frame_lengths, batch.words.shape[1])
        return self.network.fuse(soft_mean_max(frames, weights), batch)

    def forward(self, batch: Batch) -> Tensor:
        """Logits Tensor[B, num_classes]."""
        return self.network.classifier(self.embed(batch))  # type: ignore[no-any-return]

    def training_loss(self, batch: Batch, logits: Tensor) -> Tensor:
        """Cross entropy + ctc_weight * CTC loss of the alignment that this batch's
        forward pass predicted.
        """
        if self._predicted is None or batch.labels is None:
            raise ValueError(
                "no forward pass in training mode came before, expected logits of this batch"
            )
        assert batch.frame_lengths is not None and batch.word_lengths is not None
        predicted, self._predicted = self._predicted, None
        ctc = self.alignment.loss(predicted, batch.frame_lengths, batch.word_lengths)
        return F.cross_entropy(logits.float(), batch.labels) + self.ctc_weight * ctc
