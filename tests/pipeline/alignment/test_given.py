import os
from dataclasses import replace

import pytest

from pipeline.alignment import given
from pipeline.schema import AlignmentError

WDSEG = """   SFrm EFrm SegAScr Word
     0   29  -100 <s>
    30   41  -200 THE(2)
    42   80  -200 TEACHER
    81   85   -20 <sil>
    86  119  -20 CAME
   120  130  -20 ++BREATHING++
   131  150  -20 BACK
   151  160  -20 </s>
 Total score:  -540
"""


def place(utterance, path, **settings):
    config = given.Config(**settings)
    return dict(given.align([replace(utterance, alignment_path=str(path))], config))[
        utterance.utterance_id
    ]


@pytest.fixture
def utterance(speech):
    return replace(speech[0][0], words=("the", "teacher", "came", "back"))


def test_iemocaps_own_segments_count_frames_with_both_ends_and_lose_fillers(utterance, tmp_path):
    file = tmp_path / "one.wdseg"
    file.write_text(WDSEG)
    spans = place(utterance, file)
    assert [(s.word, s.start, s.end) for s in spans] == [
        ("the", 0.3, 0.42),
        ("teacher", 0.42, 0.81),
        ("came", 0.86, 1.2),
        ("back", 1.31, 1.51),
    ]


def test_other_words_than_the_transcript_are_named(utterance, tmp_path):
    file = tmp_path / "one.wdseg"
    file.write_text(WDSEG.replace("CAME", "CALM"))
    answer = place(utterance, file)
    assert isinstance(answer, AlignmentError)
    assert answer.reason == "words differ"
    assert "came" in answer.detail and "CALM" in answer.detail


def test_ctm_rows_are_found_by_utterance_or_recording(utterance, tmp_path):
    file = tmp_path / "all.ctm"
    rows = [
        ";; comment",
        "one A 0.30 0.12 the 0.9",
        "one A 0.42 0.39 teacher 0.8",
        "one A 0.86 0.34 came NA",
    ]
    file.write_text("\n".join([*rows, "one A 1.31 0.20 back", "other A 0 1 word"]))
    spans = place(utterance, file)
    assert [(s.start, s.end) for s in spans] == [
        (0.3, 0.42),
        (0.42, 0.81),
        (0.86, 1.2),
        (1.31, 1.51),
    ]
    assert [s.confidence for s in spans] == [0.9, 0.8, None, None]
    renamed = replace(utterance, utterance_id="another_name")
    assert [s.start for s in place(renamed, file)] == [0.3, 0.42, 0.86, 1.31]


def test_a_changed_csv_is_read_again(utterance, tmp_path):
    file = tmp_path / "words.csv"
    head = "utterance_id,word_index,word,start,end\n"
    rows = [f"one,{i},{w},{0.3 + i / 4},{0.5 + i / 4}\n" for i, w in enumerate(utterance.words)]
    file.write_text(head + "".join(reversed(rows)))
    assert [s.start for s in place(utterance, file)] == [0.3, 0.55, 0.8, 1.05]
    file.write_text(head + "".join(rows).replace("0.3,", "0.25,"))
    os.utime(file, ns=(1, 1))
    assert place(utterance, file)[0].start == 0.25


def test_times_of_a_whole_recording_are_cut_to_the_utterance(utterance, tmp_path):
    segment = replace(utterance, start=0.4, end=1.25, words=("teacher", "came"))
    file = tmp_path / "one.wdseg"
    file.write_text(WDSEG)
    spans = place(segment, file, times_from="recording")
    assert [(s.word, s.start, s.end) for s in spans] == [
        ("teacher", 0.02, 0.41),
        ("came", 0.46, 0.8),
    ]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", "utterance_id,word\none,the\n", "word times unreadable"),
        ("a.csv", "utterance_id,word_index,word,start,end\nother,0,the,0,1\n", "no word times"),
        ("a.TextGrid", "nothing of the kind", "word times unreadable"),
        ("a.wdseg", "", "word times unreadable"),
        ("a.ctm", "one A zero 1 the", "word times unreadable"),
        ("a.json", "{", "word times unreadable"),
        ("a.lab", "the teacher", "word times unreadable"),
    ],
)
def test_a_file_that_cannot_serve_is_a_reason(utterance, tmp_path, name, content, reason):
    file = tmp_path / name
    file.write_text(content)
    answer = place(utterance, file)
    assert isinstance(answer, AlignmentError)
    assert answer.reason == reason


def test_an_absent_file_and_an_absent_path_are_reasons(utterance, tmp_path):
    assert place(utterance, tmp_path / "none.ctm").reason == "word times not found"
    assert dict(given.align([utterance], given.Config()))["one"].reason == "no word times"


@pytest.mark.parametrize(
    ("times", "reason"),
    [
        ([(0.3, 0.5), (0.4, 0.7), (0.8, 0.9), (1.0, 1.2)], "times out of order"),
        ([(0.3, 0.5), (0.5, 0.7), (0.8, 0.9), (10.0, 11.0)], "times outside the recording"),
        ([(0.3, 0.5), (0.5, 0.5), (0.8, 0.9), (1.0, 1.2)], "times out of order"),
    ],
)
def test_impossible_times_are_reasons(utterance, tmp_path, times, reason):
    file = tmp_path / "words.csv"
    rows = [
        f"one,{i},{w},{a},{b}"
        for i, (w, (a, b)) in enumerate(zip(utterance.words, times, strict=True))
    ]
    file.write_text("\n".join(["utterance_id,word_index,word,start,end", *rows]))
    assert place(utterance, file).reason == reason
