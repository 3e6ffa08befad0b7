"""Who says what in the demo corpora: counts, and the two views of an emotion."""

from collections import Counter

import pytest

from pipeline.demo import CORPORA
from pipeline.demo.plan import plan
from pipeline.demo.sentences import FILLERS


@pytest.mark.parametrize("corpus", CORPORA)
def test_plan_is_a_function_of_the_seed(corpus: str) -> None:
    assert plan(corpus, 3) == plan(corpus, 3)
    assert plan(corpus, 3) != plan(corpus, 4)
    ids = [line.utterance_id for line in plan(corpus, 3)]
    assert ids == sorted(set(ids))


@pytest.mark.parametrize("corpus", CORPORA)
def test_each_view_fails_often_and_both_seldom(corpus: str) -> None:
    # Happy and excited count as one class in every experiment.
    lines = [(line.emotion.replace("excited", "happy"), line) for line in plan(corpus)]
    for emotion in {emotion for emotion, _ in lines}:
        own = [line for label, line in lines if label == emotion]
        voice = sum(line.voice_shows_emotion for line in own) / len(own)
        words = sum(line.words_show_emotion for line in own) / len(own)
        either = sum(line.voice_shows_emotion or line.words_show_emotion for line in own) / len(own)
        assert 0.5 <= voice <= 0.8
        assert 0.5 <= words <= 0.7
        assert 0.85 <= either <= 0.97


def test_sessions_are_cast_as_in_iemocap() -> None:
    lines = plan("demo")
    cast = {(line.session, line.speaker) for line in lines}
    assert len(cast) == 10
    assert Counter(session for session, _ in cast) == {
        f"Ses{number:02d}": 2 for number in range(1, 6)
    }
    assert len({line.manner.voice for line in lines}) == 10
    assert all(line.dialogue.startswith(line.session) for line in lines)


def test_scripted_sentences_recur_in_every_session() -> None:
    sessions: dict[str, set[str]] = {}
    for line in plan("demo"):
        if line.style == "scripted":
            sessions.setdefault(line.transcript, set()).add(line.session)
    assert all(len(found) == 5 for found in sessions.values())


def test_sentiment_agrees_with_its_class() -> None:
    for line in plan("demo_zh"):
        assert line.sentiment is not None
        sign = (line.sentiment > 0.1) - (line.sentiment < -0.1)
        assert line.emotion == {-1: "negative", 0: "neutral", 1: "positive"}[sign]


def test_english_texts_need_no_spelling_out() -> None:
    for line in plan("demo"):
        assert set(line.transcript) <= set(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz',. "
        )
    assert all(text == text.strip() for fillers in FILLERS.values() for text in fillers)
