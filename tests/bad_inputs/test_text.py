"""Transcripts and stop words, cut into words by the stage prepare."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline import folders, tables
from tests.resources.bad_input import Case, Did

Make = Callable[[Path], dict[str, Any]]


def said(text: str, language: str = "en") -> Make:
    return lambda folder: {"transcript": text, "language": language}


def stop_words(content: bytes | None, name: str = "stop.txt") -> Make:
    """A file of stop words; none where there is no content."""

    def make(folder: Path) -> dict[str, Any]:
        if content is not None:
            (folder / name).write_bytes(content)
        return {"transcript": "no rain", "tokens": {"stop_words": str(folder / name)}}

    return make


STOP = "the stop words"
CASES = [
    Case("words that are right", said("No rain, today!"), "used: no rain today"),
    Case("signs alone", said("... !? --"), "used: no words"),
    Case("a noise alone", said("[LAUGHTER]"), "used: no words"),
    Case("a bracket that is not closed", said("no [rain today"), "used: no rain today"),
    Case("a thousand brackets", said("[" * 1000 + "no" + "]" * 1000), "used: no words"),
    Case("100,000 brackets", said("[" * 100_000), "used: no words"),
    Case("a word of 100,000 letters", said("n" * 100_000), "used: " + "n" * 60),
    Case("100,000 apostrophes", said("'" * 100_000 + "no"), "used: no"),
    Case("invisible signs", said("n\u200bo ra\u00adin\ufeff"), "used: no rain"),
    Case("letters drawn together", said("ﬁne"), "used: fine"),
    Case("curly quotes", said("don’t ‘no’"), "used: don't no"),
    Case("writing from right to left", said("\u202eno rain"), "used: no rain"),
    Case("smileys", said("no 😀 rain"), "used: no rain"),
    Case(
        "half of a pair of code units",
        said("no \udc80 rain".encode("utf-8", "replace").decode()),
        "used: no rain",
    ),
    Case("a number of 400 figures", said("9" * 400), "used"),
    Case("a grouped number of 400 figures", said("1" + ",000" * 133), "used"),
    Case("figures of another writing", said("٣ rain"), "used: ٣ rain"),
    Case("a number with a point too many", said("1.2.3"), "used: one point two three"),
    Case("an ordinal that is none", said("1nd 0th"), "used: first zeroth"),
    Case("Mandarin called English", said("今天下雨"), "used: 今天下雨"),
    Case("English called Mandarin", said("no rain", "zh"), "used: no rain"),
    Case("a language in capitals", said("no rain", "EN-us"), "used: no rain"),
    Case("an empty language", said("no rain", " "), "used: no rain"),
    Case("the name of a language", said("no rain", "english"), "reject: unsupported language"),
    Case("a language without spaces", said("ฝน", "th"), "reject: unsupported language"),
    Case("a path as language", said("no rain", "../en"), "reject: unsupported language"),
    Case("stop words that are right", stop_words(b"no\n"), "used: rain"),
    Case("no file of stop words", stop_words(None), f"{STOP} stop.txt cannot be read"),
    Case("stop words in GBK", stop_words("雨\n".encode("gbk")), f"{STOP} stop.txt cannot be read"),
    Case("a picture of stop words", stop_words(b"\x89PNG\x81"), f"{STOP} stop.txt cannot be read"),
    Case("stop words for every word", stop_words(b"no\nrain\n"), "used: no words"),
    Case("stop words on one line", stop_words(b"no rain\n"), "used: no rain"),
    Case("a path of 300 letters", stop_words(None, "a" * 300), STOP),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_bad_transcript(case: Case, user: Did, settle: Callable[[Case, str], None]) -> None:
    made = case.make(user.folder)
    row = {"utterance_id": "bad", "emotion": "sad", "language": "en"}
    row |= {key: value for key, value in made.items() if key != "tokens"}
    with (user.folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(row))
        table.writeheader()
        table.writerow(
            {**row, "utterance_id": "good", "transcript": "rain today", "language": "en"}
        )
        table.writerow(row)
    corpus = {"root": str(user.folder), "tokens": made.get("tokens", {})}
    settle(case, user.prepares(corpus, used))


def used(place: Path) -> str:
    found = tables.read_utterances(place / folders.UTTERANCES)
    (words,) = (item.words for item in found if item.utterance_id == "bad")
    return " ".join(words)[:60] or "no words"
