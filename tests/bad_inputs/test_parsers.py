"""Any bytes give a value or one of the project's own errors, in every parser of files
from elsewhere. SERFLOW_EXAMPLES=2000 tries more of them.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import params as parameters
from pipeline.alignment import given as given_times
from pipeline.corpora import iemocap, manifest
from pipeline.lookup import ConfigurationError
from pipeline.schema import AlignmentError, Rejection, Utterance
from pipeline.splits import fold_file
from pipeline.text import fasttext, glove, word2vec
from tests.bad_inputs.test_alignments import CSV, WORDS, grid
from tests.bad_inputs.test_embeddings import GOOD, binary
from tests.bad_inputs.test_embeddings import fasttext as fasttext_model
from tests.resources.params_document import DOCUMENT

EXAMPLES = int(os.environ.get("SERFLOW_EXAMPLES", "60"))
# What breaks a parser more often than chance does.
ODD = (
    b"\0",
    b"\xff",
    b'"',
    b'""',
    b"\n",
    b"\r",
    b",",
    b"\t",
    b"[",
    b"{",
    b"]",
    b"}",
    b":",
    b"-",
    b"nan",
    b"inf",
    b"1e400",
    b"-1",
    b"9" * 30,
    b"null",
    b"true",
    b"\xc2\xb2",
    b"\xef\xbb\xbf",
    b"&a [*a]",
    b"!!python/name:os.system ",
    b"2026-99-99",
    b"0b_",
    b"<<: 5",
    b"...",
    b"?",
)


@st.composite
def damaged(draw: st.DrawFn, right: Sequence[bytes]) -> bytes:
    """One of the right files with up to five places cut out, doubled or overwritten, or
    no such file at all.
    """
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=300))
    data = bytearray(draw(st.sampled_from(right)))
    for _ in range(draw(st.integers(1, 5))):
        first = draw(st.integers(0, len(data)))
        past = min(len(data), first + draw(st.integers(0, 8)))
        new = draw(
            st.sampled_from(ODD) | st.binary(max_size=4) | st.just(bytes(data[first:past]) * 3)
        )
        data[first:past] = new
    return bytes(data)


def on(*right: str | bytes) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Runs a test on damaged forms of right files; the same ones every time."""
    files = [item if isinstance(item, bytes) else item.encode() for item in right]
    rules = settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=20_000,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    return lambda test: rules(given(data=damaged(files))(test))


def place(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    spoken = Utterance(
        "bad", "mine", "sad", words=("no", "rain"), duration=0.5, alignment_path=str(path)
    )
    ((_, answer),) = given_times.align([spoken], given_times.Config())
    if isinstance(answer, AlignmentError):
        assert answer.reason and "\n" not in answer.reason
    else:
        assert [span.word for span in answer] == ["no", "rain"]
        assert all(0 <= span.start < span.end <= 0.5 for span in answer)


@on(grid(WORDS), grid(WORDS, tier="a - words"), grid(WORDS).encode("utf-16"))
def test_textgrid(tmp_path: Path, data: bytes) -> None:
    place(tmp_path / "bad.TextGrid", data)


@on("bad 1 0 0.25 no 0.9\nbad 1 0.25 0.25 rain NA\n", ";; comment\nbad 1 0 0.5 no\n")
def test_ctm(tmp_path: Path, data: bytes) -> None:
    place(tmp_path / "bad.ctm", data)


@on("SFrm EFrm SegAScr Word\n0 24 -1 NO\n25 49 -1 RAIN(2)\nTotal score: 5\n")
def test_wdseg(tmp_path: Path, data: bytes) -> None:
    place(tmp_path / "bad.wdseg", data)


@on('{"tiers": {"words": {"entries": [[0.0, 0.25, "no"], [0.25, 0.5, "rain"]]}}}')
def test_json(tmp_path: Path, data: bytes) -> None:
    place(tmp_path / "bad.json", data)


@on(f"{CSV}bad,0,no,0,0.25\nbad,1,rain,0.25,0.5\n", "Begin,End,Label,Type\n0,0.5,no,words\n")
def test_csv(tmp_path: Path, data: bytes) -> None:
    place(tmp_path / "bad.csv", data)


EVALUATION = "% notes\n[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 2.5000, 2.5000]\n"
EVALUATION += "Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me.\n"
EVALUATION += "C-E2:\tNeutral;\t()\nA-E3:\tval 3; act 2; dom  2;\t()\n"


@on(EVALUATION)
def test_emo_evaluation(tmp_path: Path, data: bytes) -> None:
    dialog = tmp_path / "Session1" / "dialog"
    for folder in (dialog / "EmoEvaluation", dialog / "transcriptions"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "Ses01F_impro01.txt").write_bytes(data)
    (tmp_path / "Session1" / "sentences" / "wav").mkdir(parents=True, exist_ok=True)
    read_all(lambda: iemocap.read(tmp_path, iemocap.Config()))


@on(
    'utterance_id,emotion,transcript,start,end\na,sad,no rain,0,1\nb,angry,"no, no",,\n',
    "utterance_id,emotion,audio_path,rating_valence,votes\na,sad,a.wav,1.5,sad;angry\n",
)
def test_manifest(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "manifest.csv").write_bytes(data)
    read_all(lambda: manifest.read(tmp_path, manifest.Config()))


def read_all(read: Callable[[], object]) -> None:
    try:
        for item in read():  # type: ignore[attr-defined]
            assert isinstance(item, Utterance | Rejection) and item.utterance_id
    except ConfigurationError as error:
        assert "\n" not in str(error)


@on("utterance_id,fold\na,0\nb,1\n", "utterance_id,fold,subset\na,0,train\nb,0,test\n")
def test_fold_list_csv(tmp_path: Path, data: bytes) -> None:
    fold_list(tmp_path / "folds.csv", data)


@on('{"a": 0, "b": 1}', '[{"train": ["a"], "valid": [], "test": ["b"]}]')
def test_fold_list_json(tmp_path: Path, data: bytes) -> None:
    fold_list(tmp_path / "folds.json", data)


def fold_list(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    try:
        entries = fold_file._read(path)
    except ConfigurationError as error:
        assert "\n" not in str(error)
    else:
        assert entries and all(isinstance(name, str) for _, _, name in entries)


@on(GOOD, f"4 2\n{GOOD}")
def test_glove(tmp_path: Path, data: bytes) -> None:
    looked_up(glove, tmp_path / "vectors", data)


@on(binary())
def test_word2vec(tmp_path: Path, data: bytes) -> None:
    looked_up(word2vec, tmp_path / "vectors", data)


@on(fasttext_model())
def test_fasttext(tmp_path: Path, data: bytes) -> None:
    looked_up(fasttext, tmp_path / "vectors", data)


def looked_up(module: object, path: Path, data: bytes) -> None:
    path.write_bytes(data)
    try:
        table, known = module.look_up(["no", "rain", "snow"], module.Config(path=path))  # type: ignore[attr-defined]
    except ConfigurationError as error:
        assert "\n" not in str(error)
    else:
        assert table.shape[0] == len(known) == 3 and np.isfinite(table).all()


@on(yaml.safe_dump(DOCUMENT))
def test_params(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(data)
    try:
        assert parameters.load(path).document
    except ConfigurationError as error:
        assert "\n" not in str(error)


def test_the_damage_reaches_every_parser() -> None:
    """A strategy that only made what no parser knows would prove nothing."""
    with pytest.raises(AssertionError):

        @on("no rain")
        def never_changed(data: bytes) -> None:
            assert b"no rain" in data

        never_changed()
