import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from pipeline.blocks.equal_parts import equal_parts


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(1, 13), st.integers(1, 9)), min_size=1, max_size=4),
    st.integers(0, 3),
)
def test_equals_torchs_adaptive_pooling_of_each_sequence_alone(
    cases: list[tuple[int, int]], extra: int
) -> None:
    lengths = torch.tensor([length for length, _ in cases])
    counts = torch.tensor([count for _, count in cases])
    values = torch.randn(len(cases), int(lengths.max()) + extra, 3)
    size = int(counts.max()) + extra
    result = equal_parts(values, lengths, counts, size)
    assert result.shape == (len(cases), size, 3)
    for row, (length, count) in enumerate(cases):
        alone = F.adaptive_avg_pool1d(values[row, :length].T[None], count)[0].T
        torch.testing.assert_close(result[row, :count], alone, atol=1e-6, rtol=1e-5)
        assert not result[row, count:].any()


def test_an_empty_sequence_gives_zeros() -> None:
    result = equal_parts(torch.ones(2, 4, 3), torch.tensor([0, 4]), torch.tensor([2, 2]), 2)
    assert not result[0].any()
    assert (result[1] == 1).all()
