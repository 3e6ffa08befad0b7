"""Whether a system is right as often as it says it is: reliability and expected
calibration error (Guo et al., "On calibration of modern neural networks", ICML 2017).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 10
LOWEST = 1e-7  # probability: the logarithm of nothing has no temperature


def reliability(probabilities: NDArray[Any], labels: NDArray[Any]) -> list[dict[str, float]]:
    """Of (N, num_classes) and (N,) class indices, the tenths of the highest probability
    that hold utterances: `n`, mean `said` probability, share `right`.
    """
    said = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    tenth = np.minimum((said * BINS).astype(int), BINS - 1)
    return [
        {
            "n": int(mine.sum()),
            "said": float(said[mine].mean()),
            "right": float(right[mine].mean()),
        }
        for mine in (tenth == number for number in range(BINS))
        if mine.any()
    ]


def expected_error(tenths: Sequence[dict[str, float]]) -> float:
    """The mean distance between said and right over utterances, from `reliability`."""
    total = sum(item["n"] for item in tenths)
    return sum(item["n"] * abs(item["said"] - item["right"]) for item in tenths) / total


def softened(probabilities: NDArray[Any], temperature: NDArray[Any] | float) -> NDArray[Any]:
    """The probabilities whose logits are divided by a temperature, one for all or
    (N,).
    """
    logits = np.log(np.maximum(probabilities, LOWEST)) / np.reshape(temperature, (-1, 1))
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: NDArray[Any] = raised / raised.sum(axis=1, keepdims=True)
    return shares
