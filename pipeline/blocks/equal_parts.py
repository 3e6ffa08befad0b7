"""Cutting the valid part of a padded sequence into equal parts and averaging each: any
length to a wanted one.
"""

import torch
from torch import Tensor


def equal_parts(values: Tensor, lengths: Tensor, counts: Tensor, size: int) -> Tensor:
    """Means over `counts` equal parts of each sequence's valid steps: Tensor[B, T, C]
    -> Tensor[B, size, C].

    Part p of n covers the steps [floor(p * length / n), ceil((p + 1) * length / n)), as
    torch's adaptive average pooling does: parts share a step where the length is no
    multiple of n, and repeat steps where n is above the length. Rows from counts[b] to
    `size`, and all rows of an empty sequence, are zero. Padding is never read, whatever
    it holds (finite).
    """
    return shares_of_parts(lengths, counts, size, values.shape[1], values.dtype) @ values


def shares_of_parts(
    lengths: Tensor, counts: Tensor, size: int, num_steps: int, dtype: torch.dtype = torch.float32
) -> Tensor:
    """The part that each step has in each mean of `equal_parts`, Tensor[B, size,
    num_steps]: a row sums to one, or is zero.
    """
    part = torch.arange(size, device=lengths.device)
    step = torch.arange(num_steps, device=lengths.device)
    parts = counts.clamp(min=1)[:, None]
    start = (part * lengths[:, None]).div(parts, rounding_mode="floor")
    end = (
        ((part + 1) * lengths[:, None] + parts - 1)
        .div(parts, rounding_mode="floor")
        .clamp(max=lengths[:, None])
    )
    inside = (
        (step >= start[..., None]) & (step < end[..., None]) & (part < counts[:, None])[..., None]
    )
    return inside.to(dtype) / (end - start).clamp(min=1)[..., None].to(dtype)
