"""The demo corpora: counts, the two views, and files that two runs write byte for byte
alike.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline import tokens
from pipeline.demo import corpus as demo_corpus
from pipeline.demo.sentences import FILLERS


@pytest.mark.parametrize("corpus", demo_corpus.CORPORA)
def test_plan_is_a_function_of_the_seed(corpus: str) -> None:
    assert demo_corpus.plan(corpus, 3) == demo_corpus.plan(corpus, 3)
    assert demo_corpus.plan(corpus, 3) != demo_corpus.plan(corpus, 4)
    ids = [line.utterance_id for line in demo_corpus.plan(corpus, 3)]
    assert ids == sorted(set(ids))


@pytest.mark.parametrize("corpus", demo_corpus.CORPORA)
def test_each_view_fails_often_and_both_seldom(corpus: str) -> None:
    # Happy and excited count as one class in every experiment.
    lines = [(line.emotion.replace("excited", "happy"), line) for line in demo_corpus.plan(corpus)]
    for emotion in {emotion for emotion, _ in lines}:
        own = [line for label, line in lines if label == emotion]
        voice = sum(line.voice_shows_emotion for line in own) / len(own)
        words = sum(line.words_show_emotion for line in own) / len(own)
        either = sum(line.voice_shows_emotion or line.words_show_emotion for line in own) / len(own)
        assert 0.5 <= voice <= 0.8
        assert 0.5 <= words <= 0.7
        assert 0.85 <= either <= 0.97


def test_sessions_are_cast_as_in_iemocap() -> None:
    lines = demo_corpus.plan("demo")
    cast = {(line.session, line.speaker) for line in lines}
    assert len(cast) == 10
    assert Counter(session for session, _ in cast) == {
        f"Ses{number:02d}": 2 for number in range(1, 6)
    }
    assert len({line.manner.voice for line in lines}) == 10
    assert all(line.dialogue.startswith(line.session) for line in lines)


def test_scripted_sentences_recur_in_every_session() -> None:
    sessions: dict[str, set[str]] = {}
    for line in demo_corpus.plan("demo"):
        if line.style == "scripted":
            sessions.setdefault(line.transcript, set()).add(line.session)
    assert all(len(found) == 5 for found in sessions.values())


def test_sentiment_agrees_with_its_class() -> None:
    for line in demo_corpus.plan("demo_zh"):
        assert line.sentiment is not None
        sign = (line.sentiment > 0.1) - (line.sentiment < -0.1)
        assert line.emotion == {-1: "negative", 0: "neutral", 1: "positive"}[sign]


def test_english_texts_need_no_spelling_out() -> None:
    for line in demo_corpus.plan("demo"):
        assert set(line.transcript) <= set(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz',. "
        )
    assert all(text == text.strip() for fillers in FILLERS.values() for text in fillers)


@pytest.mark.parametrize("corpus", demo_corpus.CORPORA)
def test_two_runs_write_the_same_bytes(corpus: str, tmp_path: Path) -> None:
    lines = demo_corpus.plan(corpus)[::60]
    for name in ("one", "two"):
        demo_corpus.write(corpus, lines, tmp_path / name)
    files = sorted(
        path.relative_to(tmp_path / "one")
        for path in (tmp_path / "one").rglob("*")
        if path.is_file()
    )
    assert len(files) == len(lines) + 3
    assert all(
        (tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes()
        for path in files
    )


@pytest.mark.parametrize("corpus", demo_corpus.CORPORA)
def test_every_word_of_the_transcript_has_its_time(corpus: str) -> None:
    for line in demo_corpus.plan(corpus)[::40]:
        speech, words = demo_corpus.perform(line, 16000)
        assert tuple(word for word, _, _ in words) == tokens.words(line.transcript, line.language)
        assert all(0 <= start < end <= len(speech.waveform) / 16000 for _, start, end in words)
        assert all(first[2] <= second[1] for first, second in pairwise(words))
