"""The draws against drawing units one by one, and the intervals against scipy's."""

import itertools
import time

import numpy as np
import pytest
from scipy import stats

from pipeline.evaluation import bootstrap

DRAWS = 40_000


def one_by_one(tallies, resamples, seed):
    """The sums as units drawn singly give them."""
    units = len(tallies)
    picks = np.random.default_rng(seed).integers(0, units, (resamples, units))
    return tallies[picks].sum(axis=1)


@pytest.mark.parametrize("kinds", [2, 12])
def test_sums_are_distributed_as_those_of_units_drawn_singly(kinds):
    # Twelve units: of two kinds, or each of its own.
    tallies = np.random.default_rng(1).integers(0, 9, (kinds, 3))[np.arange(12) % kinds]
    found = np.concatenate(list(bootstrap.sums(tallies, DRAWS, 0)))
    expected = one_by_one(tallies, DRAWS, 1)
    spread = tallies.std(axis=0) * np.sqrt(12)
    assert found.shape == (DRAWS, 3)
    error = 5 / np.sqrt(DRAWS)
    assert np.all(np.abs(found.mean(axis=0) - tallies.sum(axis=0)) <= error * spread)
    covariance = 12 * np.cov(tallies.T, bias=True)
    scale = np.outer(spread, spread)
    assert np.all(np.abs(np.cov(found.T) - covariance) <= 2 * error * scale)
    assert np.all(np.abs(np.cov(expected.T) - covariance) <= 2 * error * scale)
    for column in range(3):
        both = found[:, column], expected[:, column]
        assert stats.ks_2samp(*both).statistic < 0.015


def test_as_many_units_are_drawn_as_there_are():
    tallies = np.ones((30, 2))
    tallies[:, 1] = np.arange(30) % 4
    found = np.concatenate(list(bootstrap.sums(tallies, 500, 3)))
    assert set(found[:, 0]) == {30.0}


def test_pieces_are_the_draws_in_one_piece(monkeypatch):
    tallies = np.random.default_rng(0).normal(size=(20, 2, 3))
    whole = np.concatenate(list(bootstrap.sums(tallies, 50, 9)))
    monkeypatch.setattr(bootstrap, "CELLS", 100)
    pieces = list(bootstrap.sums(tallies, 50, 9))
    assert len(pieces) == 10
    assert np.array_equal(np.concatenate(pieces), whole)


def wa_interval(right, resamples, seed=0):
    """Of one fold of one class, each utterance a unit."""
    count = len(right)
    counted = bootstrap.tallies(
        np.arange(count), [np.arange(count)], [np.zeros(count, int)], [np.where(right, 0, 1)], 2
    )
    return bootstrap.intervals(counted, resamples, seed)["wa_ci95"]


def test_interval_of_six_utterances_is_that_of_all_their_resamples():
    right = np.array([1, 1, 0, 1, 0, 1], dtype=bool)
    means = [np.mean(choice) for choice in itertools.product(right, repeat=6)]
    low, high = np.percentile(means, [2.5, 97.5])
    assert wa_interval(right, 20_000) == {"low": pytest.approx(low), "high": pytest.approx(high)}


@pytest.mark.parametrize("share", [0.2, 0.65])
def test_interval_agrees_with_scipy(share):
    right = np.random.default_rng(4).random(200) < share
    found = wa_interval(right, 9000)
    expected = stats.bootstrap(
        (right.astype(float),), np.mean, n_resamples=9000, method="percentile", rng=1
    ).confidence_interval
    # The spread of a 2.5 % quantile of 9000 draws, six times.
    noise = 6 * np.sqrt(0.025 * 0.975 / 9000) / 0.0584 * right.std() / np.sqrt(200)
    assert found["low"] == pytest.approx(expected.low, abs=noise + 0.5 / 200)
    assert found["high"] == pytest.approx(expected.high, abs=noise + 0.5 / 200)


def test_many_utterances_cost_what_their_kinds_cost():
    generator = np.random.default_rng(0)
    places, truths = [], []
    for fold in range(5):
        places.append(np.arange(fold, 5531, 5))
        truths.append(generator.integers(0, 4, len(places[-1])))
    guesses = [np.where(generator.random(len(own)) < 0.6, own, (own + 1) % 4) for own in truths]
    counted = bootstrap.tallies(np.arange(5531), places, truths, guesses, 4)
    start = time.process_time()
    bootstrap.intervals(counted, 2000, 0)
    # Drawing 5531 utterances 2000 times singly takes a second and more.
    assert time.process_time() - start < 0.6
