import pytest

from pipeline.lookup import ConfigurationError
from tests.resources.divided import corpus, divided, subsets, with_subsets


def test_stated_subsets_are_taken():
    stated = with_subsets(corpus(), {"4": "valid", "5": "test"})
    result = divided("official", stated)
    sessions = {name: {i[3] for i in ids} for name, ids in subsets(result).items()}
    assert sessions == {"train": {"1", "2", "3"}, "valid": {"4"}, "test": {"5"}}
    assert result.audit["folds"]["0"]["validation"] == "as given by the corpus or fold list"


def test_a_missing_validation_set_is_made():
    result = divided("official", with_subsets(corpus(), {"5": "test"}))
    how = result.audit["folds"]["0"]["validation"]
    assert how == "whole speakers, in neither training nor test"
    assert {name[3] for name in subsets(result)["test"]} == {"5"}


def test_a_corpus_without_subsets_is_named():
    with pytest.raises(ConfigurationError, match=r"official: .*\['None'\], expected \['train'"):
        divided("official", corpus())
