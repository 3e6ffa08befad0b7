"""Sequences cut or padded to the fixed sizes that papers state."""

import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline.batch import length_mask


def crop(x: Tensor, lengths: Tensor, limit: int) -> tuple[Tensor, Tensor]:
    """The first `limit` steps of Tensor[B, T, C] and its lengths Tensor[B]; shorter
    sequences stay as they are.
    """
    return x[:, :limit], lengths.clamp(max=limit)


def fit(x: Tensor, lengths: Tensor, size: int) -> Tensor:
    """Tensor[B, T, C] cut or padded with zeros to Tensor[B, size, C]."""
    cropped, kept = crop(x, lengths, size)
    cropped = cropped * length_mask(kept, cropped.shape[1])[..., None]
    return F.pad(cropped, (0, 0, 0, size - cropped.shape[1]))


def trim(x: Tensor, lengths: Tensor, before: int, after: int) -> tuple[Tensor, Tensor]:
    """Tensor[B, T, C] and its lengths Tensor[B] without the first `before` and the last
    `after` valid steps, zeros in padding; a sequence that has no more stays whole.
    """
    longer = lengths > before + after
    first = longer * before
    lengths = lengths - longer * (before + after)
    steps = torch.arange(x.shape[1], device=x.device) + first[:, None]
    trimmed = x.gather(1, steps.clamp(max=x.shape[1] - 1)[..., None].expand_as(x))
    return trimmed * length_mask(lengths, x.shape[1])[..., None], lengths
