import io
import struct

import numpy as np
import pytest
import soundfile

from pipeline.report import sound
from tests.resources import recordings


def voice(seconds: float = 1.0, pitch: float = 140.0) -> np.ndarray:
    """A third of silence, then harmonics of a pitch, then silence."""
    time = np.arange(round(seconds * sound.RATE)) / sound.RATE
    hum = sum(np.sin(2 * np.pi * pitch * number * time) / number for number in range(1, 8))
    hum[: len(hum) // 3] = hum[2 * len(hum) // 3 :] = 0
    return (0.2 * hum).astype(np.float32)


def serial_numbers(pages: bytes) -> set[int]:
    found, position = set(), 0
    while position < len(pages):
        assert pages[position : position + 4] == b"OggS"
        found.add(struct.unpack_from("<I", pages, position + 14)[0])
        segments = pages[position + 26]
        position += 27 + segments + sum(pages[position + 27 : position + 27 + segments])
    return found


def test_the_same_samples_give_the_same_file_which_sounds_as_they_do() -> None:
    waveform = voice()
    written = sound.vorbis(waveform)
    assert written == sound.vorbis(waveform) and serial_numbers(written) == {0}
    # A page with a wrong checksum is not read.
    heard, rate = soundfile.read(io.BytesIO(written), dtype="float32")
    assert rate == sound.RATE and len(heard) == len(waveform)
    assert np.corrcoef(heard, waveform)[0, 1] > 0.95
    damaged = bytearray(written)
    damaged[-1] ^= 1
    less, _ = soundfile.read(io.BytesIO(bytes(damaged)), dtype="float32")
    assert len(less) < len(heard)


@pytest.mark.parametrize("pitch", [80.0, 140.0, 320.0])
def test_pitch_is_found_where_there_is_a_voice(pitch: float) -> None:
    drawn = sound.drawn(voice(1.2, pitch))
    found = drawn["pitch"]
    assert len(found) == len(drawn["energy"]) == 60
    assert found[:17] == [None] * 17 and found[-17:] == [None] * 17
    middle = [value for value in found[24:36] if value is not None]
    assert len(middle) >= 10 and np.median(middle) == pytest.approx(pitch, rel=0.03)


def test_a_leap_out_of_the_voice_is_no_pitch() -> None:
    leaping = voice(1.2, 110)
    leaping[9600:10240] = voice(1.2, 440)[9600:10240]
    found = [value for value in sound.drawn(leaping)["pitch"] if value is not None]
    assert max(found) < 220


def test_noise_has_no_pitch() -> None:
    noise = 0.1 * np.random.default_rng(1).standard_normal(sound.RATE)
    found = sound.drawn(noise.astype(np.float32))["pitch"]
    assert sum(value is not None for value in found) <= 2


def test_the_picture_lies_where_its_frames_do() -> None:
    from base64 import b64decode

    from PIL import Image

    mel = sound.drawn(voice(0.9))["mel"]
    with Image.open(io.BytesIO(b64decode(mel["picture"].split(",")[1]))) as image:
        frames, bands = image.size
        loud = np.flatnonzero(np.asarray(image).max(axis=0) > sound.SHADES // 2)
    assert bands == 40 and mel["end"] - mel["start"] == pytest.approx(0.01 * frames)
    first, last = (mel["start"] + 0.01 * column for column in (loud[0], loud[-1] + 1))
    assert first == pytest.approx(0.3, abs=0.03) and last == pytest.approx(0.6, abs=0.03)


def test_energy_is_in_decibels_and_the_envelope_in_hundredths() -> None:
    square = np.full(sound.RATE // 2, 0.1, np.float32)
    drawn = sound.drawn(square)
    assert set(drawn["energy"]) == {-20} and drawn["duration"] == 0.5
    assert drawn["waveform"] == [[100, 100]] * sound.PIECES


def test_what_is_too_short_for_a_frame_is_drawn_without_a_picture() -> None:
    drawn = sound.drawn(recordings.tone(0.01).astype(np.float32))
    assert drawn["mel"] is None and len(drawn["energy"]) == 1
