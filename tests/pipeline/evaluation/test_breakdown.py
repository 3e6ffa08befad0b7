import numpy as np
import pyarrow as pa
import pytest

from pipeline.evaluation.breakdown import groups_of, shares_right, worst
from pipeline.evaluation.variance import between_speakers, seed_and_fold


def table(right, seeds=1):
    """Utterances of two classes, right where told, the same for each seed."""
    rows = []
    for seed in range(seeds):
        for number, own in enumerate(right):
            label = "ab"[number % 2]
            predicted = label if own else "ba"[number % 2]
            rows.append(
                {"utterance_id": f"u{number:03d}", "seed": seed, "label": label}
                | {"predicted": predicted}
            )
    return pa.Table.from_pylist(rows)


def test_groups_have_their_share_and_interval():
    right = np.arange(200) >= 60
    kinds = {"half": {f"u{i:03d}": "first" if i < 100 else "second" for i in range(190)}}
    found = groups_of(table(right), kinds)
    first, second = found["half"]["first"], found["half"]["second"]
    assert (first["n"], first["right"], second["n"]) == (100, 0.4, 90)
    assert first["low"] < 0.4 < first["high"] and 0.15 < first["high"] - first["low"] < 0.25
    assert second["low"] == second["high"] == second["right"] == 1.0
    assert found["class"]["a"]["right"] == pytest.approx(0.7)
    assert worst(found) == ("half", "first")


def test_speakers_of_a_group_are_drawn_whole():
    right = np.arange(200) < 20
    speakers = {f"u{i:03d}": f"s{i // 20}" for i in range(200)}
    kinds = {"all": dict.fromkeys(speakers, "everybody")}
    loose, whole = (
        groups_of(table(right), kinds, known)["all"]["everybody"] for known in (None, speakers)
    )
    assert (loose["resampled"], whole["resampled"]) == ("utterances", "speakers")
    assert whole["high"] - whole["low"] > 2 * (loose["high"] - loose["low"])


def test_ua_is_the_mean_of_recalls_and_seeds_are_averaged():
    right = np.array([True, False] * 10 + [True] * 4)
    found = groups_of(pa.concat_tables([table(right), table(~right)]), {"k": {}})["class"]
    assert found["a"]["right"] == found["b"]["right"] == 0.5
    names, labels, shares = shares_right(table(right, seeds=2))
    assert len(names) == 24 and set(labels) == {"a", "b"} and shares.mean() == right.mean()
    whole = groups_of(table(right), {"k": dict.fromkeys(names, "x")})["k"]["x"]
    recalls = [right[0::2].mean(), right[1::2].mean()]
    assert whole["ua"] == pytest.approx(np.mean(recalls))


def test_a_small_group_is_not_the_worst():
    right = np.arange(100) >= 5
    kinds = {"k": {f"u{i:03d}": "few" if i < 5 else "many" for i in range(100)}}
    assert worst(groups_of(table(right), kinds)) != ("k", "few")


def rows(seed, fold, rest, seeds=60, folds=150):
    generator = np.random.default_rng(1)
    of_seed = generator.normal(scale=seed, size=seeds)
    of_fold = generator.normal(scale=fold, size=folds)
    return [
        {"seed": s, "fold": f, "ua": 0.6 + of_seed[s] + of_fold[f] + generator.normal(scale=rest)}
        for s in range(seeds)
        for f in range(folds)
    ]


def test_variance_of_seeds_and_folds_comes_back():
    found = seed_and_fold(rows(0.02, 0.05, 0.03))
    assert found["seed"] == pytest.approx(0.02, rel=0.25)
    assert found["fold"] == pytest.approx(0.05, rel=0.25)
    assert found["rest"] == pytest.approx(0.03, rel=0.05)
    of_a_seed = found["seed"] ** 2 + found["rest"] ** 2 / 150
    assert found["seeds_needed"] == int(np.ceil(of_a_seed / 0.005**2))
    quiet = seed_and_fold(rows(0.0, 0.05, 0.001))
    assert quiet["seed"] < 0.001 and quiet["seeds_needed"] == 1


def test_one_seed_or_an_incomplete_table_says_nothing():
    assert seed_and_fold(rows(0.1, 0.1, 0.1, seeds=1)) is None
    assert seed_and_fold(rows(0.1, 0.1, 0.1)[:-1]) is None


def test_speakers_differ_beyond_chance_or_not():
    generator = np.random.default_rng(2)
    speakers = {f"u{i:03d}": f"s{i // 40}" for i in range(800)}
    levels = generator.uniform(0.4, 0.9, 20)
    unlike = generator.random(800) < np.repeat(levels, 40)
    alike = generator.random(800) < 0.65
    found = between_speakers(table(unlike), speakers)
    assert found["speakers"] == 20 and found["speaker"] == pytest.approx(levels.std(), rel=0.35)
    assert between_speakers(table(alike), speakers)["speaker"] < 0.04
    assert between_speakers(table(alike), {}) is None
