import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.acoustic import _frames as frames
from pipeline.acoustic import _mel as mel
from pipeline.acoustic import _spectrum_loops as loops

RATE, LENGTH, SHIFT, NUM_FFT = 16000, 400, 160, 512


def plain(
    waveform: NDArray[np.float32], window: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Kaldi's steps in double precision, frame by frame."""
    found = []
    for frame in frames.frames(waveform.astype(np.float64) * 32768, LENGTH, SHIFT):
        centred = frame - frame.mean()
        emphasised = centred - 0.97 * np.concatenate([centred[:1], centred[:-1]])
        found.append(np.abs(np.fft.rfft(emphasised * window, NUM_FFT)) ** 2 @ weights)
    return np.array(found)


def sound(decibels: float) -> NDArray[np.float32]:
    """Loud high tones over noise that lies so many decibels lower, a step in the
    middle.
    """
    random = np.random.default_rng(3)
    time = np.arange(RATE) / RATE
    tones = 0.4 * np.sin(2 * np.pi * 6500 * time) + 0.2 * np.sin(2 * np.pi * 7300 * time)
    noise = random.normal(0, 0.3 * 10 ** (-decibels / 20), RATE)
    return (tones * (time > 0.5) + noise + 0.05).astype(np.float32)


@pytest.mark.parametrize("decibels", [0, 40, 70, 90, 110])
def test_logarithms_are_right_beside_loud_sound(decibels: float) -> None:
    window = frames.window("hamming", LENGTH)
    weights = mel.filters("kaldi", 40, NUM_FFT, RATE, 20.0, 8000.0)
    waveform = sound(decibels)
    expected = np.log(np.maximum(plain(waveform, window, weights), mel.KALDI_FLOOR))
    found = mel.mel_energies(
        waveform,
        window,
        SHIFT,
        NUM_FFT,
        loops.sparse(weights),
        scale=32768,
        preemphasis=0.97,
        remove_mean=True,
    )
    np.testing.assert_allclose(
        np.log(np.maximum(found, mel.KALDI_FLOOR)), expected, rtol=0, atol=1e-9
    )


def test_a_frame_does_not_depend_on_its_neighbours() -> None:
    window = frames.window("hamming", LENGTH)
    matrix = mel.sparse_filters("librosa", 40, NUM_FFT, RATE, 0.0, 8000.0)
    waveform = sound(80)
    whole = mel.mel_energies(waveform, window, SHIFT, NUM_FFT, matrix)
    one = mel.mel_energies(waveform[60 * SHIFT :][:LENGTH], window, SHIFT, NUM_FFT, matrix)
    np.testing.assert_array_equal(one[0], whole[60])
