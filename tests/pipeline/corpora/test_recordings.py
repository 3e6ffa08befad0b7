import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from pipeline import lookup, tables, tokens
from pipeline.corpora import _preparation as preparation
from pipeline.corpora import _recordings as recordings
from pipeline.schema import Utterance

WORDS = tokens.Config()
LONG_AGO = 1_600_000_000 * 10**9


def record(path: Path, seed: int = 0, changed: int = LONG_AGO) -> None:
    noise = np.random.default_rng(seed).uniform(-0.5, 0.5, 8000)
    soundfile.write(path, noise, 8000, subtype="PCM_16")
    os.utime(path, ns=(changed, changed))


def said(path: Path, start: float | None = None, end: float | None = None) -> Utterance:
    name = f"{path.stem} {start}"
    return Utterance(name, "made", "sad", audio_path=path.as_posix(), start=start, end=end)


def prepared(
    memory: Path, utterances: Sequence[Utterance], config: tokens.Config = WORDS
) -> tuple[list[Utterance], list[str]]:
    """What prepare makes of utterances, and which recordings it did not decode."""
    former, read = recordings.recall(memory, config), recordings.Read()
    known, states = former.known(read.taken), former.look_at(utterances)
    made = preparation.prepare_all(utterances, "made", config, known)
    used = [item for item in made if isinstance(item, Utterance)]
    rows = preparation.together(former, read, used)
    recordings.remember(memory, rows, states, config, read.read_by)
    recordings_known = [item for item in utterances if item.audio_path and item in known]
    return used, [item.utterance_id for item in recordings_known]


@pytest.fixture
def corpus(tmp_path: Path) -> list[Utterance]:
    for seed, name in enumerate("abc"):
        record(tmp_path / f"{name}.wav", seed)
    whole = [said(tmp_path / f"{name}.wav") for name in "abc"]
    return [*whole, said(tmp_path / "a.wav", 0.1, 0.4), Utterance("text", "made", "sad")]


def test_unchanged_recordings_are_not_decoded_again(
    tmp_path: Path, corpus: list[Utterance]
) -> None:
    memory = tmp_path / "memory" / "made.parquet"
    first, taken = prepared(memory, corpus)
    assert taken == [] and len(first) == 4 and all(item.duration for item in first)
    again, taken = prepared(memory, corpus)
    assert again == first and taken == ["a None", "b None", "c None", "a 0.1"]
    codes = [item.fingerprint for item in first]
    assert [item.fingerprint for item in again] == codes and len(set(codes)) == 4
    record(tmp_path / "d.wav", 3)
    grown = [*corpus, said(tmp_path / "d.wav"), said(tmp_path / "a.wav", 0.1, 0.5)]
    more, taken = prepared(memory, grown)
    assert more[:4] == first and taken == ["a None", "b None", "c None", "a 0.1"]
    assert len({item.audio_sha256 for item in more}) == 6


@pytest.mark.parametrize("kept", ["size and time", "time", "size"])
def test_a_changed_recording_is_decoded_again(
    tmp_path: Path, corpus: list[Utterance], kept: str
) -> None:
    memory = tmp_path / "made.parquet"
    first, _ = prepared(memory, corpus)
    path = tmp_path / "b.wav"
    changed = LONG_AGO if "time" in kept else LONG_AGO + 1
    # Another file in its place, as a copy that keeps times makes it.
    record(tmp_path / "new.wav", 7, changed)
    if kept == "time":
        soundfile.write(tmp_path / "new.wav", np.full(4000, 0.25), 8000)
        os.utime(tmp_path / "new.wav", ns=(changed, changed))
    (tmp_path / "new.wav").replace(path)
    after, taken = prepared(memory, corpus)
    assert taken == ["a None", "c None", "a 0.1"]
    assert after[1].audio_sha256 != first[1].audio_sha256
    assert [after[0], *after[2:]] == [first[0], *first[2:]]


def test_a_recording_that_changed_just_now_is_not_remembered(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.full(4000, 0.25), 8000)
    for _ in range(2):
        _, taken = prepared(tmp_path / "made.parquet", [said(tmp_path / "a.wav")])
        assert taken == []


def cut(memory: Path) -> None:
    memory.write_bytes(memory.read_bytes()[:-20])


