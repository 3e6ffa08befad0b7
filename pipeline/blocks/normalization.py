"""Batch normalisation over padded sequences."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.batch import length_mask


class MaskedBatchNorm(nn.Module):
    """Batch normalisation per channel whose statistics see valid steps only; padding
    comes out as zeros.

    Evaluation equals torch's BatchNorm1d on the valid steps. A training batch with
    fewer than two valid steps has no variance: it is normalised with the running
    statistics and leaves them as they are.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Tensor[B, T, C] with Tensor[B] lengths, or Tensor[N, C] without padding; same
        shape out.
        """
        flat = x.reshape(-1, x.shape[-1])
        if lengths is None:
            return self._normalize(flat).view(x.shape)
        mask = length_mask(lengths, x.shape[1]).flatten()
        if not self.training:
            return (self._normalize(flat) * mask[:, None]).view(x.shape)
        valid = mask.nonzero().squeeze(1)
        if len(valid) == len(flat):
            return self._normalize(flat).view(x.shape)
        rows = self._normalize(flat.index_select(0, valid))
        return torch.zeros_like(flat, dtype=rows.dtype).index_copy(0, valid, rows).view(x.shape)

    def _normalize(self, rows: Tensor) -> Tensor:
        learn = self.training and rows.shape[0] > 1
        return F.batch_norm(
            rows,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            learn,
            self.momentum,
            self.eps,
        )
