from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.schema import FrameTiming
from pipeline.training.segments import segment_bounds

FBANK = FrameTiming(frame_length=0.025, frame_shift=0.01, first_center=0.0125)


@st.composite
def cases(draw):
    """Words that follow each other with gaps, all times in half milliseconds, so that
    fractions decide exactly.
    """
    num_words = draw(st.integers(0, 8))
    edges = sorted(
        draw(st.lists(st.integers(0, 4000), min_size=2 * num_words, max_size=2 * num_words))
    )
    shift = draw(st.integers(1, 400))
    length = shift + draw(st.integers(0, 800))
    center = draw(st.integers(0, length))
    return edges[::2], edges[1::2], length, shift, center, draw(st.integers(0, 120))


def brute_force(starts, ends, length, shift, center, num_frames):
    bounds = []
    centers = [center + i * shift for i in range(num_frames)]
    for start, end in zip(starts, ends, strict=True):
        covered = [i for i, c in enumerate(centers) if start <= c < end]
        if covered:
            bounds.append((covered[0], covered[-1] + 1))
        elif not centers or start >= centers[-1] + Fraction(length, 2):
            bounds.append((num_frames, num_frames))
        else:
            middle = Fraction(start + end, 2)
            nearest = min(range(num_frames), key=lambda i: (abs(centers[i] - middle), i))
            bounds.append((nearest, nearest + 1))
    return bounds


@given(cases())
def test_equals_brute_force_and_stays_in_order(case):
    starts, ends, length, shift, center, num_frames = case
    timing = FrameTiming(length / 2000, shift / 2000, center / 2000)
    bounds = segment_bounds(np.array(starts) / 2000, np.array(ends) / 2000, timing, num_frames)
    assert bounds.shape == (len(starts), 2)
    assert bounds.dtype == np.int64
    assert [tuple(row) for row in bounds.tolist()] == brute_force(
        starts, ends, length, shift, center, num_frames
    )
    assert (np.diff(bounds, axis=0) >= 0).all()
    assert (bounds >= 0).all()
    assert (bounds <= num_frames).all()


@given(cases())
def test_every_word_that_reaches_a_frame_gets_one(case):
    starts, ends, length, shift, center, num_frames = case
    timing = FrameTiming(length / 2000, shift / 2000, center / 2000)
    bounds = segment_bounds(np.array(starts) / 2000, np.array(ends) / 2000, timing, num_frames)
    for start, (first, past) in zip(starts, bounds, strict=True):
        reached = num_frames > 0 and start < center + (num_frames - 1) * shift + Fraction(length, 2)
        assert (past > first) == reached


def test_words_that_touch_share_no_frame_when_each_covers_a_center():
    bounds = segment_bounds([0.0, 0.1, 0.23], [0.1, 0.23, 0.4], FBANK, 40)
    assert bounds.tolist() == [[0, 9], [9, 22], [22, 39]]


def test_times_on_the_frame_grid_do_not_slip_by_float_noise():
    timing = FrameTiming(0.02, 0.01, 0.0)
    starts = np.array([k * 0.01 for k in range(1, 300)])
    bounds = segment_bounds(starts, starts + 0.1, timing, 400)
    assert bounds.tolist() == [[k, k + 10] for k in range(1, 300)]


def test_a_word_past_a_frame_limit_is_empty_and_one_across_it_is_cut():
    bounds = segment_bounds([0.0, 0.4, 2.0], [0.3, 0.9, 2.5], FBANK, 50)
    assert bounds.tolist() == [[0, 29], [39, 50], [50, 50]]


def test_one_row_for_the_whole_utterance_serves_every_word():
    timing = FrameTiming(0.0, 0.0, 0.0)
    assert segment_bounds([0.0, 1.0], [1.0, 2.0], timing, 1).tolist() == [[0, 1], [0, 1]]


@pytest.mark.parametrize(
    ("starts", "ends"),
    [([0.0], [0.1, 0.2]), ([0.2], [0.1]), ([float("nan")], [1.0]), ([[0.0]], [[1.0]])],
)
def test_impossible_times_are_refused(starts, ends):
    with pytest.raises(ValueError, match="expected"):
        segment_bounds(starts, ends, FBANK, 10)
