import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from pipeline.evaluation.scores import confusion_matrix, scores

CLASSES = ["angry", "happy", "neutral", "sad"]


@settings(max_examples=80)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60))
def test_scores_equal_scikit_learn(pairs):
    truth, predicted = np.array(pairs).T
    found = scores(confusion_matrix(truth, predicted, 4), CLASSES)
    present = sorted(set(truth))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of predicted classes that do not occur
        expected = {
            "wa": reference.accuracy_score(truth, predicted),
            "ua": reference.balanced_accuracy_score(truth, predicted),
            "macro_f1": reference.f1_score(
                truth, predicted, labels=present, average="macro", zero_division=0
            ),
            "macro_precision": reference.precision_score(
                truth, predicted, labels=present, average="macro", zero_division=0
            ),
        }
        recall = reference.recall_score(
            truth, predicted, labels=range(4), average=None, zero_division=0
        )
        f1 = reference.f1_score(truth, predicted, labels=range(4), average=None, zero_division=0)
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, abs=1e-12), key
    for index, name in enumerate(CLASSES):
        if index in present:
            assert found["recall"][name] == pytest.approx(recall[index])
            assert found["f1"][name] == pytest.approx(f1[index])
        else:
            assert found["recall"][name] is None


def test_no_prediction_is_counted_apart():
    found = confusion_matrix(np.array([0, 0, 1]), np.array([0, -1, 0]), 2)
    assert found.tolist() == [[1, 0, 1], [1, 0, 0]]
    assert scores(found, CLASSES[:2])["recall"] == {"angry": 0.5, "happy": 0.0}
