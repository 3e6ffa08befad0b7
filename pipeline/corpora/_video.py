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

    Its first sound track is taken and the channels are averaged, a block at a time: the
    memory does not grow with the length. The file's name carries the hash of the clip,
    so that a clip that was exchanged is decoded again. Raises AudioError for a missing
    or unreadable clip and for one without sound, StorageError where the disk is full.
    """
    av = require_decoder()
    if not clip.is_file():
        raise AudioError("audio not found", str(clip))
    with clip.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    target = cache / clip.parent.name / f"{clip.stem}-{digest[:16]}.flac"
    if target.is_file():
        return target
    with tables.replacing(target) as temporary:
        try:
            with av.open(str(clip)) as container:
                _write(temporary, clip, container)
        except av.error.FFmpegError as error:
            raise AudioError("audio unreadable", f"{clip}: {error}") from error
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


def _write(target: Path, clip: Path, container: Any) -> None:
    import soundfile

    if not container.streams.audio:
        raise AudioError("audio track missing", str(clip))
    stream = container.streams.audio[0]
    rate, length = int(stream.rate), 0
    with _Output(target, "w+b") as file:
        try:
            with soundfile.SoundFile(file, "w", rate, 1, "PCM_16", format="FLAC") as coded:
                for block in _blocks(container, stream):
                    coded.write(np.rint(np.clip(block, -1, 1) * 32767).astype(np.int16))
                    length += len(block)
        finally:
            if file.refusal is not None:
                raise file.refusal
    if not length:
        raise AudioError("audio empty", f"{clip}: its sound track has no samples")
    seconds = length / rate
    declared = 0.0 if stream.duration is None else float(stream.duration * stream.time_base)
    if seconds < declared - TRUNCATED_SECONDS:
        raise AudioError(
            "audio truncated", f"{clip}: {seconds:.2f} s of the declared {declared:.2f} s"
        )


def _blocks(container: Any, stream: Any) -> Iterator[NDArray[np.float32]]:
    """The samples of the sound track, the mean of its channels."""
    import av

    # Planar floats of the same layout: no mixing rules but the mean below.
    planar = av.AudioResampler(format="fltp", layout=stream.layout, rate=stream.rate)
    for frame in container.decode(stream):
        yield from (part.to_ndarray().mean(axis=0) for part in planar.resample(frame))
    yield from (part.to_ndarray().mean(axis=0) for part in planar.resample(None))


class _Output(io.FileIO):
    """A file to write, which keeps the system's refusal: libsndfile says no reason."""

    refusal: OSError | None = None

    def write(self, data: Any, /) -> int:
        written = 0
        try:
            while written < len(data):
                written += super().write(data[written:])
        except OSError as error:
            self.refusal = error
        return written
