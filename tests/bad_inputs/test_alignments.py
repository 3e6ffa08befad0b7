"""Files of word times that come with a corpus, and recordings that stop an aligner."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline import folders, tables
from stages import align, prepare
from tests.resources import bad_input, recordings
from tests.resources.bad_input import Case, Did, case

WORDS = [[0.0, 0.25, "no"], [0.25, 0.5, "rain"]]
HEADING = 'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n0.5\n<exists>\n'
CSV = "utterance_id,word_index,word,start,end\n"


def file(name: str, text: str | bytes) -> Callable[[Path], str]:
    def make(root: Path) -> str:
        (root / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return name

    return make


def grid(rows: list[list[Any]], tier: str = "words", size: str = "") -> str:
    body = "".join(f'{start}\n{end}\n"{word}"\n' for start, end, word in rows)
    return f'{HEADING}1\n"IntervalTier"\n"{tier}"\n0\n0.5\n{size or len(rows)}\n{body}'


def textgrid(*arguments: Any, **options: Any) -> Callable[[Path], str]:
    return file("bad.TextGrid", grid(*arguments, **options))


def as_json(content: Any) -> Callable[[Path], str]:
    return file("bad.json", content if isinstance(content, str) else json.dumps(content))


def entries(*rows: Any) -> Callable[[Path], str]:
    return as_json({"tiers": {"words": {"type": "interval", "entries": rows}}})


def ctm(*lines: str) -> Callable[[Path], str]:
    return file("bad.ctm", "\n".join(lines))


def wdseg(*lines: str) -> Callable[[Path], str]:
    return file("bad.wdseg", "\n".join(("SFrm EFrm SegAScr Word", *lines)))


def table(*rows: str) -> Callable[[Path], str]:
    return file("bad.csv", CSV + "\n".join(rows))


@case("a folder", "reject: word times not found")
def folder(root: Path) -> str:
    (root / "bad.TextGrid").mkdir()
    return "bad.TextGrid"


UNREADABLE = "reject: word times unreadable"
FILES = [
    Case("no file", lambda root: "nowhere.TextGrid", "reject: word times not found"),
    Case("no path", lambda root: "", "reject: no word times"),
    Case("a path of 300 letters", lambda root: "a" * 300 + ".json", UNREADABLE),
    Case("another kind of file", file("bad.txt", "no rain"), UNREADABLE),
    folder,
    Case("a TextGrid that is right", textgrid(WORDS), "used"),
    Case("an empty TextGrid", file("bad.TextGrid", ""), UNREADABLE),
    Case("a picture as TextGrid", file("bad.TextGrid", b"\x89PNG" + bytes(99)), UNREADABLE),
    Case("100,001 quotes", file("bad.TextGrid", '"' * 100_001), UNREADABLE),
    Case("a TextGrid that ends early", file("bad.TextGrid", grid(WORDS)[:-9]), UNREADABLE),
    Case("a billion intervals declared", textgrid(WORDS, size="1000000000"), UNREADABLE),
    Case("a negative number of intervals", textgrid(WORDS, size="-5"), "reject: words differ"),
    Case("a number of intervals of 5000 figures", textgrid(WORDS, size="9" * 5000), UNREADABLE),
    Case("a TextGrid without words", textgrid(WORDS, tier="phones"), UNREADABLE),
    Case("half of UTF-16", file("bad.TextGrid", grid(WORDS).encode("utf-16")[:-1]), UNREADABLE),
    Case(
        "a TextGrid in Latin-1",
        file("bad.TextGrid", grid([[0, 0.5, "é"]]).encode("latin-1")),
        UNREADABLE,
    ),
    Case("other words", textgrid([[0, 0.5, "yes"]]), "reject: words differ"),
    Case("a word too many", textgrid([*WORDS, [0.5, 0.6, "today"]]), "reject: words differ"),
    Case("no words at all", textgrid([[0, 0.5, ""]]), "reject: words differ"),
    Case(
        "times after the recording",
        textgrid([[0, 0.25, "no"], [5, 6, "rain"]]),
        "reject: times outside the recording",
    ),
    Case(
        "times in milliseconds",
        textgrid([[0, 250, "no"], [250, 500, "rain"]]),
        "reject: times outside the recording",
    ),
    Case(
        "an end before its start",
        textgrid([[0.25, 0, "no"], [0.25, 0.5, "rain"]]),
        "reject: times out of order",
    ),
    Case(
        "a word of no length",
        textgrid([[0, 0, "no"], [0.25, 0.5, "rain"]]),
        "reject: times out of order",
    ),
    Case(
        "words over each other",
        textgrid([[0, 0.4, "no"], [0.1, 0.5, "rain"]]),
        "reject: times out of order",
    ),
    Case("a time of 1e400", textgrid([[0, "1e400", "no"], WORDS[1]]), UNREADABLE),
    Case("JSON that is right", entries(*WORDS), "used"),
    Case("JSON with a list on top", as_json([1, 2]), UNREADABLE),
    Case("JSON with a word on top", as_json('"words"'), UNREADABLE),
    Case("JSON without tiers", as_json({"words": []}), UNREADABLE),
    Case("tiers as a list", as_json({"tiers": [1]}), UNREADABLE),
    Case("tiers as a word", as_json({"tiers": "words"}), UNREADABLE),
    Case("entries that are none", as_json({"tiers": {"words": {"entries": 5}}}), UNREADABLE),
    Case("entries of two", entries([0, 1]), UNREADABLE),
    Case("an entry that is null", entries(None), UNREADABLE),
    Case("times as text", entries(["0.0", "0.25", "no"], ["0.25", "0.5", "rain"]), "used"),
    Case("times as words", entries(["now", "then", "no"], WORDS[1]), UNREADABLE),
    Case("times as lists", entries([[0], [1], "no"], WORDS[1]), UNREADABLE),
    Case("times that are true", entries([False, True, "no"], WORDS[1]), UNREADABLE),
    Case(
        "a time of NaN", as_json('{"tiers": {"words": {"entries": [[NaN, 1, "no"]]}}}'), UNREADABLE
    ),
    Case("a time of 400 figures", entries([0, 10**400, "no"], WORDS[1]), UNREADABLE),
    Case("words that are numbers", entries([0, 0.5, 5]), UNREADABLE),
    Case("JSON nested 20,000 deep", as_json("[" * 20_000 + "]" * 20_000), UNREADABLE),
    Case("JSON that ends early", as_json('{"tiers": {"words": {"entr'), UNREADABLE),
    Case("CTM that is right", ctm("bad 1 0 0.25 no 0.9", "bad 1 0.25 0.25 rain NA"), "used"),
    Case("CTM of another utterance", ctm("good 1 0 0.25 no"), "reject: no word times"),
    Case("a CTM line of three", ctm("bad 1 0"), UNREADABLE),
    Case("a CTM time that is none", ctm("bad 1 zero 0.25 no"), UNREADABLE),
    Case("a CTM duration of inf", ctm("bad 1 0 inf no"), UNREADABLE),
    Case("a CTM confidence of NaN", ctm("bad 1 0 0.25 no nan", "bad 1 0.25 0.25 rain"), UNREADABLE),
    Case(
        "a negative CTM duration",
        ctm("bad 1 0 -1 no", "bad 1 0.25 0.25 rain"),
        "reject: times out of order",
    ),
    Case("wdseg that is right", wdseg("0 24 -1 NO", "25 49 -1 RAIN(2)"), "used"),
    Case("wdseg without rows", wdseg(), UNREADABLE),
    Case("a wdseg frame that is no figure", wdseg("0 x -1 no"), UNREADABLE),
    Case("a wdseg frame in superscript", wdseg("² 24 -1 no"), UNREADABLE),
    Case("a wdseg frame of 400 figures", wdseg("0 " + "9" * 400 + " -1 no"), UNREADABLE),
    Case("CSV that is right", table("bad,0,no,0,0.25", "bad,1,rain,0.25,0.5"), "used"),
    Case("CSV with other columns", file("bad.csv", "a,b\n1,2\n"), UNREADABLE),
    Case("a CSV row that ends early", table("bad,0,no"), "reject: no word times"),
    Case("a CSV time that is none", table("bad,0,no,zero,0.25"), UNREADABLE),
    Case("a CSV index that is none", table("bad,first,no,0,0.25"), UNREADABLE),
    Case(
        "a quote that is not closed", table('bad,0,"no,0,0.25', "bad,1,rain,0.25,0.5"), UNREADABLE
    ),
]


def sound(seconds: float, rate: int = 16000) -> Callable[[Path], str]:
    """A recording of this length in place of the right one."""

    def make(root: Path) -> str:
        recordings.write(root / "bad.wav", seconds, rate)
        return ""

    return make


SHORT = [
    Case("one sample for pocketsphinx", sound(1 / 16000), "reject: word outside the recording"),
    Case("one sample at 48 kHz", sound(1 / 48000, 48000), "reject: audio too short"),
    Case("3 ms for pocketsphinx", sound(0.003), "reject: word outside the recording"),
    Case("20 ms for pocketsphinx", sound(0.02), "reject: word outside the recording"),
]
CASES = FILES + SHORT


@pytest.mark.parametrize("case", SHORT, ids=str)
def test_a_short_recording(case: Case, user: Did, settle: Callable[[Case, str], None]) -> None:
    aligned(user, case, settle, "pocketsphinx")


@pytest.mark.parametrize("case", FILES, ids=str)
def test_a_bad_file_of_word_times(
    case: Case, user: Did, settle: Callable[[Case, str], None]
) -> None:
    aligned(user, case, settle, "given")


def aligned(user: Did, case: Case, settle: Any, aligner: str) -> None:
    root = user.folder / "mine"
    recordings.write(root / "bad.wav", 0.5)
    row = f"bad,sad,bad.wav,no rain,{case.make(root)}"
    heading = "utterance_id,emotion,audio_path,transcript,alignment_path"
    (root / "manifest.csv").write_text(f"{heading}\n{row}\n")
    chain = {"chain": {aligner: {}}, "max_failed_share": 1}
    document = {"corpora": {"manifest": {"root": str(root)}}, "alignment": {"mine": chain}}
    params, data = user.folder / "params.yaml", user.folder / "data"
    params.write_text(yaml.safe_dump(document))
    options = ["--params", params, "--data", data]
    assert user.stage(prepare.main, "manifest", *options) is None
    line = user.stage(align.main, "manifest", "mine", *options)
    place = folders.spans(data, "manifest", "mine")
    settle(case, bad_input.outcome(line, place, "bad", lambda: used(place)))


def used(place: Path) -> str:
    (spans,) = tables.read_spans(place / folders.SPANS).values()
    return ", ".join(f"{span.word} {span.start:g}-{span.end:g} s" for span in spans)
