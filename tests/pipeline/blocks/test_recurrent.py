"""Recurrent layers over padded sequences against torch's own."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.blocks import _cpu_recurrent
from pipeline.blocks.recurrent import LSTM, BiLSTM
from tests.resources.gradients import assert_agree

LENGTHS = torch.tensor([3, 9, 1])


@pytest.mark.parametrize(
    "layer", [LSTM(4, 5), BiLSTM(4, 5), BiLSTM(4, 5, num_layers=2)], ids=["lstm", "bl", "bl x2"]
)
def test_states_and_final_state_equal_torch_on_each_sequence(layer: LSTM) -> None:
    x = torch.randn(3, 9, 4)
    states = layer(x, LENGTHS)
    final = layer.final_state(states, LENGTHS)
    assert states.shape == (3, 9, layer.output_size)
    for row, length in enumerate(LENGTHS.tolist()):
        alone, (hidden, _) = layer.lstm(x[row : row + 1, :length])
        torch.testing.assert_close(states[row, :length], alone[0])
        assert states[row, length:].eq(0).all()
        directions = 2 if layer.bidirectional else 1
        torch.testing.assert_close(final[row], hidden[-directions:, 0].flatten())


def test_empty_sequences_give_zeros() -> None:
    layer = BiLSTM(4, 5)
    assert layer(torch.randn(2, 3, 4), torch.tensor([0, 3]))[0].eq(0).all()
    assert layer(torch.randn(2, 0, 4), torch.tensor([0, 0])).shape == (2, 0, 10)


@settings(max_examples=30)
@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=6),
    st.sampled_from([(False, 1), (True, 1), (True, 2)]),
    st.sampled_from([(torch.float64, None), (torch.float32, 1e-4)]),
    st.sampled_from([(8, 32), (1, 1), (2, 3)]),
)
def test_the_cpu_form_equals_the_packed_one(
    lengths: list[int],
    shape: tuple[bool, int],
    precision: tuple[torch.dtype, float | None],
    stretch: tuple[int, int],
) -> None:
    dtype, tolerance = precision
    bidirectional, num_layers = shape
    layer = LSTM(4, 5, num_layers, bidirectional=bidirectional).to(dtype)
    x = torch.randn(len(lengths), 9, 4, dtype=dtype, requires_grad=True)
    counts = torch.tensor(lengths)
    mask = (torch.arange(9) < counts[:, None])[..., None]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_cpu_recurrent, "SEQUENCES", stretch[0])
        patch.setattr(_cpu_recurrent, "STEPS", stretch[1])
        made = layer(x, counts)
    expected = layer.plain(x, counts) * mask
    assert_agree(made, expected, [x, *layer.parameters()], tolerance)


def test_many_of_the_longest_leave_no_stretch_empty() -> None:
    lengths = torch.tensor([400] * 20 + [40] * 12)
    assert _cpu_recurrent._stretches(lengths, 400) == [(0, 40, 32), (40, 400, 24)]
    assert BiLSTM(3, 4)(torch.randn(32, 400, 3), lengths).shape == (32, 400, 8)


def test_stretches_cover_every_step_with_all_that_reach_it() -> None:
    lengths = torch.randint(0, 400, (37,))
    stretches = _cpu_recurrent._stretches(lengths, 400)
    starts, ends, counts = zip(*stretches, strict=True)
    assert starts == (0, *ends[:-1]) and ends[-1] == 400 and len(stretches) > 1
    assert all(
        count >= (lengths > start).sum() for start, count in zip(starts, counts, strict=True)
    )
    assert list(counts) == sorted(counts, reverse=True) and counts[0] == 37
