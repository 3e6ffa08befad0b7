"""Word by word fusion of voice and text (FG-CME section 3), with a given or with a
learnt alignment.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.batch import Batch, Sizes
from pipeline.blocks.convolution_stack import ConvolutionStack
from pipeline.blocks.ctc_alignment import (
    CTCAlignment,
    ReleasedCTCAlignment,
    alignment_loss,
    alignment_weights,
)
from pipeline.blocks.excitation import CrossModalityExcitation
from pipeline.blocks.pooling import masked_max
from pipeline.blocks.recurrent import BiLSTM
from pipeline.blocks.segments import covered_span, segment_mean_max
from pipeline.blocks.unpadded_convolutions import UnpaddedConvolutions


class FineGrained(nn.Module):
    """Sections 3.1 to 3.4 with given convolutions and given gates.

    `classifier_size`: width of the classifier's hidden layer, None for a single linear
    layer.
    """

    def __init__(
        self,
        sizes: Sizes,
        acoustic: ConvolutionStack | UnpaddedConvolutions,
        excitation: CrossModalityExcitation,
        hidden_size: int,
        classifier_size: int | None,
        dropout: float,
    ) -> None:
        super().__init__()
        self.acoustic = acoustic
        self.semantic = nn.Linear(sizes.word_dim, excitation.semantic_size)
        self.excitation = excitation
        width = excitation.acoustic_size + excitation.semantic_size
        self.recurrent = BiLSTM(width, hidden_size)
        self.dropout = nn.Dropout(dropout)
        if classifier_size is None:
            self.classifier: nn.Module = nn.Linear(2 * hidden_size, sizes.num_classes)
        else:
            self.classifier = nn.Sequential(
                nn.Linear(2 * hidden_size, classifier_size),
                nn.ReLU(),
                nn.Linear(classifier_size, sizes.num_classes),
            )

    def frames(self, batch: Batch, span: Tensor | None = None) -> Tensor:
        """Acoustic embedding of each frame, or of those in span: Tensor[B, 2] (section
        3.1.1): Tensor[B, T, C].
        """
        frames: Tensor = self.acoustic(*batch.voice(), span)
        return frames

    def fuse(self, voice: Tensor, batch: Batch) -> Tensor:
        """Utterance vector of word-level voice Z^a: Tensor[B, W, q] and the batch's
        words (sections 3.3 and 3.4).
        """
        words, lengths = batch.text()
        voice, text = self.excitation(voice, self.semantic(words), batch.word_ids)
        fused = self.dropout(torch.cat([voice, text.to(voice.dtype)], dim=-1))
        vector: Tensor = self.dropout(masked_max(self.recurrent(fused, lengths), lengths))
        return vector

    def gates(self, voice: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Each gate's mean over its dimensions, word by word; `voice` as in `fuse`."""
        gates = self.excitation.gates(voice, self.semantic(batch.text()[0]), batch.word_ids)
        return {
            f"{name}_gate/words": gate.mean(dim=-1) * batch.word_mask
            for name, gate in gates.items()
        }

    def voice(self, batch: Batch) -> Tensor:
        """Z^a (section 3.2): Tensor[B, W, 2C]."""
        _, lengths = batch.voice()
        segments = self.acoustic.output_segments(batch.placed_words(), lengths)
        # Silence before the first and after the last word is read by no word: it is not
        # computed.
        return segment_mean_max(self.frames(batch, covered_span(segments)), segments)

    def embed(self, batch: Batch) -> Tensor:
        """h*, the maximum over words: Tensor[B, 2 * hidden_size]."""
        return self.fuse(self.voice(batch), batch)

    def explain(self, batch: Batch) -> dict[str, Tensor]:
        """The gates that this system has."""
        return self.gates(self.voice(batch), batch)

    def forward(self, batch: Batch) -> Tensor:
        """Logits Tensor[B, num_classes] (eq. 1)."""
        return self.classifier(self.embed(batch))  # type: ignore[no-any-return]


class _Predicted(NamedTuple):
    log_probabilities: Tensor
    frame_lengths: Tensor


class CTCAligned(nn.Module):
    """A fine-grained network whose alignment comes from a module trained beside it.

    `pool` makes word-level voice Z^a of frames and their soft shares in the words.
    """

    def __init__(
        self,
        network: FineGrained,
        alignment: CTCAlignment | ReleasedCTCAlignment,
        ctc_weight: float,
        pool: Callable[[Tensor, Tensor], Tensor],
    ) -> None:
        super().__init__()
        self.network = network
        self.alignment = alignment
        self.ctc_weight = ctc_weight
        self.pool = pool
        self._predicted: _Predicted | None = None

    def embed(self, batch: Batch) -> Tensor:
        """h*, the maximum over words: Tensor[B, 2 * hidden_size]."""
        frames, weights, predicted = self._align(batch)
        # Kept for the loss of the same step, so that the alignment is not computed
        # twice.
        self._predicted = predicted if self.training else None
        return self.network.fuse(self.pool(frames, weights), batch)

    def explain(self, batch: Batch) -> dict[str, Tensor]:
        """The soft alignment of words and frames, and the gates."""
        frames, weights, _ = self._align(batch)
        gates = self.network.gates(self.pool(frames, weights), batch)
        # A step that is left of several frames stands for the one in their middle.
        lost = batch.voice()[0].shape[1] - frames.shape[1]
        told = F.pad(weights.transpose(1, 2), (lost // 2, lost - lost // 2))
        told = told * batch.word_mask[..., None]
        return {"ctc_alignment/words/frames": told, **gates}

    def _align(self, batch: Batch) -> tuple[Tensor, Tensor, _Predicted]:
        """Acoustic embedding, soft alignment Tensor[B, T, W], what it follows from."""
        words, word_lengths = batch.text()
        lengths = self.network.acoustic.output_lengths(batch.voice()[1])
        frames = self.network.frames(batch)
        predicted = _Predicted(self.alignment(frames, lengths, word_lengths), lengths)
        return frames, alignment_weights(*predicted, words.shape[1]), predicted

    def forward(self, batch: Batch) -> Tensor:
        """Logits Tensor[B, num_classes]."""
        return self.network.classifier(self.embed(batch))  # type: ignore[no-any-return]

    def training_loss(self, batch: Batch, logits: Tensor) -> Tensor:
        """Cross entropy + ctc_weight * CTC loss of the alignment that this batch's
        forward pass predicted.
        """
        if self._predicted is None or batch.labels is None:
            raise ValueError(
                "no forward pass in training mode came before: call the network on this batch first"
            )
        predicted, self._predicted = self._predicted, None
        ctc = alignment_loss(*predicted, batch.text()[1])
        return F.cross_entropy(logits.float(), batch.labels) + self.ctc_weight * ctc
