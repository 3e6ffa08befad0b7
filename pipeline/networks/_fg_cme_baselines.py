"""The baselines of FG-CME (section 4.2): one modality alone, or fusion without word
times.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from pipeline.batch import Batch, Sizes
from pipeline.blocks.attention import MultiHeadAttention, attend, attention_weights
from pipeline.blocks.convolution import MaxPool1d
from pipeline.blocks.convolution_stack import ConvolutionStack
from pipeline.blocks.pooling import AttentionPooling, masked_max
from pipeline.blocks.recurrent import LSTM, BiLSTM
from pipeline.blocks.unpadded_convolutions import UnpaddedConvolutions


class ConvolutionLSTM(nn.Module):
    """Convolutions, maximum over a few frames, LSTM, last state."""

    def __init__(
        self,
        convolutions: ConvolutionStack | UnpaddedConvolutions,
        pool_size: int,
        hidden_size: int,
        num_classes: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.convolutions = convolutions
        self.pool = MaxPool1d(pool_size)
        self.recurrent = LSTM(convolutions.out_channels, hidden_size)
        self.classifier = _classifier(hidden_size, num_classes, dropout)

    def embed(self, batch: Batch) -> Tensor:
        """The LSTM's last state: Tensor[B, hidden_size]."""
        frames, lengths = batch.voice()
        x, lengths = self.convolutions(frames, lengths), self.convolutions.output_lengths(lengths)
        x, lengths = self.pool(x, lengths), self.pool.output_lengths(lengths)
        return self.recurrent.final_state(self.recurrent(x, lengths), lengths)

    def forward(self, batch: Batch) -> Tensor:
        """Logits Tensor[B, num_classes]."""
        return self.classifier(self.embed(batch))  # type: ignore[no-any-return]


class AttentiveEncoder(nn.Module):
    """Bidirectional LSTM and attention pooling."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.recurrent = BiLSTM(input_size, hidden_size)
        self.pool = AttentionPooling(self.recurrent.output_size)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Tensor[B, T, input_size] and Tensor[B] to Tensor[B, 2 * hidden_size]."""
        return self.pool(self.recurrent(x, lengths), lengths)  # type: ignore[no-any-return]

    def weights(self, x: Tensor, lengths: Tensor) -> Tensor:
        """The weight of each step in that mean, Tensor[B, T]."""
        return self.pool.weights(self.recurrent(x, lengths), lengths)


