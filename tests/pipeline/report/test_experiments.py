import json

import numpy as np
import pytest

from pipeline.evaluation import scores
from pipeline.lookup import ConfigurationError
from pipeline.networks import reference
from pipeline.report import results
from pipeline.report.experiments import REFERENCES, experiments, is_synthetic, synthetic_speech


@pytest.mark.parametrize(
    ("corpus", "expected"),
    [("demo", True), ("demo_zh", True), ("demo-small", True), ("ravdess", False), ("gone", False)],
)
def test_the_corpus_says_whether_its_speech_is_synthetic(corpus, expected):
    assert is_synthetic(corpus) == expected
    assert synthetic_speech(corpus) == ("synthetic speech" if expected else "")


@pytest.mark.parametrize(
    ("joins", "said"),
    [
        (["ravdess", "demo"], "partly synthetic speech (demo)"),
        (["demo", "demo_zh"], "synthetic speech"),
        (["ravdess", "emodb"], ""),
    ],
)
def test_a_joined_corpus_is_as_synthetic_as_what_it_joins(workplace, joins, said):
    models, data = workplace
    assert synthetic_speech("joined", joins) == said
    for folder in (models / "fg_cme-demo" / "folds").glob("seed-*"):
        path = folder / "checkpoint.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"joins": joins}))
    path = models / "fg_cme-demo" / "folds" / "experiment.json"
    stated = json.loads(path.read_text())
    stated["experiment"]["corpus"] = "joined"
    path.write_text(json.dumps(stated))
    (found,) = [item for item in experiments(models) if item.name == "fg_cme-demo"]
    assert found.synthetic == said
    text = results.markdown([found], data)
    assert ("ynthetic speech" in text) == bool(said) and said.capitalize() in text


def test_the_reference_systems_are_those_of_their_module():
    assert sorted(REFERENCES) == sorted(reference.__all__)


def test_results_of_an_older_version_are_named_with_what_to_run(workplace):
    models, _ = workplace
    path = models / "fg_cme-demo" / "metrics.json"
    metrics = json.loads(path.read_text())
    del metrics["selected_by"]
    path.write_text(json.dumps(metrics))
    with pytest.raises(ConfigurationError, match="run `dvc repro evaluate@fg_cme-demo`"):
        experiments(models)


def test_confusion_counts_what_evaluation_counted(workplace):
    models, _ = workplace
    for item in experiments(models):
        counted = scores.scores(item.confusion, item.classes)
        for key in ("wa", "ua", "macro_f1"):
            assert counted[key] == pytest.approx(item.metrics["pooled"][key], abs=1e-6)
        assert item.confusion.sum() == len(item.predictions)


def test_an_utterance_without_prediction_is_in_no_cell(workplace):
    models, _ = workplace
    item = experiments(models)[0]
    before = item.confusion
    predicted = item.predictions["predicted"].to_pylist()
    lost = item.classes.index(predicted[0])
    column = item.predictions.column_names.index("predicted")
    changed = item.predictions.set_column(column, "predicted", [[None, *predicted[1:]]])
    item.__dict__["predictions"] = changed  # as a cached property keeps it
    assert np.argwhere(before != item.confusion)[:, 1].tolist() == [lost]
    assert (before - item.confusion).sum() == 1
