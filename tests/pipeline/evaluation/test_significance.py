import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pipeline.evaluation.significance import compare, compare_all, holm, mcnemar

CLASSES = ["angry", "happy", "sad"]


def table(right, seed=0, prefix="u", fold=0):
    """Predictions that are right where told; classes go round."""
    size = len(right)
    label = [CLASSES[i % 3] for i in range(size)]
    predicted = [
        name if ok else CLASSES[(i + 1) % 3]
        for i, (name, ok) in enumerate(zip(label, right, strict=True))
    ]
    shares = {
        f"p_{name}": [0.8 if guess == name else 0.1 for guess in predicted] for name in CLASSES
    }
    return pa.table(
        {
            "fold": [fold] * size,
            "seed": [seed] * size,
            "utterance_id": [f"{prefix}{i:04d}" for i in range(size)],
            "label": label,
            "predicted": predicted,
            **shares,
        }
    )


@given(st.integers(0, 200), st.integers(0, 200))
def test_mcnemar_is_the_two_sided_binomial_sum(first, second):
    total = first + second
    expected = min(1.0, 2 * stats.binom.cdf(min(first, second), total, 0.5)) if total else 1.0
    assert mcnemar(first, second) == pytest.approx(expected, abs=1e-9)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_rejects_as_the_step_down_procedure_does(p_values):
    adjusted = holm(p_values)
    order = np.argsort(p_values, kind="stable")
    for level in (0.01, 0.05, 0.2):
        rejected = set()
        for rank, index in enumerate(order):
            if p_values[index] * (len(p_values) - rank) > level:
                break
            rejected.add(index)
        assert {i for i, p in enumerate(adjusted) if p <= level} == rejected


def test_paired_bootstrap_agrees_with_scipy():
    generator = np.random.default_rng(3)
    shared = generator.random(600)
    a, b = (
        shared < 0.6,
        np.where(generator.random(600) < 0.8, shared < 0.66, generator.random(600) < 0.7),
    )
    found = compare(table(a), table(b), resamples=9000)
    gain = b.astype(float) - a.astype(float)
    expected = stats.bootstrap(
        (gain,), np.mean, n_resamples=9000, method="percentile", rng=1
    ).confidence_interval
    assert found["wa_difference"]["value"] == pytest.approx(gain.mean())
    assert found["wa_difference"]["low"] == pytest.approx(expected.low, abs=0.006)
    assert found["wa_difference"]["high"] == pytest.approx(expected.high, abs=0.006)
    assert found["ua_difference"]["value"] == pytest.approx(
        np.mean([gain[i::3].mean() for i in range(3)])
    )
    assert found["mcnemar"]["p"] == pytest.approx(
        stats.binomtest(int((gain < 0).sum()), int((gain != 0).sum())).pvalue
    )


def test_equal_experiments_do_not_differ_and_different_ones_do():
    right = np.random.default_rng(0).random(300) < 0.5
    same = compare(table(right), table(right))
    assert (same["ua_difference"]["value"], same["ua_difference"]["p"], same["mcnemar"]["p"]) == (
        0.0,
        1.0,
        1.0,
    )
    better = compare(table(right), table(np.ones(300, dtype=bool)))
    assert better["ua_difference"]["low"] > 0.4
    assert better["ua_difference"]["p"] < 0.001
    assert better["mcnemar"]["only_first"] == 0


def test_speakers_are_drawn_whole():
    # One of six speakers makes all the difference: over utterances that looks certain,
    # over speakers it does not.
    a, b = np.zeros(300, dtype=bool), np.arange(300) < 50
    speakers = {f"u{i:04d}": f"s{i // 50}" for i in range(300)}
    over_utterances, over_speakers = (
        compare(table(a), table(b)),
        compare(table(a), table(b), speakers),
    )
    assert over_utterances["resampled"] == "utterances"
    assert over_speakers["resampled"] == "speakers"
    assert over_utterances["ua_difference"]["low"] > 0.1
    assert over_speakers["ua_difference"]["low"] == 0.0
    assert over_speakers["ua_difference"]["p"] > 0.1


def test_seeds_are_averaged():
    right = np.arange(90) % 2 == 0
    two = pa.concat_tables([table(right, seed=0), table(~right, seed=1)])
    found = compare(table(np.ones(90, dtype=bool)), two)
    assert found["wa_difference"]["value"] == pytest.approx(-0.5)
    assert found["n"] == 90


def test_all_pairs_are_adjusted_together():
    generator = np.random.default_rng(5)
    tables = {
        name: table(generator.random(200) < rate)
        for name, rate in (("a", 0.5), ("b", 0.55), ("c", 0.8))
    }
    found = compare_all(tables, resamples=500)
    assert [(pair["first"], pair["second"]) for pair in found] == [
        ("a", "b"),
        ("a", "c"),
        ("b", "c"),
    ]
    for test in ("ua_difference", "mcnemar"):
        assert [p[test]["p_holm"] for p in found] == holm([p[test]["p"] for p in found])


def test_experiments_that_cannot_be_compared_say_so():
    with pytest.raises(ValueError, match="no utterance in common: only"):
        compare(table([True] * 3), table([True] * 3, prefix="v"))
    other = table([True] * 3).set_column(3, "label", pa.array(["sad"] * 3))
    with pytest.raises(ValueError, match="2 utterances with another label: only"):
        compare(table([True] * 3), other)
