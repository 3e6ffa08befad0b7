"""Word by word fusion of voice and text (FG-CME section 3), with a given or with a
learnt alignment.
"""

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
        frames: Tensor = self.acoustic(*batch.voice(), span)
        return frames

    def fuse(self, voice: Tensor, batch: Batch) -> Tensor:
        """Utterance vector of word-level voice Z^a: Tensor[B, W, 2C] and the batch's
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
        segments = batch.placed_words()
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


class CTCAligned(nn.Module):
    """A fine-grained network whose alignment comes from a module trained beside it."""

    def __init__(self, network: FineGrained, alignment: CTCAlignment, ctc_weight: float) -> None:
        super().__init__()
        self.network = network
        self.alignment = alignment
        self.ctc_weight = ctc_weight
        self._predicted: Tensor | None = None

    def embed(self, batch: Batch) -> Tensor:
        """h*, the maximum over words: Tensor[B, 2 * hidden_size]."""
        words, word_lengths = batch.text()
        _, frame_lengths = batch.voice()
        frames = self.network.frames(batch)
        predicted = self.alignment(frames, frame_lengths, word_lengths)
        # Kept for the loss of the same step, so that the alignment is not computed
        # twice.
        self._predicted = predicted if self.training else None
        weights = self.alignment.weights(predicted, frame_lengths, words.shape[1])
        return self.network.fuse(soft_mean_max(frames, weights), batch)

    def explain(self, batch: Batch) -> dict[str, Tensor]:
        """The soft alignment of words and frames, and the gates."""
        words, word_lengths = batch.text()
        _, frame_lengths = batch.voice()
        frames = self.network.frames(batch)
        predicted = self.alignment(frames, frame_lengths, word_lengths)
        weights = self.alignment.weights(predicted, frame_lengths, words.shape[1])
        gates = self.network.gates(soft_mean_max(frames, weights), batch)
        return {"ctc_alignment/words/frames": weights.transpose(1, 2), **gates}

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
        ctc = self.alignment.loss(predicted, batch.voice()[1], batch.text()[1])
        return F.cross_entropy(logits.float(), batch.labels) + self.ctc_weight * ctc
