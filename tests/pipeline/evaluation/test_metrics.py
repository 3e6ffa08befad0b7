import json
import time
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn import metrics as reference

from pipeline.evaluation import metrics, probabilities
from pipeline.evaluation.metrics import Fold, evaluate_experiment

CLASSES = ["angry", "happy", "neutral", "sad"]


def made(folds=3, seeds=1, size=40, epochs=4, skill=1.0, number=0):
    """Folds with `skill` of the truth in their scores, every utterance in one fold, and
    its label and speaker.
    """
    generator = np.random.default_rng(number)
    truth, speakers, made = {}, {}, []
    for fold in range(folds):
        names = [f"f{fold}u{i:04d}" for i in range(size)]
        truth |= {name: CLASSES[i % 4] for i, name in enumerate(names)}
        speakers |= {name: f"s{fold}{i % 3}" for i, name in enumerate(names)}
        for seed in range(seeds):
            raw = generator.normal(size=(epochs, size, 4))
            raw[:, np.arange(size), np.arange(size) % 4] += skill
            shares = np.exp(raw) / np.exp(raw).sum(axis=2, keepdims=True)
            made.append(
                Fold(
                    seed,
                    fold,
                    int(generator.integers(1, epochs + 1)),
                    range(1, epochs + 1),
                    names,
                    shares,
                )
            )
    return made, truth, speakers


def test_headline_is_the_mean_over_folds_at_the_chosen_epoch():
    folds, truth, speakers = made(folds=4, size=37)
    result = evaluate_experiment(folds, truth, CLASSES, speakers)
    each = []
    for fold in folds:
        predicted = fold.probabilities[list(fold.epochs).index(fold.epoch)].argmax(axis=1)
        own = np.array([CLASSES.index(truth[name]) for name in fold.utterance_ids])
        each.append(
            (
                reference.accuracy_score(own, predicted),
                reference.balanced_accuracy_score(own, predicted),
            )
        )
    assert result.metrics["wa"] == pytest.approx(np.mean(each, axis=0)[0], abs=1e-6)
    assert result.metrics["ua"] == pytest.approx(np.mean(each, axis=0)[1], abs=1e-6)
    assert result.metrics["wa_fold_std"] == pytest.approx(np.std(each, axis=0, ddof=1)[0], abs=1e-6)
    assert result.per_fold["wa"].to_pylist() == pytest.approx([wa for wa, _ in each], abs=1e-6)
    rows = result.predictions.to_pylist()
    assert len(rows) == 4 * 37 == result.metrics["n"]
    assert result.metrics["pooled"]["wa"] == pytest.approx(
        np.mean([r["label"] == r["predicted"] for r in rows]), abs=1e-6
    )
    for row in rows:
        assert max(CLASSES, key=lambda name: row[f"p_{name}"]) == row["predicted"]


def test_test_selection_takes_each_folds_best_epoch_and_the_first_of_equals():
    folds, truth, speakers = made(folds=5, epochs=7, skill=0.5)
    found = evaluate_experiment(folds, truth, CLASSES, speakers)
    best = []
    for fold in folds:
        own = np.array([CLASSES.index(truth[name]) for name in fold.utterance_ids])
        accuracies = [(epoch.argmax(axis=1) == own).mean() for epoch in fold.probabilities]
        best.append((accuracies.index(max(accuracies)) + 1, max(accuracies)))
    assert found.per_fold["test_selected_epoch"].to_pylist() == [epoch for epoch, _ in best]
    assert found.metrics["test_selected"]["wa"] == pytest.approx(
        np.mean([wa for _, wa in best]), abs=1e-6
    )
    assert found.metrics["test_selected"]["wa"] >= found.metrics["wa"]
    assert found.metrics["last_epoch"]["epoch_mean"] == 7.0


def test_keys_are_the_same_for_one_fold_as_for_many_seeds_and_hold_no_lists():
    def keys(value, prefix=""):
        if not isinstance(value, dict):
            assert isinstance(value, int | float | str), prefix
            return {prefix}
        return set().union(*(keys(item, f"{prefix}.{key}") for key, item in value.items()))

    one = evaluate_experiment(*made(folds=1)[:2], CLASSES)
    many = evaluate_experiment(*made(folds=3, seeds=2)[:2], CLASSES)
    assert keys(one.metrics) == keys(many.metrics)
    assert {
        ".wa",
        ".ua",
        ".macro_f1",
        ".recall.sad",
        ".wa_ci95.low",
        ".test_selected.ua_ci95.high",
    } <= keys(one.metrics)
    assert (many.metrics["n"], many.metrics["folds"], many.metrics["seeds"]) == (120, 3, 2)


