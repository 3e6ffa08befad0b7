"""Multi-head scaled dot-product attention from one sequence to another, and the
pre-norm block around it.
"""

import torch
from torch import Tensor, nn

from pipeline.batch import length_mask


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    key_mask: Tensor,
    dropout: nn.Module | None = None,
    scaled: bool = True,
) -> Tensor:
    """softmax(Q K^T / sqrt(d)) V over the keys where key_mask is True (Vaswani et al.
    2017, eq. 1); without the division where not `scaled`.

    query: Tensor[..., N, d]; key: Tensor[..., M, d]; value: Tensor[..., M, e];
    key_mask: Tensor[..., 1 or N, M]. Returns Tensor[..., N, e]; zeros where no key is
    valid. Written out, because the fused kernels have no deterministic gradient on
    every device.
    """
    weights = attention_weights(query, key, key_mask, scaled).to(value.dtype)
    attended: Tensor = (weights if dropout is None else dropout(weights)) @ value
    return attended


def attention_weights(query: Tensor, key: Tensor, key_mask: Tensor, scaled: bool = True) -> Tensor:
    """The weights of `attend`, Tensor[..., N, M]: zero at keys that are not valid."""
    scores = (query * query.shape[-1] ** -0.5 if scaled else query) @ key.transpose(-2, -1)
    scores = scores.masked_fill(~key_mask, torch.finfo(scores.dtype).min)
    precise = torch.promote_types(scores.dtype, torch.float32)
    weights: Tensor = scores.softmax(dim=-1, dtype=precise) * key_mask
    return weights


class MultiHeadAttention(nn.Module):
    """Attention of each query step over a memory, in `num_heads` subspaces of size /
    num_heads channels.

    With `few_queries` the queries are taken to the memory instead of the memory to the
    heads: the same up to rounding, and a quarter of the time where 6 words ask 350
    frames of 512 values in 4 heads, forward and backward on one core.
    """

    def __init__(
        self, size: int, num_heads: int, dropout: float = 0.0, few_queries: bool = False
    ) -> None:
        super().__init__()
        if size % num_heads:
            raise ValueError(
                f"size {size} is not divisible by num_heads {num_heads}, expected equal heads"
            )
        self.num_heads, self.few_queries = num_heads, few_queries
        self.query = nn.Linear(size, size)
        # A bias of the keys adds the same to all scores of a query: no weight changes.
        self.key = nn.Linear(size, size, bias=not few_queries)
        self.value = nn.Linear(size, size)
        self.output = nn.Linear(size, size)
        self.dropout = nn.Dropout(dropout)

    def forward(self, query: Tensor, memory: Tensor, memory_lengths: Tensor) -> Tensor:
        """Tensor[B, N, size], Tensor[B, M, size] and the memory's lengths Tensor[B] to
        Tensor[B, N, size].
        """
        mask = length_mask(memory_lengths, memory.shape[1])[:, None, None, :]
        asked = self._split(self.query(query))
        if self.few_queries:
            heads = self._ask(asked, memory, mask)
        else:
            key, value = self._split(self.key(memory)), self._split(self.value(memory))
            heads = attend(asked, key, value, mask, self.dropout)
        joined: Tensor = self.output(heads.transpose(1, 2).flatten(2))
        return joined

    def _ask(self, query: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
        """`attend` without a projection of the memory: q (W m) is (q W) m, and
        a (W m + b) is W (a m) + sum(a) b.
        """
        batch, heads, steps, channels = query.shape
        key = self.key.weight.view(heads, channels, -1)
        value = self.value.weight.view(heads, channels, -1)
        asked = (query * channels**-0.5 @ key).flatten(1, 2)
        weights = attention_weights(asked, memory, mask[:, 0], scaled=False).to(memory.dtype)
        weights = self.dropout(weights)
        found = (weights @ memory).view(batch, heads, steps, -1)
        total = weights.sum(dim=-1).view(batch, heads, steps, 1)
        bias: Tensor = self.value.bias.view(heads, 1, channels)
        heard: Tensor = found @ value.transpose(1, 2)
        return torch.addcmul(heard, total, bias)

    def weights(self, query: Tensor, memory: Tensor, memory_lengths: Tensor) -> Tensor:
        """The weights of each query step over the memory, mean over the heads:
        Tensor[B, N, M].
        """
        mask = length_mask(memory_lengths, memory.shape[1])[:, None, None, :]
        query, key = self._split(self.query(query)), self._split(self.key(memory))
        return attention_weights(query, key, mask).mean(dim=1)

    def _split(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:2], self.num_heads, -1).transpose(1, 2)


class AttentionBlock(nn.Module):
    """Pre-norm transformer block: layer norm, attention over a memory, layer norm,
    feed-forward, each with a residual.

    With `memory` = the query sequence itself it is self attention.
    """

    def __init__(
        self, size: int, num_heads: int, feed_forward_size: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.query_norm = nn.LayerNorm(size)
        self.memory_norm = nn.LayerNorm(size)
        self.attention = MultiHeadAttention(size, num_heads, dropout)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(size),
            nn.Linear(size, feed_forward_size),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(feed_forward_size, size),
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, memory: Tensor, memory_lengths: Tensor) -> Tensor:
        """x: Tensor[B, N, size]; memory: Tensor[B, M, size]; memory_lengths: Tensor[B].
        Returns Tensor[B, N, size].
        """
        x = x + self.dropout(
            self.attention(self.query_norm(x), self.memory_norm(memory), memory_lengths)
        )
        return x + self.dropout(self.feed_forward(x))  # type: ignore[no-any-return]

    def weights(self, x: Tensor, memory: Tensor, memory_lengths: Tensor) -> Tensor:
        """The attention's weights, mean over the heads: Tensor[B, N, M]."""
        return self.attention.weights(self.query_norm(x), self.memory_norm(memory), memory_lengths)
