"""Unpadded convolutions: the fast form against the plain one, and what a word hears."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.blocks.unpadded_convolutions import UnpaddedConvolutions
from tests.resources.gradients import assert_agree


@settings(max_examples=30)
@given(
    st.lists(st.integers(0, 20), min_size=1, max_size=3),
    st.sampled_from([(5, 2, 2), (3,), (1, 4)]),
    st.booleans(),
)
def test_the_form_on_a_cpu_is_the_plain_one(
    lengths: list[int], kernels: tuple[int, ...], part: bool
) -> None:
    layers = UnpaddedConvolutions(3, [4] * len(kernels), kernels).double()
    counts = torch.tensor(lengths)
    x = torch.randn(len(lengths), max(max(lengths), 1), 3, dtype=torch.double, requires_grad=True)
    span = torch.tensor([[2, 5]]).expand(len(lengths), 2) if part else None
    made = layers(x, counts, span)
    with torch.autocast("cpu", enabled=True, dtype=torch.bfloat16):
        shape = layers(x, counts, span).shape
    assert made.shape == shape == (len(lengths), max(x.shape[1] - layers.lost, 1), 4)
    padded = torch.nn.functional.pad(x, (0, 0, 0, max(0, layers.lost + 1 - x.shape[1])))
    ends = layers.output_lengths(counts)[:, None]
    wanted = torch.cat([torch.zeros_like(ends), ends], 1) if span is None else span.minimum(ends)
    expected = layers.plain(padded, wanted)
    assert_agree(made, expected, [x, *layers.parameters()])


def test_each_step_is_a_linear_map_of_the_frames_it_reads() -> None:
    layers = UnpaddedConvolutions(3, (4, 5, 6), (5, 2, 2))
    x, lengths = torch.randn(2, 12, 3), torch.tensor([12, 8])
    steps = layers(x, lengths)
    assert steps.shape == (2, 6, 6) and steps[1, 2:].eq(0).all()
    changed = x.clone()
    changed[:, 8] += 1
    heard = (layers(changed, lengths) != steps).any(-1)
    assert heard[0].tolist() == [False, False, True, True, True, True] and not heard[1].any()
    middle = layers((x + changed) / 2, lengths)
    torch.testing.assert_close(middle, (steps + layers(changed, lengths)) / 2)


def test_a_step_belongs_to_the_words_that_it_has_read() -> None:
    layers = UnpaddedConvolutions(3, (4, 5, 6), (5, 2, 2))
    words = torch.tensor(
        [[[0, 3], [8, 9], [11, 12], [4, 4], [12, 12]], [[0, 3], [5, 6]] + [[0, 0]] * 3]
    )
    segments = layers.output_segments(words, torch.tensor([12, 6]))
    assert segments[0].tolist() == [[0, 3], [2, 6], [5, 6], [0, 0], [0, 0]]
    assert segments[1].eq(0).all()


def test_layers_need_a_kernel_each() -> None:
    with pytest.raises(ValueError, match="2 channels and 1 kernel sizes"):
        UnpaddedConvolutions(3, (4, 5), (5,))
