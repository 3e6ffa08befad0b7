"""Whether two computations agree in their values and in their gradients."""

from collections.abc import Sequence

import torch
from torch import Tensor


def assert_agree(
    made: Tensor, expected: Tensor, inputs: Sequence[Tensor], tolerance: float | None = None
) -> None:
    """Values and the gradients of all `inputs` agree: within `tolerance`, absolute and
    relative, or torch's own for the type (1e-7 in float64).
    """
    torch.testing.assert_close(made, expected, atol=tolerance, rtol=tolerance)
    slope = torch.randn(made.shape, generator=torch.Generator().manual_seed(0), dtype=made.dtype)
    ones, others = (
        torch.autograd.grad(value, inputs, slope, allow_unused=True, materialize_grads=True)
        for value in (made, expected)
    )
    for one, other in zip(ones, others, strict=True):
        torch.testing.assert_close(one, other, atol=tolerance, rtol=tolerance)
