"""File -> mono float32 waveform at a sampling rate."""

import hashlib
import os
import re
import struct
from functools import lru_cache
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Annotated, BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from pipeline.lookup import ConfigurationError, StorageError
from pipeline.schema import Utterance

# -80 dBFS: below the noise floor of any microphone, above the dither of a digital zero.
SILENCE_PEAK = 1e-4
# 24 dB above full scale: no recording, but samples on the scale of whole numbers.
LOUDEST_PEAK = 16.0
LOWEST_RATE, HIGHEST_RATE = 1000, 1_000_000  # Hz
UNKNOWN_LENGTH = 0xFFFFFFFF  # of a streamed file
MP3_LEAD = 0.5  # s that are decoded before a segment
LONGEST_PAGE = 27 + 255 + 255 * 255  # bytes of an Ogg page
# libsndfile finds a missing end in these by itself.
SELF_CHECKED = ("FLAC", "MP3", "CAF", "HTK")


def _hertz(rate: int) -> int:
    if rate < LOWEST_RATE:
        raise ValueError(f"expected Hz, at least {LOWEST_RATE}: {rate} kHz are {1000 * rate}")
    return rate


SamplingRate = Annotated[int, Field(gt=0, le=HIGHEST_RATE), AfterValidator(_hertz)]


