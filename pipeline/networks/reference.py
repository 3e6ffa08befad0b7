"""The reference line: what a linear classifier reaches on the same folds, so that a
network has something to beat.

`Reference_a` is a linear support vector machine, on eGeMAPS functionals as is usual
(Eyben et al., IEEE Trans. Affective Computing 7(2), 2016, section 5); `Reference_s`
logistic regression on TF-IDF of the training words and the mean of the word vectors;
`Reference_m` logistic regression on both. scikit-learn fits them to all of the training
rows at once, in seconds; the strength of regularisation is chosen by cross-validation
inside of them. A decision here, as no paper states them.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.batch import Batch, Sizes
from pipeline.blocks.pooling import masked_mean
from pipeline.networks._system import system

__all__ = ["Reference_a", "Reference_m", "Reference_s"]

STRENGTHS = (0.001, 0.01, 0.1, 1.0)  # scikit-learn's C
CHOSEN_ON = 3  # parts of the training rows, each class in each


class _Linear(nn.Module):
    """A linear layer on what describes an utterance, which `solve` fits."""

    inverse_document_frequency: Tensor

    def __init__(self, sizes: Sizes, voice: bool, text: bool, machine: bool) -> None:
        super().__init__()
        self.voice, self.text, self.machine = voice, text, machine
        words = max(sizes.vocabulary_size - 1, 0) if text else 0
        self.register_buffer("inverse_document_frequency", torch.ones(words))
        width = (sizes.feature_dim if voice else 0) + (words + sizes.word_dim if text else 0)
        self.output = nn.Linear(width, sizes.num_classes)

    def forward(self, batch: Batch) -> Tensor:
        logits: Tensor = self.output(self.embed(batch))
        return logits

    def embed(self, batch: Batch) -> Tensor:
        """What describes the utterances, Tensor[B, width]."""
        parts = [masked_mean(*batch.voice())] if self.voice else []
        if self.text:
            weighted = self._counts(batch) * self.inverse_document_frequency
            parts += [F.normalize(weighted, dim=1), masked_mean(*batch.text())]
        return torch.cat(parts, dim=1)

    def solve(self, batches: Callable[[], Iterable[Batch]]) -> None:
        """Fits the weights to the rows of all batches, which have labels."""
        if self.text:
            rows, found = 0, torch.zeros_like(self.inverse_document_frequency)
            for batch in batches():
                rows += batch.size
                found += (self._counts(batch) > 0).sum(dim=0)
            # As scikit-learn smooths it: as if one more row held every word.
            self.inverse_document_frequency = torch.log((1 + rows) / (1 + found)) + 1
        with torch.no_grad():
            described = [(self.embed(batch), batch.labels) for batch in batches()]
            values = torch.cat([rows for rows, _ in described]).double().cpu().numpy()
            labels = torch.cat([own for _, own in described if own is not None]).cpu().numpy()
            weights, biases = self._fit(values, labels)
            self.output.weight.copy_(torch.from_numpy(weights))
            self.output.bias.copy_(torch.from_numpy(biases))

    def _counts(self, batch: Batch) -> Tensor:
        """How often an utterance has each training word, Tensor[B, num_words]."""
        ids = batch.ids()
        size = len(self.inverse_document_frequency) + 1
        counts = torch.zeros(len(ids), size, device=ids.device)
        counts.scatter_add_(1, ids, torch.ones_like(ids, dtype=counts.dtype))
        # Unknown words and padding have id 0.
        return counts[:, 1:]

    def _fit(self, values: Any, labels: Any) -> tuple[Any, Any]:
        """Weights (num_classes, width) and biases (num_classes,) of the rows' classes;
        a class that no row has is never chosen.
        """
        from scipy.sparse import csr_array
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import GridSearchCV
        from sklearn.svm import LinearSVC
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        settings: dict[str, Any] = {"class_weight": "balanced", "random_state": 0}
        if self.machine:
            estimator = LinearSVC(**settings, max_iter=20_000)
        else:
            estimator = LogisticRegression(**settings, max_iter=2_000)
        if np.bincount(labels).max() == len(labels):
            raise ValueError("the training rows have one class: there is nothing to tell apart")
        fewest = int(np.min(np.unique(labels, return_counts=True)[1]))
        # An utterance has few of the words.
        rows = csr_array(values) if self.text else values
        # One thread: sums do not change with the number of cores.
        with threadpool_limits(1):
            if fewest >= CHOSEN_ON:
                grid = {"C": STRENGTHS}
                search = GridSearchCV(estimator, grid, scoring="balanced_accuracy", cv=CHOSEN_ON)
                estimator = search.fit(rows, labels).best_estimator_
            else:
                estimator.fit(rows, labels)
        coefficients, intercepts = estimator.coef_, estimator.intercept_
        if len(coefficients) == 1:
            # Of two classes scikit-learn has the difference.
            coefficients = np.concatenate([-coefficients / 2, coefficients / 2])
            intercepts = np.concatenate([-intercepts / 2, intercepts / 2])
        weights = np.zeros(self.output.weight.shape)
        biases = np.full(len(weights), -1e3)
        weights[estimator.classes_], biases[estimator.classes_] = coefficients, intercepts
        return weights, biases


@system("audio", missing="fill", epochs=1)
def Reference_a(sizes: Sizes) -> nn.Module:
    """Linear support vector machine on the mean of the frames: on eGeMAPS functionals,
    which have one, on these.
    """
    return _Linear(sizes, voice=True, text=False, machine=True)


@system("text", missing="fill", epochs=1)
def Reference_s(sizes: Sizes) -> nn.Module:
    """Logistic regression on TF-IDF of the training words and the mean word vector."""
    return _Linear(sizes, voice=False, text=True, machine=False)


@system("audio", "text", missing="fill", epochs=1)
def Reference_m(sizes: Sizes) -> nn.Module:
    """Logistic regression on what `Reference_a` and `Reference_s` read."""
    return _Linear(sizes, voice=True, text=True, machine=False)
