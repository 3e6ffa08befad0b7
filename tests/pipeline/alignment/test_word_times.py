import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.alignment import _word_times as word_times
from pipeline.alignment._word_times import TimedWord
from pipeline.schema import AlignmentError, Utterance

LONG = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 2.5
tiers? <exists>
size = 3
item []:
    item [1]:
        class = "IntervalTier"
        name = "words"
        xmin = 0
        xmax = 2.5
        intervals: size = 4
        intervals [1]:
            xmin = 0.0
            xmax = 0.29
            text = ""
        intervals [2]:
            xmin = 0.29
            xmax = 0.4
            text = "the ""1 [2] 3"" one"
        intervals [3]:
            xmin = 0.4
            xmax = 1.25e0
            text = "cat"
        intervals [4]:
            xmin = 1.25
            xmax = 2.5
            text = "sil"
    item [2]:
        class = "TextTier"
        name = "marks"
        xmin = 0
        xmax = 2.5
        points: size = 1
        points [1]:
            number = 0.5
            mark = "here"
    item [3]:
        class = "IntervalTier"
        name = "phones"
        xmin = 0
        xmax = 2.5
        intervals: size = 1
        intervals [1]:
            xmin = 0
            xmax = 2.5
            text = "AH0"
"""
EXPECTED = [TimedWord('the "1 [2] 3" one', 0.29, 0.4), TimedWord("cat", 0.4, 1.25)]


def short(tiers):
    """A short TextGrid of (name, rows)."""
    lines = [
        'File type = "ooTextFile short"',
        '"TextGrid"',
        "",
        "0",
        "2.5",
        "<exists>",
        str(len(tiers)),
    ]
    for name, rows in tiers:
        lines += ['"IntervalTier"', f'"{name}"', "0", "2.5", str(len(rows))]
        lines += [
            str(item) for a, b, text in rows for item in (a, b, '"' + text.replace('"', '""') + '"')
        ]
    return (
        "\n".join(lines)
        .replace(' short"', '"')
        .replace('\n"TextGrid"', '\nObject class = "TextGrid"', 1)
    )


ROWS = [(0, 0.29, ""), (0.29, 0.4, 'the "1 [2] 3" one'), (0.4, 1.25, "cat"), (1.25, 2.5, "<eps>")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-8-sig"])
@pytest.mark.parametrize("text", [LONG, short([("words", ROWS)])])
def test_textgrids_of_both_forms_and_all_encodings(tmp_path, text, encoding):
    file = tmp_path / "a.TextGrid"
    file.write_text(text, encoding=encoding)
    assert word_times.read_textgrid(file) == EXPECTED


def test_praats_own_short_heading_is_read(tmp_path):
    file = tmp_path / "a.TextGrid"
    file.write_text(short([("words", ROWS)]).replace('Object class = "TextGrid"', '"TextGrid"'))
    assert word_times.read_textgrid(file) == EXPECTED


def test_the_speakers_own_tier_is_taken(tmp_path):
    file = tmp_path / "a.TextGrid"
    file.write_text(short([("ann - words", [(0, 1, "hello")]), ("bob - words", [(1, 2, "there")])]))
    assert word_times.read_textgrid(file, "bob") == [TimedWord("there", 1, 2)]
    with pytest.raises(ValueError, match=r"ann - words.*expected"):
        word_times.read_textgrid(file, "eve")
    file.write_text(short([("ann - words", [(0, 1, "hello")]), ("ann - phones", [(0, 1, "HH")])]))
    assert word_times.read_textgrid(file) == [TimedWord("hello", 0, 1)]


@pytest.mark.parametrize(
    "text", ["", "no grid at all", LONG[:600], LONG.replace("ooTextFile", "ooBinaryFile")]
)
def test_what_is_no_textgrid_is_refused(tmp_path, text):
    file = tmp_path / "a.TextGrid"
    file.write_text(text)
    with pytest.raises(ValueError, match="expected"):
        word_times.read_textgrid(file)


def test_json_and_the_aligners_csv(tmp_path):
    grid = tmp_path / "a.json"
    grid.write_text(
        json.dumps({"tiers": {"words": {"entries": [[0.29, 0.4, "the"], [0.4, 1, "cat"]]}}})
    )
    assert word_times.read_json(grid) == [TimedWord("the", 0.29, 0.4), TimedWord("cat", 0.4, 1)]
    table = tmp_path / "a.csv"
    table.write_text(
        "Begin,End,Label,Type,Speaker\n0.29,0.4,the,words,s\n0.29,0.3,DH,phones,s\n0.4,1.0,cat,words,s\n"
    )
    assert word_times.read_csv(table) == {
        "a": [TimedWord("the", 0.29, 0.4), TimedWord("cat", 0.4, 1.0)]
    }


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
    found = word_times.reconcile(words, [TimedWord(*token) for token in tokens])
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
        word_times.reconcile(words, timed)


@given(st.lists(st.text("abc我们", min_size=1, max_size=5), min_size=1, max_size=8), st.data())
def test_any_two_cuts_of_the_same_letters_fit(words, data):
    letters = "".join(words)
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, len(letters) - 1)))))
    edges = [0, *[cut for cut in cuts if cut < len(letters)], len(letters)]
    timed = [TimedWord(letters[a:b], float(a), float(b)) for a, b in pairwise(edges)]
    found = word_times.reconcile(words, timed)
    assert [item.word for item in found] == words
    position = 0
    for word, item in zip(words, found, strict=True):
        # One second a letter: each word must lie exactly over its own letters.
        assert (item.start, item.end) == pytest.approx((position, position + len(word)))
        position += len(word)


def test_times_on_the_aligners_grid_are_clipped_to_the_clip():
    utterance = Utterance("u", "c", "e", words=("a", "b"))
    spans = word_times.spans(
        utterance, [TimedWord("a", 0, 0.5), TimedWord("b", 0.5, 1.01)], 0.995, "given"
    )
    assert spans[-1].end == 0.995
