"""The encoders of paper C, the attention between them and what is pooled of it (figure
1).
"""

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from pipeline.batch import Batch, length_mask
from pipeline.blocks.attention import AttentionBlock
from pipeline.blocks.cropping import crop
from pipeline.blocks.normalized_convolution import NormalizedConvolution
from pipeline.blocks.pooling import masked_mean, statistics_pooling
from pipeline.blocks.recurrent import BiLSTM


class Voice(nn.Module):
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
        # Frames or samples for one step: each pooling and each stride drops none.
        self.shrinkage = prod(block.convolution.stride * block.pool.stride for block in blocks)
        self.convolutions = nn.ModuleList(blocks)
        self.recurrent = recurrent
        self.projection = nn.Linear(recurrent.output_size, size)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """H^A: Tensor[B, T, size] (eq. 1 and 2) and its lengths Tensor[B]."""
        x, lengths = crop(*batch.voice(), self.max_frames)
        for block in self.convolutions:
            x, lengths = block(x, lengths), block.output_lengths(lengths)  # type: ignore[operator]
        return self.projection(self.recurrent(x, lengths)), lengths

    def over_frames(self, weights: Tensor, batch: Batch) -> Tensor:
        """Weights of the steps Tensor[B, …, T] as weights of the frames or samples that
        they stand for, in equal parts: Tensor[B, …, num_frames].
        """
        num_frames = batch.voice()[0].shape[1]
        kept = batch.voice()[1].clamp(max=self.max_frames)[:, None]
        first = torch.arange(weights.shape[-1], device=weights.device) * self.shrinkage
        width = (kept - first).clamp(min=1, max=self.shrinkage)
        mask = length_mask(kept[:, 0], num_frames)
        if weights.ndim == 3:
            width, mask = width[:, None], mask[:, None]
        spread = (weights / width).repeat_interleave(self.shrinkage, dim=-1)
        # A negative number of missing frames takes the surplus of the last step away.
        return pad(spread, (0, num_frames - spread.shape[-1])) * mask


class Text(nn.Module):
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


class Attention(nn.Module):
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

    def weights(self, query: Tensor, memory: Tensor, memory_lengths: Tensor) -> list[Tensor]:
        """What each block attends to, mean over its heads: Tensor[B, N, M] each."""
        found = []
        for block in self.blocks:
            found.append(block.weights(query, memory, memory_lengths))  # type: ignore[operator]
            query = block(query, memory, memory_lengths)
        return found


class CrossModal(nn.Module):
    """CMA-1 (voice asks text) and CMA-2 (text asks voice), statistics pooling of both
    (eq. 7 and 8).
    """

    def __init__(
        self,
        *,
        voice: Voice,
        text: Text,
        voice_to_text: Attention,
        text_to_voice: Attention,
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

    def explain(self, batch: Batch) -> dict[str, Tensor]:
        """What the voice attends to among the words, mean over its steps, and each word
        among the frames; by block.
        """
        voice, voice_lengths = self.voice(batch)
        text, text_lengths = self.text(batch)
        num_words = batch.text()[0].shape[1]
        found = {}
        heard = self.voice_to_text.weights(voice, text, text_lengths)
        for number, weights in enumerate(heard, start=1):
            of_words = pad(masked_mean(weights, voice_lengths), (0, num_words - text.shape[1]))
            found[f"voice_to_text_{number}/words"] = of_words
        read = self.text_to_voice.weights(text, voice, voice_lengths)
        valid = length_mask(text_lengths, text.shape[1])[..., None]
        for number, weights in enumerate(read, start=1):
            of_frames = self.voice.over_frames(weights * valid, batch)
            of_frames = pad(of_frames, (0, 0, 0, num_words - text.shape[1]))
            found[f"text_to_voice_{number}/words/frames"] = of_frames
        return found

    def forward(self, batch: Batch) -> Tensor:
        """Logits Tensor[B, num_classes]."""
        return self.classifier(self.embed(batch))  # type: ignore[no-any-return]


class SelfAttentive(nn.Module):
    """One encoder whose output attends to itself, statistics pooling."""

    def __init__(
        self, encoder: Voice | Text, attention: Attention, size: int, num_classes: int
    ) -> None:
        super().__init__()
        self.encoder, self.attention = encoder, attention
        self.classifier = nn.Linear(2 * size, num_classes)

    def embed(self, batch: Batch) -> Tensor:
        """Mean and standard deviation over time: Tensor[B, 2 * size]."""
        x, lengths = self.encoder(batch)
        return statistics_pooling(self.attention(x, x, lengths), lengths)

    def explain(self, batch: Batch) -> dict[str, Tensor]:
        """What the sequence attends to in itself, mean over its steps; by block."""
        x, lengths = self.encoder(batch)
        found = {}
        for number, weights in enumerate(self.attention.weights(x, x, lengths), start=1):
            received = masked_mean(weights, lengths)
            if isinstance(self.encoder, Voice):
                found[f"attention_{number}/frames"] = self.encoder.over_frames(received, batch)
            else:
                missing = batch.text()[0].shape[1] - received.shape[1]
                found[f"attention_{number}/words"] = pad(received, (0, missing))
        return found

    def forward(self, batch: Batch) -> Tensor:
        """Logits Tensor[B, num_classes]."""
        return self.classifier(self.embed(batch))  # type: ignore[no-any-return]
