"""Short-time spectra against librosa's transform without centring."""

import librosa
import numpy as np
import pytest
from scipy.signal import get_window

from pipeline.acoustic import spectrogram


@pytest.mark.parametrize("window", ["hamming", "hann"])
def test_equals_librosa_without_centring(window: str) -> None:
    waveform = (0.1 * np.random.default_rng(0).standard_normal(9000)).astype(np.float32)
    # librosa puts the 400 samples of the window into the middle of 512: 56 zeros before
    # make frames begin at 0.
    padded = np.pad(waveform.astype(np.float64), (56, 56))
    spectrum = librosa.stft(
        padded,
        n_fft=512,
        win_length=400,
        hop_length=160,
        window=get_window(window, 400, fftbins=False),
        center=False,
    )
    for scale, expected in (
        ("magnitude", np.abs(spectrum)),
        ("power", np.abs(spectrum) ** 2),
        ("log", np.log(np.abs(spectrum) ** 2)),
    ):
        ours = spectrogram.extract(waveform, 16000, spectrogram.Config(window=window, scale=scale))  # type: ignore[arg-type]
        assert ours.shape == (54, 257)
        np.testing.assert_allclose(ours, expected.T, rtol=2e-6, atol=1e-6)


def test_a_tone_lies_in_the_bin_that_carries_its_name() -> None:
    waveform = np.sin(2 * np.pi * 1000 * np.arange(4000) / 16000).astype(np.float32)
    config = spectrogram.Config(scale="magnitude")
    peak = spectrogram.extract(waveform, 16000, config).mean(axis=0).argmax()
    assert spectrogram.feature_names(config)[peak] == "1000 Hz"


def test_silence_is_the_floor() -> None:
    features = spectrogram.extract(np.zeros(400, dtype=np.float32), 16000, spectrogram.Config())
    np.testing.assert_array_equal(features, np.float32(np.log(1e-10)))
