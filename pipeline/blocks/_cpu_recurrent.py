"""LSTM over padded sequences without packing: faster on a CPU."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def each_direction(lstm: nn.LSTM, x: Tensor, lengths: Tensor) -> Tensor:
    """The states of each direction over padded sequences, equal to `LSTM.plain` on
    valid steps; padding holds anything.

    The backward direction reads each sequence turned round within its own length. The
    gradient of a packed sequence takes time with the square of the steps, because each
    step's slice fills a tensor as large as the whole; this form runs in one fused call.
    Measured on one core, forward and backward, 32 sequences: 3 to 25 steps of 300
    values 0.40 s, packed 0.66 s; 16 sequences of 20 to 120 steps of 100 values 0.10 s,
    packed 0.67 s.
    """
    turned = _turned(lengths, x.shape[1])
    for layer in range(lstm.num_layers):
        if layer:
            x = F.dropout(x, lstm.dropout, lstm.training)
        states = [_run(lstm, x, f"l{layer}")]
        if lstm.bidirectional:
            states.append(_permuted(_run(lstm, _permuted(x, turned), f"l{layer}_reverse"), turned))
        x = torch.cat(states, dim=-1)
    return x


def _run(lstm: nn.LSTM, x: Tensor, which: str) -> Tensor:
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    weights = [getattr(lstm, f"{name}_{which}") for name in names]
    start = x.new_zeros(1, x.shape[0], lstm.hidden_size)
    states: Tensor = torch.lstm(
        x, [start, start], weights, True, 1, 0.0, lstm.training, False, True
    )[0]
    return states


def _permuted(x: Tensor, places: Tensor) -> Tensor:
    return x.flatten(0, 1).index_select(0, places).view(x.shape)


def _turned(lengths: Tensor, size: int) -> Tensor:
    """Row numbers of Tensor[B * size, ...] that turn each sequence round within its
    length.
    """
    steps = torch.arange(size, device=lengths.device)
    within = torch.where(steps < lengths[:, None], lengths[:, None] - 1 - steps, steps)
    return (within + torch.arange(len(lengths), device=lengths.device)[:, None] * size).flatten()
