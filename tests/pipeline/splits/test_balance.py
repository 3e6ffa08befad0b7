import hashlib
import random

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.splits import _balance as balance
from pipeline.splits._protocol import random_order


def group_counts(seed, groups=8):
    generator = random.Random(seed)
    counts = [[generator.randint(1, 30) for _ in range(3)] for _ in range(groups)]
    return [f"g{index}" for index in range(groups)], np.array(counts, dtype=float)


@settings(max_examples=60)
@given(st.integers(0, 10_000))
def test_choosing_groups_by_descent_is_nearly_as_good_as_trying_all(seed):
    names, counts = group_counts(seed)

    def unevenness(taken):
        return ((counts[taken].sum(axis=0) / counts.sum(axis=0) - 0.3) ** 2).sum()

    best = balance.chosen(names, counts, 0.3, seed)
    assert best.any()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(balance, "EXHAUSTIVE", 0)
        climbed = balance.chosen(names, counts, 0.3, seed)
    # A single exchange away from any better choice is near enough; it must never be
    # unusable.
    assert climbed.any()
    assert unevenness(best) <= unevenness(climbed) + 1e-9
    assert unevenness(climbed) < 0.03


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.integers(11, 60), st.integers(1, 40), st.booleans())
@example(146, 11, 17, True)  # what is nearest leaves a class on one side
def test_weighing_the_nearest_steps_is_weighing_all(seed, groups, largest, sparse):
    generator = np.random.default_rng(seed)
    counts = generator.integers(0, largest + 1, (groups, 4)).astype(float)
    counts[:, 0] *= generator.random(groups) < (0.2 if sparse else 1)
    counts[0] += 1  # every class has somebody
    names = [f"g{index}" for index in range(groups)]
    nearest = balance.chosen(names, counts, 0.15, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(balance, "NEAR", np.inf)
        assert (nearest == balance.chosen(names, counts, 0.15, seed)).all()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(balance, "PAIRS", 7)
        assert (nearest == balance.chosen(names, counts, 0.15, seed)).all()


def test_a_random_order_is_that_of_the_hashes():
    names = [f"g{index}" for index in range(50)]
    ranks = [hashlib.sha256(f"7\0{name}".encode()).hexdigest() for name in names]
    assert random_order(7, names).tolist() == sorted(range(50), key=ranks.__getitem__)


def test_no_choice_takes_a_class_from_training():
    # Only the first group has the second class.
    counts = np.array([[5.0, 5.0], [5.0, 0.0], [5.0, 0.0]])
    assert not balance.chosen(["a", "b", "c"], counts, 0.3, 0).any()


def test_every_part_gets_a_group():
    names, counts = group_counts(1, groups=4)
    counts[0] *= 1000
    part = balance.balanced(names, counts, np.full(4, 0.25), 0)
    assert sorted(part) == [0, 1, 2, 3]
