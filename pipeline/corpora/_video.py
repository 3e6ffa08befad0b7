"""The sound of video clips, decoded once and kept as FLAC."""

import hashlib
import io
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import executor, tables
from pipeline.audio import AudioError
from pipeline.lookup import ConfigurationError

TRUNCATED_SECONDS = 0.5  # containers round their length up to a whole frame of video and of sound


def sound_tracks(clips: Sequence[Path], cache: Path) -> Iterator[Path | AudioError]:
    """For each clip, in order, what `sound_track` returns or raises."""
    require_decoder()
    # Decoding releases Python's lock, so threads are enough and nothing has to be sent
    # between processes.
    with ThreadPoolExecutor(executor.worker_count()) as pool:
        yield from pool.map(partial(_attempt, cache=cache), clips)


def sound_track(clip: Path, cache: Path) -> Path:
    """A file in `cache` with the sound of `clip`: 16-bit FLAC at the clip's own rate.

    Its first sound track is taken and the channels are averaged. The file's name
    carries the hash of the clip, so that a clip that was exchanged is decoded again.
    Raises AudioError for a missing or unreadable clip and for one without sound.
    """
    av = require_decoder()
    if not clip.is_file():
        raise AudioError("audio not found", str(clip))
    with clip.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    target = cache / clip.parent.name / f"{clip.stem}-{digest[:16]}.flac"
    if target.is_file():
        return target
    try:
        waveform, rate = _decode(av, clip)
    except (av.error.FFmpegError, OSError) as error:
        raise AudioError("audio unreadable", f"{clip}: {error}") from error
    _write(target, waveform, rate)
    return target


def require_decoder() -> Any:
    """PyAV; ConfigurationError naming the install command where it is missing."""
    try:
        import av
    except ImportError as error:
        raise ConfigurationError(
            "PyAV, which decodes video clips, is missing: pip install 'serflow[video]'"
        ) from error
    return av


def _attempt(clip: Path, cache: Path) -> Path | AudioError:
    try:
        return sound_track(clip, cache)
    except AudioError as error:
        return error


def _decode(av: Any, clip: Path) -> tuple[NDArray[np.float32], int]:
    blocks: list[NDArray[np.float32]] = []
    with av.open(str(clip)) as container:
        if not container.streams.audio:
            raise AudioError("audio track missing", str(clip))
        stream = container.streams.audio[0]
        rate = int(stream.rate)
        # Planar floats of the same layout: no mixing rules but the mean below.
        planar = av.AudioResampler(format="fltp", layout=stream.layout, rate=rate)
        for frame in container.decode(stream):
            blocks += [part.to_ndarray().mean(axis=0) for part in planar.resample(frame)]
        blocks += [part.to_ndarray().mean(axis=0) for part in planar.resample(None)]
        declared = None if stream.duration is None else float(stream.duration * stream.time_base)
    if not blocks or not sum(map(len, blocks)):
        raise AudioError("audio empty", f"{clip}: its sound track has no samples")
    waveform = np.concatenate(blocks)
    if declared is not None and len(waveform) / rate < declared - TRUNCATED_SECONDS:
        raise AudioError(
            "audio truncated",
            f"{clip}: {len(waveform) / rate:.2f} s of the declared {declared:.2f} s",
        )
    return waveform, rate


def _write(target: Path, waveform: NDArray[np.float32], rate: int) -> None:
    import soundfile

    samples = np.rint(np.clip(waveform, -1, 1) * 32767).astype(np.int16)
    # libsndfile does not say why it could not write a file.
    coded = io.BytesIO()
    soundfile.write(coded, samples, rate, format="FLAC", subtype="PCM_16")
    with tables.replacing(target) as temporary:
        temporary.write_bytes(coded.getvalue())
