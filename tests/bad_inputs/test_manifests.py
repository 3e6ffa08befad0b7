"""Tables of a user's own corpus (the reader `manifest`)."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import folders, tables
from tests.resources import recordings
from tests.resources.bad_input import Case, Did, case

HEADER = "utterance_id,emotion,audio_path,transcript"
GOOD = "good,sad,good.wav,no rain today"


def rows(*lines: str, header: str = HEADER, good: str = GOOD) -> Callable[[Path], None]:
    """A table with a good row before and after `lines`."""
    after = good.replace("good", "last", 1)
    return content(("\n".join([header, good, *lines, after]) + "\n").encode())


def content(data: bytes, file: str = "manifest.csv") -> Callable[[Path], None]:
    """A table of these bytes."""

    def make(root: Path) -> None:
        (root / file).write_bytes(data)

    return make


def times(start: str, end: str) -> Callable[[Path], None]:
    return rows(
        f"bad,sad,good.wav,no,{start},{end}", header=f"{HEADER},start,end", good=f"{GOOD},,"
    )


def column(name: str, value: str) -> Callable[[Path], None]:
    return rows(f"bad,sad,good.wav,no,{value}", header=f"{HEADER},{name}", good=f"{GOOD},")


@case("symbolic links in a circle", "reject: unparsable path")
def circle(root: Path) -> None:
    (root / "a.wav").symlink_to(root / "b.wav")
    (root / "b.wav").symlink_to(root / "a.wav")
    rows("bad,sad,a.wav,no")(root)


@case("the manifest is a link to itself", "is not a file")
def own_link(root: Path) -> None:
    (root / "manifest.csv").symlink_to(root / "manifest.csv")


@case("a link that leads out of the folder", "reject: path leaves the corpus folder")
def leading_out(root: Path) -> None:
    (root / "out").symlink_to(root.parent)
    rows("bad,sad,out/secret.wav,no")(root)


@case("a folder in place of the manifest", "is not a file")
def folder(root: Path) -> None:
    (root / "manifest.csv").mkdir()


@case("a parquet table with numbers as ids", "used")
def numbers(root: Path) -> None:
    columns = {"utterance_id": [1, 2], "emotion": ["sad", "sad"], "transcript": ["no", "yes"]}
    pq.write_table(pa.table(columns), root / "manifest.parquet")


@case("a parquet table with lists in cells", "2 × not text")
def nested(root: Path) -> None:
    columns = {
        "utterance_id": ["good", "bad"],
        "emotion": ["sad", "sad"],
        "transcript": [["no"], ["a", "b"]],
    }
    pq.write_table(pa.table(columns), root / "manifest.parquet")


@case("a parquet table with bytes for text", "reject: not text")
def raw(root: Path) -> None:
    columns = {
        "utterance_id": ["good", "bad"],
        "emotion": ["sad", "sad"],
        "audio_path": ["good.wav", None],
        "transcript": pa.array([None, b"no"], pa.binary()),
    }
    pq.write_table(pa.table(columns), root / "manifest.parquet")


LONG_CELL = "x " * 70_000
CASES = [
    Case("no file", lambda root: None, "is not a file, expected a table"),
    Case("an empty file", content(b""), "lacks the column utterance_id, emotion"),
    Case("a heading alone", content(f"{HEADER}\n".encode()), "its reader found none"),
    Case("zero bytes", content(bytes(1000)), "lacks the column"),
    Case("a picture", content(b"\x89PNG\r\n\x1a\n" + bytes(range(256))), "cannot be decoded"),
    Case(
        "no emotion column", content(b"utterance_id,transcript\na,b\n"), "lacks the column emotion"
    ),
    Case("an unknown column", column("speakr", "x"), "unknown column 'speakr'"),
    Case("a column twice", column("emotion", "x"), "column emotion stands twice"),
    Case("a column without name", column("", "x"), "unknown column ''"),
    Case(
        "semicolons for commas", content(b"utterance_id;emotion;transcript\na;b;c\n"), "lacks the"
    ),
    Case("an unclosed quote", rows('bad,sad,good.wav,"no'), "a quote is not closed"),
    Case(
        "an unclosed quote that swallows two rows",
        rows('bad,sad,good.wav,"no', "b,sad,good.wav,no", 'c,sad,good.wav,"'),
        "a quote is not closed",
    ),
    Case(
        "an unclosed quote that the next quote closes",
        rows('bad,sad,good.wav,"no', "b,sad,good.wav,no", 'c,sad,good.wav,"yes"'),
        "a quote is not closed",
    ),
    Case("a cell of two lines with commas", rows('bad,sad,good.wav,"no\nno, no, no, no"'), "used"),
    Case("a quote inside a cell", rows('bad,sad,good.wav,5" of rain'), "used"),
    Case("a cell of two lines", rows('bad,sad,good.wav,"no\nrain"'), "used"),
    Case("a comma without quotes", rows("bad,sad,good.wav,no,rain"), "reject: unparsable row"),
    Case("a row that ends early", rows("bad,sad"), "reject: no audio and no transcript"),
    Case("a row of an id alone", rows("bad"), "reject: no label"),
    Case("no id", rows(",sad,good.wav,no"), "used"),
    Case("an id twice", rows("good,sad,good.wav,no"), "used"),
    Case("a null character in an id", rows("b\0d,sad,good.wav,no"), "used"),
    Case("a tab in an id", rows("b\td,sad,good.wav,no"), "used"),
    Case("no label", rows("bad,,good.wav,no"), "reject: no label"),
    Case(
        "a cell of 140,000 characters",
        rows(f"bad,sad,good.wav,{LONG_CELL}"),
        "reject: cell too long",
    ),
    Case("an id of 140,000 characters", rows(f"{LONG_CELL},sad,good.wav,no"), "used"),
    Case(
        "a path of 300 characters", rows(f"bad,sad,{'a' * 300}.wav,no"), "reject: audio unreadable"
    ),
    Case(
        "a path of 5000 characters",
        rows(f"bad,sad,{'a/' * 2500}b.wav,no"),
        "reject: audio unreadable",
    ),
    Case("a path with a null character", rows("bad,sad,a\0.wav,no"), "reject: unparsable path"),
    Case(
        "a path from the root",
        rows("bad,sad,/etc/passwd,no"),
        "reject: path leaves the corpus folder",
    ),
    Case(
        "a path with ..", rows("bad,sad,../secret.wav,no"), "reject: path leaves the corpus folder"
    ),
    Case("a path to a folder", rows("bad,sad,.,no"), "reject: audio not found"),
    Case("a path with ~", rows("bad,sad,~/a.wav,no"), "reject: audio not found"),
    Case("a path in backslashes", rows("bad,sad,wav\\good.wav,no"), "reject: audio not found"),
    Case("a start of 1e308", times("1e308", ""), "reject: segment outside the recording"),
    Case("an end of 1e308", times("0", "1e308"), "reject: segment outside the recording"),
    Case("a start of 1e999", times("1e999", ""), "reject: not a number"),
    Case("a start of NaN", times("nan", "1"), "reject: not a number"),
    Case("a start of -1", times("-1", ""), "reject: impossible segment"),
    Case("an end before the start", times("0.2", "0.1"), "reject: impossible segment"),
    Case("an end at the start", times("0.1", "0.1"), "reject: impossible segment"),
    Case("times in milliseconds", times("100", "250"), "reject: segment outside the recording"),
    Case("a decimal comma", times('"0,1"', '"0,2"'), "reject: not a number"),
    Case("a language without spaces", column("language", "ja"), "reject: unsupported language"),
    Case(
        "a language that is a sentence",
        column("language", "no rain today"),
        "reject: unsupported language",
    ),
    Case("an unknown subset", column("subset", "tset"), "reject: unknown subset"),
    Case("a rating in words", column("rating_valence", "high"), "reject: not a number"),
    Case(
        "GBK",
        content(f"{HEADER}\nbad,sad,good.wav,今天下雨\n".encode("gbk")),
        "set reader.encoding",
    ),
    Case(
        "cp1252", content(f"{HEADER}\nbad,sad,good.wav,café\n".encode("cp1252")), "set reader.enc"
    ),
    circle,
    own_link,
    leading_out,
    folder,
    numbers,
    nested,
    raw,
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_bad_manifest(case: Case, user: Did, settle: Callable[[Case, str], None]) -> None:
    root = user.folder / "mine"
    recordings.write(root / "good.wav")
    recordings.write(user.folder / "secret.wav")
    case.make(root)
    reader = {"file": "manifest.parquet"} if (root / "manifest.parquet").is_file() else {}
    settle(case, user.prepares({"root": str(root), "reader": reader}, used))


def used(place: Path) -> str:
    found = tables.read_utterances(place / folders.UTTERANCES)
    rejected = tables.read_rejections(place / folders.REJECTS)
    rows = [f"{item.utterance_id[:20]} ({' '.join(item.words)})" for item in found]
    rows += [f"{item.utterance_id[:20]} rejected ({item.reason})" for item in rejected]
    return ", ".join(rows)
