import numpy as np
import pytest

from pipeline.report.weights_in_time import attended, curve
from pipeline.schema import FrameTiming


def test_the_span_of_a_word_is_the_shortest_that_holds_half() -> None:
    generator = np.random.default_rng(0)
    timing = FrameTiming(0.02, 0.01, 0.01)
    for size in (1, 2, 5, 30):
        row = generator.random(size) ** 3
        told = attended(row, timing)
        assert told is not None
        sums = {
            (first, past): row[first:past].sum() / row.sum()
            for first in range(size)
            for past in range(first + 1, size + 1)
        }
        shortest = min(past - first for (first, past), held in sums.items() if held >= 0.5)
        first, past = round((told["start"] - 0.005) * 100), round((told["end"] - 0.005) * 100)
        assert past - first == shortest and sums[first, past] == pytest.approx(told["held"])
    assert attended(np.zeros(4), timing) is None


def test_samples_are_summed_to_hundredths_of_a_second() -> None:
    told = curve(np.full(500, 1 / 500), FrameTiming(0, 1 / 8000, 0))
    assert told["shift"] == 0.01 and told["values"] == [0.16] * 6 + [0.04]
