"""Sequences cut or padded to the fixed sizes that papers state."""

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
