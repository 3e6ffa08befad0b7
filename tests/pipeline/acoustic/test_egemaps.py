"""eGeMAPS: openSMILE's own numbers, and what the set says about sounds known
beforehand.
"""

import numpy as np
import opensmile
import pytest

from pipeline.acoustic import egemaps
from pipeline.audio import AudioError


def tone(hertz: float, num_samples: int = 16000, level: float = 0.3) -> np.ndarray:
    time = np.arange(num_samples) / 16000
    return (level * sum(np.sin(2 * np.pi * hertz * k * time) / k for k in range(1, 9)) / 2).astype(
        np.float32
    )


def test_functionals_are_opensmile_s() -> None:
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
    config = egemaps.Config()
    features = egemaps.extract(tone(150), 16000, config)
    assert features.shape == (1, 88)
    np.testing.assert_array_equal(
        features, smile.process_signal(tone(150), 16000).to_numpy(np.float32)
    )
    assert egemaps.feature_names(config) == list(smile.feature_names)


def test_pitch_is_heard() -> None:
    config = egemaps.Config()
    column = egemaps.feature_names(config).index("F0semitoneFrom27.5Hz_sma3nz_amean")
    for hertz in (110.0, 220.0):
        pitch = egemaps.extract(tone(hertz), 16000, config)[0, column]
        assert pitch == pytest.approx(12 * np.log2(hertz / 27.5), abs=0.3)


def test_descriptors_come_every_ten_milliseconds() -> None:
    config = egemaps.Config(level="low_level_descriptors")
    waveform = np.concatenate([np.zeros(8000, dtype=np.float32), tone(150, 8000)])
    features = egemaps.extract(waveform, 16000, config)
    assert features.shape[1] == 25 == len(egemaps.feature_names(config))
    assert 90 <= len(features) <= 100
    loudness = features[:, egemaps.feature_names(config).index("Loudness_sma3")]
    onset = egemaps.timing(config).first_center + 0.01 * int(
        (loudness > loudness.max() / 2).argmax()
    )
    assert onset == pytest.approx(0.5, abs=0.03)


def test_less_than_a_pitch_frame_is_too_short() -> None:
    assert egemaps.extract(tone(150, 960), 16000, egemaps.Config()).shape == (1, 88)
    with pytest.raises(
        AudioError, match="audio too short: 959 samples at 16000 Hz, expected at least 960"
    ):
        egemaps.extract(tone(150, 959), 16000, egemaps.Config())
