"""The cross-modal semantic interaction of TSIN (section III.C.2, eq. 6-9)."""

import torch
from torch import Tensor, nn


class SemanticInteraction(nn.Module):
    """Weights every word step of both modalities by what the other modality says of it.

    words t: Tensor[B, W, d]; speech u: Tensor[B, W, d], aligned to the words; mask:
    Tensor[B, W], True where valid. h_t, h_s = mean of t, u over the valid words (eq.
    6); w^t_i = V^T tanh(x_s u_i + x_t h_t + b), w^s_i = V^T tanh(x_t t_i + x_s h_s + b)
    (eq. 7); normalised over the words (eq. 8); u_i * w^s_i and t_i * w^t_i (eq. 9).
    Returns both, Tensor[B, W, d], zero in padding.

    Left open or unsound in the paper, and decided here:
    - Eq. 8 divides raw scores by their sum, which can vanish or turn signs around: a
      softmax normalises them.
    - The prose says that w^t weighs the speech and w^s the text, eq. 9 the reverse. Eq.
      9 stands, and fits the names that follow it: w^s is made from the text's steps and
      so makes the speech text-aware. `crossed=False` gives the prose's reading.
    - V, x_s, x_t and b carry no modality in eq. 7, so both weights share them. Their
      width is not given.
    """

    def __init__(self, dim: int, attention_dim: int, crossed: bool = True) -> None:
        super().__init__()
        self.crossed = crossed
        self.of_speech = nn.Linear(dim, attention_dim, bias=False)
        self.of_text = nn.Linear(dim, attention_dim)
        self.score = nn.Linear(attention_dim, 1, bias=False)

    def forward(self, words: Tensor, speech: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        text_aware, speech_aware = self.weights(words, speech, mask)
        if self.crossed:
            return speech * speech_aware, words * text_aware
        return speech * text_aware, words * speech_aware

    def weights(self, words: Tensor, speech: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """w^t and w^s after eq. 8, Tensor[B, W, 1] each: over the words they sum to
        one, zero in padding.
        """
        share = mask / mask.sum(dim=1, keepdim=True).clamp(min=1)
        mean_words, mean_speech = (
            share[:, None, :].to(side.dtype) @ side for side in (words, speech)
        )
        text_aware = self._weights(self.of_speech(speech) + self.of_text(mean_words), mask)
        speech_aware = self._weights(self.of_text(words) + self.of_speech(mean_speech), mask)
        return text_aware, speech_aware

    def _weights(self, hidden: Tensor, mask: Tensor) -> Tensor:
        scores = self.score(torch.tanh(hidden)).masked_fill(~mask[..., None], -torch.inf)
        # A text without words has no score to normalise; its weights are zero instead
        # of not a number.
        return torch.softmax(scores, dim=1).masked_fill(~mask[..., None], 0)
