"""Short-term features against pyAudioAnalysis itself, and the corrected variant against
known frequencies.
"""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pydantic import ValidationError

from pipeline.acoustic import _short_term_kernel as short_term_kernel
from pipeline.acoustic import _short_term_tables as short_term_tables
from pipeline.acoustic import short_term
from pipeline.audio import AudioError


def signals(rate: int, seconds: float) -> dict[str, np.ndarray]:
    """Signals (num_samples,) float32 in [-1, 1] that have upset feature code before."""
    generator = np.random.default_rng(rate)
    count = int(rate * seconds)
    time = np.arange(count) / rate
    noise = generator.standard_normal(count)
    voice = sum(np.sin(2 * np.pi * 150 * k * time) / k for k in range(1, 12)) * np.abs(
        np.sin(2 * np.pi * 1.7 * time)
    )
    half_silent = np.where(time < seconds / 2, 0, 0.3 * noise)
    whole = {
        "random": 0.1 * noise,
        "silent": np.zeros(count),
        "clipped": np.clip(4 * voice + 0.05 * noise, -1, 1),
        "square": np.sign(np.sin(2 * np.pi * 100 * time + 0.1)),
        "half silent": np.clip(half_silent, -1, 1),
        "offset": np.clip(0.4 + 0.01 * voice, -1, 1),
        "quiet": 3e-5 * np.round(noise),
        "tone": 0.5 * np.sin(2 * np.pi * 1000 * time),
    }
    return {name: np.asarray(signal, dtype=np.float32) for name, signal in whole.items()}


def assert_equal_to_package(
    waveform: np.ndarray, rate: int, frame_length: float, frame_shift: float
) -> None:
    ours, package = (
        short_term.features(
            waveform,
            rate,
            short_term.Config(
                sampling_rate=rate,
                frame_length=frame_length,
                frame_shift=frame_shift,
                deltas=True,
                backend=backend,
            ),
        )
        for backend in ("serflow", "package")
    )
    assert ours.shape == package.shape
    # Relative to the value, or to a millionth of the feature's largest where it passes
    # through zero; a delta relative to the values that it is the difference of.
    size = np.abs(package[:, :34])
    scale = np.maximum(size, 1e-6 * size.max(axis=0))
    scale = np.concatenate([scale, np.maximum(scale, np.roll(scale, 1, axis=0))], axis=1)
    # Entropies of a single line and the MFCCs of digital silence (differences of forty
    # equal numbers near 16) are zero but for rounding, the package's own included.
    rounding = np.full(34, 1e-20)
    rounding[[2, 3, 4, 5]] = 1e-14
    rounding[8:21] = 2e-13
    excess = np.abs(ours - package) - (1e-9 * scale + np.tile(rounding, 2))
    worst = np.unravel_index(excess.argmax(), excess.shape)
    assert excess.max() <= 0, (
        f"frame, feature {worst}: {ours[worst]!r}, the package {package[worst]!r}"
    )


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
@pytest.mark.parametrize(("frame_length", "frame_shift"), [(0.025, 0.010), (0.2, 0.1)])
def test_compatible_equals_the_package(rate: int, frame_length: float, frame_shift: float) -> None:
    for waveform in signals(rate, 0.75).values():
        assert_equal_to_package(waveform, rate, frame_length, frame_shift)
        assert_equal_to_package(
            waveform[: int(frame_length * rate)], rate, frame_length, frame_shift
        )


@pytest.mark.parametrize(
    ("frame_length", "frame_shift"), [(0.0213, 0.0107), (0.03, 0.03), (0.025, 0.04)]
)
def test_compatible_equals_the_package_at_odd_frame_lengths(
    frame_length: float, frame_shift: float
) -> None:
    for waveform in signals(16000, 0.4).values():
        assert_equal_to_package(waveform, 16000, frame_length, frame_shift)


@settings(max_examples=25)
@given(
    arrays.arrays(np.int16, st.integers(400, 1400), elements=st.integers(-32768, 32767)),
    st.sampled_from([0.02, 0.025]),
)
def test_compatible_equals_the_package_on_any_samples(
    samples: np.ndarray, frame_length: float
) -> None:
    assert_equal_to_package((samples / 32768).astype(np.float32), 16000, frame_length, 0.01)


def test_blocks_do_not_show() -> None:
    waveform = signals(16000, 11.0)["clipped"]
    whole = short_term_kernel.features(waveform, 16000, 400, 160, "compatible")
    assert len(whole) > short_term_kernel.BLOCK
    assert_equal_to_package(waveform, 16000, 0.025, 0.010)


