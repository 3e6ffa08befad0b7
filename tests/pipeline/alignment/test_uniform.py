from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import soundfile

from pipeline.alignment import _check as alignment_check
from pipeline.alignment import uniform
from pipeline.schema import Utterance


@pytest.fixture
def bursts(tmp_path):
    """A clip with voice from 0.5 to 1.0 s and from 1.5 to 2.0 s of 2.5 s."""
    rng = np.random.default_rng(0)
    waveform = 1e-4 * rng.standard_normal(40000)
    for first, last in ((0.5, 1.0), (1.5, 2.0)):
        waveform[int(first * 16000) : int(last * 16000)] = 0.1 * rng.standard_normal(8000)
    path = tmp_path / "bursts.wav"
    soundfile.write(path, waveform, 16000)
    return Utterance("u", "c", "e", str(path), words=("abcd", "ab", "cd"), language="xx")


def place(utterance, **settings):
    return dict(uniform.align([utterance], uniform.Config(**settings)))["u"]


def test_words_fill_the_voice_and_last_by_their_letters(bursts):
    spans = place(bursts, skip_pauses=False)
    assert spans[0].start == pytest.approx(0.5, abs=0.03)
    assert spans[-1].end == pytest.approx(2.0, abs=0.03)
    durations = [span.end - span.start for span in spans]
    assert durations == pytest.approx([0.75, 0.375, 0.375], abs=0.03)
    assert all(a.end == b.start for a, b in pairwise(spans))


def test_pauses_take_no_words_share(bursts):
    spans = place(bursts)
    # Four letters to each burst: the second word begins where the first burst ends, or
    # just after.
    assert 0.95 <= spans[1].start <= 1.55
    assert spans[2].start == pytest.approx(1.75, abs=0.05)


def test_punctuation_and_symbols_still_take_a_place(bursts):
    spans = place(replace(bursts, words=("&", "我们", "x")))
    assert all(span.end > span.start for span in spans)


def test_more_words_than_the_voice_can_hold_are_refused(bursts):
    answer = place(replace(bursts, words=("a",) * 200))
    assert answer.reason == "audio too short"


def test_it_beats_chance_on_speech_and_says_that_it_is_a_guess(speech):
    utterances, truth = speech
    answers = dict(uniform.align(utterances, uniform.Config()))
    errors = alignment_check.word_start_errors(answers, truth)
    assert errors["median_ms"] < 150
    assert all(span.confidence is None for spans in answers.values() for span in spans)
