"""A user's own module of networks/: a system that belongs to no paper and has no
`embed`.
"""

import torch
from torch import Tensor, nn

from pipeline.batch import Batch, Sizes
from pipeline.blocks.pooling import masked_mean
from pipeline.networks import system

__all__ = ["MeanPool"]


class _MeanPool(nn.Module):
    def __init__(self, sizes: Sizes, width: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(sizes.feature_dim + sizes.word_dim, width)
        self.output = nn.Linear(width, sizes.num_classes)

    def forward(self, batch: Batch) -> Tensor:
        means = [masked_mean(*batch.voice()), masked_mean(*batch.text())]
        logits: Tensor = self.output(torch.tanh(self.hidden(torch.cat(means, dim=1))))
        return logits


@system("audio", "text", epochs=3)
def MeanPool(sizes: Sizes, *, width: int = 8) -> nn.Module:
    """The means of frames and of word vectors through one hidden layer."""
    return _MeanPool(sizes, width)
