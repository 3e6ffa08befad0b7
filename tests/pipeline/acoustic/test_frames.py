"""Framing without copies, windows, deltas, and durations in samples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import get_window, savgol_filter

from pipeline import audio
from pipeline.acoustic import _frames as frames


@given(st.integers(1, 300), st.integers(1, 60), st.integers(1, 60))
def test_frames_are_the_slices_that_fit(num_samples: int, length: int, shift: int) -> None:
    signal = np.arange(num_samples, dtype=np.float32)
    expected = [
        signal[start : start + length] for start in range(0, num_samples - length + 1, shift)
    ]
    assert frames.num_frames(num_samples, length, shift) == len(expected)
    if not expected:
        with pytest.raises(ValueError, match=f"at least {length} samples"):
            frames.frames(signal, length, shift)
        return
    view = frames.frames(signal, length, shift)
    np.testing.assert_array_equal(view, np.stack(expected))
    assert np.shares_memory(view, signal)
    assert not view.flags.writeable


@given(st.integers(1, 2000), st.integers(1, 500), st.integers(1, 5000))
def test_blocks_cover_every_frame_once(count: int, width: int, most: int) -> None:
    covered = list(frames.blocks(count, width, most))
    assert [i for block in covered for i in range(block.start, block.stop)] == list(range(count))
    assert all(
        (block.stop - block.start) * width <= most or block.stop - block.start == 1
        for block in covered
    )


@pytest.mark.parametrize(
    ("seconds", "rate", "expected"),
    [
        (0.025, 16000, 400),
        (0.025, 44100, 1102),
        (0.029, 1000, 29),
        (0.2, 48000, 9600),
        (1e-9, 16000, 1),
    ],
)
def test_durations_in_samples(seconds: float, rate: int, expected: int) -> None:
    assert frames.samples(seconds, rate) == expected


@pytest.mark.parametrize("name", ["hamming", "hann"])
@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("length", [1, 2, 5, 400])
def test_windows_are_scipy_s(name: frames.Window, periodic: bool, length: int) -> None:
    ours = frames.window(name, length, periodic)
    np.testing.assert_allclose(ours, get_window(name, length, fftbins=periodic), atol=1e-12)


def test_povey_is_a_hann_window_to_the_power_0_85() -> None:
    np.testing.assert_allclose(frames.window("povey", 400), np.hanning(400) ** 0.85, atol=1e-12)
    np.testing.assert_array_equal(frames.window("rectangular", 7), np.ones(7))


@given(st.integers(1, 40), st.integers(0, 9))
def test_deltas_are_the_slopes_of_a_regression_over_five_frames(count: int, seed: int) -> None:
    values = np.random.default_rng(seed).standard_normal((count, 3))
    expected = savgol_filter(values, 5, polyorder=1, deriv=1, axis=0, mode="nearest")
    np.testing.assert_allclose(frames.deltas(values), expected, atol=1e-14)


@given(st.integers(1, 40), st.floats(-20, 20))
def test_what_does_not_change_has_a_slope_of_zero(count: int, level: float) -> None:
    slopes = frames.deltas(np.full((count, 2), level))
    assert not slopes.any() and not np.signbit(slopes).any()


def test_edges_repeat_the_outermost_frame() -> None:
    values = np.array([[0.0], [1.0], [4.0], [9.0]])
    first = (1 * (1 - 0) + 2 * (4 - 0)) / 10
    last = (1 * (9 - 4) + 2 * (9 - 1)) / 10
    slopes = frames.deltas(values)
    assert slopes[0, 0] == pytest.approx(first)
    assert slopes[-1, 0] == pytest.approx(last)


def test_orders_are_appended_side_by_side() -> None:
    values = np.random.default_rng(0).standard_normal((12, 3))
    both = frames.with_deltas(values, 2)
    assert both.shape == (12, 9)
    np.testing.assert_array_equal(both[:, :3], values)
    np.testing.assert_array_equal(both[:, 3:6], frames.deltas(values))
    np.testing.assert_array_equal(both[:, 6:], frames.deltas(frames.deltas(values)))
    np.testing.assert_array_equal(frames.with_deltas(values, 0), values)


def test_too_few_samples_name_what_was_expected() -> None:
    audio.require_samples(400, 400, 16000)
    with pytest.raises(
        audio.AudioError, match=r"399 samples at 16000 Hz, expected at least 400 \(0.025 s\)"
    ):
        audio.require_samples(399, 400, 16000)
