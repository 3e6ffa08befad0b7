"""Files of word vectors, read by the stage text for a corpus of two sentences."""

import gzip
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from pipeline import folders
from stages import prepare, text
from tests.resources.bad_input import Case, Did, case

WORDS = ("no", "rain", "today", "yes")
GOOD = "".join(f"{word} {number} 1\n" for number, word in enumerate(WORDS))


def vectors(content: str | bytes, embedding: str = "glove", **settings: Any) -> Any:
    """A file of these bytes, and the embedding that reads it."""

    def make(folder: Path) -> dict[str, Any]:
        path = folder / "vectors"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return {embedding: {"path": str(path), **settings}}

    return make


def binary(header: str = "4 2", words: tuple[str, ...] = WORDS, value: float = 1.0) -> bytes:
    """word2vec's form."""
    rows = (word.encode() + b" " + struct.pack("<2f", value, 2) for word in words)
    return f"{header}\n".encode() + b"\n".join(rows)


def fasttext(
    dimensions: int = 2,
    buckets: int = 3,
    ngrams: tuple[int, int] = (3, 6),
    version: int = 12,
    size: int = 4,
    labels: int = 0,
    quantised: bool = False,
    height: int = 7,
    width: int = 2,
    value: float = 1.0,
) -> bytes:
    """A fastText model of four words."""
    settings = [dimensions, 5, 5, 1, 5, 1, 1, 1, buckets, *ngrams, 100]
    head = struct.pack("<i13id", 793712314, version, *settings, 1e-4)
    head += struct.pack("<3i2q", size, size - labels, labels, 9, -1)
    words = b"".join(word.encode() + b"\0" + struct.pack("<qb", 3, 0) for word in WORDS)
    matrix = np.full((7, 2), value, np.float32).tobytes()
    return head + words + struct.pack("<?2q", quantised, height, width) + matrix


def model(**changes: Any) -> Any:
    return vectors(fasttext(**changes), "fasttext")


@case("no file", "vectors.txt not found, expected a GloVe")
def missing(folder: Path) -> dict[str, Any]:
    return {"glove": {"path": str(folder / "vectors.txt")}}


@case("a folder", "not found, expected a GloVe")
def is_folder(folder: Path) -> dict[str, Any]:
    return {"glove": {"path": str(folder)}}


@case("a path of 300 letters", "word vectors cannot be read")
def long_path(folder: Path) -> dict[str, Any]:
    return {"glove": {"path": str(folder / ("a" * 300))}}


