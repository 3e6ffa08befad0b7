import pytest
import torch
from torch import Tensor, nn

from pipeline.blocks.multi_kernel import MultiKernelMax, MultiKernelMean


def one_by_one(block: nn.Module, x: Tensor) -> Tensor:
    """Every kernel's output at every step of one sequence (T, in) by plain loops:
    (kernels, T, out).
    """
    outputs = []
    for convolution in block.convolutions:
        weight, bias = convolution.weight.detach(), convolution.bias.detach()
        half = weight.shape[2] // 2
        steps = []
        for t in range(len(x)):
            y = bias.clone()
            for tap in range(weight.shape[2]):
                if 0 <= t + tap - half < len(x):
                    y += weight[:, :, tap] @ x[t + tap - half]
            steps.append(y)
        outputs.append(torch.stack(steps))
    return torch.stack(outputs)


@pytest.fixture
def padded() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    lengths = torch.tensor([7, 1, 2, 5, 3])
    return torch.randn(5, 9, 4), lengths


def test_maximum_over_kernels_equals_a_plain_loop(padded: tuple[Tensor, Tensor]) -> None:
    x, lengths = padded
    block = MultiKernelMax(4, 6)
    result = block(x, lengths)
    assert result.shape == (5, 9, 6)
    for row, length in enumerate(lengths.tolist()):
        expected = one_by_one(block, x[row, :length]).amax(0)
        torch.testing.assert_close(result[row, :length], expected, atol=1e-5, rtol=1e-5)
        assert not result[row, length:].any()


def test_mean_over_kernels_and_steps_equals_a_plain_loop(padded: tuple[Tensor, Tensor]) -> None:
    x, lengths = padded
    block = MultiKernelMean(4, 6)
    result = block(x, lengths)
    for row, length in enumerate(lengths.tolist()):
        torch.testing.assert_close(
            result[row], one_by_one(block, x[row, :length]).mean((0, 1)), atol=1e-5, rtol=1e-5
        )


@pytest.mark.parametrize("kind", [MultiKernelMax, MultiKernelMean])
def test_a_sequence_without_steps_changes_nothing_beside_it(
    kind: type[nn.Module], padded: tuple[Tensor, Tensor]
) -> None:
    x, lengths = padded
    block = kind(4, 6)
    holed = torch.cat([lengths[:2], torch.tensor([0]), lengths[3:]])
    result, whole = block(x, holed), block(x, lengths)
    assert result.isfinite().all()
    kept = torch.tensor([0, 1, 3, 4])
    torch.testing.assert_close(result[kept], whole[kept])


def test_even_kernels_are_refused() -> None:
    with pytest.raises(ValueError, match=r"kernels = \(1, 2\), expected .* odd"):
        MultiKernelMax(4, 6, kernels=(1, 2))
