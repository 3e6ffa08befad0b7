import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from pipeline.blocks.multi_kernel import MultiKernelMax, MultiKernelMean
from tests.resources.gradients import assert_agree


@pytest.fixture
def padded() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    lengths = torch.tensor([7, 1, 2, 5, 3])
    return torch.randn(5, 9, 4), lengths


@settings(max_examples=40)
@given(
    st.sampled_from([MultiKernelMax, MultiKernelMean]),
    st.lists(st.integers(0, 9), min_size=1, max_size=5),
    st.sampled_from([(1, 3, 5), (3,), (7, 1)]),
    st.sampled_from([(torch.float64, None), (torch.float32, 1e-4)]),
)
def test_the_cpu_form_equals_the_plain_one(
    kind: type[MultiKernelMax] | type[MultiKernelMean],
    lengths: list[int],
    kernels: tuple[int, ...],
    precision: tuple[torch.dtype, float | None],
) -> None:
    dtype, tolerance = precision
    block = kind(4, 6, kernels).to(dtype)
    x = torch.randn(len(lengths), 9, 4, dtype=dtype, requires_grad=True)
    counts = torch.tensor(lengths)
    made, expected = block(x, counts), block.plain(x, counts)
    assert_agree(made, expected, [x, *block.parameters()], tolerance)


def test_maximum_and_mean_of_one_sequence_are_those_of_its_convolutions() -> None:
    x = torch.randn(1, 7, 4)
    for block in (MultiKernelMax(4, 6), MultiKernelMean(4, 6)):
        outputs = torch.stack([conv(x.transpose(1, 2))[0].T for conv in block.convolutions])
        highest = isinstance(block, MultiKernelMax)
        expected = outputs.amax(0) if highest else outputs.mean((0, 1))
        torch.testing.assert_close(block(x, torch.tensor([7]))[0], expected, atol=1e-5, rtol=1e-5)


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
    with pytest.raises(ValueError, match=r"kernels = \(1, 2\), expected at least one, all odd"):
        MultiKernelMax(4, 6, kernels=(1, 2))