NONE, UNKNOWN = "no word vectors, expected lines", "has no vector for"
CASES = [
    missing,
    is_folder,
    long_path,
    Case("text that is right", vectors(GOOD), "used"),
    Case("an empty file", vectors(""), NONE),
    Case("a line without end", vectors(b"a 1 2\n" * 9 + b"a" * 20_000_000), "a line of more than"),
    Case("a picture", vectors(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9), NONE),
    Case("zero bytes", vectors(bytes(10_000)), NONE),
    Case("words alone", vectors("no\nrain\n"), NONE),
    Case("words for numbers", vectors("no rain today\nyes no rain\n"), NONE),
    Case("JSON", vectors(json.dumps({"no": [1, 2]})), NONE),
    Case("decimal commas", vectors(GOOD.replace(" 1", " 1,5")), NONE),
    Case("no word of the corpus", vectors("ja 1 2\nnein 3 4\nregen 5 6\n"), UNKNOWN),
    Case("no word of the corpus, as wanted", vectors("ja 1 2\n" * 3, max_unknown_share=1), "used"),
    Case("one word in five", vectors("ja 1 2\nnein 3 4\ntoday 5 6\n"), UNKNOWN),
    Case("vectors of NaN", vectors(GOOD.replace(" 1", " nan")), NONE),
    Case(
        "NaN in the words of the corpus", vectors("a 1 2\n" + GOOD.replace(" 1", " nan")), UNKNOWN
    ),
    Case("infinite vectors", vectors(GOOD.replace(" 1", " inf")), NONE),
    Case("vectors of 1e39", vectors(GOOD.replace(" 1", " 1e39")), NONE),
    Case(
        "vectors of different lengths", vectors("no 1 2\nrain 1 2 3\ntoday 1 2\nyes 1 2\n"), "used"
    ),
    Case("a word twice", vectors(f"{GOOD}no 9 9\n"), "used"),
    Case("words in capitals", vectors(GOOD.upper()), "used"),
    Case("lines ended as on Windows", vectors(GOOD.replace("\n", "\r\n")), "used"),
    Case("tabs between numbers", vectors(GOOD.replace(" ", "\t")), NONE),
    Case("words in Latin-1", vectors("é 1 2\n".encode("latin-1") + GOOD.encode()), "used"),
    Case(
        "a heading that declares more",
        vectors(f"9 2\n{GOOD}".replace("yes", "ja")),
        "end after 4 words, expected 9",
    ),
    Case(
        "a heading of a billion dimensions",
        vectors(f"4 1000000000\n{GOOD}"),
        "1000000000 dimensions",
    ),
    Case("a heading of 5000 figures", vectors(f"{'9' * 5000} 2\n{GOOD}"), "used"),
    Case("a heading of no dimensions", vectors(f"4 0\n{GOOD}"), "used"),
    Case(
        "half of a gzip file",
        vectors(gzip.compress(GOOD.encode())[:-20]),
        "expected a complete gzip file",
    ),
    Case(
        "a damaged gzip file",
        vectors(gzip.compress(GOOD.encode() * 9)[:12] + bytes(40)),
        "expected a complete gzip file",
    ),
    Case("a gzip file's first bytes", vectors(b"\x1f\x8b"), "expected a complete gzip file"),
    Case("word2vec that is right", vectors(binary(), "word2vec"), "used"),
    Case("word2vec cut short", vectors(binary()[:-9], "word2vec"), "end after"),
    Case(
        "word2vec with too many words declared",
        vectors(binary("5 2", (*WORDS[:3], "ja")), "word2vec"),
        "end after 4 words, expected 5",
    ),
    Case("word2vec of NaN", vectors(binary(value=float("nan")), "word2vec"), UNKNOWN),
    Case("word2vec of no words", vectors(binary("0 2", ()), "word2vec"), UNKNOWN),
    Case("fastText that is right", model(), "used"),
    Case("fastText cut short", vectors(fasttext()[:-9], "fasttext"), "truncated fastText model"),
    Case(
        "fastText's first bytes", vectors(fasttext()[:30], "fasttext"), "truncated fastText model"
    ),
    Case("fastText of version 99", model(version=99), "fastText file version 99"),
    Case("fastText with labels", model(labels=1), "a classifier or pruned model"),
    Case("quantised fastText", model(quantised=True), "quantised fastText model"),
    Case(
        "n-grams of two billion letters", model(ngrams=(3, 2**31 - 1)), "n-grams of 3 to 2147483647"
    ),
    Case("n-grams of fewer letters than none", model(ngrams=(-5, 6)), "n-grams of -5 to 6"),
    Case("no buckets for the n-grams", model(buckets=0), "7 rows for 4 words and 0 n-grams"),
    Case("fewer buckets than n-grams", model(buckets=-3), "7 rows for 4 words and -3 n-grams"),
    Case("more rows than the file", model(height=10**12, buckets=1), "expected a row for each"),
    Case("fewer rows than words", model(height=-7), "-7 rows for 4 words"),
    Case("rows of another width", model(width=3), "truncated fastText model"),
    Case(
        "fastText of two billion dimensions", model(dimensions=2**31 - 1), "2147483647 dimensions"
    ),
    Case("fastText of two billion words", model(size=2**31 - 1), "truncated fastText model"),
    Case("fastText of NaN", model(value=float("nan")), UNKNOWN),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_bad_file_of_vectors(case: Case, user: Did, settle: Callable[[Case, str], None]) -> None:
    (user.folder / "manifest.csv").write_text(
        "utterance_id,emotion,transcript\na,sad,no rain today\nb,sad,yes no\n"
    )
    document = {"corpora": {"manifest": {"root": str(user.folder)}}, "text": case.make(user.folder)}
    params, data = user.folder / "params.yaml", user.folder / "data"
    params.write_text(yaml.safe_dump(document))
    (name,) = document["text"]
    options = ["--params", params, "--data", data]
    assert user.stage(prepare.main, "manifest", *options) is None
    line = user.stage(text.main, "manifest", name, *options)
    settle(case, line or f"used: {used(folders.text(data, 'manifest', name))}")


def used(folder: Path) -> str:
    summary = json.loads((folder / "info.json").read_text())
    table = np.load(folder / "table.npy")
    assert np.isfinite(table).all() and table.shape == (4, summary["word_dim"])
    known = summary["words"] - summary["unknown_words"]
    return f"{known} of {summary['words']} words in {summary['word_dim']} dimensions"