def test_interval_of_utterances_agrees_with_the_binomial_spread():
    folds, truth, _ = made(folds=5, size=400)
    found = evaluate_experiment(folds, truth, CLASSES).metrics
    expected = 2 * 1.96 * np.sqrt(found["wa"] * (1 - found["wa"]) / 2000)
    assert found["bootstrap"] == {"resampled": "utterances", "units": 2000, "resamples": 2000}
    assert found["wa_ci95"]["high"] - found["wa_ci95"]["low"] == pytest.approx(expected, rel=0.1)
    assert found["wa_ci95"]["low"] < found["wa"] < found["wa_ci95"]["high"]


def test_interval_of_speakers_is_a_bootstrap_of_their_means_where_each_fold_is_one():
    folds, truth, _ = made(folds=10, size=40, skill=0.0)
    # Speakers differ far more than utterances do: half of them are always right.
    for fold in folds[:5]:
        fold.probabilities[:, np.arange(40), np.arange(40) % 4] = 9.0
    speakers = {name: name[:2] for name in truth}
    found = evaluate_experiment(folds, truth, CLASSES, speakers, resamples=4000).metrics
    assert found["bootstrap"]["resampled"] == "speakers"
    each = np.array(evaluate_experiment(folds, truth, CLASSES).per_fold["wa"].to_pylist())
    generator = np.random.default_rng(7)
    means = each[generator.integers(0, 10, (20000, 10))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    assert found["wa_ci95"]["low"] == pytest.approx(low, abs=0.02)
    assert found["wa_ci95"]["high"] == pytest.approx(high, abs=0.02)
    narrow = evaluate_experiment(folds, truth, CLASSES).metrics["wa_ci95"]
    assert high - low > 3 * (narrow["high"] - narrow["low"])


def test_fewer_than_five_speakers_are_not_resampled():
    folds, truth, _ = made()
    few = evaluate_experiment(folds, truth, CLASSES, {name: name[:2] for name in truth})
    assert few.metrics["bootstrap"]["resampled"] == "utterances"


def test_intervals_are_seeded_and_fast():
    folds, truth, _ = made(folds=5, size=1100)
    start = time.perf_counter()
    first = evaluate_experiment(folds, truth, CLASSES)
    assert time.perf_counter() - start < 15
    assert first.metrics == evaluate_experiment(list(reversed(folds)), truth, CLASSES).metrics
    assert (
        first.metrics["ua_ci95"]
        != evaluate_experiment(folds, truth, CLASSES, seed=1).metrics["ua_ci95"]
    )


def test_a_diverged_network_is_wrong_not_right_by_accident():
    folds, truth, _ = made(folds=1, epochs=1)
    folds[0].probabilities[:, :10] = np.nan
    found = evaluate_experiment(folds, truth, CLASSES)
    assert found.metrics["without_prediction"] == 10
    assert found.predictions["predicted"].null_count == 10
    assert found.metrics["wa"] <= 0.75


def test_a_class_that_a_fold_does_not_test_is_left_out_of_its_mean():
    names = ["a", "b", "c"]
    shares = np.eye(4)[[0, 0, 1]][None]
    found = evaluate_experiment(
        [Fold(0, 0, 1, [1], names, shares)], {"a": "angry", "b": "happy", "c": "happy"}, CLASSES
    )
    assert found.metrics["ua"] == 0.75
    assert found.metrics["recall"] == {"angry": 1.0, "happy": 0.5, "neutral": 0.0, "sad": 0.0}


def test_folds_that_cannot_be_scored_are_named():
    folds, truth, _ = made()
    with pytest.raises(ValueError, match=r"fold 0: no class for 40 utterances .*expected one of"):
        evaluate_experiment(folds, dict.fromkeys(truth, "calm"), CLASSES)
    with pytest.raises(ValueError, match="expected at least one, and each seed and fold once"):
        evaluate_experiment([folds[0], folds[0]], truth, CLASSES)
    with pytest.raises(ValueError, match=r"expected \(4, 40, 3\)"):
        evaluate_experiment(folds, truth, CLASSES[:3])


def test_the_best_test_epoch_is_chosen_by_the_papers_measure():
    names = [f"u{i}" for i in range(10)]
    truth = {name: "angry" if i < 8 else "sad" for i, name in enumerate(names)}
    # Epoch 1 says angry always: WA .8, UA .5. Epoch 2 errs on three: WA .7, UA .8125.
    angry = np.tile([0.9, 0.0, 0.0, 0.1], (10, 1))
    mixed = angry.copy()
    mixed[:3], mixed[8:] = [0.1, 0.0, 0.0, 0.9], [0.1, 0.0, 0.0, 0.9]
    shares = np.stack([angry, mixed])
    found = {
        measure: evaluate_experiment(
            [Fold(0, 0, 1, [1, 2], names, shares, measure=measure)], truth, CLASSES
        ).metrics["test_selected"]
        for measure in ("wa", "ua", "wa_ua")
    }
    assert {name: scores["epoch_mean"] for name, scores in found.items()} == {
        "wa": 1.0, "ua": 2.0, "wa_ua": 1.0,
    }  # fmt: skip
    assert found["ua"]["selected_by"] == "test ua"


def test_without_validation_the_headline_says_so():
    folds, truth, speakers = made()
    last = [replace(fold, epoch=fold.epochs[-1], select=None) for fold in folds]
    found = evaluate_experiment(last, truth, CLASSES, speakers).metrics
    assert found["selected_by"] == "last epoch, no validation"
    assert (found["wa"], found["ua"]) == (found["last_epoch"]["wa"], found["last_epoch"]["ua"])


def test_only_tested_utterances_count_as_filled():
    folds, truth, speakers = made(folds=2, size=20)
    fed = {folds[0].utterance_ids[0], folds[1].utterance_ids[3], "trained on, never tested"}
    assert evaluate_experiment(folds, truth, CLASSES, speakers, fed).metrics["filled"] == 2
    assert evaluate_experiment(folds, truth, CLASSES, speakers).metrics["filled"] == 0


def test_folds_can_be_restricted_to_utterances():
    folds, truth, speakers = made(folds=2, size=20)
    wanted = {name for fold in folds for name in fold.utterance_ids[::2]}
    found = evaluate_experiment(probabilities.only(folds, wanted), truth, CLASSES, speakers)
    assert found.metrics["n"] == len(wanted) == 20
    assert set(found.predictions["utterance_id"].to_pylist()) == wanted


def test_what_people_compare_stands_in_metrics_json_and_nothing_else(tmp_path):
    found = evaluate_experiment(*made(folds=2)[:2], CLASSES)
    metrics.write(found, tmp_path)
    headline = json.loads((tmp_path / "metrics.json").read_text())
    chosen = {"wa", "ua", "macro_f1", "recall", "wa_ci95", "ua_ci95", "selected_by"}
    assert set(headline) == chosen | {"n", "filled", "folds", "seeds", "test_selected"}
    assert set(headline["test_selected"]) == chosen
    details = json.loads((tmp_path / "details.json").read_text())
    assert details["pooled"] == found.metrics["pooled"] and "wa" not in details["test_selected"]


def test_files_are_read_and_written_the_same_each_time(tmp_path):
    folds, truth, speakers = made(folds=2, seeds=2)
    for fold in folds:
        place = tmp_path / "folds" / f"seed-{fold.seed}-fold-{fold.fold}"
        place.mkdir(parents=True)
        described = {"epoch": fold.epoch, "validation": {"valid_loss": 1.0}}
        described |= {"select": fold.select, "measure": fold.measure}
        (place / "checkpoint.json").write_text(json.dumps(described))
        columns = {
            "epoch": np.repeat(fold.epochs, 40),
            "utterance_id": list(fold.utterance_ids) * 4,
        }
        columns |= {
            f"p_{name}": fold.probabilities[..., i].ravel() for i, name in enumerate(CLASSES)
        }
        table = pa.table(columns)
        pq.write_table(
            table.take(np.random.default_rng(0).permutation(len(table))),
            place / "probabilities.parquet",
        )
    found, classes = probabilities.read_folds(tmp_path / "folds")
    assert classes == CLASSES
    expected = evaluate_experiment(folds, truth, CLASSES, speakers)
    read = evaluate_experiment(found, truth, classes, speakers)
    assert read.metrics == expected.metrics
    metrics.write(read, tmp_path / "one")
    metrics.write(expected, tmp_path / "two")
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
    assert (tmp_path / "one" / "confusion.csv").read_text().count("\n") == 1 + 2 * 2 * 40
    assert len(list((tmp_path / "one").iterdir())) == 5, "nothing half-written is left"
    assert metrics.read(tmp_path / "one") == expected.metrics
    with pytest.raises(FileNotFoundError, match="expected seed-S-fold-K"):
        probabilities.read_folds(tmp_path / "nothing")