class AudioError(Exception):
    """Why a recording cannot be used: `reason` is one of a few phrases, `detail` says
    where and how much.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type["AudioError"], tuple[str, str]]:
        return AudioError, (self.reason, self.detail)


def read(
    path: str | Path, start: float | None = None, end: float | None = None
) -> tuple[NDArray[np.float32], int]:
    """Reads a recording, or its part from `start` to `end` seconds.

    Returns the mean of its channels, (num_samples,) in [-1, 1], and the rate in Hz.
    Raises AudioError for a missing, unreadable, truncated, empty or silent recording,
    and for one of an impossible rate or loudness.
    """
    import soundfile

    try:
        with soundfile.SoundFile(source(path)) as file:
            rate = int(file.samplerate)
            if not LOWEST_RATE <= rate <= HIGHEST_RATE:
                detail = f"{path}: {rate} Hz, expected {LOWEST_RATE} to {HIGHEST_RATE}"
                raise AudioError("impossible sampling rate", detail)
            whole = end is not None or _is_whole(path, file.format)
            first = 0 if start is None else _sample(start, rate)
            last = file.frames if end is None else _sample(end, rate)
            # A rounded last time may name a few samples past the end; more than that is
            # a wrong segment.
            if not 0 <= first <= last or first > file.frames or last > file.frames + 0.05 * rate:
                detail = f"{path}: {start}-{end} s of {file.frames / rate:.3f} s"
                raise AudioError("segment outside the recording", detail)
            expected = min(last, file.frames) - first
            # A frame of MP3 is decoded by what came before it: the first ones after a
            # seek are another sound.
            lead = min(first, round(MP3_LEAD * rate)) if file.format == "MP3" else 0
            file.seek(first - lead)
            waveform = file.read(lead + expected, dtype="float32", always_2d=True)[lead:]
    except (soundfile.LibsndfileError, OSError) as error:
        raise AudioError("audio unreadable", f"{path}: {error}") from error
    if len(waveform) < expected or not whole:
        raise AudioError("audio truncated", f"{path}: fewer samples than its header declares")
    if len(waveform) == 0:
        raise AudioError("audio empty", f"{path}: no samples")
    mono = waveform[:, 0] if waveform.shape[1] == 1 else waveform.mean(axis=1)
    if not np.isfinite(mono).all():
        raise AudioError("audio not finite", f"{path}: NaN or infinite samples")
    peak = float(np.abs(mono).max())
    if peak < SILENCE_PEAK:
        raise AudioError("audio silent", f"{path}: peak below {SILENCE_PEAK}")
    if peak > LOUDEST_PEAK:
        raise AudioError("audio beyond full scale", f"{path}: peak {peak:.3g}, expected about 1")
    return np.ascontiguousarray(mono, dtype=np.float32), rate


def duration(path: str | Path) -> float:
    """The seconds of a recording that has the end which its header declares.

    Raises AudioError for one that is missing, unreadable, truncated or empty.
    """
    import soundfile

    try:
        with soundfile.SoundFile(source(path)) as file:
            seconds, whole = file.frames / file.samplerate, _is_whole(path, file.format)
    except (soundfile.LibsndfileError, OSError) as error:
        raise AudioError("audio unreadable", f"{path}: {error}") from error
    if not whole:
        raise AudioError("audio truncated", f"{path}: fewer samples than its header declares")
    if seconds == 0:
        raise AudioError("audio empty", f"{path}: no samples")
    return float(seconds)


def source(path: str | Path) -> str | BytesIO:
    """What soundfile reads a recording from: its path, or the bytes behind a URL of
    fsspec (`s3://…`).

    Raises AudioError for one that is missing, StorageError for a store that cannot be
    read: a network that fails shall not leave out recordings.
    """
    if is_url(path):
        return BytesIO(_fetched(str(path)))
    if not Path(path).is_file():
        raise AudioError("audio not found", str(path))
    return str(path)


def is_url(place: str | Path) -> bool:
    """Whether a place is in a store that fsspec reads."""
    return "://" in str(place)


# Utterances of one recording come one after the other.
@lru_cache(maxsize=1)
def _fetched(url: str) -> bytes:
    import fsspec

    try:
        with fsspec.open(url, "rb") as file:
            content: bytes = file.read()
    except FileNotFoundError as error:
        raise AudioError("audio not found", url) from error
    except (ImportError, ValueError) as error:
        raise ConfigurationError(f"{url} cannot be read: {error}") from None
    except Exception as error:  # each store has errors of its own
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise StorageError(f"{url} cannot be read ({reason})") from error
    return content


def _sample(seconds: float, rate: int) -> int:
    """The sample at a time; one beyond every recording where it would overflow."""
    return round(min(seconds * rate, 2.0**62))


def _is_whole(path: str | Path, kind: str) -> bool:
    """Whether a recording has the end that its header declares; libsndfile takes what
    there is of most formats.

    Raises AudioError for a format whose length is not known here.
    """
    if kind in SELF_CHECKED:
        return True
    place = source(path)
    with Path(place).open("rb") if isinstance(place, str) else place as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        match kind:
            case "WAV" | "WAVEX" | "RF64":
                return _riff_end(file, size) <= size
            case "OGG":
                return _ends_with_last_page(file, size)
            case "W64":
                return int.from_bytes(file.read(24)[16:], "little") <= size
            case "AIFF":
                return 8 + int.from_bytes(file.read(8)[4:], "big") <= size
            case "AU":
                start, length = struct.unpack(">4x2I", file.read(12))
                return bool(length == UNKNOWN_LENGTH or start + length <= size)
            case "NIST":
                return _sphere_end(file.read(1024)) <= size
    raise AudioError("audio unreadable", f"{path}: {kind} may miss its end, convert it to flac")


def _riff_end(file: BinaryIO, size: int) -> int:
    """Where the data chunk ends by its header, 0 where it declares no length."""
    position, long = 12, 0
    while position + 8 <= size:
        file.seek(position)
        name, length = struct.unpack("<4sI", file.read(8))
        if name == b"ds64" and position + 24 <= size:
            # Lengths beyond 32 bits: of the file, then of the data.
            long = struct.unpack("<8xQ", file.read(16))[0]
        if name == b"data":
            if length == UNKNOWN_LENGTH:
                length = long
            return position + 8 + length if length else 0
        position += 8 + length + length % 2
    return 0


def _ends_with_last_page(file: BinaryIO, size: int) -> bool:
    """Whether an Ogg file ends with a page that says it is the last of its stream."""
    file.seek(max(0, size - LONGEST_PAGE))
    tail = file.read()
    start = tail.rfind(b"OggS")
    while start >= 0:
        page = tail[start:]
        if len(page) >= 27 and len(page) >= 27 + page[26]:
            length = 27 + page[26] + sum(page[27 : 27 + page[26]])
            if length == len(page):
                return bool(page[5] & 4)
        start = tail.rfind(b"OggS", 0, start)
    return False


def _sphere_end(header: bytes) -> int:
    """Where a NIST SPHERE file ends by its header, 0 where it does not say."""
    fields = dict(re.findall(rb"^(\w+) -i (\d+)\s*$", header, re.MULTILINE))
    sizes = [fields.get(name) for name in (b"sample_count", b"sample_n_bytes", b"channel_count")]
    if None in sizes:
        return 0
    return 1024 + prod(int(value) for value in sizes if value is not None)


def resample(waveform: NDArray[np.float32], rate: int, sampling_rate: int) -> NDArray[np.float32]:
    """Resamples (num_samples,) from `rate` to `sampling_rate` Hz by soxr, at HQ."""
    if rate == sampling_rate:
        return waveform
    import soxr

    return np.asarray(soxr.resample(waveform, rate, sampling_rate, quality="HQ"), dtype=np.float32)


def load(utterance: Utterance, sampling_rate: int) -> NDArray[np.float32]:
    """The waveform of an utterance at `sampling_rate` Hz: (num_samples,) float32.

    Raises AudioError where the recording cannot be used, or no sample is left of it.
    """
    if utterance.audio_path is None:
        raise AudioError("no audio", "the utterance has no audio_path")
    waveform, rate = read(utterance.audio_path, utterance.start, utterance.end)
    resampled = resample(waveform, rate, sampling_rate)
    require_samples(len(resampled), 1, sampling_rate)
    return resampled


def require_samples(num_samples: int, least: int, sampling_rate: int) -> None:
    """Raises AudioError("audio too short") for fewer than `least` samples."""
    if num_samples < least:
        raise AudioError(
            "audio too short",
            f"{num_samples} samples at {sampling_rate} Hz, expected at least {least} "
            f"({least / sampling_rate:.4g} s)",
        )


def content_hash(waveform: NDArray[np.float32], rate: int) -> str:
    """Hash of the samples and their rate, whatever the file's name or format."""
    samples = np.ascontiguousarray(waveform).tobytes()
    return hashlib.sha256(f"{rate}\0".encode() + samples).hexdigest()
