import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline import audio
from pipeline.audio import AudioError
from pipeline.schema import Utterance
from tests.resources import recordings


def test_mono_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = recordings.write(tmp_path / "a.wav", seconds=0.25, sampling_rate=22050)
    waveform, rate = audio.read(path)
    expected, _ = soundfile.read(path, dtype="float32")
    assert rate == 22050 and waveform.dtype == np.float32 and waveform.flags.c_contiguous
    np.testing.assert_array_equal(waveform, expected)


def test_channels_are_averaged(tmp_path: Path) -> None:
    path = recordings.write(tmp_path / "a.wav", channels=2)
    waveform, _ = audio.read(path)
    both, _ = soundfile.read(path, dtype="float32")
    assert waveform.ndim == 1
    np.testing.assert_allclose(waveform, (both[:, 0] + both[:, 1]) / 2, atol=1e-7)
    assert not np.allclose(waveform, both[:, 0])


@pytest.mark.parametrize(("start", "end"), [(0.1, 0.2), (0.1, None), (None, 0.2), (0.0, 0.3)])
def test_a_segment_is_that_part_of_the_recording(
    tmp_path: Path, start: float | None, end: float | None
) -> None:
    path = recordings.write(tmp_path / "a.wav", seconds=0.3, sampling_rate=16000)
    whole, rate = audio.read(path)
    part, _ = audio.read(path, start, end)
    np.testing.assert_array_equal(
        part, whole[round((start or 0) * rate) : None if end is None else round(end * rate)]
    )


@pytest.mark.parametrize("rate", [16000, 44100])
def test_a_segment_of_an_mp3_is_what_reading_from_the_start_gives(
    tmp_path: Path, rate: int
) -> None:
    time = np.arange(12 * rate) / rate
    pitch = 120 + 20 * np.sin(np.pi * time)
    voice = sum(np.sin(2 * np.pi * k * pitch * time) / k for k in range(1, 20))
    path = tmp_path / "a.mp3"
    soundfile.write(path, 0.05 * voice * (1 + np.sin(6 * np.pi * time)), rate, format="MP3")
    whole, _ = audio.read(path)
    for start in np.arange(0.1, 11.0, 0.13):
        part, _ = audio.read(path, float(start), float(start) + 0.5)
        first = round(start * rate)
        np.testing.assert_allclose(part, whole[first : first + len(part)], rtol=0, atol=1e-6)


def test_an_end_rounded_past_the_recording_is_forgiven_a_wrong_one_is_not(tmp_path: Path) -> None:
    path = recordings.write(tmp_path / "a.wav", seconds=0.3)
    assert len(audio.read(path, 0.1, 0.34)[0]) == 3200
    for start, end in ((0.1, 0.5), (0.4, 0.45), (0.2, 0.1), (-0.1, 0.2)):
        with pytest.raises(AudioError) as raised:
            audio.read(path, start, end)
        assert raised.value.reason == "segment outside the recording"
        assert "of 0.300 s" in raised.value.detail


def write_not_finite(path: Path) -> Path:
    samples = recordings.tone().astype(np.float32)
    samples[10] = np.nan
    soundfile.write(path, samples, 16000, subtype="FLOAT")
    return path


