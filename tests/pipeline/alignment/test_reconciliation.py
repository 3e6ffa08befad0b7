from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.alignment import _reconciliation as reconciliation
from pipeline.schema import AlignmentError, TimedWord, Utterance


@pytest.mark.parametrize(
    ("words", "tokens", "expected"),
    [
        (["can", "not"], [("cannot", 0, 6)], [(0, 3), (3, 6)]),
        (["cannot"], [("Can", 1, 2), ("NOT!", 3, 4)], [(1, 4)]),
        (["don't"], [("don", 0, 1), ("'t", 1, 2)], [(0, 2)]),
        (["tea-cup", "x"], [("tea", 0, 1), ("cup", 1, 2), ("x", 3, 4)], [(0, 2), (3, 4)]),
        (["我们", "今天"], [("我", 0, 1), ("们今", 1, 3), ("天", 3, 4)], [(0, 2), (2, 4)]),
        (["a", "b", "c"], [("a", 0, 1), ("<unk>", 1, 2), ("c", 2, 3)], [(0, 1), (1, 2), (2, 3)]),
        (["straße"], [("STRASSE", 0, 1)], [(0, 1)]),
    ],
)
def test_tokens_that_are_cut_otherwise_share_their_time(words, tokens, expected):
    found = reconciliation.reconcile(words, [TimedWord(*token) for token in tokens])
    assert [item.word for item in found] == words
    assert [(item.start, item.end) for item in found] == expected


@pytest.mark.parametrize(
    ("words", "tokens"),
    [
        (["a", "b"], ["a"]),
        (["a"], ["a", "b"]),
        (["a", "b"], ["a", "c"]),
        (["ab"], ["a"]),
        (["a", "--"], ["a"]),
        (["a"], []),
    ],
)
def test_other_letters_are_named(words, tokens):
    timed = [TimedWord(token, index, index + 1) for index, token in enumerate(tokens)]
    with pytest.raises(AlignmentError, match="words differ"):
        reconciliation.reconcile(words, timed)


@given(st.lists(st.text("abc我们", min_size=1, max_size=5), min_size=1, max_size=8), st.data())
def test_any_two_cuts_of_the_same_letters_fit(words, data):
    letters = "".join(words)
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, len(letters) - 1)))))
    edges = [0, *[cut for cut in cuts if cut < len(letters)], len(letters)]
    timed = [TimedWord(letters[a:b], float(a), float(b)) for a, b in pairwise(edges)]
    found = reconciliation.reconcile(words, timed)
    assert [item.word for item in found] == words
    position = 0
    for word, item in zip(words, found, strict=True):
        # One second a letter: each word must lie exactly over its own letters.
        assert (item.start, item.end) == pytest.approx((position, position + len(word)))
        position += len(word)


def test_times_on_the_aligners_grid_are_clipped_to_the_clip():
    utterance = Utterance("u", "c", "e", words=("a", "b"))
    spans = reconciliation.spans(
        utterance, [TimedWord("a", 0, 0.5), TimedWord("b", 0.5, 1.01)], 0.995, "given"
    )
    assert spans[-1].end == 0.995
