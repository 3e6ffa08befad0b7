"""The encoders of Cai et al. (2019) and the dense layers over them (sections 3.2 to
3.4).
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.batch import Batch, Sizes
from pipeline.blocks.convolution import Conv1d, MaxPool1d
from pipeline.blocks.cropping import crop, fit, trim
from pipeline.blocks.pooling import AttentionPooling, masked_mean
from pipeline.blocks.recurrent import LSTM, BiLSTM


class Dense(nn.Module):
    """All frames as one vector through dense layers."""

    def __init__(self, sizes: Sizes, max_frames: int, dense_sizes: Sequence[int]) -> None:
        super().__init__()
        self.max_frames = max_frames
        self.output_size = dense_sizes[-1]
        self.layers = _dense_layers(max_frames * sizes.feature_dim, dense_sizes)

    def forward(self, batch: Batch) -> Tensor:
        """Tensor[B, dense_sizes[-1]]."""
        x = fit(*batch.voice(), self.max_frames).flatten(1)
        for layer in self.layers:
            x = F.leaky_relu(layer(x))
        return x


class Convolutions(nn.Module):
    """Pairs of convolutions with LeakyReLU, each pair followed by a maximum that
    shortens the sequence to 1 / pool_size; what the last convolution gives is cropped
    before its maximum (section 3.3).

    channels: filters of each convolution. cropping: steps taken away at the start and
    at the end. ValueError for an odd number of convolutions or a cropping that is not
    two numbers of at least zero.
    """

    def __init__(
        self,
        in_channels: int,
        channels: Sequence[int],
        kernel_size: int,
        pool_size: int,
        cropping: Sequence[int],
    ) -> None:
        super().__init__()
        if len(channels) % 2:
            raise ValueError(f"channels {list(channels)}: convolutions come in pairs")
        if len(cropping) != 2 or min(cropping) < 0:
            raise ValueError(
                f"cropping {list(cropping)}, expected the steps at the start and at the end"
            )
        self.cropping = tuple(cropping)
        self.output_size = channels[-1]
        widths = pairwise([in_channels, *channels])
        self.layers = nn.ModuleList(Conv1d(before, after, kernel_size) for before, after in widths)
        self.pool = MaxPool1d(pool_size)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Tensor[B, T, in_channels] and Tensor[B] to pooled frames Tensor[B, T',
        output_size] and their lengths.
        """
        layers = list(self.layers)
        for first, second in zip(layers[::2], layers[1::2], strict=True):
            x = F.leaky_relu(first(x, lengths))
            x = F.leaky_relu(second(x, lengths))
            if second is layers[-1]:
                x, lengths = trim(x, lengths, *self.cropping)
            x, lengths = self.pool(x, lengths), self.pool.output_lengths(lengths)
        return x, lengths


class Averaged(nn.Module):
    """Convolutions and the average over time."""

    def __init__(self, convolutions: Convolutions, max_frames: int) -> None:
        super().__init__()
        self.max_frames = max_frames
        self.convolutions = convolutions
        self.output_size = convolutions.output_size

    def forward(self, batch: Batch) -> Tensor:
        """Tensor[B, channels[-1]]."""
        return masked_mean(*self.convolutions(*crop(*batch.voice(), self.max_frames)))


class OneChannel(nn.Module):
    """Convolutions, then a bidirectional LSTM, last states."""

    def __init__(self, convolutions: Convolutions, max_frames: int, recurrent: BiLSTM) -> None:
        super().__init__()
        self.max_frames = max_frames
        self.convolutions, self.recurrent = convolutions, recurrent
        self.output_size = recurrent.output_size

    def forward(self, batch: Batch) -> Tensor:
        """Tensor[B, 2 * hidden_size]."""
        x, lengths = self.convolutions(*crop(*batch.voice(), self.max_frames))
        return self.recurrent.final_state(self.recurrent(x, lengths), lengths)


