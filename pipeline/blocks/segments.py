"""Mean and maximum over the frames of each word, from segment bounds alone."""

import torch
from torch import Tensor

from pipeline.blocks import _cpu_pooling


def segment_mean_max(x: Tensor, segments: Tensor) -> Tensor:
    """Mean ‖ maximum of the frames [start, end) of each word (FG-CME section 3.2),
    zeros for an empty word.

    x: Tensor[B, T, C]; segments: Tensor[B, W, 2] of frame indices, in any order,
    overlapping or not; bounds outside 0..T are cut. Returns Tensor[B, W, 2C]. Memory
    never grows with W * T * C; where a maximum is shared, the earliest frame takes the
    gradient. Deterministic.
    """
    if x.device.type == "cpu":
        return _cpu_pooling.segment_mean_max(x, segments)
    return plain_segment_mean_max(x, segments)


def plain_segment_mean_max(x: Tensor, segments: Tensor) -> Tensor:
    """The definition; on a CPU `segment_mean_max` equals it up to rounding, faster."""
    steps = torch.arange(x.shape[1], device=x.device)
    # Sums of many bfloat16 frames would lose the last ones.
    precise = torch.promote_types(x.dtype, torch.float32)
    words = []
    for bounds in segments.unbind(dim=1):
        inside = ((steps >= bounds[:, :1]) & (steps < bounds[:, 1:]))[..., None]
        count = inside.sum(dim=1)
        mean = x.masked_fill(~inside, 0).sum(dim=1, dtype=precise) / count.clamp(min=1)
        highest = x.masked_fill(~inside, torch.finfo(x.dtype).min).max(dim=1).values
        words.append(torch.cat([mean.to(x.dtype), highest.masked_fill(count == 0, 0)], dim=-1))
    return torch.stack(words, dim=1) if words else torch.cat([x, x], dim=-1)[:, :0]


def covered_span(segments: Tensor) -> Tensor:
    """The frames [start, end) from the earliest to the latest word: Tensor[B, W, 2] to
    Tensor[B, 2], (0, 0) if none.
    """
    empty = segments[..., 1] <= segments[..., 0]
    end = segments[..., 1].masked_fill(empty, 0).amax(dim=1)
    start = torch.where(empty, end[:, None], segments[..., 0]).amin(dim=1)
    return torch.stack([start, end], dim=1)
