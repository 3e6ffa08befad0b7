"""MFCCs against librosa, which `backend: package` runs."""

import dataclasses

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.acoustic import mfcc


def voice(rate: int, seconds: float) -> np.ndarray:
    generator = np.random.default_rng(1)
    time = np.arange(int(rate * seconds)) / rate
    loudness = np.abs(np.sin(2 * np.pi * 1.3 * time)) ** 4
    tones = sum(np.sin(2 * np.pi * 170 * k * time) / k for k in range(1, 15))
    return (0.2 * loudness * tones + 1e-4 * generator.standard_normal(len(time))).astype(np.float32)


@pytest.mark.parametrize("seconds", [1.1, 0.13])
@pytest.mark.parametrize(
    ("rate", "config"),
    [
        (16000, mfcc.Config()),
        (16000, mfcc.Config(num_coefficients=13, window="hann", deltas=2)),
        (16000, mfcc.Config(frame_shift=0.03, top_decibels=None, deltas=1)),
        (16000, mfcc.Config(frame_length=0.128, frame_shift=0.032, num_mel_bins=128)),
        (8000, mfcc.Config(sampling_rate=8000, num_mel_bins=26, num_coefficients=13)),
        (44100, mfcc.Config(sampling_rate=44100, num_mel_bins=64)),
        (16000, mfcc.Config(low_frequency=80.0, high_frequency=6000.0)),
    ],
)
def test_equals_librosa(rate: int, config: mfcc.Config, seconds: float) -> None:
    waveform = voice(rate, seconds)
    ours = mfcc.extract(waveform, rate, config)
    expected = mfcc.extract(waveform, rate, dataclasses.replace(config, backend="package"))
    assert ours.shape == expected.shape
    np.testing.assert_allclose(ours, expected, atol=2e-4, rtol=1e-6)


def test_the_loudest_frame_sets_the_floor() -> None:
    waveform = np.concatenate([voice(16000, 0.5), np.zeros(4000, dtype=np.float32)])
    levels = [
        mfcc.extract(waveform, 16000, mfcc.Config(top_decibels=top))[-1, 0] / np.sqrt(40)
        for top in (60.0, 80.0, None)
    ]
    assert levels[0] == pytest.approx(levels[1] + 20, abs=1e-3)
    assert levels[2] == pytest.approx(-100, abs=1e-3)


def test_short_utterances_have_deltas_too() -> None:
    config = mfcc.Config(deltas=2)
    features = mfcc.extract(voice(16000, 0.03), 16000, config)
    assert features.shape == (4, 60)
    assert np.isfinite(features).all()
    constant = np.ones((4, 2))
    np.testing.assert_allclose(mfcc.savitzky_golay(constant, 1), 0, atol=1e-15)


def test_names_and_impossible_numbers() -> None:
    names = mfcc.feature_names(mfcc.Config(num_coefficients=13, deltas=1))
    assert (len(names), names[0], names[13]) == (26, "mfcc_1", "delta mfcc_1")
    with pytest.raises(
        ValidationError, match="num_coefficients = 50, expected at most num_mel_bins = 40"
    ):
        mfcc.Config(num_coefficients=50)
