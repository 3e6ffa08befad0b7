import pytest

from pipeline.lookup import ConfigurationError
from tests.resources.divided import EMOTIONS, corpus, divided, subsets


def test_seven_to_two_to_one():
    sizes = {name: len(ids) for name, ids in subsets(divided("ratio", corpus(5, 50))).items()}
    assert sizes == {"train": 350, "valid": 100, "test": 50}


def test_a_class_of_two_utterances_cannot_be_divided_by_three():
    few = [item for item in corpus() if EMOTIONS[item.emotion] == "sad"][:2]
    others = [item for item in corpus() if EMOTIONS[item.emotion] != "sad"]
    with pytest.raises(ConfigurationError, match="ratio: 2 utterances of 'sad'"):
        divided("ratio", others + few)