def filter_peaks(variant: short_term_tables.Variant) -> np.ndarray:
    """The frequency in Hz, by the definition of the DFT, at which each filter is
    largest for 0.2 s at 16 kHz.
    """
    weights = short_term_tables.mel_filters(16000, 1600, variant)
    return weights.argmax(axis=0) * 16000 / 3200


def test_corrected_filters_lie_where_they_are_drawn() -> None:
    centres = [133.33 + 200 / 3, 133.33 + 2 * 200 / 3]
    np.testing.assert_allclose(filter_peaks("corrected")[:2], centres, atol=5)
    np.testing.assert_allclose(filter_peaks("compatible")[:2], np.array(centres) / 2, atol=5)
    assert filter_peaks("corrected")[-1] == pytest.approx(6398, abs=5)
    assert filter_peaks("compatible")[-1] == pytest.approx(3199, abs=5)


def test_corrected_filters_stop_at_half_the_sampling_rate() -> None:
    weights = short_term_tables.mel_filters(8000, 800, "corrected")
    assert weights.shape[1] < 40
    assert np.all(weights.max(axis=0) > 0)
    assert (
        short_term.extract(
            signals(8000, 0.3)["random"], 8000, short_term.Config(variant="corrected")
        ).shape[1]
        == 34
    )


@pytest.mark.parametrize(
    ("hertz", "pitch_class"), [(440.0, 1), (523.25, 4), (1760.0, 1), (1396.91, 9)]
)
def test_corrected_chroma_finds_the_note(hertz: float, pitch_class: int) -> None:
    time = np.arange(16000) / 16000
    waveform = np.sin(2 * np.pi * hertz * time).astype(np.float32)
    config = short_term.Config(variant="corrected", frame_length=0.2, frame_shift=0.1)
    chroma = short_term.extract(waveform, 16000, config)[:, 21:33].mean(axis=0)
    assert chroma.argmax() + 1 == pitch_class  # chroma_1 is A


def test_corrected_chroma_hears_every_bin_from_the_lowest_note() -> None:
    heard = short_term_tables.chroma_weights(16000, 1600, "corrected").any(axis=1)
    np.testing.assert_array_equal(np.flatnonzero(~heard), np.arange(6))  # 0, 5, .. 25 Hz
    assert short_term_tables.chroma_weights(16000, 200, "compatible").any(axis=1).sum() < 72


def test_corrected_changes_nothing_else() -> None:
    waveform = signals(16000, 0.5)["clipped"]
    compatible = short_term.features(waveform, 16000, short_term.Config())
    corrected = short_term.features(waveform, 16000, short_term.Config(variant="corrected"))
    np.testing.assert_allclose(corrected[:, :8], compatible[:, :8], rtol=1e-10, atol=1e-14)
    assert np.abs(corrected[:, 8:] - compatible[:, 8:]).max(axis=0).min() > 1e-4


def test_names_are_the_package_s() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pyAudioAnalysis import ShortTermFeatures
    waveform = signals(16000, 0.1)["random"].astype(np.float64)
    for deltas in (False, True):
        names = ShortTermFeatures.feature_extraction(waveform, 16000, 400, 160, deltas=deltas)[1]
        assert short_term.feature_names(short_term.Config(deltas=deltas)) == names


def test_frames_too_short_for_the_features_are_refused() -> None:
    waveform = signals(16000, 0.1)["random"]
    with pytest.raises(ValueError, match="fewer spectral bins than semitones"):
        short_term.extract(waveform, 16000, short_term.Config(frame_length=0.01))
    with pytest.raises(ValueError, match=r"mel filters contain none .* take longer frames"):
        short_term.extract(
            waveform, 16000, short_term.Config(frame_length=0.004, variant="corrected")
        )
    with pytest.raises(ValueError, match="expected at least 20"):
        short_term.extract(waveform, 16000, short_term.Config(frame_length=0.001))
    with pytest.raises(ValueError, match="sampling rate 6000 Hz, expected more than 6854 Hz"):
        short_term.extract(waveform, 6000, short_term.Config())
    with pytest.raises(AudioError, match="audio too short: 399 samples"):
        short_term.extract(waveform[:399], 16000, short_term.Config())


def test_the_package_has_no_corrected_variant() -> None:
    with pytest.raises(ValidationError, match="set backend: serflow"):
        short_term.Config(variant="corrected", backend="package")