def flip_a_bit(memory: Path) -> None:
    content = bytearray(memory.read_bytes())
    content[len(content) // 3] ^= 4
    memory.write_bytes(content)


def test_nothing_is_taken_over_from_other_code_or_a_damaged_memory(
    tmp_path: Path,
    corpus: list[Utterance],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    memory = tmp_path / "made.parquet"
    first, _ = prepared(memory, corpus)
    for damage in (cut, flip_a_bit):
        damage(memory)
        caplog.clear()
        assert prepared(memory, corpus) == (first, [])
        (line,) = caplog.messages
        assert line.startswith(f"{memory} is damaged (") and "decoded again" in line
    caplog.clear()
    with monkeypatch.context() as patch:
        patch.setattr(lookup, "fingerprint", lambda *_: "other")
        assert prepared(memory, corpus) == (first, [])
    assert prepared(memory, corpus) == (first, [])
    with monkeypatch.context() as patch:
        patch.setattr(lookup, "environment", lambda: {"soundfile": "0.0.1"})
        assert prepared(memory, corpus) == (first, [])
    assert not caplog.messages, "it is whole"


def test_the_memory_of_another_version_is_not_damaged(
    tmp_path: Path,
    corpus: list[Utterance],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    memory = tmp_path / "made.parquet"
    first, _ = prepared(memory, corpus)
    with monkeypatch.context() as patch:
        whole = tables.utterance_table([]).append_column("new", pa.array([], pa.string()))
        patch.setattr(tables, "utterance_table", lambda _: whole)
        assert not recordings.recall(memory, WORDS).known([]).decoded
    pq.write_table(pa.table({"audio_path": ["a"]}), memory)
    assert prepared(memory, corpus) == (first, []) and not caplog.messages


def test_a_recording_that_went_missing_is_rejected(tmp_path: Path, corpus: list[Utterance]) -> None:
    memory = tmp_path / "made.parquet"
    prepared(memory, corpus)
    (tmp_path / "c.wav").unlink()
    used, taken = prepared(memory, corpus)
    assert taken == ["a None", "b None", "a 0.1"]
    assert [item.utterance_id for item in used] == taken


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The transcripts that the tokeniser was asked for."""
    own, found = tokens.words, list[str]()

    def noted(text: str, *given: object) -> tuple[str, ...]:
        found.append(text)
        return own(text, *given)

    monkeypatch.setattr(tokens, "words", noted)
    return found


def test_a_transcript_is_cut_once_until_it_or_the_rules_change(
    tmp_path: Path, asked: list[str]
) -> None:
    memory, unwanted = tmp_path / "made.parquet", tmp_path / "stop.txt"
    record(tmp_path / "a.wav")
    heard = dataclasses.replace(said(tmp_path / "a.wav"), transcript=" It's 21, isn't it? ")
    text = Utterance("t", "made", "sad", transcript="你今天怎么来了", language="zh")
    first, _ = prepared(memory, [heard, text])
    assert first[0].words == ("it's", "twenty", "one", "isn't", "it")
    assert asked == ["It's 21, isn't it?", "你今天怎么来了"]
    again, _ = prepared(memory, [heard, text])
    assert again == first and len(asked) == 2
    other = [dataclasses.replace(heard, transcript="No"), dataclasses.replace(text, language="de")]
    prepared(memory, other)
    assert asked[2:] == ["No", "你今天怎么来了"]
    asked.clear()
    unwanted.write_text("no\n", encoding="utf-8")
    rules = tokens.Config(stop_words=unwanted)
    for _ in range(2):
        made, _ = prepared(memory, other, rules)
        assert made[0].words == () and len(asked) == 2
    unwanted.write_text("yes\n", encoding="utf-8")
    os.utime(unwanted, ns=(LONG_AGO, LONG_AGO))
    made, _ = prepared(memory, other, rules)
    assert made[0].words == ("no",) and len(asked) == 4


def test_a_recording_without_a_state_is_no_text(tmp_path: Path) -> None:
    memory = tmp_path / "made.parquet"
    text = Utterance("t", "made", "sad", transcript="no")
    prepared(memory, [text])
    known = recordings.recall(memory, WORDS).known([])
    assert text in known
    assert dataclasses.replace(text, audio_path=str(tmp_path / "new.wav")) not in known
    assert dataclasses.replace(text, transcript="") in known, "there is nothing to work out"
