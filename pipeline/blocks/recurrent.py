"""Recurrent layers over padded sequences."""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from pipeline.batch import length_mask
from pipeline.blocks import _cpu_recurrent


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
        if x.device.type == "cpu":
            states = _cpu_recurrent.each_direction(self.lstm, x, lengths)
        else:
            states = self.plain(x, lengths)
        return self.dropout(states * length_mask(lengths, x.shape[1])[..., None])  # type: ignore[no-any-return]

    def plain(self, x: Tensor, lengths: Tensor) -> Tensor:
        """The definition; on a CPU `forward` equals it up to rounding, faster."""
        # Packing refuses empty sequences: they run over one zero step, which the mask
        # takes away again.
        packed = pack_padded_sequence(
            x, lengths.cpu().clamp(min=1), batch_first=True, enforce_sorted=False
        )
        states, _ = self.lstm(packed)
        padded: Tensor = pad_packed_sequence(states, batch_first=True, total_length=x.shape[1])[0]
        return padded

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
