import torch
from torch.nn.functional import scaled_dot_product_attention

from pipeline.batch import length_mask
from pipeline.blocks.temporal_alignment import temporal_alignment


def test_equals_torchs_attention() -> None:
    torch.manual_seed(0)
    words, frames = (
        torch.randn(3, 5, 8, requires_grad=True),
        torch.randn(3, 11, 8, requires_grad=True),
    )
    mask = length_mask(torch.tensor([11, 1, 6]), 11)
    ours = temporal_alignment(words, frames, mask)
    theirs = scaled_dot_product_attention(words, frames, frames, attn_mask=mask[:, None, :])
    torch.testing.assert_close(ours, theirs)
    upstream = torch.randn_like(ours)
    for left, right in zip(
        torch.autograd.grad(ours, (words, frames), upstream),
        torch.autograd.grad(theirs, (words, frames), upstream),
        strict=True,
    ):
        torch.testing.assert_close(left, right)


def test_a_word_takes_the_frames_that_fit_it() -> None:
    frames = torch.eye(4)[None] * 60
    words = torch.eye(4)[None, [2, 0]] * 60
    aligned = temporal_alignment(words, frames, torch.ones(1, 4, dtype=torch.bool))
    torch.testing.assert_close(aligned, frames[:, [2, 0]])
