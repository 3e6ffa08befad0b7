"""Synthetic speech: the same samples whatever was spoken before, and word times that
the waveform bears out.
"""

import hashlib
import re
import subprocess
import sys

import numpy as np
import pytest

from pipeline.demo.synthesis import Manner, Speech, SynthesisError, speak

SENTENCE = "Please sign this report, Anna called me before lunch."


def units(text: str) -> list[tuple[int, int]]:
    return [match.span() for match in re.finditer(r"[A-Za-z']+", text)]


def say(text: str = SENTENCE, manner: Manner | None = None, **options: float) -> Speech:
    return speak(text, units(text), manner or Manner("en-us+f1"), sampling_rate=16000, **options)


def test_speech_does_not_depend_on_what_was_spoken_before() -> None:
    first = say()
    say(
        "Something else",
        Manner("en-us+m3", pitch=90, pitch_range=90, words_per_minute=240, level=-15),
    )
    second = say()
    assert np.array_equal(first.waveform, second.waveform)
    assert first.times == second.times


def test_another_process_speaks_the_same_samples() -> None:
    program = (
        "import hashlib, re, sys; from pipeline.demo.synthesis import Manner, speak\n"
        'text = sys.argv[1]; units = [m.span() for m in re.finditer(r"[A-Za-z\']+", text)]\n'
        "speech = speak(text, units, Manner('en-us+f1'), sampling_rate=16000)\n"
        "print(hashlib.sha256(speech.waveform.tobytes()).hexdigest())"
    )
    found = subprocess.run(
        [sys.executable, "-c", program, SENTENCE], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == hashlib.sha256(say().waveform.tobytes()).hexdigest()


def test_word_times_ascend_within_the_recording() -> None:
    speech = say()
    flat = [time for span in speech.times for time in span]
    assert flat == sorted(flat)
    assert all(end - start > 0.03 for start, end in speech.times)
    assert flat[0] >= 0 and flat[-1] <= len(speech.waveform) / speech.sampling_rate


@pytest.mark.parametrize("before", [0.0, 0.4])
def test_energy_begins_and_ends_with_the_true_words(before: float) -> None:
    # A vowel first and last: a stop would begin with the silence of its closure.
    speech = say("Anna saw my car", padding=(before, 0.3))
    width = speech.sampling_rate // 200
    blocks = speech.waveform[: len(speech.waveform) // width * width].reshape(-1, width)
    loud = np.flatnonzero(10 * np.log10(np.square(blocks).mean(axis=1)) > -55) / 200
    assert loud[0] == pytest.approx(speech.times[0][0], abs=0.015)
    assert loud[-1] == pytest.approx(speech.times[-1][1], abs=0.03)


def test_a_pause_belongs_to_no_word() -> None:
    speech = say()
    (_, report_end), (anna_start, _) = speech.times[3:5]
    middle = round((report_end + anna_start) / 2 * speech.sampling_rate)
    assert anna_start - report_end > 0.1
    assert np.abs(speech.waveform[middle - 160 : middle + 160]).max() < 0.01


def test_manner_shapes_level_and_duration() -> None:
    slow = say(manner=Manner("en-us+f1", words_per_minute=120, level=-30))
    fast = say(manner=Manner("en-us+f1", words_per_minute=220, level=-20))
    assert len(slow.waveform) > 1.3 * len(fast.waveform)

    def level(speech: Speech) -> float:
        first, last = (
            round(time * speech.sampling_rate) for time in (speech.times[0][0], speech.times[-1][1])
        )
        return float(10 * np.log10(np.mean(np.square(speech.waveform[first:last]))))

    assert level(fast) - level(slow) == pytest.approx(10, abs=1.0)


def test_silence_is_not_digital_zero() -> None:
    speech = say(padding=(0.3, 0.3))
    assert np.abs(speech.waveform[:1600]).max() > 0


def test_words_that_run_together_are_an_error() -> None:
    with pytest.raises(
        SynthesisError,
        match=r"expected one at the start of each of \['One', 'of', 'the', 'people'\]",
    ):
        say("One of the people")


@pytest.mark.parametrize(
    ("voice", "message"),
    [("no-such-language", "has no voice"), ("en-us+nobody", "has no variant 'nobody'")],
)
def test_unknown_voices_are_errors(voice: str, message: str) -> None:
    with pytest.raises(SynthesisError, match=message):
        say(manner=Manner(voice))
