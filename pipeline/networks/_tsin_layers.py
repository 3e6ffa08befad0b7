"""The encoders of paper E and the networks made of them (figure 2)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from pipeline.batch import Batch
from pipeline.blocks.cropping import crop, fit
from pipeline.blocks.equal_parts import equal_parts
from pipeline.blocks.multi_kernel import MultiKernelMax, MultiKernelMean
from pipeline.blocks.semantic_interaction import SemanticInteraction
from pipeline.blocks.temporal_alignment import alignment_weights, temporal_alignment


@dataclass(frozen=True)
class Limits:
    """n frames and m words of section III.B; with `fill` shorter sequences are filled
    with zeros up to them, which take part as steps.
    """

    max_frames: int = 0
    max_words: int = 0
    fill: bool = False

    def of(self, batch: Batch) -> Batch:
        """The batch within the limits."""
        if batch.frames is not None:
            frames, lengths = self._within(*batch.voice(), self.max_frames)
            batch = replace(batch, frames=frames, frame_lengths=lengths)
        if batch.words is not None:
            words, lengths = self._within(*batch.text(), self.max_words)
            ids = batch.word_ids
            if ids is not None:
                ids = pad(ids, (0, words.shape[1] - ids.shape[1]))
            batch = replace(batch, words=words, word_ids=ids, word_lengths=lengths)
        return batch

    def _within(self, x: Tensor, lengths: Tensor, limit: int) -> tuple[Tensor, Tensor]:
        if self.fill:
            return fit(x, lengths, limit), torch.full_like(lengths, limit)
        return crop(x, lengths, limit)


class SpeechEncoder(nn.Module):
    """S = LSTM(O) (eq. 1): frames Tensor[B, T, F] to Tensor[B, T, dim]; padded steps
    hold no meaning.

    The frames are read in blocks of `block` steps, each without the utterances that
    ended before it. Forward states never see what follows them, so this needs no packed
    sequence, which takes several times as long at 500 frames.
    """

    def __init__(self, feature_dim: int, dim: int, block: int = 125) -> None:
        super().__init__()
        self.lstm, self.block = nn.LSTM(feature_dim, dim, batch_first=True), block

    def forward(self, batch: Batch) -> Tensor:
        frames, lengths = batch.voice()
        longest_first = torch.argsort(lengths, descending=True)
        sorted_frames, state, blocks = frames[longest_first], None, []
        for first in range(0, frames.shape[1], self.block):
            running = int((lengths > first).sum().clamp(min=1))
            if state is not None:
                state = tuple(part[:, :running].contiguous() for part in state)
            states, state = self.lstm(sorted_frames[:running, first : first + self.block], state)
            blocks.append(pad(states, (0, 0, 0, 0, 0, len(frames) - running)))
        return torch.cat(blocks, dim=1)[torch.argsort(longest_first)]


class TextEncoder(nn.Module):
    """T = max over kernels (eq. 2): words Tensor[B, W, D] to Tensor[B, W, dim], zero in
    padding.

    With `vocabulary_size` the words are one-hot vectors given as ids: their product
    with a matrix is a look-up, and the unknown word (id 0) the zero vector.
    """

    def __init__(
        self, word_dim: int, dim: int, kernels: Sequence[int], vocabulary_size: int | None = None
    ) -> None:
        super().__init__()
        self.table = (
            None if vocabulary_size is None else nn.Embedding(vocabulary_size, dim, padding_idx=0)
        )
        self.block = MultiKernelMax(word_dim if vocabulary_size is None else dim, dim, kernels)

    def forward(self, batch: Batch) -> Tensor:
        words, lengths = batch.text()
        if self.table is not None:
            words = self.table(batch.ids())
        return self.block(words, lengths)  # type: ignore[no-any-return]


class SpeechAndText(nn.Module):
    """The whole of figure 2; without `alignment` or `interaction` the two ablations of
    table V.
    """

    def __init__(
        self,
        speech: SpeechEncoder,
        text: TextEncoder,
        dim: int,
        fusion_dim: int,
        kernels: Sequence[int],
        num_classes: int,
        limits: Limits,
        alignment: bool = True,
        interaction: SemanticInteraction | None = None,
    ) -> None:
        super().__init__()
        self.limits = limits
        self.speech, self.text = speech, text
        self.alignment, self.interaction = alignment, interaction
        self.fusion = nn.LSTM(2 * dim, fusion_dim, batch_first=True)
        self.block = MultiKernelMean(fusion_dim, fusion_dim, kernels)
        self.classifier = nn.Linear(fusion_dim, num_classes)

    def embed(self, batch: Batch) -> Tensor:
        """The mean over kernels and words before the dense layer, Tensor[B,
        fusion_dim].
        """
        batch = self.limits.of(batch)
        frames, words = self.speech(batch), self.text(batch)
        _, lengths = batch.text()
        speech = self._aligned(words, frames, batch)
        if self.interaction is not None:
            speech, words = self.interaction(words, speech, batch.word_mask)
        fused = self.fusion(torch.cat((speech, words), dim=-1))[0]
        vector: Tensor = self.block(fused, lengths)
        return vector

    def explain(self, batch: Batch) -> dict[str, Tensor]:
        """Temporal alignment: alpha' of eq. 4 for each word; semantic interaction: w^t
        and w^s of eq. 8 as text_aware and speech_aware. What lies beyond the limits has
        no weight, and the weight of filling is left out.
        """
        given, batch = batch, self.limits.of(batch)
        frames, words = self.speech(batch), self.text(batch)
        missing = given.word_mask.shape[1] - words.shape[1]
        found = {}
        if self.alignment:
            weights = alignment_weights(words, frames, batch.frame_mask)
            weights = pad(weights, (0, given.frame_mask.shape[1] - frames.shape[1], 0, missing))
            weights = weights * given.frame_mask[:, None] * given.word_mask[..., None]
            found["temporal_alignment/words/frames"] = weights
        if self.interaction is not None:
            speech = self._aligned(words, frames, batch)
            text_aware, speech_aware = self.interaction.weights(words, speech, batch.word_mask)
            for name, made in (("text_aware", text_aware), ("speech_aware", speech_aware)):
                found[f"{name}/words"] = pad(made.squeeze(-1), (0, missing)) * given.word_mask
        return found

    def _aligned(self, words: Tensor, frames: Tensor, batch: Batch) -> Tensor:
        if self.alignment:
            return temporal_alignment(words, frames, batch.frame_mask)
        return equal_parts(frames, batch.voice()[1], batch.text()[1], words.shape[1])

    def forward(self, batch: Batch) -> Tensor:
        """Logits Tensor[B, num_classes]."""
        logits: Tensor = self.classifier(self.embed(batch))
        return logits


class OneModality(nn.Module):
    """An encoder and the classification module (section IV.D.2)."""

    def __init__(
        self,
        encoder: SpeechEncoder | TextEncoder,
        dim: int,
        kernels: Sequence[int],
        num_classes: int,
        limits: Limits,
    ) -> None:
        super().__init__()
        self.limits = limits
        self.encoder = encoder
        self.block = MultiKernelMean(dim, dim, kernels)
        self.classifier = nn.Linear(dim, num_classes)

    def embed(self, batch: Batch) -> Tensor:
        """The mean over kernels and steps before the dense layer, Tensor[B, dim]."""
        batch = self.limits.of(batch)
        _, lengths = batch.voice() if isinstance(self.encoder, SpeechEncoder) else batch.text()
        vector: Tensor = self.block(self.encoder(batch), lengths)
        return vector

    def forward(self, batch: Batch) -> Tensor:
        """Logits Tensor[B, num_classes]."""
        logits: Tensor = self.classifier(self.embed(batch))
        return logits
