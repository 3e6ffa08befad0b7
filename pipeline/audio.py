"""File -> mono float32 waveform at a sampling rate."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.schema import Utterance

SILENCE_PEAK = (
    1e-4  # -80 dBFS: below the noise floor of any microphone, above the dither of a digital zero
)


class AudioError(Exception):
    """Why a recording cannot be used; `reason` is a short fixed phrase, `detail` the
    particulars.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type[AudioError], tuple[str, str]]:
        return AudioError, (self.reason, self.detail)


def read(
    path: str | Path, start: float | None = None, end: float | None = None
) -> tuple[NDArray[np.float32], int]:
    """Reads a recording, or its part from `start` to `end` seconds, as mono:
    (num_samples,) in [-1, 1], rate in Hz.

    Raises AudioError for a missing, unreadable, truncated, empty or silent recording.
    """
    import soundfile

    if not Path(path).is_file():
        raise AudioError("audio not found", str(path))
    try:
        with soundfile.SoundFile(str(path)) as file:
            rate = int(file.samplerate)
            first = 0 if start is None else round(start * rate)
            last = file.frames if end is None else round(end * rate)
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


def _declares_more(path: Path) -> bool:
    """Whether a RIFF file's data chunk declares more bytes than the file has;
    libsndfile reads it without a word.
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
                # Streamed files carry 0 or 0xFFFFFFFF as "unknown": they are complete
                # as far as anybody can tell.
                return length not in (0, 0xFFFFFFFF) and position + 8 + length > size
            position += 8 + length + length % 2
    return False


def resample(waveform: NDArray[np.float32], rate: int, sampling_rate: int) -> NDArray[np.float32]:
    """Resamples (num_samples,) from `rate` to `sampling_rate` Hz with soxr's high
    quality setting.
    """
    if rate == sampling_rate:
        return waveform
    import soxr

    return np.asarray(soxr.resample(waveform, rate, sampling_rate, quality="HQ"), dtype=np.float32)


def load(utterance: Utterance, sampling_rate: int) -> NDArray[np.float32]:
    """The waveform of an utterance at `sampling_rate` Hz: (num_samples,) mono float32."""
    if utterance.audio_path is None:
        raise AudioError("no audio", "the utterance has no audio_path")
    waveform, rate = read(utterance.audio_path, utterance.start, utterance.end)
    return resample(waveform, rate, sampling_rate)


def require_samples(num_samples: int, least: int, sampling_rate: int) -> None:
    """Raises AudioError("audio too short") when a waveform has fewer samples than one
    frame needs.
    """
    if num_samples < least:
        raise AudioError(
            "audio too short",
            f"{num_samples} samples at {sampling_rate} Hz, expected at least {least} ({least / sampling_rate:.4g} s)",
        )


def content_hash(waveform: NDArray[np.float32], rate: int) -> str:
    """Hash of the samples and their rate: equal recordings share it, whatever their
    file's name or container.
    """
    return hashlib.sha256(
        f"{rate}\0".encode() + np.ascontiguousarray(waveform).tobytes()
    ).hexdigest()
