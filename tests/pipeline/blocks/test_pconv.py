import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from pipeline.blocks.pconv import Pconv, bconv, sconv


def multiplications(module: nn.Module, *inputs: torch.Tensor) -> float:
    with FlopCounterMode(display=False) as counter:
        module(*inputs)
    return counter.get_total_flops() / 2


@pytest.mark.parametrize(
    ("in_channels", "out_channels", "kernel_size"), [(64, 128, 3), (16, 24, 5), (3, 1, 7)]
)
def test_separable_convolution_costs_what_equation_4_says(
    in_channels: int, out_channels: int, kernel_size: int
) -> None:
    x, lengths = torch.randn(2, 40, in_channels), torch.tensor([40, 40])
    full = multiplications(bconv(in_channels, out_channels, kernel_size).convolution, x, lengths)
    separable = multiplications(
        sconv(in_channels, out_channels, kernel_size).convolution, x, lengths
    )
    assert full == 2 * 40 * in_channels * out_channels * kernel_size
    assert separable / full == pytest.approx(1 / out_channels + 1 / kernel_size, rel=1e-12)


def test_equation_4_on_an_image_gives_the_published_ratio() -> None:
    image = torch.randn(1, 32, 20, 20)
    full = multiplications(nn.Conv2d(32, 128, 3, padding=1), image)
    separable = multiplications(
        nn.Sequential(nn.Conv2d(32, 32, 3, padding=1, groups=32), nn.Conv2d(32, 128, 1)), image
    )
    assert separable / full == pytest.approx(1 / 128 + 1 / 9)
    assert round(separable / full, 3) == 0.119


@pytest.mark.parametrize("shortcut", ["separable", "full"])
def test_pconv_is_figure_2_written_with_torch(shortcut: str) -> None:
    torch.manual_seed(0)
    block = Pconv(6, 10, slope=0.02, shortcut=shortcut).train()
    x = torch.randn(4, 9, 6)
    image = x.transpose(1, 2)

    def unit(part: nn.Module, convolved: torch.Tensor) -> torch.Tensor:
        return F.batch_norm(F.leaky_relu(convolved, 0.02), None, None, training=True)

    b = block.bconv.convolution.conv
    maps = torch.cat(
        [
            F.max_pool1d(image, 3, 1, 1),
            unit(block.bconv, F.conv1d(image, b.weight, b.bias, padding=1)),
        ],
        1,
    )
    if shortcut == "full":
        s = block.shortcut.convolution.conv
        direct = F.conv1d(image, s.weight, s.bias, padding=1)
    else:
        depthwise, pointwise = (
            block.shortcut.convolution.depthwise.conv,
            block.shortcut.convolution.pointwise.conv,
        )
        direct = F.conv1d(
            F.conv1d(image, depthwise.weight, padding=1, groups=6), pointwise.weight, pointwise.bias
        )
    expected = (maps + unit(block.shortcut, direct)).transpose(1, 2)

    result = block(x, torch.full((4,), 9))
    assert result.shape == (4, 9, block.out_channels) == (4, 9, 16)
    torch.testing.assert_close(result, expected, atol=1e-5, rtol=1e-5)


def test_padding_changes_neither_result_nor_statistics() -> None:
    torch.manual_seed(0)
    block = Pconv(5, 7).train()
    other = Pconv(5, 7).train()
    other.load_state_dict(block.state_dict())
    lengths = torch.tensor([6, 3])
    tight, wide = torch.randn(2, 6, 5), torch.full((2, 11, 5), 9.0)
    wide[:, :6] = tight
    wide[1, 3:] = -4.0
    first, second = block(tight, lengths), other(wide, lengths)
    torch.testing.assert_close(first, second[:, :6])
    assert not second[:, 6:].any() and not second[1, 3:].any()
    for left, right in zip(block.buffers(), other.buffers(), strict=True):
        torch.testing.assert_close(left, right)
