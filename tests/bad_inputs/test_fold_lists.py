"""Published fold lists, read by the stage split for a corpus of twelve utterances."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline import folders
from stages import prepare, split
from tests.resources.bad_input import Case, Did, case

IDS = [f"u{number:02d}" for number in range(12)]
FOLDS = {name: number // 4 for number, name in enumerate(IDS)}
SUBSETS = {"train": IDS[:6], "valid": IDS[6:9], "test": IDS[9:]}


def file(content: str | bytes, name: str = "folds.csv") -> Callable[[Path], str]:
    def make(folder: Path) -> str:
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return name

    return make


def rows(*lines: str, heading: str = "utterance_id,fold") -> Callable[[Path], str]:
    """A right list and these lines."""
    right = [f"{name},{fold}" for name, fold in FOLDS.items()]
    return file("\n".join([heading, *right, *lines]) + "\n")


def as_json(content: Any) -> Callable[[Path], str]:
    return file(content if isinstance(content, str) else json.dumps(content), "folds.json")


@case("a folder", "cannot be read (Is a directory)")
def folder(root: Path) -> str:
    (root / "folds.csv").mkdir()
    return "folds.csv"


EXPECTED = "expected CSV: utterance_id, fold and perhaps subset"
NO_FOLD = "no fold has training and test utterances"
CASES = [
    Case("no file", lambda folder: "nowhere.csv", "cannot be read (No such file"),
    folder,
    Case("a path of 300 letters", lambda folder: f"{'a' * 300}.csv", "fold_file aaa"),
    Case("a list that is right", rows(), "used"),
    Case("an empty file", file(""), EXPECTED),
    Case("a heading alone", file("utterance_id,fold\n"), EXPECTED),
    Case("a picture", file(b"\x89PNG\r\n\x1a\n" + bytes(99)), "is not in UTF-8"),
    Case("zero bytes", file(bytes(99)), EXPECTED),
    Case("other columns", rows(heading="name,part"), "it has no column utterance_id"),
    Case("GBK", file("utterance_id,fold\n雨,0\n".encode("gbk")), "is not in UTF-8"),
    Case("a row that ends early", rows("u00"), "line 14 lacks a fold"),
    Case("a quote that is not closed", rows('"u00,0'), "unexpected end of data"),
    Case("an utterance twice in a fold", rows("u00,0"), "used"),
    Case("an utterance in two folds", rows("u00,1"), "u00 stands twice in fold 1"),
    Case("utterances of another corpus", rows("x1,0", "x2,1"), "used"),
    Case("no utterance of this corpus", file("utterance_id,fold\nx1,0\nx2,1\n"), NO_FOLD),
    Case("one fold", file("utterance_id,fold\n" + "".join(f"{name},0\n" for name in IDS)), NO_FOLD),
    Case(
        "a fold for each line",
        file("utterance_id,fold\n" + "".join(f"x{i},{i}\n" for i in range(2000))),
        "2000 folds, expected at most 1000",
    ),
    Case("an unknown subset", rows("u00,0,trian", heading="utterance_id,fold,subset"), "subsets ["),
    Case("an empty subset", file("utterance_id,fold,subset\nu00,0,\nu01,0,test\n"), "subsets ["),
    Case(
        "half of the corpus",
        file("utterance_id,fold\n" + "".join(f"{n},{int(n[1:]) // 2}\n" for n in IDS[:6])),
        "used",
    ),
    Case("JSON of numbers that is right", as_json(FOLDS), "used"),
    Case("JSON of subsets that is right", as_json([SUBSETS]), "used"),
    Case("JSON that ends early", as_json('{"u00": '), "is no JSON"),
    Case("JSON of a word", as_json('"u00"'), "it holds str"),
    Case("JSON of a number", as_json("5"), "it holds int"),
    Case("JSON that is null", as_json("null"), "it holds NoneType"),
    Case("JSON nested 20,000 deep", as_json("[" * 20_000 + "]" * 20_000), "nested too deeply"),
    Case("an empty JSON list", as_json([]), EXPECTED),
    Case("a list of lists", as_json([IDS]), "fold 0 holds list"),
    Case("folds as halves", as_json({**FOLDS, "u00": 0.5}), "'0.5' is no number of a fold"),
    Case("folds as true", as_json({**FOLDS, "u00": True}), "'True' is no number of a fold"),
    Case("folds as words", as_json({**FOLDS, "u00": "first"}), "'first' is no number of a fold"),
    Case("ids as one text", as_json([{**SUBSETS, "test": "u09"}]), "is no list of utterance ids"),
    Case("ids as numbers", as_json([{**SUBSETS, "test": [9, 10]}]), "is no list of utterance ids"),
    Case(
        "an utterance in two subsets", as_json([{**SUBSETS, "valid": IDS[5:9]}]), "u05 stands twice"
    ),
    Case(
        "a class that no training has",
        as_json([{"train": IDS[:6:2], "test": IDS[6:]}]),
        "no train utterance of",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_bad_list_of_folds(case: Case, user: Did, settle: Callable[[Case, str], None]) -> None:
    lines = [f"{name},{('sad', 'angry')[i % 2]},no rain" for i, name in enumerate(IDS)]
    table = "\n".join(["utterance_id,emotion,transcript", *lines])
    (user.folder / "manifest.csv").write_text(f"{table}\n")
    path = user.folder / case.make(user.folder)
    labels = {"sad": "sad", "angry": "angry"}
    document = {
        "corpora": {"manifest": {"root": str(user.folder)}},
        "splits": {"fold_file": {"labels": labels, "fold_file": str(path)}},
    }
    params, data = user.folder / "params.yaml", user.folder / "data"
    params.write_text(yaml.safe_dump(document))
    options = ["--params", params, "--data", data]
    assert user.stage(prepare.main, "manifest", *options) is None
    line = user.stage(split.main, "manifest", "fold_file", *options)
    settle(case, line or f"used: {used(folders.split(data, 'manifest', 'fold_file'))}")


def used(place: Path) -> str:
    metrics = json.loads((place / folders.METRICS).read_text())
    return f"{metrics['used']} of {metrics['utterances']} utterances"