class Unimodal(nn.Module):
    """One modality's attentive encoder and a linear classifier."""

    def __init__(
        self,
        read: Callable[[Batch], tuple[Tensor, Tensor]],
        encoder: AttentiveEncoder,
        num_classes: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.read = read
        self.encoder = encoder
        self.classifier = _classifier(encoder.recurrent.output_size, num_classes, dropout)

    def embed(self, batch: Batch) -> Tensor:
        """The pooled states: Tensor[B, 2 * hidden_size]."""
        return self.encoder(*self.read(batch))  # type: ignore[no-any-return]

    def explain(self, batch: Batch) -> dict[str, Tensor]:
        """The attention over frames or words."""
        axis = "frames" if self.read is Batch.voice else "words"
        return {f"attention/{axis}": self.encoder.weights(*self.read(batch))}

    def forward(self, batch: Batch) -> Tensor:
        """Logits Tensor[B, num_classes]."""
        return self.classifier(self.embed(batch))  # type: ignore[no-any-return]


class UtteranceConcatenation(nn.Module):
    """Both modalities' attentive encoders side by side."""

    def __init__(
        self, voice: AttentiveEncoder, text: AttentiveEncoder, num_classes: int, dropout: float
    ) -> None:
        super().__init__()
        self.voice, self.text = voice, text
        width = voice.recurrent.output_size + text.recurrent.output_size
        self.classifier = _classifier(width, num_classes, dropout)

    def embed(self, batch: Batch) -> Tensor:
        """[voice, text]: Tensor[B, 4 * hidden_size]."""
        return torch.cat([self.voice(*batch.voice()), self.text(*batch.text())], dim=1)

    def explain(self, batch: Batch) -> dict[str, Tensor]:
        """The attention over frames and that over words."""
        return {
            "attention/frames": self.voice.weights(*batch.voice()),
            "attention/words": self.text.weights(*batch.text()),
        }

    def forward(self, batch: Batch) -> Tensor:
        """Logits Tensor[B, num_classes]."""
        return self.classifier(self.embed(batch))  # type: ignore[no-any-return]


class AttentionFusion(nn.Module):
    """Words with the voice they attend to, through a bidirectional LSTM."""

    def __init__(
        self,
        sizes: Sizes,
        hidden_size: int,
        num_heads: int,
        dropout: float,
        attention_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.voice = BiLSTM(sizes.feature_dim, hidden_size)
        self.text = BiLSTM(sizes.word_dim, hidden_size)
        self.attention = MultiHeadAttention(
            2 * hidden_size, num_heads, attention_dropout, few_queries=True
        )
        self.recurrent = BiLSTM(4 * hidden_size, hidden_size)
        self.classifier = _classifier(2 * hidden_size, sizes.num_classes, dropout)

    def embed(self, batch: Batch) -> Tensor:
        """Maximum over words: Tensor[B, 2 * hidden_size]."""
        frames, frame_lengths = batch.voice()
        words, word_lengths = batch.text()
        read = self.text(words, word_lengths)
        heard = self.attention(read, self.voice(frames, frame_lengths), frame_lengths)
        fused = self.recurrent(torch.cat([read, heard.to(read.dtype)], dim=-1), word_lengths)
        return masked_max(fused, word_lengths)

    def explain(self, batch: Batch) -> dict[str, Tensor]:
        """The attention of each word over frames, mean over the heads."""
        frames, frame_lengths = batch.voice()
        read = self.text(*batch.text())
        weights = self.attention.weights(read, self.voice(frames, frame_lengths), frame_lengths)
        return {"attention/words/frames": weights * batch.word_mask[..., None]}

    def forward(self, batch: Batch) -> Tensor:
        """Logits Tensor[B, num_classes]."""
        return self.classifier(self.embed(batch))  # type: ignore[no-any-return]


class MultiHop(nn.Module):
    """Two hops of attention: voice to words, words to frames; scores divided by
    sqrt(2 * hidden_size) where `scaled`.
    """

    def __init__(self, sizes: Sizes, hidden_size: int, dropout: float, scaled: bool = True) -> None:
        super().__init__()
        self.scaled = scaled
        self.voice = BiLSTM(sizes.feature_dim, hidden_size)
        self.text = BiLSTM(sizes.word_dim, hidden_size)
        self.classifier = _classifier(6 * hidden_size, sizes.num_classes, dropout)

    def embed(self, batch: Batch) -> Tensor:
        """[last voice state, words it found, frames those found]: Tensor[B, 6 *
        hidden_size].
        """
        last, frames, words = self._read(batch)
        heard, read = batch.frame_mask[:, None], batch.word_mask[:, None]
        found_words = attend(last[:, None], words, words, read, scaled=self.scaled)
        found_frames = attend(found_words, frames, frames, heard, scaled=self.scaled)
        return torch.cat([last, found_words[:, 0], found_frames[:, 0]], dim=1)

    def explain(self, batch: Batch) -> dict[str, Tensor]:
        """The voice's attention over words, and that of the words found over frames."""
        last, frames, words = self._read(batch)
        heard, read = batch.frame_mask[:, None], batch.word_mask[:, None]
        found_words = attend(last[:, None], words, words, read, scaled=self.scaled)
        of_words = attention_weights(last[:, None], words, read, self.scaled)
        of_frames = attention_weights(found_words, frames, heard, self.scaled)
        return {"attention/words": of_words[:, 0], "attention/frames": of_frames[:, 0]}

    def _read(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Last state of the voice, states of the frames and of the words."""
        frames, lengths = batch.voice()
        frames, words = self.voice(frames, lengths), self.text(*batch.text())
        return self.voice.final_state(frames, lengths), frames, words

    def forward(self, batch: Batch) -> Tensor:
        """Logits Tensor[B, num_classes]."""
        return self.classifier(self.embed(batch))  # type: ignore[no-any-return]


def _classifier(size: int, num_classes: int, dropout: float) -> nn.Module:
    return nn.Sequential(nn.Dropout(dropout), nn.Linear(size, num_classes))