def cut_flac(path: Path) -> Path:
    flac = recordings.write(path.with_suffix(".flac"), seconds=2.0)
    content = flac.read_bytes()
    flac.write_bytes(content[: len(content) // 2])
    return flac


@pytest.mark.parametrize(
    ("writer", "reason"),
    [
        (lambda path: path, "audio not found"),
        (lambda path: path.parent, "audio not found"),
        (recordings.write_corrupt, "audio unreadable"),
        (recordings.write_empty, "audio unreadable"),
        (recordings.write_truncated, "audio truncated"),
        (recordings.write_without_samples, "audio empty"),
        (recordings.write_silent, "audio silent"),
        (write_not_finite, "audio not finite"),
    ],
    ids=["missing", "folder", "corrupt", "zero bytes", "truncated", "no samples", "silent", "nan"],
)
def test_every_way_to_be_unusable_has_its_reason(tmp_path: Path, writer, reason: str) -> None:
    path = writer(tmp_path / "broken.wav")
    with pytest.raises(AudioError) as raised:
        audio.read(path)
    assert raised.value.reason == reason
    assert str(path) in raised.value.detail
    assert str(raised.value).startswith(f"{reason}: ")


def test_a_flac_cut_off_is_not_taken_for_a_short_one(tmp_path: Path) -> None:
    with pytest.raises(AudioError) as raised:
        audio.read(cut_flac(tmp_path / "broken.wav"))
    assert raised.value.reason in ("audio truncated", "audio unreadable")


def test_a_whole_file_with_more_chunks_is_not_truncated(tmp_path: Path) -> None:
    path = recordings.write(tmp_path / "a.wav")
    content = path.read_bytes()
    note = b"LIST" + struct.pack("<I", 5) + b"hello\0"
    body = content[12:36] + note + content[36:] + note
    path.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body)
    assert len(audio.read(path)[0]) == 4800


def test_a_streamed_file_of_unknown_length_is_read(tmp_path: Path) -> None:
    path = recordings.write(tmp_path / "a.wav")
    content = bytearray(path.read_bytes())
    place = content.index(b"data") + 4
    content[place : place + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(bytes(content))
    assert len(audio.read(path)[0]) == 4800


def test_the_quietest_sound_is_not_silence(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    for peak, heard in ((2 * audio.SILENCE_PEAK, True), (0.5 * audio.SILENCE_PEAK, False)):
        soundfile.write(path, np.full(1600, peak, np.float32), 16000, subtype="FLOAT")
        if heard:
            assert len(audio.read(path)[0]) == 1600
        else:
            with pytest.raises(AudioError, match="audio silent"):
                audio.read(path)


def test_resampling_keeps_a_tone_and_removes_what_cannot_be_told() -> None:
    time = np.arange(48000) / 48000
    low, high = np.sin(2 * np.pi * 440 * time), np.sin(2 * np.pi * 12000 * time)
    down = audio.resample((low + high).astype(np.float32), 48000, 16000)
    assert down.dtype == np.float32 and len(down) == 16000
    expected = np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)
    np.testing.assert_allclose(down[500:-500], expected[500:-500], atol=1e-3)


def test_a_rate_that_fits_is_left_alone() -> None:
    waveform = recordings.tone().astype(np.float32)
    assert audio.resample(waveform, 16000, 16000) is waveform


def test_load_reads_the_utterance_at_the_rate_asked_for(tmp_path: Path) -> None:
    path = recordings.write(tmp_path / "a.flac", seconds=1.0, sampling_rate=44100)
    utterance = Utterance("u", "tiny", "sad", audio_path=str(path), start=0.25, end=0.75)
    assert len(audio.load(utterance, 16000)) == 8000
    with pytest.raises(AudioError, match="no audio"):
        audio.load(Utterance("u", "tiny", "sad"), 16000)


def test_too_short_says_how_long_it_must_be() -> None:
    audio.require_samples(400, 400, 16000)
    with pytest.raises(
        AudioError, match=r"399 samples at 16000 Hz, expected at least 400 \(0.025 s\)"
    ):
        audio.require_samples(399, 400, 16000)


def test_equal_samples_share_a_hash_whatever_their_container(tmp_path: Path) -> None:
    wav, flac = (recordings.write(tmp_path / f"a.{kind}", seed=3) for kind in ("wav", "flac"))
    other = recordings.write(tmp_path / "b.wav", seed=4)
    hashes = [audio.content_hash(*audio.read(path)) for path in (wav, flac, other)]
    assert hashes[0] == hashes[1] != hashes[2]
    waveform, rate = audio.read(wav)
    assert audio.content_hash(waveform, rate) != audio.content_hash(waveform, rate + 1)
    assert audio.content_hash(waveform[::2], rate) == audio.content_hash(waveform[::2].copy(), rate)


def test_errors_travel_between_processes() -> None:
    import pickle

    sent = pickle.dumps(AudioError("audio silent", "a.wav: peak"))
    error = pickle.loads(sent)  # noqa: S301  (its own bytes)
    assert (error.reason, error.detail) == ("audio silent", "a.wav: peak")
