"""Recurrent layers over padded sequences."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from pipeline.batch import length_mask


class LSTM(nn.Module):
    """Long short-term memory over padded sequences: padding is neither read nor
    written.

    `dropout` acts between layers and on the output, so that it also has a meaning for a
    single layer.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        dropout: float = 0.0,
        bidirectional: bool = False,
    ) -> None:
        super().__init__()
        self.bidirectional = bidirectional
        self.output_size = hidden_size * (2 if bidirectional else 1)
        self.lstm = nn.LSTM(
            input_size,
            hidden_size,
            num_layers,
            batch_first=True,
            dropout=dropout if num_layers > 1 else 0.0,
            bidirectional=bidirectional,
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Tensor[B, T, input_size] and Tensor[B] to Tensor[B, T, output_size], zeros in
        padding.
        """
        if x.shape[1] == 0:
            return x.new_zeros(x.shape[0], 0, self.output_size)
        states = (
            self._each_direction(x, lengths) if x.device.type == "cpu" else self._packed(x, lengths)
        )
        return self.dropout(states * length_mask(lengths, x.shape[1])[..., None])  # type: ignore[no-any-return]

    def _packed(self, x: Tensor, lengths: Tensor) -> Tensor:
        # Packing refuses empty sequences: they run over one zero step, which the mask
        # takes away again.
        packed = pack_padded_sequence(
            x, lengths.cpu().clamp(min=1), batch_first=True, enforce_sorted=False
        )
        states, _ = self.lstm(packed)
        padded: Tensor = pad_packed_sequence(states, batch_first=True, total_length=x.shape[1])[0]
        return padded

    def _each_direction(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Padded sequences as they are, backwards after turning each within its own
        length.

        On a CPU the gradient of a packed sequence of unequal lengths takes time with
        the square of the steps, because each step's slice fills a tensor as large as
        the whole; the padded form runs in one fused call.
        """
        turned = _turned(lengths, x.shape[1])
        for layer in range(self.lstm.num_layers):
            if layer:
                x = F.dropout(x, self.lstm.dropout, self.training)
            states = [self._run(x, layer, "")]
            if self.bidirectional:
                backward = self._run(_Permute.apply(x, turned), layer, "_reverse")  # type: ignore[no-untyped-call]
                states.append(_Permute.apply(backward, turned))  # type: ignore[no-untyped-call]
            x = torch.cat(states, dim=-1)
        return x

    def _run(self, x: Tensor, layer: int, direction: str) -> Tensor:
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        weights = [getattr(self.lstm, f"{name}_l{layer}{direction}") for name in names]
        start = x.new_zeros(1, x.shape[0], self.lstm.hidden_size)
        states: Tensor = torch.lstm(
            x, [start, start], weights, True, 1, 0.0, self.training, False, True
        )[0]
        return states

    def final_state(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Tensor[B, output_size]: the last valid forward state, and the first backward
        state beside it.
        """
        return final_state(states, lengths, self.bidirectional)


class BiLSTM(LSTM):
    """Bidirectional LSTM, `hidden_size` units per direction; output_size = 2 *
    hidden_size.
    """

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, dropout: float = 0.0
    ) -> None:
        super().__init__(input_size, hidden_size, num_layers, dropout, bidirectional=True)


class _Permute(torch.autograd.Function):
    """Steps in another order that is its own inverse, so that the gradient takes the
    same way.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, places: Tensor) -> Tensor:
        ctx.save_for_backward(places)
        return x.flatten(0, 1).index_select(0, places).view(x.shape)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (places,) = ctx.saved_tensors
        return gradients[0].flatten(0, 1).index_select(0, places).view(gradients[0].shape), None


def _turned(lengths: Tensor, size: int) -> Tensor:
    """Row numbers of Tensor[B * size, ...] that turn each sequence round within its
    length.
    """
    steps = torch.arange(size, device=lengths.device)
    within = torch.where(steps < lengths[:, None], lengths[:, None] - 1 - steps, steps)
    return (within + torch.arange(len(lengths), device=lengths.device)[:, None] * size).flatten()


def final_state(states: Tensor, lengths: Tensor, bidirectional: bool) -> Tensor:
    """What a recurrent layer knows after its whole sequence: Tensor[B, T, H] to
    Tensor[B, H].
    """
    last = (lengths - 1).clamp(min=0)[:, None, None]
    if not bidirectional:
        return states.gather(1, last.expand(-1, 1, states.shape[2])).squeeze(1)
    half = states.shape[2] // 2
    forward = states[..., :half].gather(1, last.expand(-1, 1, half)).squeeze(1)
    return torch.cat([forward, states[:, 0, half:]], dim=1)
