"""The stages of paper D and the networks made of them (figures 4 and 6)."""

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from pipeline.batch import Batch, Sizes
from pipeline.blocks.classic_stack import ClassicStack
from pipeline.blocks.convolution import Conv1d
from pipeline.blocks.cropping import fit
from pipeline.blocks.equal_parts import equal_parts, shares_of_parts
from pipeline.blocks.pconv import Pconv, Shortcut
from pipeline.blocks.pooling import AttentionPooling
from pipeline.blocks.recurrent import BiLSTM, final_state

Modality = Literal["audio", "text"]
Stage = Literal["bconv1", "bconv2", "pconv1", "pconv2", "blstm", "attention"]
Pool = Callable[[Tensor, Tensor], Tensor]


def stages(
    order: Sequence[Stage],
    width: int,
    *,
    channels: Sequence[int],
    slope: float,
    units: int = 0,
) -> tuple[list[nn.Module], int]:
    """The stages named in `order` on an input of `width` channels, and the channels
    that they give.

    channels: of the stem, filters of the first and of the second block. bconv: the
    block of BCNN, an ordinary convolution in place of Pconv's separable one. units: of
    each direction of a BLSTM, 0 where there is none.
    """
    made: list[nn.Module] = []
    for name in order:
        if name == "attention":
            made.append(AttentionPooling(width))
        elif name == "blstm":
            made.append(BiLSTM(width, units))
            width = 2 * units
        else:
            filters = channels[1] if name in ("bconv1", "pconv1") else channels[2]
            shortcut: Shortcut = "full" if name in ("bconv1", "bconv2") else "separable"
            block = Pconv(width, filters, slope=slope, shortcut=shortcut)
            made.append(block)
            width = block.out_channels
    return made, width


def through(made: Iterable[nn.Module], x: Tensor, steps: Tensor) -> tuple[Tensor, Tensor | None]:
    """Runs Tensor[B, T, C] through stages; with the result the attention's weights over
    the steps, Tensor[B, T], None where there is no attention.
    """
    weights = None
    for stage in made:
        if isinstance(stage, AttentionPooling):
            weights = stage.weights(x, steps)
        x = stage(x, steps)
    return x, weights


def last_states(states: Tensor, lengths: Tensor) -> Tensor:
    """The last state of each direction: Tensor[B, T, 2H] to Tensor[B, 2H]."""
    return final_state(states, lengths, bidirectional=True)


