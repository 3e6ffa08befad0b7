"""File -> mono float32 waveform at a sampling rate."""

import hashlib
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from pipeline.schema import Utterance


def _hertz(rate: int) -> int:
    if rate < 1000:
        raise ValueError(f"expected Hz, at least 1000: {rate} kHz are {1000 * rate}")
    return rate


SamplingRate = Annotated[int, Field(gt=0, le=1_000_000), AfterValidator(_hertz)]

# -80 dBFS: below the noise floor of any microphone, above the dither of a digital zero.
SILENCE_PEAK = 1e-4


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
    Raises AudioError for a missing, unreadable, truncated, empty or silent recording.
    """
    import soundfile

    try:
        if not Path(path).is_file():
            raise AudioError("audio not found", str(path))
        with soundfile.SoundFile(str(path)) as file:
            rate = int(file.samplerate)
            first = 0 if start is None else _sample(start, rate)
            last = file.frames if end is None else _sample(end, rate)
            # A rounded last time may name a few samples past the end; more than that is
            # a wrong segment.
            if not 0 <= first <= last or first > file.frames or last > file.frames + 0.05 * rate:
                detail = f"{path}: {start}-{end} s of {file.frames / rate:.3f} s"
                raise AudioError("segment outside the recording", detail)
            expected = min(last, file.frames) - first
            file.seek(first)
            waveform = file.read(expected, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise AudioError("audio unreadable", f"{path}: {error}") from error
    if len(waveform) < expected or (end is None and _declares_more(Path(path))):
        raise AudioError("audio truncated", f"{path}: fewer samples than its header declares")
    if len(waveform) == 0:
        raise AudioError("audio empty", f"{path}: no samples")
    mono = waveform[:, 0] if waveform.shape[1] == 1 else waveform.mean(axis=1)
    if not np.isfinite(mono).all():
        raise AudioError("audio not finite", f"{path}: NaN or infinite samples")
    if np.abs(mono).max() < SILENCE_PEAK:
        raise AudioError("audio silent", f"{path}: peak below {SILENCE_PEAK}")
    return np.ascontiguousarray(mono, dtype=np.float32), rate


def _sample(seconds: float, rate: int) -> int:
    """The sample at a time; one beyond every recording where it would overflow."""
    return round(min(seconds * rate, 2.0**62))


def _declares_more(path: Path) -> bool:
    """Whether the data chunk of a RIFF file declares more bytes than the file has;
    libsndfile does not report it.
    """
    if path.suffix.lower() != ".wav":
        return False
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
            return False
        position = 12
        while position + 8 <= size:
            file.seek(position)
            chunk = file.read(8)
            length = int.from_bytes(chunk[4:8], "little")
            if chunk[:4] == b"data":
                # A streamed file declares 0 or 0xFFFFFFFF: its length is not known.
                return length not in (0, 0xFFFFFFFF) and position + 8 + length > size
            position += 8 + length + length % 2
    return False


def resample(waveform: NDArray[np.float32], rate: int, sampling_rate: int) -> NDArray[np.float32]:
    """Resamples (num_samples,) from `rate` to `sampling_rate` Hz by soxr, at HQ."""
    if rate == sampling_rate:
        return waveform
    import soxr

    return np.asarray(soxr.resample(waveform, rate, sampling_rate, quality="HQ"), dtype=np.float32)


def load(utterance: Utterance, sampling_rate: int) -> NDArray[np.float32]:
    """The waveform of an utterance at `sampling_rate` Hz: (num_samples,) float32."""
    if utterance.audio_path is None:
        raise AudioError("no audio", "the utterance has no audio_path")
    waveform, rate = read(utterance.audio_path, utterance.start, utterance.end)
    return resample(waveform, rate, sampling_rate)


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
