"""The vocabulary's order and size."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.lookup import ConfigurationError
from pipeline.text import _vocabulary as vocabulary
from pipeline.text import one_hot

SENTENCES = [["b", "a", "b"], ["c", "b", "a"], ["d"]]


def test_frequent_words_come_first_then_the_alphabet() -> None:
    assert one_hot.fit(SENTENCES, one_hot.Config()) == (["b", "a", "c", "d"], None)


def test_the_size_can_be_limited() -> None:
    assert one_hot.fit(SENTENCES, one_hot.Config(max_words=3))[0] == ["b", "a", "c"]
    assert one_hot.fit(SENTENCES, one_hot.Config(min_count=2))[0] == ["b", "a"]


def test_no_words_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="no word occurs 5 times in 3 sentences"):
        one_hot.fit(SENTENCES, one_hot.Config(min_count=5))


@given(st.lists(st.lists(st.sampled_from("abcdef")), max_size=8), st.randoms())
def test_the_order_of_sentences_does_not_matter(sentences: list[list[str]], random: object) -> None:
    shuffled = [list(sentence) for sentence in sentences]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert vocabulary.build(sentences) == vocabulary.build(shuffled)


def test_ids_are_places_and_minus_one_for_strangers() -> None:
    assert vocabulary.word_ids(["a", "z", "b"], ["b", "a"]).tolist() == [1, -1, 0]
