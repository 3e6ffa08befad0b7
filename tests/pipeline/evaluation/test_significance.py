import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats import contingency_tables, multitest, power

from pipeline.evaluation.significance import (
    compare,
    compare_all,
    holm,
    mcnemar,
    utterances_needed,
)

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


def test_two_experiments_equal_statsmodels_and_scipy():
    """Over speakers of different sizes: McNemar, Holm, the interval of the paired
    bootstrap, and the utterances needed over utterances.
    """
    generator = np.random.default_rng(11)
    a, b = generator.random(700) < 0.55, generator.random(700) < 0.66
    speaker = generator.choice(12, 700, p=np.arange(1, 13) / 78)
    speakers = {f"u{i:04d}": f"s{number}" for i, number in enumerate(speaker)}
    found = compare(table(a), table(b), speakers, resamples=20000)
    table_of_two = [[(a & b).sum(), (a & ~b).sum()], [(~a & b).sum(), (~a & ~b).sum()]]
    expected = contingency_tables.mcnemar(table_of_two, exact=True).pvalue
    assert found["mcnemar"]["p"] == pytest.approx(expected, rel=1e-9)
    p_values = [expected, found["ua_difference"]["p"], found["wa_difference"]["p"], 0.03]
    adjusted = multitest.multipletests(p_values, method="holm")[1]
    assert holm(p_values) == pytest.approx(list(adjusted))
    gains = np.bincount(speaker, b.astype(float) - a, minlength=12)
    sizes = np.bincount(speaker, minlength=12)

    def gain_per_utterance(gain, size, axis):
        return gain.sum(axis=axis) / size.sum(axis=axis)

    drawn = stats.bootstrap(
        (gains, sizes),
        gain_per_utterance,
        paired=True,
        n_resamples=20000,
        method="percentile",
        rng=2,
    )
    ours = found["wa_difference"]
    assert ours["low"] == pytest.approx(drawn.confidence_interval.low, abs=0.003)
    assert ours["high"] == pytest.approx(drawn.confidence_interval.high, abs=0.003)


def test_the_utterances_needed_are_those_of_a_power_analysis():
    generator = np.random.default_rng(4)
    a, b = generator.random(400) < 0.5, generator.random(400) < 0.56
    gain = b.astype(float) - a
    found = compare(table(a), table(b), resamples=20000)["wa_difference"]
    expected = power.NormalIndPower().solve_power(
        gain.mean() / gain.std(), alpha=0.05, power=0.8, ratio=0
    )
    assert found["needed"] == pytest.approx(expected, rel=0.05)
    assert utterances_needed(0.05, 0.02, 400) == 503
    assert utterances_needed(-0.05, 0.02, 400) == 503
    assert utterances_needed(0.0, 0.02, 400) is None


def test_the_utterances_needed_show_the_difference_in_four_of_five_tests():
    generator = np.random.default_rng(8)

    def drawn(size):
        return generator.random(size) < 0.5, generator.random(size) < 0.6

    a, b = drawn(5000)
    needed = compare(table(a), table(b))["wa_difference"]["needed"]
    shown = [
        compare(table(a), table(b), resamples=500)["wa_difference"]["p"] < 0.05
        for a, b in (drawn(needed) for _ in range(80))
    ]
    assert 0.65 < np.mean(shown) < 0.93


def test_worse_by_less_than_a_margin_is_the_one_sided_end_of_the_interval():
    generator = np.random.default_rng(6)
    a = generator.random(2000) < 0.7
    b = np.where(generator.random(2000) < 0.05, ~a, a)
    for first, second in ((a, b), (b, a)):
        found = compare(table(first), table(second), resamples=20000, margin=0.05)
        ua = found["ua_difference"]
        loss = max(abs(ua["low"]), abs(ua["high"]))
        assert 0.02 < loss < 0.05 and found["noninferior"]["p"] < 0.025
        strict = compare(table(first), table(second), resamples=20000, margin=loss)
        assert strict["noninferior"]["p"] == pytest.approx(0.025, abs=0.003)


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
    for test in ("wa_difference", "ua_difference", "mcnemar"):
        assert [p[test]["p_holm"] for p in found] == holm([p[test]["p"] for p in found])


def test_experiments_that_cannot_be_compared_say_so():
    with pytest.raises(ValueError, match="no utterance in common: only"):
        compare(table([True] * 3), table([True] * 3, prefix="v"))
    other = table([True] * 3).set_column(3, "label", pa.array(["sad"] * 3))
    with pytest.raises(ValueError, match="2 utterances with another label: only"):
        compare(table([True] * 3), other)
