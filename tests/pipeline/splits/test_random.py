import pytest

from pipeline.lookup import ConfigurationError
from tests.resources.divided import EMOTIONS, corpus, divided, folds_of, subsets


@pytest.mark.parametrize("values", [{}, {"folds": 5}, {"folds": None}])
def test_folds_are_stratified_and_share_speakers(values):
    result = divided("random", corpus(), **values)
    assert len(folds_of(result)) == 5
    audit = result.audit["folds"]["0"]
    assert "stratified" in audit["validation"]
    assert audit["speakers_shared"]["train_test"]["count"] >= 8
    assert result.audit["verdict"]["speaker_independent"] is False
    # 120 utterances; each class's share of a test fold is its share of the corpus, to
    # one utterance.
    for fold in result.audit["folds"].values():
        for label, total in result.audit["classes"].items():
            assert abs(fold["test"]["classes"][label] - total / 5) < 1
        assert abs(fold["valid"]["utterances"] - 0.15 * 96) <= 2


def test_more_folds_than_utterances_of_a_class():
    happy = [item for item in corpus() if EMOTIONS[item.emotion] == "happy"][:2]
    others = [item for item in corpus() if EMOTIONS[item.emotion] != "happy"]
    with pytest.raises(ConfigurationError, match="5 folds of 2 'happy' utterances"):
        divided("random", others + happy)


def test_folds_may_be_drawn_whatever_the_class():
    result = divided("random", corpus(), folds=10, stratified=False)
    tests = [fold["test"] for fold in result.audit["folds"].values()]
    assert [test["utterances"] for test in tests] == [12] * 10
    uneven = [
        abs(test["classes"].get(label, 0) - total / 10)
        for test in tests
        for label, total in result.audit["classes"].items()
    ]
    assert max(uneven) >= 2, "a stratified division stays below one"
    tested = [subsets(result, fold)["test"] for fold in range(10)]
    assert len(set().union(*tested)) == 120
    other = divided("random", corpus(), folds=10, stratified=False, seed=1)
    assert subsets(other)["test"] != tested[0]


def test_a_class_that_was_drawn_into_one_fold_has_nothing_to_train_on():
    happy = [item for item in corpus() if EMOTIONS[item.emotion] == "happy"][:1]
    others = [item for item in corpus() if EMOTIONS[item.emotion] != "happy"]
    with pytest.raises(ConfigurationError, match="all 1 'happy' utterances were drawn into one"):
        divided("random", others + happy, stratified=False)
    with pytest.raises(ConfigurationError, match="200 folds of 120 utterances"):
        divided("random", corpus(), folds=200, stratified=False)
