import json

import pytest

from pipeline.alignment import _word_times as word_times
from pipeline.schema import TimedWord

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
