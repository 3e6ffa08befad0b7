from dataclasses import replace

import numpy as np
import pytest
import soundfile

from pipeline.alignment import _voice as voice
from pipeline.audio import AudioError
from pipeline.schema import Utterance
from tests.resources import recordings


@pytest.mark.parametrize("sampling_rate", [8000, 16000, 44100])
@pytest.mark.parametrize("gain", [0.01, 1.0])
def test_the_voice_is_found_at_any_rate_and_loudness(sampling_rate, gain):
    rng = np.random.default_rng(1)
    waveform = 1e-3 * rng.standard_normal(3 * sampling_rate)
    waveform[sampling_rate : 2 * sampling_rate] += 0.1 * rng.standard_normal(sampling_rate)
    heard = voice.find((gain * waveform).astype(np.float32), sampling_rate)
    assert (heard.start, heard.end) == pytest.approx((1.0, 2.0), abs=0.03)


def test_a_click_is_no_voice():
    waveform = 1e-4 * np.random.default_rng(0).standard_normal(96000).astype(np.float32)
    waveform[32000:48000] *= 1000
    waveform[8000:8080] = 0.9
    assert voice.find(waveform, 16000).start == pytest.approx(2.0, abs=0.03)


def test_steady_noise_and_a_very_short_clip_are_all_voice():
    noise = (0.1 * np.random.default_rng(0).standard_normal(16000)).astype(np.float32)
    heard = voice.find(noise, 16000)
    assert (heard.start, heard.end) == (0.0, 1.0)
    assert voice.find(noise[:100], 16000).end == pytest.approx(100 / 16000)


def test_a_changed_file_and_another_part_of_it_are_heard_anew(tmp_path):
    path = recordings.write(tmp_path / "a.wav", seconds=1.0, seed=1)
    whole = Utterance("u", "c", "e", str(path))
    assert voice.of(whole).duration == 1.0
    assert voice.of(replace(whole, start=0.25, end=0.75)).duration == 0.5
    recordings.write(path, seconds=0.5, seed=1)
    assert voice.of(whole).duration == 0.5
    assert len(voice.load(whole, 8000)) == 4000
    path.unlink()
    with pytest.raises(AudioError, match="audio not found"):
        voice.of(whole)
    with pytest.raises(AudioError, match="no audio"):
        voice.load(replace(whole, audio_path=None))


def test_the_duration_that_prepare_measured_needs_no_recording(tmp_path):
    known = Utterance("u", "c", "e", str(tmp_path / "none.wav"), duration=1.25)
    assert voice.duration(known) == 1.25
    path = tmp_path / "a.wav"
    soundfile.write(path, 0.1 * np.random.default_rng(0).standard_normal(4410), 44100)
    assert voice.duration(Utterance("u", "c", "e", str(path))) == pytest.approx(0.1)
