"""The learnt alignment: its distribution, its loss, and pooling with a soft matrix."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.blocks._cpu_pooling import weighted_max
from pipeline.blocks.ctc_alignment import (
    CTCAlignment,
    alignment_loss,
    alignment_weights,
    plain_weighted_max,
    soft_mean_max,
)
from tests.resources.gradients import assert_agree

FRAME_LENGTHS, WORD_LENGTHS = torch.tensor([9, 5]), torch.tensor([4, 2])


def test_probability_goes_to_blank_and_the_words_that_are_there() -> None:
    module = CTCAlignment(3, 4, max_words=6)
    predicted = module(torch.randn(2, 9, 3), FRAME_LENGTHS, WORD_LENGTHS)
    assert predicted.shape == (2, 9, 7)
    torch.testing.assert_close(predicted.exp().sum(-1), torch.ones(2, 9))
    assert predicted[1, :, 3:].exp().eq(0).all()
    weights = alignment_weights(predicted, FRAME_LENGTHS, 4)
    assert (
        weights.shape == (2, 9, 4) and weights[1, 5:].eq(0).all() and weights[1, :, 2:].eq(0).all()
    )
    torch.testing.assert_close(weights[0], predicted[0, :, 1:5].exp())


def test_more_words_than_positions() -> None:
    module = CTCAlignment(3, 4, max_words=3)
    lengths = torch.tensor([4, 2])
    predicted = module(torch.randn(2, 9, 3), FRAME_LENGTHS, lengths)
    assert alignment_weights(predicted, FRAME_LENGTHS, 4)[..., 3].eq(0).all()
    assert torch.isfinite(alignment_loss(predicted, FRAME_LENGTHS, lengths))


def test_loss_is_the_mean_negative_log_likelihood_per_word_of_all_monotone_paths() -> None:
    module = CTCAlignment(3, 4, max_words=2)
    predicted = module(torch.randn(1, 3, 3), torch.tensor([3]), torch.tensor([2]))
    probability = predicted[0].exp()
    paths = [(1, 2, 2), (1, 1, 2), (0, 1, 2), (1, 0, 2), (1, 2, 0)]
    total = sum(probability[0, a] * probability[1, b] * probability[2, c] for a, b, c in paths)
    loss = alignment_loss(predicted, torch.tensor([3]), torch.tensor([2]))
    torch.testing.assert_close(loss, -torch.as_tensor(total).log() / 2)


def test_fewer_frames_than_words_count_as_zero() -> None:
    module = CTCAlignment(3, 4, max_words=4)
    predicted = module(torch.randn(1, 2, 3), torch.tensor([2]), torch.tensor([4]))
    loss = alignment_loss(predicted, torch.tensor([2]), torch.tensor([4]))
    loss.backward()
    assert loss.item() == 0 and all(
        torch.isfinite(p.grad).all() for p in module.parameters() if p.grad is not None
    )


@settings(max_examples=30)
@given(
    st.integers(1, 3),
    st.integers(1, 6),
    st.integers(0, 4),
    st.sampled_from([torch.float64, torch.float32]),
)
def test_the_maximum_on_a_cpu_is_the_plain_one(
    batch: int, num_frames: int, words: int, dtype: torch.dtype
) -> None:
    frames = torch.rand(batch, num_frames, 3, dtype=dtype, requires_grad=True)
    weights = torch.rand(batch, num_frames, words, dtype=dtype, requires_grad=True)
    made, expected = weighted_max(frames, weights), plain_weighted_max(frames, weights)
    assert torch.equal(made, expected)
    assert_agree(made, expected, [frames, weights])


def test_soft_pooling_follows_its_formula() -> None:
    frames, weights = torch.rand(1, 5, 3), torch.rand(1, 5, 4)
    pooled = soft_mean_max(frames, weights)
    for word, share in enumerate(weights[0].T):
        spread = share[:, None] * frames[0]
        expected = torch.cat([spread.sum(0) / share.sum(), spread.max(0).values])
        torch.testing.assert_close(pooled[0, word], expected)
    assert soft_mean_max(frames, weights[..., :0]).shape == (1, 0, 6)


def test_training_finds_a_monotone_alignment() -> None:
    """Three words, each a run of frames of its own kind: CTC alone must place them in
    order.
    """
    torch.manual_seed(0)
    kinds = torch.eye(3).repeat_interleave(4, dim=0)[None]
    module = CTCAlignment(3, 16, max_words=3)
    optimizer = torch.optim.Adam(module.parameters(), 0.02)
    lengths, words = torch.tensor([12]), torch.tensor([3])
    for _ in range(150):
        optimizer.zero_grad()
        alignment_loss(module(kinds, lengths, words), lengths, words).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    weights = alignment_weights(module(kinds, lengths, words), lengths, 3)[0]
    centres = (weights * torch.arange(12.0)[:, None]).sum(0) / weights.sum(0)
    assert centres[0] < centres[1] < centres[2]
