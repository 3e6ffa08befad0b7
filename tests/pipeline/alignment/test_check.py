import numpy as np
import pytest

from pipeline.alignment import _check as alignment_check
from pipeline.alignment import _voice as voice
from pipeline.schema import WordSpan

CONFIG = alignment_check.Config()


def clip(*voiced, duration=6.0, noise=1e-4, seed=0):
    """16 kHz noise, loud in the given (start, end) seconds."""
    rng = np.random.default_rng(seed)
    waveform = noise * rng.standard_normal(int(duration * 16000))
    for start, end in voiced:
        first, last = int(start * 16000), int(end * 16000)
        waveform[first:last] += 0.1 * rng.standard_normal(last - first)
    return waveform.astype(np.float32)


def spans(*times, words=None):
    words = words or ["word"] * len(times)
    return [
        WordSpan("u", i, w, a, b, None, "x")
        for i, (w, (a, b)) in enumerate(zip(words, times, strict=True))
    ]


def check(found, waveform):
    return alignment_check.check(found, voice.find(waveform, 16000), CONFIG)


def test_true_spans_pass():
    assert check(spans((2.0, 2.4), (2.4, 2.8), (2.9, 3.2)), clip((2.0, 3.2))) == []


@pytest.mark.parametrize(
    ("times", "reason"),
    [
        ([(1.0, 2.4), (2.4, 3.2)], "first word starts 1.00 s before the voice"),
        ([(3.5, 4.0), (4.0, 5.0)], "first word starts 1.50 s after the voice"),
        ([(2.0, 3.0), (3.0, 5.6)], "last word ends 0.60 s after the voice"),
        ([(2.0, 2.4), (2.4, 2.8)], "last word ends 2.20 s before the voice"),
        ([(2.0, 2.4), (5.1, 5.2)], "1 of 2 words over silence"),
        ([(2.0, 2.4), (2.4, 5.0)], "lasts 2.600 s"),
        ([(2.0, 2.005), (2.4, 5.0)], "lasts 0.005 s"),
    ],
)
def test_each_way_of_being_wrong_is_named(times, reason):
    found = check(spans(*times), clip((2.0, 5.0)))
    assert any(reason in item for item in found), found


def test_a_long_word_in_no_time_is_named():
    found = check(spans((2.0, 2.05), words=["incomprehensible"]), clip((2.0, 3.0)))
    assert any("16 letters in 0.050 s" in item for item in found)


def test_a_whole_corpus_shifted_by_a_second_fails_the_summary():
    """The case of a trained aligner that ended well and put every first word a second
    before the voice.
    """
    distances, failed = [], 0
    for seed in range(20):
        waveform = clip((1.5, 3.5), seed=seed)
        early = spans((0.5, 1.0), (1.0, 1.8), (1.8, 3.45))
        distances.append(alignment_check.edges(early, voice.find(waveform, 16000)))
        failed += bool(check(early, waveform))
    summary = alignment_check.summary(distances, failed, 20)
    assert summary["share_failed"] == 1.0
    assert summary["first_start_bias_s"] == pytest.approx(-1.0, abs=0.03)
    assert summary["first_start_within_100ms"] == 0.0
    assert summary["last_end_within_100ms"] == 1.0


def test_word_start_errors_count_the_words_that_both_have():
    truth = {"u": spans((0.0, 0.1), (0.2, 0.3), (0.5, 0.6)), "other": spans((0.0, 1.0))}
    found = {"u": spans((0.01, 0.1), (0.25, 0.3), (0.4, 0.6)), "unknown": spans((0.0, 1.0))}
    errors = alignment_check.word_start_errors(found, truth)
    assert errors["n"] == 3
    assert errors["median_ms"] == pytest.approx(50)
    assert errors["bias_ms"] == pytest.approx((10 + 50 - 100) / 3, abs=1e-3)
    assert errors["within_50ms"] == pytest.approx(2 / 3, abs=1e-6)
    assert alignment_check.word_start_errors({}, truth) == {"n": 0}
