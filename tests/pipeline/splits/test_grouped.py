import pytest

from pipeline.lookup import ConfigurationError
from tests.resources.divided import corpus, divided, folds_of, shared, subsets


@pytest.mark.parametrize("values", [{}, {"folds": 5}])
def test_dialogues_stay_whole(values):
    utterances = corpus(sessions=10)
    result = divided("grouped", utterances, **values)
    for fold in folds_of(result):
        parts = subsets(result, fold)
        assert not shared(utterances, "dialogue", parts["train"], parts["test"])
        assert not shared(utterances, "dialogue", parts["valid"], parts["test"])
        assert not shared(utterances, "dialogue", parts["train"], parts["valid"])
    assert result.audit["verdict"]["dialogues_train_test"] == 0


def test_three_dialogues_are_needed():
    with pytest.raises(ConfigurationError, match="2 dialogues for 3 parts"):
        divided("grouped", corpus(sessions=1))
