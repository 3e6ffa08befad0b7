"""Recurrent layers over padded sequences against torch's own over each sequence alone."""

from __future__ import annotations

import pytest
import torch

from pipeline.blocks.recurrent import LSTM, BiLSTM

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


def test_both_ways_through_the_batch_agree_with_their_gradients() -> None:
    layer = BiLSTM(4, 5, num_layers=2).double()
    x = torch.randn(3, 9, 4, dtype=torch.float64, requires_grad=True)
    mask = (torch.arange(9) < LENGTHS[:, None])[..., None]
    ways = [layer._each_direction(x, LENGTHS) * mask, layer._packed(x, LENGTHS)]
    torch.testing.assert_close(*ways)
    slope, inputs = torch.randn_like(ways[0]), [x, *layer.parameters()]
    for one, other in zip(*(torch.autograd.grad(way, inputs, slope) for way in ways), strict=True):
        torch.testing.assert_close(one, other)
