import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from pipeline.evaluation.calibration import expected_error, reliability, softened


def drawn(count, temperature, seed=0):
    """Probabilities whose labels are drawn from them at another temperature."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(scale=2, size=(count, 4))
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = np.array([generator.choice(4, p=row) for row in true])
    return softened(true, 1 / temperature), labels


def test_the_curve_is_scikit_learns():
    shares, labels = drawn(3000, 2.0)
    found = reliability(shares, labels)
    right, said = calibration_curve(
        shares.argmax(axis=1) == labels, shares.max(axis=1), n_bins=10, strategy="uniform"
    )
    assert [item["said"] for item in found] == pytest.approx(list(said))
    assert [item["right"] for item in found] == pytest.approx(list(right))
    assert sum(item["n"] for item in found) == 3000


def test_the_error_is_that_of_each_tenth_by_its_size():
    tenths = [{"n": 30, "said": 0.4, "right": 0.5}, {"n": 10, "said": 0.9, "right": 0.6}]
    assert expected_error(tenths) == pytest.approx((30 * 0.1 + 10 * 0.3) / 40)


def test_the_right_temperature_takes_the_error_away():
    shares, labels = drawn(20000, 2.0)
    before = expected_error(reliability(shares, labels))
    after = expected_error(reliability(softened(shares, 2.0), labels))
    assert before > 0.1 and after < 0.015
    own = np.full(len(shares), 2.0)
    assert np.array_equal(softened(shares, own), softened(shares, 2.0))
    assert np.array_equal(softened(shares, 3.0).argmax(axis=1), shares.argmax(axis=1))
