"""Pooling over each word's frames with the gradient written out: faster on a CPU."""

from typing import Any

import torch
from torch import Tensor


def segment_mean_max(x: Tensor, segments: Tensor) -> Tensor:
    """Mean ‖ maximum of each word's frames, equal to `segments.plain_segment_mean_max`.

    Walks all words at once, one frame further each step, so that the running values
    stay in the cache, and reads the frames inside segments only. Measured on one core,
    forward and backward, 32 utterances of 400 frames, 25 words, 128 channels: 0.03 s,
    plain 0.58 s.
    """
    mean, highest = _SegmentMeanMax.apply(x, segments)  # type: ignore[no-untyped-call]
    return torch.cat([mean, highest], dim=-1)


def weighted_max(frames: Tensor, weights: Tensor) -> Tensor:
    """Maximum of the weighted frames, equal to `ctc_alignment.plain_weighted_max`.

    The gradient of all words is written to one tensor instead of to one for each word.
    Measured as above: 0.12 s, plain 0.32 s.
    """
    highest: Tensor = _WeightedMax.apply(frames, weights)  # type: ignore[no-untyped-call]
    return highest


class _SegmentMeanMax(torch.autograd.Function):
    """One frame further in all words at each step; the words are sorted by length, so
    those that still have a frame left are the first `count`.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, segments: Tensor) -> tuple[Tensor, Tensor]:
        batch, num_frames, channels = x.shape
        flat = x.reshape(-1, channels)
        bounds = segments.clamp(0, num_frames)
        lengths = (bounds[..., 1] - bounds[..., 0]).clamp(min=0).flatten()
        starts = (
            bounds[..., 0] + torch.arange(batch, device=x.device)[:, None] * num_frames
        ).flatten()
        order = torch.argsort(lengths, descending=True, stable=True)
        lengths, starts = lengths[order], starts[order]
        counts = _longer_than(lengths)
        words = counts[0] if counts else 0

        # Sums of many bfloat16 frames would lose the last ones.
        precise = torch.float32 if x.dtype in (torch.bfloat16, torch.float16) else x.dtype
        total = torch.zeros(words, channels, dtype=precise, device=x.device)
        highest = torch.full_like(total, -torch.inf)
        latest = torch.zeros(words, channels, dtype=torch.int32, device=x.device)
        for step, count in enumerate(counts):
            frame = flat.index_select(0, starts[:count] + step).to(precise)
            total[:count] += frame
            latest[:count].masked_fill_(frame > highest[:count], step)
            torch.maximum(highest[:count], frame, out=highest[:count])
        total /= lengths[:words, None]

        ctx.save_for_backward(order[:words], starts[:words], lengths[:words], latest)
        ctx.frames_shape = x.shape
        shape = (*segments.shape[:2], channels)
        pooled = [
            x.new_zeros(order.numel(), channels)
            .index_copy(0, order[:words], values.to(x.dtype))
            .view(shape)
            for values in (total, highest)
        ]
        return pooled[0], pooled[1]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        order, starts, lengths, latest = ctx.saved_tensors
        channels = ctx.frames_shape[-1]
        of_mean, of_highest = (
            gradient.reshape(-1, channels).index_select(0, order) for gradient in gradients
        )
        first = torch.cumsum(lengths, 0) - lengths
        frames = torch.arange(int(lengths.sum()), device=starts.device) + (
            starts - first
        ).repeat_interleave(lengths)
        shares = (of_mean / lengths[:, None]).repeat_interleave(lengths, 0)
        flat = of_mean.new_zeros(ctx.frames_shape[:-1].numel(), channels)
        # Words seldom share frames, and copying is several times faster than adding.
        alone = frames.numel() == 0 or int(torch.bincount(frames).max()) == 1
        flat = flat.index_copy_(0, frames, shares) if alone else flat.index_add_(0, frames, shares)
        places = (starts[:, None] + latest) * channels + torch.arange(
            channels, device=starts.device
        )
        flat.view(-1).index_add_(0, places.flatten(), of_highest.flatten())
        return flat.view(ctx.frames_shape), None


def _longer_than(lengths: Tensor) -> list[int]:
    """For each step 0, 1, …: how many of the descending lengths reach beyond it."""
    if lengths.numel() == 0:
        return []
    steps = torch.arange(int(lengths[0]), device=lengths.device)
    # Searching the ascending negatives: the number of lengths > step.
    counts: list[int] = torch.searchsorted(-lengths, -steps, right=False).tolist()
    return counts


class _WeightedMax(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, frames: Tensor, weights: Tensor) -> Tensor:
        pooled = [
            (frames * weights[:, :, word, None]).max(dim=1) for word in range(weights.shape[2])
        ]
        if not pooled:
            pooled_shape = (frames.shape[0], 0, frames.shape[2])
            ctx.save_for_backward(
                frames, weights, frames.new_zeros(pooled_shape, dtype=torch.int64)
            )
            return frames.new_zeros(pooled_shape)
        ctx.save_for_backward(
            frames, weights, torch.stack([item.indices for item in pooled], dim=1)
        )
        return torch.stack([item.values for item in pooled], dim=1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        frames, weights, places = ctx.saved_tensors
        (gradient,) = gradients
        chosen_weights = weights.transpose(1, 2).gather(2, places)
        of_frames = torch.zeros_like(frames).scatter_add_(1, places, gradient * chosen_weights)
        of_weights = torch.zeros_like(weights.transpose(1, 2)).scatter_add_(
            2, places, gradient * frames.gather(1, places)
        )
        return of_frames, of_weights.transpose(1, 2)