class TwoChannels(nn.Module):
    """Averaged convolutions beside an attentive bidirectional LSTM, joined by a dense
    layer.
    """

    def __init__(
        self, convolutions: Convolutions, max_frames: int, recurrent: BiLSTM, dense_size: int
    ) -> None:
        super().__init__()
        self.max_frames = max_frames
        self.local = Averaged(convolutions, max_frames)
        self.context = recurrent
        self.attention = AttentionPooling(recurrent.output_size)
        self.dense = nn.Linear(self.local.output_size + recurrent.output_size, dense_size)
        self.output_size = dense_size

    def forward(self, batch: Batch) -> Tensor:
        """Tensor[B, dense_size]."""
        frames, lengths = crop(*batch.voice(), self.max_frames)
        context = self.attention(self.context(frames, lengths), lengths)
        return F.leaky_relu(self.dense(torch.cat([self.local(batch), context], dim=1)))

    def explain(self, batch: Batch) -> dict[str, Tensor]:
        """The attention over frames, those cut off included with zero."""
        frames, lengths = crop(*batch.voice(), self.max_frames)
        weights = self.attention.weights(self.context(frames, lengths), lengths)
        missing = batch.voice()[0].shape[1] - weights.shape[1]
        return {"attention/frames": F.pad(weights, (0, missing))}


class Text(nn.Module):
    """LSTM over word vectors, last state."""

    def __init__(self, recurrent: LSTM, max_words: int) -> None:
        super().__init__()
        self.max_words = max_words
        self.recurrent = recurrent
        self.output_size = recurrent.output_size

    def forward(self, batch: Batch) -> Tensor:
        """Tensor[B, output_size]."""
        words, lengths = crop(*batch.text(), self.max_words)
        return self.recurrent.final_state(self.recurrent(words, lengths), lengths)


class Classified(nn.Module):
    """One encoder and a softmax layer."""

    def __init__(
        self, encoder: Dense | Averaged | OneChannel | TwoChannels | Text, sizes: Sizes
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.classifier = nn.Linear(encoder.output_size, sizes.num_classes)

    def embed(self, batch: Batch) -> Tensor:
        """The encoder's vector: Tensor[B, output_size]."""
        return self.encoder(batch)  # type: ignore[no-any-return]

    def explain(self, batch: Batch) -> dict[str, Tensor]:
        """The weights over frames of an encoder that has some."""
        return self.encoder.explain(batch) if isinstance(self.encoder, TwoChannels) else {}

    def forward(self, batch: Batch) -> Tensor:
        """Logits Tensor[B, num_classes]."""
        return self.classifier(self.embed(batch))  # type: ignore[no-any-return]


class Fused(nn.Module):
    """V = [H, S] (eq. 6) through dense layers."""

    def __init__(
        self,
        text: Text,
        voice: Dense | OneChannel | TwoChannels,
        fusion_sizes: Sequence[int],
        num_classes: int,
    ) -> None:
        super().__init__()
        self.text, self.voice = text, voice
        self.fusion = _dense_layers(text.output_size + voice.output_size, fusion_sizes)
        self.classifier = nn.Linear(fusion_sizes[-1], num_classes)

    def embed(self, batch: Batch) -> Tensor:
        """The last dense layer before the softmax: Tensor[B, fusion_sizes[-1]]."""
        x = torch.cat([self.text(batch), self.voice(batch)], dim=1)
        for layer in self.fusion:
            x = F.relu(layer(x))
        return x

    def explain(self, batch: Batch) -> dict[str, Tensor]:
        """The weights over frames of a voice encoder that has some."""
        return self.voice.explain(batch) if isinstance(self.voice, TwoChannels) else {}

    def forward(self, batch: Batch) -> Tensor:
        """Logits Tensor[B, num_classes]."""
        return self.classifier(self.embed(batch))  # type: ignore[no-any-return]


def _dense_layers(in_features: int, sizes: Sequence[int]) -> nn.ModuleList:
    widths = pairwise([in_features, *sizes])
    return nn.ModuleList(nn.Linear(before, after) for before, after in widths)
