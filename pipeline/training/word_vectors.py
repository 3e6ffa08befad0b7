"""Word vectors that are trained with the network: an embedding layer that starts from
the vectors of the fold's vocabulary.
"""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.batch import Batch


class TrainedVectors(nn.Module):
    """A network whose words are looked up in vectors that are trained with it.

    table: (num_words, word_dim), the vectors that the words of the training rows start
    from; word id i + 1 is its row i. A word without id keeps the vector that it comes
    with: the file's of a pretrained embedding, else zeros. Padding stays zero.
    """

    def __init__(self, network: nn.Module, table: NDArray[np.float32]) -> None:
        super().__init__()
        self.network = network
        self.vectors = nn.Parameter(torch.from_numpy(table.copy()))
        # A loss of the network's own is that of the whole.
        if hasattr(network, "training_loss"):
            self.training_loss = network.training_loss

    def forward(self, batch: Batch) -> Tensor:
        """Logits Tensor[B, num_classes]."""
        given, _ = batch.text()
        ids = batch.ids()
        trained = F.embedding((ids - 1).clamp(min=0), self.vectors)
        words = torch.where((ids > 0)[..., None], trained, given)
        logits: Tensor = self.network(replace(batch, words=words))
        return logits

    def table(self) -> NDArray[np.float32]:
        """The vectors as trained so far, (num_words, word_dim)."""
        return self.vectors.detach().cpu().numpy()
