"""Log mel energies against kaldi-native-fbank and librosa, which share no code with
ours.
"""

import kaldi_native_fbank
import librosa
import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.acoustic import fbank
from pipeline.audio import AudioError


def speech_like(rate: int, seconds: float = 1.3) -> np.ndarray:
    """A voice-like sum of harmonics in noise, loud and quiet by turns, (num_samples,)
    float32.
    """
    generator = np.random.default_rng(rate)
    time = np.arange(int(rate * seconds)) / rate
    voice = sum(np.sin(2 * np.pi * 140 * k * time) / k for k in range(1, 20))
    loudness = 0.3 * np.abs(np.sin(2 * np.pi * 2.5 * time)) + 0.001
    return (loudness * (voice / 3 + 0.1 * generator.standard_normal(len(time)))).astype(np.float32)


def kaldi(
    waveform: np.ndarray, rate: int, window: str, num_mel_bins: int, scale: float = 32768
) -> np.ndarray:
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.samp_freq = rate
    options.frame_opts.dither = 0
    options.frame_opts.window_type = window
    options.mel_opts.num_bins = num_mel_bins
    computer = kaldi_native_fbank.OnlineFbank(options)
    computer.accept_waveform(rate, waveform * scale)
    computer.input_finished()
    return np.stack([computer.get_frame(i) for i in range(computer.num_frames_ready)])


# kaldi-native-fbank calls Kaldi's symmetric Hann window "hanning"; its "hann" is a
# periodic one.
@pytest.mark.parametrize(
    ("window", "name"),
    [
        ("hamming", "hamming"),
        ("povey", "povey"),
        ("hann", "hanning"),
        ("rectangular", "rectangular"),
    ],
)
@pytest.mark.parametrize(("rate", "num_mel_bins"), [(16000, 40), (8000, 23), (44100, 80)])
def test_kaldi_convention_equals_kaldi_native_fbank(
    window: str, name: str, rate: int, num_mel_bins: int
) -> None:
    waveform = speech_like(rate)
    ours = fbank.extract(
        waveform, rate, fbank.Config(sampling_rate=rate, window=window, num_mel_bins=num_mel_bins)
    )
    reference = kaldi(waveform, rate, name, num_mel_bins)
    assert ours.shape == reference.shape
    np.testing.assert_allclose(ours, reference, atol=1e-3, rtol=0)
    assert np.median(np.abs(ours - reference)) < 1e-5


def test_samples_may_stay_between_minus_one_and_one() -> None:
    """As torchaudio's fbank of a loaded file: the floor of the logarithm is near."""
    waveform = speech_like(16000) * np.float32(0.001)
    config = fbank.Config(window="povey", num_mel_bins=40, sample_scale=1)
    reference = kaldi(waveform, 16000, "povey", 40, scale=1)
    ours = fbank.extract(waveform, 16000, config)
    assert (reference == reference.min()).mean() > 0.01
    np.testing.assert_allclose(ours, reference, atol=1e-3, rtol=0)


@pytest.mark.parametrize(("rate", "num_mel_bins"), [(16000, 40), (8000, 32), (22050, 64)])
def test_librosa_convention_equals_librosa(rate: int, num_mel_bins: int) -> None:
    waveform = speech_like(rate)
    length, shift = int(0.025 * rate), int(0.010 * rate)
    num_fft = 1 << (length - 1).bit_length()
    power = librosa.feature.melspectrogram(
        y=waveform.astype(np.float64),
        sr=rate,
        n_fft=num_fft,
        win_length=length,
        hop_length=shift,
        window="hamming",
        n_mels=num_mel_bins,
        dtype=np.float64,
    )
    ours = fbank.extract(
        waveform,
        rate,
        fbank.Config(sampling_rate=rate, convention="librosa", num_mel_bins=num_mel_bins),
    )
    np.testing.assert_allclose(ours, np.log(np.maximum(power, 1e-10)).T, atol=1e-5, rtol=0)


def test_silence_stays_at_the_floor() -> None:
    silent = np.zeros(1600, dtype=np.float32)
    assert np.all(
        fbank.extract(silent, 16000, fbank.Config()) == np.float32(np.log(np.finfo(np.float32).eps))
    )
    assert np.all(
        fbank.extract(silent, 16000, fbank.Config(convention="librosa"))
        == np.float32(np.log(1e-10))
    )


def test_differences_are_appended_in_order() -> None:
    waveform = speech_like(16000)
    config = fbank.Config(differences=2)
    features = fbank.extract(waveform, 16000, config)
    static = fbank.extract(waveform, 16000, fbank.Config()).astype(np.float64)
    assert features.shape[1] == 120
    np.testing.assert_array_equal(features[:, :40], static.astype(np.float32))
    t = 30
    slope = (static[t + 1] - static[t - 1] + 2 * (static[t + 2] - static[t - 2])) / 10
    np.testing.assert_allclose(features[t, 40:80], slope, atol=1e-5)
    names = fbank.feature_names(config)
    assert (names[0], names[40], names[119]) == ("mel_1", "delta mel_1", "delta delta mel_40")


def test_one_frame_is_enough_and_one_sample_less_is_not() -> None:
    assert fbank.extract(speech_like(16000)[:400], 16000, fbank.Config()).shape == (1, 40)
    with pytest.raises(
        AudioError, match=r"audio too short: 399 samples at 16000 Hz, expected at least 400"
    ):
        fbank.extract(speech_like(16000)[:399], 16000, fbank.Config())


def test_filters_without_a_bin_are_refused() -> None:
    with pytest.raises(ValueError, match="mel filters contain none of the 129 FFT bins"):
        fbank.extract(speech_like(8000), 8000, fbank.Config(sampling_rate=8000, num_mel_bins=128))
    with pytest.raises(ValueError, match="expected 0 <= low < high <= 4000"):
        fbank.extract(
            speech_like(8000), 8000, fbank.Config(sampling_rate=8000, high_frequency=7600)
        )


def test_configuration_mistakes_are_refused() -> None:
    with pytest.raises(ValidationError):
        fbank.Config(window="blackman")  # type: ignore[arg-type]
    with pytest.raises(ValidationError):
        fbank.Config(mel_bins=40)  # type: ignore[call-arg]
