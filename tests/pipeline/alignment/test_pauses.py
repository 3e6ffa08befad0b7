from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline import alignment
from pipeline.alignment import Pauses
from pipeline.audio import AudioError

RATE = 8000


def write(path: Path, stretches: list[tuple[float, float]], seconds: float, noise: float) -> str:
    """A hum in some stretches of a noisy recording."""
    time = np.arange(round(seconds * RATE)) / RATE
    loud = np.zeros(len(time))
    for start, end in stretches:
        loud[(time >= start) & (time < end)] = 0.3
    hiss = noise * np.random.default_rng(0).standard_normal(len(time))
    soundfile.write(path, loud * np.sin(2 * np.pi * 180 * time) + hiss, RATE)
    return str(path)


@pytest.mark.parametrize("noise", [1e-4, 0.01])
def test_a_long_recording_is_cut_at_its_pauses(tmp_path: Path, noise: float) -> None:
    # Across the 60 s that are read at a time.
    said = [(1.0, 3.5), (5.0, 9.0), (30.0, 33.0), (58.5, 61.5), (80.0, 84.0)]
    path = write(tmp_path / "long.wav", said, 90.0, noise)
    found = alignment.parts(path, Pauses(margin=0.1))
    assert len(found) == len(said)
    for part, (start, end) in zip(found, said, strict=True):
        assert part == pytest.approx((start - 0.1, end + 0.1), abs=0.04)


def test_short_pauses_and_clicks_divide_nothing(tmp_path: Path) -> None:
    said = [(1.0, 3.0), (3.3, 6.0), (12.0, 12.02)]
    path = write(tmp_path / "long.wav", said, 20.0, 1e-4)
    ((start, end),) = [part for part in alignment.parts(path, Pauses()) if part]
    assert start == pytest.approx(0.85, abs=0.04) and end == pytest.approx(6.15, abs=0.04)


def test_no_part_is_longer_than_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "long.wav", [(1.0, 20.0), (20.2, 45.0)], 46.0, 1e-4)
    found = [part for part in alignment.parts(path, Pauses(longest=10.0)) if part]
    lengths = [end - start for start, end in found]
    assert len(found) >= 5 and max(lengths) <= 10.0 and sum(lengths) > 43.5
    assert all(a[1] <= b[0] for a, b in pairwise(found))
    # The quietest place near the middle is the first that is taken.
    assert any(abs(end - 20.1) < 0.1 for _, end in found)


def test_minutes_of_noise_are_no_voice(tmp_path: Path) -> None:
    path = write(tmp_path / "gap.wav", [(1.0, 4.0), (200.0, 203.0)], 205.0, 0.01)
    found = [part for part in alignment.parts(path, Pauses()) if part]
    assert [round(start, 1) for start, _ in found] == [0.8, 199.8]


def test_a_short_recording_stays_whole(tmp_path: Path) -> None:
    path = write(tmp_path / "short.wav", [(0.1, 0.4), (2.0, 2.5)], 3.0, 1e-4)
    assert alignment.parts(path, Pauses()) == [None]


def test_minutes_of_digital_silence_are_no_voice(tmp_path: Path) -> None:
    path = write(tmp_path / "half.wav", [(70.0, 73.0)], 80.0, 0.0)
    ((start, _),) = [part for part in alignment.parts(path, Pauses()) if part]
    assert start == pytest.approx(69.85, abs=0.04)
    path = write(tmp_path / "silent.wav", [], 80.0, 0.0)
    with pytest.raises(AudioError, match="no voice"):
        alignment.parts(path, Pauses())
    with pytest.raises(AudioError, match="audio not found"):
        alignment.parts(str(tmp_path / "nowhere.wav"), Pauses())
