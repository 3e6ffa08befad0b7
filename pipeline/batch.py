"""A padded batch, the one thing networks read, and its collation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Sizes:
    """Widths a network is built for; `vocabulary_size` counts word ids, 0 (unknown
    word) included.
    """

    feature_dim: int = 0
    word_dim: int = 0
    vocabulary_size: int = 0
    num_classes: int = 0


@dataclass(frozen=True)
class Example:
    """One utterance as tensors; an input that the network does not read is None.

    frames: (num_frames, feature_dim). words: (num_words, word_dim), None where the
    vectors are one-hot: then `one_hot_dim` is their width. word_ids: (num_words,).
    segments: (num_words, 2), first frame and one past the last of each word. label:
    class index.
    """

    utterance_id: str
    frames: Tensor | None = None
    words: Tensor | None = None
    word_ids: Tensor | None = None
    segments: Tensor | None = None
    label: int | None = None
    one_hot_dim: int | None = None


@dataclass(frozen=True)
class Batch:
    """Examples padded with zeros at the end to the longest of the batch.

    frames: Tensor[B, T, F]; frame_lengths: Tensor[B]. words: Tensor[B, W, D]; word_ids:
    Tensor[B, W]; word_lengths: Tensor[B]. segments: Tensor[B, W, 2], frames [start,
    end) of each word, (0, 0) in padding. labels: Tensor[B], None where they are not to
    be seen (test utterances).
    """

    frames: Tensor | None = None
    frame_lengths: Tensor | None = None
    words: Tensor | None = None
    word_ids: Tensor | None = None
    word_lengths: Tensor | None = None
    segments: Tensor | None = None
    labels: Tensor | None = None

    @property
    def size(self) -> int:
        """Number of utterances."""
        lengths = self.frame_lengths if self.frame_lengths is not None else self.word_lengths
        return 0 if lengths is None else len(lengths)

    def voice(self) -> tuple[Tensor, Tensor]:
        """Frames Tensor[B, T, F] and their lengths Tensor[B]; ValueError without."""
        if self.frames is None or self.frame_lengths is None:
            raise ValueError("the batch has no frames: this system needs a corpus with audio")
        return self.frames, self.frame_lengths

    def text(self) -> tuple[Tensor, Tensor]:
        """Word vectors Tensor[B, W, D] and their lengths Tensor[B]; ValueError without
        them.
        """
        if self.words is None or self.word_lengths is None:
            raise ValueError("the batch has no words: this system needs a corpus with transcripts")
        return self.words, self.word_lengths

    def ids(self) -> Tensor:
        """Word ids Tensor[B, W]; ValueError without them."""
        if self.word_ids is None:
            raise ValueError(
                "the batch has no word ids: this system needs an embedding with a vocabulary"
            )
        return self.word_ids

    def placed_words(self) -> Tensor:
        """Frames [start, end) of each word, Tensor[B, W, 2]; ValueError without."""
        if self.segments is None:
            raise ValueError("the batch has no word times: this system needs a word alignment")
        return self.segments

    @property
    def frame_mask(self) -> Tensor:
        """Tensor[B, T], True where a frame is valid."""
        frames, lengths = self.voice()
        return length_mask(lengths, frames.shape[1])

    @property
    def word_mask(self) -> Tensor:
        """Tensor[B, W], True where a word is valid."""
        words, lengths = self.text()
        return length_mask(lengths, words.shape[1])

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on another device; from pinned memory it is not waited for."""
        return self._each(lambda value: value.to(device, non_blocking=True))

    def pinned(self) -> "Batch":
        """The same batch in memory that a GPU reads by itself."""
        return self._each(Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return Batch(
            **{name: None if value is None else change(value) for name, value in values.items()}
        )


def length_mask(lengths: Tensor, size: int) -> Tensor:
    """Tensor[B, size], True at positions below each length."""
    return torch.arange(size, device=lengths.device)[None, :] < lengths[:, None]


def collate(examples: Sequence[Example]) -> Batch:
    """Pads examples to one Batch.

    One-hot vectors are made here, for one batch at a time: word id i has its one at i
    - 1; an unknown word (id 0) and padding are zero.
    """
    frames, frame_lengths = _pad([example.frames for example in examples])
    words, word_lengths = _pad([example.words for example in examples])
    word_ids, id_lengths = _pad([example.word_ids for example in examples])
    segments, _ = _pad([example.segments for example in examples])
    width = examples[0].one_hot_dim
    if words is None and word_ids is not None and width is not None:
        words, word_lengths = F.one_hot(word_ids, width + 1)[..., 1:].float(), id_lengths
    labels = [example.label for example in examples]
    return Batch(
        frames,
        frame_lengths,
        words,
        word_ids,
        word_lengths,
        segments,
        None if None in labels else torch.tensor(labels),
    )


def _pad(tensors: Sequence[Tensor | None]) -> tuple[Tensor | None, Tensor | None]:
    present = [tensor for tensor in tensors if tensor is not None]
    if not present:
        return None, None
    if len(present) != len(tensors):
        raise ValueError(
            f"{len(present)} of {len(tensors)} examples have this input: all must have it, or none"
        )
    padded = torch.nn.utils.rnn.pad_sequence(list(present), batch_first=True)
    return padded, torch.tensor([tensor.shape[0] for tensor in present])
