"""The reference line against scikit-learn itself."""

import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.svm import LinearSVC

from pipeline.batch import Example, Sizes, collate
from pipeline.networks.reference import STRENGTHS, Reference_a, Reference_m, Reference_s

VOCABULARY = 30


def utterances(count, classes=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    made = []
    for index in range(count):
        label = index % classes
        voice = torch.randn(1, 8, generator=generator)
        voice[0, label] += 1.5
        ids = torch.randint(0, VOCABULARY + 1, (3 + index % 5,), generator=generator)
        ids[0] = 1 + label
        words = torch.randn(len(ids), 5, generator=generator)
        made.append(Example(f"u{index}", frames=voice, words=words, word_ids=ids, label=label))
    return made


def solved(system, examples, classes=4):
    network = system(Sizes(8, 5, VOCABULARY + 1, classes))
    pieces = [examples[first : first + 16] for first in range(0, len(examples), 16)]
    network.solve(lambda: map(collate, pieces))
    return network.eval()


def described(examples, idf=None):
    counts = np.zeros((len(examples), VOCABULARY))
    for row, item in enumerate(examples):
        for word in item.word_ids.tolist():
            counts[row, word - 1] += word > 0
    transformer = idf or TfidfTransformer().fit(counts)
    means = np.stack([item.words.numpy().mean(axis=0) for item in examples])
    voices = np.concatenate([item.frames.numpy() for item in examples])
    return voices, np.hstack([transformer.transform(counts).toarray(), means]), transformer


def searched(estimator, values, labels):
    grid = {"C": STRENGTHS}
    return GridSearchCV(estimator, grid, scoring="balanced_accuracy", cv=3).fit(values, labels)


def test_each_system_equals_scikit_learn_on_rows_that_it_has_not_seen():
    train, test = utterances(120), utterances(60, seed=1)
    labels = [item.label for item in train]
    voices, texts, idf = described(train)
    new_voices, new_texts, _ = described(test, idf)
    balanced = {"class_weight": "balanced", "random_state": 0}
    for system, values, new, estimator in (
        (Reference_a, voices, new_voices, LinearSVC(**balanced, max_iter=20_000)),
        (Reference_s, texts, new_texts, LogisticRegression(**balanced, max_iter=2_000)),
        (
            Reference_m,
            np.hstack([voices, texts]),
            np.hstack([new_voices, new_texts]),
            LogisticRegression(**balanced, max_iter=2_000),
        ),
    ):
        expected = searched(estimator, values, labels).decision_function(new)
        with torch.inference_mode():
            found = solved(system, train)(collate(test)).numpy()
        assert np.allclose(found, expected, atol=2e-3), system.__name__
        assert (found.argmax(axis=1) == [item.label for item in test]).mean() > 0.5


def test_two_classes_and_one_that_no_row_has():
    train = [item for item in utterances(90, classes=3) if item.label != 1]
    network = solved(Reference_a, train, classes=3)
    guess = network(collate(utterances(60, classes=3, seed=2))).argmax(dim=1)
    assert set(guess.tolist()) == {0, 2}
    with pytest.raises(ValueError, match="one class: there is nothing to tell apart"):
        solved(Reference_a, [item for item in train if item.label == 2], classes=3)


def test_a_class_of_two_rows_is_fitted_without_cross_validation():
    train = utterances(80)
    few = [item for item in train if item.label != 3] + [train[3], train[7]]
    assert torch.isfinite(solved(Reference_s, few)(collate(few))).all()


def test_a_word_that_training_does_not_have_counts_for_nothing():
    network = solved(Reference_s, utterances(80))
    known = Example("a", words=torch.zeros(1, 5), word_ids=torch.tensor([3]))
    more = Example("b", words=torch.zeros(3, 5), word_ids=torch.tensor([0, 3, 0]))
    logits = network(collate([known, more]))
    assert torch.allclose(logits[0], logits[1], atol=1e-6)
