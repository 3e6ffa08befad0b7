"""From a padded sequence to one vector, or to one vector per word; padding has no part
in it.
"""

import torch
from torch import Tensor, nn

from pipeline.batch import length_mask


def masked_mean(x: Tensor, lengths: Tensor) -> Tensor:
    """Mean over valid steps: Tensor[B, T, C] and Tensor[B] to Tensor[B, C]; zeros for
    an empty sequence.
    """
    mask = length_mask(lengths, x.shape[1])[..., None]
    return (x * mask).sum(1) / lengths.clamp(min=1)[:, None].to(x.dtype)


def masked_max(x: Tensor, lengths: Tensor) -> Tensor:
    """Maximum over valid steps: Tensor[B, T, C] and Tensor[B] to Tensor[B, C]; zeros
    for an empty sequence.
    """
    mask = length_mask(lengths, x.shape[1])[..., None]
    highest = x.masked_fill(~mask, torch.finfo(x.dtype).min).max(dim=1).values
    return highest.masked_fill(lengths[:, None] == 0, 0.0)


def masked_std(x: Tensor, lengths: Tensor, eps: float = 1e-5) -> Tensor:
    """Standard deviation over valid steps (divided by their number): Tensor[B, T, C] to
    Tensor[B, C].

    `eps` is added to the variance: the root has no finite slope at zero, where a
    sequence of one step lies.
    """
    mask = length_mask(lengths, x.shape[1])[..., None]
    # float32: squares of bfloat16 deviations lose what the variance is made of.
    x = x.float()
    centred = (x - masked_mean(x, lengths)[:, None]) * mask
    return (centred.square().sum(1) / lengths.clamp(min=1)[:, None] + eps).sqrt()


def statistics_pooling(x: Tensor, lengths: Tensor) -> Tensor:
    """Mean ‖ standard deviation over valid steps: Tensor[B, T, C] and Tensor[B] to
    Tensor[B, 2C].
    """
    return torch.cat([masked_mean(x, lengths), masked_std(x, lengths).to(x.dtype)], dim=1)


class AttentionPooling(nn.Module):
    """Weighted mean of the valid steps, weights = softmax of a learnt score of each
    step.

    Without `hidden_size` the score is u·h / sqrt(size) (Mirsamadi et al. 2017, with the
    usual scale); with it, u·tanh(W h + b) (Bahdanau et al. 2015).
    """

    def __init__(self, size: int, hidden_size: int | None = None) -> None:
        super().__init__()
        self.scale = size**-0.5 if hidden_size is None else 1.0
        self.hidden = None if hidden_size is None else nn.Linear(size, hidden_size)
        self.score = nn.Linear(size if hidden_size is None else hidden_size, 1, bias=False)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Tensor[B, T, size] and Tensor[B] to Tensor[B, size]; zeros for an empty
        sequence.
        """
        return torch.einsum("bt,btc->bc", self.weights(x, lengths).to(x.dtype), x)

    def weights(self, x: Tensor, lengths: Tensor) -> Tensor:
        """The weights Tensor[B, T], zero in padding; each row's sum is one."""
        hidden = x if self.hidden is None else torch.tanh(self.hidden(x))
        scores = self.score(hidden).squeeze(-1).float() * self.scale
        mask = length_mask(lengths, x.shape[1])
        weights: Tensor = (
            scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(dim=1) * mask
        )
        return weights
