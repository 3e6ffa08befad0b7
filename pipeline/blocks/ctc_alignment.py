"""Alignment of frames to words learnt with the network, by connectionist temporal
classification.

Tsai et al., "Multimodal Transformer for Unaligned Multimodal Language Sequences" (ACL
2019), section 4 (the CTC module put before the baselines): a network predicts for each
frame which word position it belongs to, or blank.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.batch import length_mask
from pipeline.blocks import _cpu_pooling
from pipeline.blocks.recurrent import LSTM


class CTCAlignment(nn.Module):
    """Predicts a distribution over blank and the utterance's own word positions for
    each frame.

    Positions beyond an utterance's words get no probability, so that the batch's
    longest text has no influence. Words from `max_words` on are never aligned.
    """

    def __init__(self, size: int, hidden_size: int, max_words: int) -> None:
        super().__init__()
        self.max_words = max_words
        self.states = LSTM(size, hidden_size)
        self.position = nn.Linear(hidden_size, max_words + 1)

    def forward(self, frames: Tensor, frame_lengths: Tensor, word_lengths: Tensor) -> Tensor:
        """Tensor[B, T, size] to log probabilities Tensor[B, T, 1 + max_words], blank
        first.
        """
        scores = self.position(self.states(frames, frame_lengths)).float()
        possible = length_mask(word_lengths.clamp(max=self.max_words) + 1, self.max_words + 1)
        return scores.masked_fill(~possible[:, None], -1e4).log_softmax(dim=-1)  # type: ignore[no-any-return]


class ReleasedCTCAlignment(nn.Module):
    """The alignment module of FG-CME's released code: the states of the second of two
    LSTMs are the scores of blank and `max_words` positions.

    Positions beyond an utterance's words get their share too, as there. Words from
    `max_words` on are never aligned.
    """

    def __init__(self, size: int, max_words: int) -> None:
        super().__init__()
        self.states = LSTM(size, max_words + 1, num_layers=2)

    def forward(self, frames: Tensor, frame_lengths: Tensor, word_lengths: Tensor) -> Tensor:
        """Tensor[B, T, size] to log probabilities Tensor[B, T, 1 + max_words], blank
        first.
        """
        return self.states(frames, frame_lengths).float().log_softmax(dim=-1)  # type: ignore[no-any-return]


def alignment_weights(log_probabilities: Tensor, frame_lengths: Tensor, num_words: int) -> Tensor:
    """The soft alignment A: Tensor[B, T, W], zero in padding; the blank's share belongs
    to no word.

    log_probabilities: Tensor[B, T, 1 + max_words].
    """
    mask = length_mask(frame_lengths, log_probabilities.shape[1])[..., None]
    shares = log_probabilities[..., 1 : num_words + 1].exp() * mask
    return F.pad(shares, (0, num_words - shares.shape[2]))


def alignment_loss(
    log_probabilities: Tensor, frame_lengths: Tensor, word_lengths: Tensor
) -> Tensor:
    """CTC loss of reading the word positions 1, 2, … in order; per word, mean over the
    batch.

    Computed on the CPU, where it is deterministic. Utterances with fewer frames than
    words count as zero.
    """
    max_words = log_probabilities.shape[2] - 1
    lengths = word_lengths.clamp(max=max_words).cpu()
    positions = torch.arange(1, max_words + 1).expand(len(lengths), -1)
    loss = F.ctc_loss(
        log_probabilities.transpose(0, 1).cpu(),
        positions,
        frame_lengths.cpu(),
        lengths,
        zero_infinity=True,
    )
    return loss.to(log_probabilities.device)


def soft_sum(frames: Tensor, weights: Tensor) -> Tensor:
    """P x, the frames of each word summed by their shares, as FG-CME's released code
    has it: Tensor[B, T, C] and Tensor[B, T, W] to Tensor[B, W, C].
    """
    return weights.to(frames.dtype).transpose(1, 2) @ frames


def soft_mean_max(frames: Tensor, weights: Tensor) -> Tensor:
    """Mean-max pooling (FG-CME section 3.2) when the alignment A is soft.

    Mean: sum_i a_ij x_i / sum_i a_ij; maximum: max_i a_ij x_i, as printed. frames:
    Tensor[B, T, C] of values >= 0, weights: Tensor[B, T, W]. Returns Tensor[B, W, 2C].
    """
    weights = weights.to(frames.dtype)
    total = weights.sum(1)[..., None].clamp(min=1e-6)
    mean = weights.transpose(1, 2) @ frames / total
    weighted_max = _cpu_pooling.weighted_max if frames.device.type == "cpu" else plain_weighted_max
    return torch.cat([mean, weighted_max(frames, weights)], dim=-1)


def plain_weighted_max(frames: Tensor, weights: Tensor) -> Tensor:
    """max_i a_ij x_i of each word j, one word at a time to save memory.

    frames: Tensor[B, T, C]; weights: Tensor[B, T, W]. Returns Tensor[B, W, C].
    """
    words = [(frames * share[..., None]).max(dim=1).values for share in weights.unbind(dim=2)]
    return torch.stack(words, dim=1) if words else frames[:, :0]
