"""Whether a corpus on disk is what was published, and whether training on it would be
right.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as validated

from pipeline import audio
from pipeline.corpora import _listing as listing
from pipeline.corpora import _totals as totals
from pipeline.corpora._totals import Totals
from pipeline.schema import Rejection, Utterance

if TYPE_CHECKING:
    from rich.console import RenderableType

COUNTED = ("emotion", "session", "speaker", "subset", "style", "language")
CLIPPED = 0.998  # of full scale: 16-bit samples at the limit, and copies of them at slightly less


@validated(frozen=True, config=ConfigDict(extra="forbid"))
class Limits:
    """When a finding is made; shares are of 1. More than `unusable_share` of recordings
    lost stops training.
    """

    unusable_share: float = Field(default=0.02, ge=0, le=1)
    clipped_share: float = Field(default=0.001, ge=0, le=1)
    outlier_factor: float = Field(default=10.0, gt=1)


@dataclass(frozen=True)
class Recording:
    """What one utterance's recording is; `duration` in seconds, `clipped_share` of its
    samples lie in clipped runs.
    """

    utterance_id: str
    sampling_rate: int
    channels: int
    duration: float
    clipped_share: float
    audio_sha256: str


@dataclass(frozen=True)
class Finding:
    """Something that a person should look at: what, where, and the particulars."""

    kind: str
    where: str
    detail: str = ""


@dataclass(frozen=True)
class CorpusCheck:
    """The result of `check`; `problems` forbid training, `findings` and `missing_parts`
    are to be known about.

    `counts` holds, for each field that the corpus fills, the number of utterances by
    value; `expected` the published numbers of those values.
    """

    name: str
    num_utterances: int
    num_unusable: int
    hours: float
    without_transcript: int
    counts: Mapping[str, Mapping[str, int]]
    expected: Mapping[str, Mapping[str, int]]
    missing_parts: tuple[str, ...]
    findings: tuple[Finding, ...]
    problems: tuple[str, ...]

    @property
    def fit_for_training(self) -> bool:
        """False when a model trained on these files would be wrong or not comparable
        with published results.
        """
        return not self.problems


def inspect(utterance: Utterance) -> Recording | Rejection | None:
    """Decodes the recording of one utterance; None where it has none. Apply it to all
    utterances in a pool.
    """
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
        channels=int(soundfile.info(utterance.audio_path).channels),
        duration=len(waveform) / rate,
        clipped_share=float(runs.sum()) / len(waveform),
        audio_sha256=audio.content_hash(waveform, rate),
    )


def check(
    name: str,
    utterances: Sequence[Utterance],
    rejections: Sequence[Rejection] = (),
    published: Totals | None = None,
    *,
    root: Path | None = None,
    sampling_rate: int | None = None,
    recordings: Iterable[Recording | Rejection | None] | None = None,
    limits: Limits | None = None,
) -> CorpusCheck:
    """Compares what a reader found with what was `published`, and looks into every
    recording.

    `utterances` and `rejections` come from the corpus's `read`. `recordings` are the
    results of `inspect` over `utterances`, computed here when not given.
    `sampling_rate` (Hz) is the published one; `root` is searched for files that do not
    belong.
    """
    limits = limits or Limits()
    inspected = [
        item
        for item in (recordings if recordings is not None else map(inspect, utterances))
        if item
    ]
    decoded = [item for item in inspected if isinstance(item, Recording)]
    unusable = [item for item in inspected if isinstance(item, Rejection)]
    findings = [
        *(
            Finding(item.reason, item.utterance_id, item.detail)
            for item in [*rejections, *unusable]
        ),
        *_metadata(root),
        *_rates(decoded, sampling_rate),
        *_outliers(decoded, limits),
        *_shared_speakers(utterances),
    ]
    problems = list(_problems(utterances, rejections, published, unusable, limits))
    for finding, problem in _duplicates(utterances, decoded):
        findings.append(finding)
        problems += [problem] if problem else []
    missing = tuple(totals.missing_parts(published, utterances)) if published else ()
    return CorpusCheck(
        name=name,
        num_utterances=len(utterances),
        num_unusable=len(unusable),
        hours=sum(item.duration for item in decoded) / 3600,
        without_transcript=sum(not utterance.transcript for utterance in utterances),
        counts=_counts(utterances),
        expected=_expected(published),
        missing_parts=missing,
        findings=tuple(findings),
        problems=tuple(problems),
    )


def _counts(utterances: Sequence[Utterance]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for field in COUNTED:
        values = Counter(
            str(value) for row in utterances if (value := getattr(row, field)) is not None
        )
        if values:
            found[field] = dict(sorted(values.items()))
    return found


def _expected(published: Totals | None) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for count in published.counts if published else ():
        fields = list(count.where.items())
        if len(fields) == 1 and len(fields[0][1]) == 1:
            found.setdefault(fields[0][0], {})[fields[0][1][0]] = count.expected
    return found


def _problems(
    utterances: Sequence[Utterance],
    rejections: Sequence[Rejection],
    published: Totals | None,
    unusable: Sequence[Rejection],
    limits: Limits,
) -> Iterator[str]:
    if not utterances:
        yield "no utterance was found, expected some"
        return
    emotions = sorted({row.emotion for row in utterances})
    if len(emotions) < 2:
        yield f"one class only ({emotions[0]}), expected two or more"
    repeated = sorted(
        name
        for name, number in Counter(row.utterance_id for row in utterances).items()
        if number > 1
    )
    if repeated:
        yield f"{len(repeated)} utterance ids stand twice ({repeated[0]} …), expected distinct ids"
    # A reader of a published corpus also rejects what never belonged to it (songs,
    # other people's files): the totals judge those. Recordings that it could not decode
    # belong, but their labels are not known here.
    silent = [item for item in rejections if published is None or item.reason.startswith("audio ")]
    lost = [*unusable, *silent]
    total = len(utterances) + len(silent)
    if len(lost) > limits.unusable_share * total:
        worst, number = Counter(item.reason for item in lost).most_common(1)[0]
        share = f"{len(lost)} of {total} utterances ({len(lost) / total:.1%})"
        yield f"{share} unusable, most because of {worst!r} ({number}), expected at most {limits.unusable_share:.0%}"
    if published is not None:
        lines = totals.differences(published, utterances, rejections, tolerance=len(silent))
        yield from (f"published total: {line}" for line in lines)


def _metadata(root: Path | None) -> Iterator[Finding]:
    if root is not None and root.is_dir():
        for path in listing.hidden_metadata(root):
            yield Finding(
                "macOS metadata", path.relative_to(root).as_posix(), "not a recording; left out"
            )


def _rates(recordings: Sequence[Recording], published: int | None) -> Iterator[Finding]:
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


def _outliers(recordings: Sequence[Recording], limits: Limits) -> Iterator[Finding]:
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


def _shared_speakers(utterances: Sequence[Utterance]) -> Iterator[Finding]:
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


def _duplicates(
    utterances: Sequence[Utterance], recordings: Sequence[Recording]
) -> Iterator[tuple[Finding, str | None]]:
    """Copies of a recording, and the problem where they contradict each other or would
    leak from training into test.
    """
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
            problem = f"one recording under two labels ({pair}: {values}), expected one"
        yield (
            Finding("duplicate", row.utterance_id, f"the same samples as {original.utterance_id}"),
            problem,
        )


def table(result: CorpusCheck, examples: int = 3, longest: int = 24) -> RenderableType:
    """The result for a terminal: counts beside the published ones, findings by kind
    with `examples`, the verdict.

    A field with more than `longest` values is summed up in one line, and no more than
    `longest` problems are listed.
    """
    from rich.console import Group
    from rich.markup import escape
    from rich.table import Table
    from rich.text import Text

    facts = f"{result.name}: {result.num_utterances} utterances, {result.hours:.2f} h"
    counts = Table("field", "value", "utterances", "published", title=escape(facts))
    for field, values in result.counts.items():
        if len(values) > longest:
            numbers = sorted(values.values())
            spread = f"{numbers[0]} to {numbers[-1]} each, median {median(numbers):g}"
            counts.add_row(field, f"{len(values)} values", spread, "")
            continue
        published = result.expected.get(field, {})
        for value in sorted({*values, *published}):
            shown = str(published.get(value, ""))
            counts.add_row(field, escape(value), str(values.get(value, 0)), shown)
    parts: list[RenderableType] = [counts]
    kinds: dict[str, list[Finding]] = defaultdict(list)
    for finding in result.findings:
        kinds[finding.kind].append(finding)
    if kinds:
        findings = Table("finding", "number", "for example")
        for kind, found in sorted(kinds.items()):
            shown = "\n".join(
                f"{item.where}: {item.detail}" if item.detail else item.where
                for item in found[:examples]
            )
            findings.add_row(escape(kind), str(len(found)), escape(shown))
        parts.append(findings)
    if result.without_transcript:
        parts.append(Text(f"{result.without_transcript} utterances have no transcript"))
    if result.missing_parts:
        parts.append(
            Text(
                f"not there: {', '.join(result.missing_parts)}; the counts of the rest were compared"
            )
        )
    parts += [Text(f"wrong: {problem}", style="red") for problem in result.problems[:longest]]
    if len(result.problems) > longest:
        parts.append(Text(f"wrong: {len(result.problems) - longest} more like these", style="red"))
    verdict = "fit for training" if result.fit_for_training else "not fit for training"
    parts.append(
        Text(
            f"{result.name} is {verdict}", style="green" if result.fit_for_training else "bold red"
        )
    )
    return Group(*parts)
