"""The temporal alignment of TSIN (section III.C.1, eq. 3-5)."""

import torch
from torch import Tensor


def temporal_alignment(words: Tensor, frames: Tensor, frame_mask: Tensor) -> Tensor:
    """For each word the mean of all frames weighted by how well they fit it.

    words t: Tensor[B, W, d]; frames s: Tensor[B, T, d]; frame_mask: Tensor[B, T], True
    where valid. alpha_ij = t_j . s_i (eq. 3), a softmax over the frames i of lambda *
    alpha_ij with lambda = 1 / sqrt(d) (eq. 4), u_j = sum_i alpha'_ij s_i (eq. 5).
    Returns u: Tensor[B, W, d]; rows of padded words hold no meaning.
    """
    return alignment_weights(words, frames, frame_mask).to(frames.dtype) @ frames


def alignment_weights(words: Tensor, frames: Tensor, frame_mask: Tensor) -> Tensor:
    """alpha' of `temporal_alignment` (eq. 4), Tensor[B, W, T]: each row sums to one."""
    strength = (words * words.shape[-1] ** -0.5) @ frames.transpose(1, 2)
    return torch.softmax(strength.masked_fill(~frame_mask[:, None, :], -torch.inf), dim=-1)