class Branch(nn.Module):
    """A modality's stem and stages.

    The stem is a convolution, LeakyReLU, and the mean of each of `steps` equal parts:
    Tensor[B, steps, channels[0]]. Words are filled with zero vectors to `max_words`
    before it, and no step after it is padding. `word_units` puts a BLSTM of that many
    units per direction before the stem of the words.
    """

    def __init__(
        self,
        modality: Modality,
        sizes: Sizes,
        order: Sequence[Stage],
        *,
        channels: Sequence[int],
        steps: int,
        slope: float,
        units: int = 0,
        max_words: int = 0,
        word_units: int = 0,
    ) -> None:
        super().__init__()
        self.modality, self.steps, self.slope = modality, steps, slope
        self.max_words = max_words
        # The stages are made first: their weights are drawn before those of the stem.
        made, self.output_size = stages(
            order, channels[0], channels=channels, slope=slope, units=units
        )
        width = input_width(sizes, modality)
        self.context = BiLSTM(width, word_units) if word_units else None
        self.stem = Conv1d(2 * word_units or width, channels[0], 3)
        self.stages = nn.ModuleList(made)

    def forward(self, batch: Batch) -> Tensor:
        """Tensor[B, steps, output_size]; Tensor[B, output_size] after attention."""
        return self.read(batch)[0]

    def read(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """What `forward` gives, and the weights of the steps if the attention stands
        among the stages.
        """
        x, lengths = _sequence(batch, self.modality, self.max_words)
        if self.context is not None:
            x = self.context(x, lengths)
        steps = torch.full_like(lengths, self.steps)
        x = equal_parts(leaky_relu(self.stem(x, lengths), self.slope), lengths, steps, self.steps)
        return through(self.stages, x, steps)

    def spread(self, weights: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Weights of the steps, Tensor[B, steps], as weights of the frames or words
        that the steps are means of; what the filling after the words has is left out.
        """
        x, lengths = _sequence(batch, self.modality, self.max_words)
        steps = torch.full_like(lengths, self.steps)
        shares = shares_of_parts(lengths, steps, self.steps, x.shape[1])
        told = weights[:, None] @ shares
        if self.modality == "audio":
            return {"attention/frames": told[:, 0]}
        own = batch.word_mask
        return {"attention/words": fit(told.transpose(1, 2), lengths, own.shape[1])[..., 0] * own}


class Staged(nn.Module):
    """Branches, the concatenation of their channels, further stages, dense (figures 4
    and 6).
    """

    def __init__(
        self,
        branches: Sequence[Branch],
        trunk: Sequence[nn.Module],
        pool: Pool | None,
        classifier: nn.Linear,
    ) -> None:
        super().__init__()
        self.branches, self.trunk = nn.ModuleList(branches), nn.ModuleList(trunk)
        self.pool, self.classifier = pool, classifier

    def embed(self, batch: Batch) -> Tensor:
        """The vector before the dense layer, Tensor[B, E]."""
        x = torch.cat([branch(batch) for branch in self.branches], dim=-1)
        steps = torch.full((x.shape[0],), x.shape[1], device=x.device)
        x, _ = through(self.trunk, x, steps)
        return x if self.pool is None else self.pool(x, steps)

    def explain(self, batch: Batch) -> dict[str, Tensor]:
        """The attention over steps, told as that over the frames and words in them."""
        branches: list[Branch] = list(self.branches)  # type: ignore[arg-type]
        read = [branch.read(batch) for branch in branches]
        own = [weights for _, weights in read]
        if self.trunk:
            x = torch.cat([states for states, _ in read], dim=-1)
            steps = torch.full((x.shape[0],), x.shape[1], device=x.device)
            own = [through(self.trunk, x, steps)[1]] * len(branches)
        found: dict[str, Tensor] = {}
        for branch, weights in zip(branches, own, strict=True):
            if weights is not None:
                found |= branch.spread(weights, batch)
        return found

    def forward(self, batch: Batch) -> Tensor:
        """Logits Tensor[B, num_classes]."""
        logits: Tensor = self.classifier(self.embed(batch))
        return logits


class Classic(nn.Module):
    """A stack of convolutions on one modality, and the last dense layer (table 4)."""

    def __init__(
        self, modality: Modality, stack: ClassicStack, num_classes: int, max_words: int
    ) -> None:
        super().__init__()
        self.modality, self.stack, self.max_words = modality, stack, max_words
        self.classifier = nn.Linear(stack.output_size, num_classes)

    def embed(self, batch: Batch) -> Tensor:
        """The vector before the last dense layer, Tensor[B, E]."""
        vector: Tensor = self.stack(*_sequence(batch, self.modality, self.max_words))
        return vector

    def forward(self, batch: Batch) -> Tensor:
        """Logits Tensor[B, num_classes]."""
        logits: Tensor = self.classifier(self.embed(batch))
        return logits


def input_width(sizes: Sizes, modality: Modality) -> int:
    """Width of the frames or of the word vectors."""
    return sizes.feature_dim if modality == "audio" else sizes.word_dim


def _sequence(batch: Batch, modality: Modality, max_words: int) -> tuple[Tensor, Tensor]:
    """Frames as they are, words cut or filled with zero vectors to `max_words`."""
    if modality == "audio":
        return batch.voice()
    words, lengths = batch.text()
    return fit(words, lengths, max_words), torch.full_like(lengths, max_words)
