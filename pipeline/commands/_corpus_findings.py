"""What a person should know about the recordings of a corpus before training on it."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from pydantic import Field

from pipeline import audio
from pipeline.corpora import hidden_metadata
from pipeline.lookup import checked
from pipeline.schema import Rejection, Utterance

CLIPPED = 0.998  # of full scale: 16-bit samples at the limit, and slightly attenuated copies


@checked
class Limits:
    """When something is found, as shares of 1 and as a factor of the median duration.

    Where more than `unusable_share` of the recordings are unusable, the corpus is not
    fit for training.
    """

    unusable_share: float = Field(default=0.02, ge=0, le=1)
    clipped_share: float = Field(default=0.001, ge=0, le=1)
    outlier_factor: float = Field(default=10.0, gt=1)


@dataclass(frozen=True)
class Recording:
    """What one utterance's recording is.

    `duration` in seconds, `sampling_rate` in Hz; `clipped_share` of the samples lie in
    clipped runs.
    """

    utterance_id: str
    sampling_rate: int
    channels: int
    duration: float
    clipped_share: float
    audio_sha256: str


@dataclass(frozen=True)
class Finding:
    """Something that a person should look at; `where` names an utterance or a file."""

    kind: str
    where: str
    detail: str = ""


def inspect(utterance: Utterance) -> Recording | Rejection | None:
    """Decodes the recording of one utterance; None where it has none."""
    import soundfile

    if utterance.audio_path is None:
        return None
    try:
        waveform, rate = audio.read(utterance.audio_path, utterance.start, utterance.end)
    except audio.AudioError as error:
        return Rejection(utterance.utterance_id, "check", error.reason, error.detail)
    high = np.abs(waveform) >= CLIPPED
    # A single sample at full scale is a peak, three in a row are a flattened wave.
    runs = high[:-2] & high[1:-1] & high[2:]
    return Recording(
        utterance_id=utterance.utterance_id,
        sampling_rate=rate,
        channels=int(soundfile.info(audio.source(utterance.audio_path)).channels),
        duration=len(waveform) / rate,
        clipped_share=float(runs.sum()) / len(waveform),
        audio_sha256=audio.content_hash(waveform, rate),
    )


def metadata(root: Path | None) -> Iterator[Finding]:
    if root is not None and root.is_dir():
        for path in hidden_metadata(root):
            yield Finding(
                "macOS metadata", path.relative_to(root).as_posix(), "not a recording; left out"
            )


def sampling_rates(recordings: Sequence[Recording], published: int | None) -> Iterator[Finding]:
    if not recordings:
        return
    usual = Counter(item.sampling_rate for item in recordings).most_common(1)[0][0]
    if published is not None and usual != published:
        detail = f"{usual} Hz, expected {published} Hz as published"
        yield Finding("resampled copy", "most recordings", detail)
    mono = Counter(item.channels for item in recordings).most_common(1)[0][0]
    for item in recordings:
        if item.sampling_rate != usual:
            yield Finding(
                "other sampling rate",
                item.utterance_id,
                f"{item.sampling_rate} Hz, the others {usual} Hz",
            )
        if item.channels != mono:
            yield Finding(
                "other channels",
                item.utterance_id,
                f"{item.channels} channels, the others {mono}; averaged",
            )


def outliers(recordings: Sequence[Recording], limits: Limits) -> Iterator[Finding]:
    usual = median(item.duration for item in recordings) if recordings else 0.0
    for item in recordings:
        if item.clipped_share > limits.clipped_share:
            yield Finding("clipped", item.utterance_id, f"{item.clipped_share:.1%} of its samples")
        if not usual / limits.outlier_factor <= item.duration <= usual * limits.outlier_factor:
            yield Finding(
                "unusual length",
                item.utterance_id,
                f"{item.duration:.2f} s, the median is {usual:.2f} s",
            )


def shared_speakers(utterances: Sequence[Utterance]) -> Iterator[Finding]:
    sessions: dict[str, set[str]] = defaultdict(set)
    for row in utterances:
        if row.speaker is not None and row.session is not None:
            sessions[row.speaker].add(row.session)
    for speaker, found in sorted(sessions.items()):
        if len(found) > 1:
            yield Finding(
                "speaker in several sessions",
                speaker,
                f"{', '.join(sorted(found))}: split by speaker instead",
            )


def duplicates(
    utterances: Sequence[Utterance], recordings: Sequence[Recording]
) -> Iterator[tuple[Finding, str | None]]:
    """Copies of a recording; with a problem where label, speaker or subset differ."""
    rows = {row.utterance_id: row for row in utterances}
    first: dict[str, Utterance] = {}
    for item in sorted(recordings, key=lambda item: item.utterance_id):
        row = rows[item.utterance_id]
        original = first.setdefault(item.audio_sha256, row)
        if original is row:
            continue
        fields = ("emotion", "speaker", "subset")
        apart = [field for field in fields if getattr(row, field) != getattr(original, field)]
        problem = None
        if apart:
            pair = f"{row.utterance_id} = {original.utterance_id}"
            values = ", ".join(
                f"{field} {getattr(original, field)}/{getattr(row, field)}" for field in apart
            )
            problem = f"one recording under two labels ({pair}: {values})"
        yield (
            Finding("duplicate", row.utterance_id, f"the same samples as {original.utterance_id}"),
            problem,
        )
