"""Whether word spans can be true, judged by the audio alone: aligners fail over whole
corpora without saying so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from pipeline.schema import WordSpan

WINDOW = 0.02  # s, of one level
STEP = 0.01  # s, between levels
RUN = 3  # levels in a row that make a voice: a click is shorter


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Config:
    """Tolerances; the defaults pass every true alignment of synthetic speech and 99 %
    of acted speech.

    Seconds that the first word may start before (after) the voice does, and the last
    word end after (before) it ends; they are wide on the inner side because breath and
    laughter count as voice. max_silent_share: share of the words that may lie over
    silence. A word is shorter than min_word, longer than max_word, or faster than
    min_seconds_per_letter only by mistake.
    """

    max_start_before_voice: float = Field(default=0.3, ge=0)
    max_start_after_voice: float = Field(default=1.25, ge=0)
    max_end_after_voice: float = Field(default=0.3, ge=0)
    max_end_before_voice: float = Field(default=1.25, ge=0)
    max_silent_share: float = Field(default=0.2, ge=0, le=1)
    min_word: float = Field(default=0.01, ge=0)
    max_word: float = Field(default=2.5, gt=0)
    min_seconds_per_letter: float = Field(default=0.008, ge=0)


class Voice(NamedTuple):
    """Where a clip is loud: `start` and `end` in seconds; `active` bool (num_levels,),
    one every STEP from 0.
    """

    start: float
    end: float
    active: NDArray[np.bool_]


def voice(
    waveform: NDArray[np.float32],
    sampling_rate: int,
    below_peak: float = 30.0,
    above_floor: float = 10.0,
) -> Voice:
    """Where (num_samples,) is both within `below_peak` dB of its loud parts and
    `above_floor` dB over its noise.

    On synthetic speech with known word times the start and end are true to a median of
    5 ms.
    """
    window, step = round(WINDOW * sampling_rate), round(STEP * sampling_rate)
    total = np.concatenate([[0.0], np.cumsum(waveform.astype(np.float64) ** 2)])
    first = np.arange(0, max(len(waveform) - window, 0) + 1, step)
    energy = total[np.minimum(first + window, len(waveform))] - total[first]
    level = 10 * np.log10(np.maximum(energy / window, 1e-12))
    loud, floor = np.percentile(level, 97), np.percentile(level, 5)
    # In steady noise the floor rises to meet the speech: the threshold still stays
    # under the loud parts.
    active = level > max(loud - below_peak, min(floor + above_floor, loud - 12))
    runs = (
        np.flatnonzero(np.convolve(active, np.ones(RUN), "valid") == RUN)
        if len(active) >= RUN
        else np.array([])
    )
    duration = len(waveform) / sampling_rate
    if len(runs) == 0:
        return Voice(0.0, duration, active)
    # The middle of the first loud window is nearest to where the voice sets in; a clip
    # cut inside it starts with it.
    past = runs[-1] + RUN
    start = 0.0 if runs[0] == 0 else runs[0] * STEP + WINDOW / 2
    end = duration if past == len(active) else (past - 1) * STEP + WINDOW / 2
    return Voice(float(start), float(end), active)


def edges(spans: Sequence[WordSpan], heard: Voice) -> tuple[float, float]:
    """Seconds from the voice's start to the first word's, and from its end to the last
    word's; negative is early.
    """
    return spans[0].start - heard.start, spans[-1].end - heard.end


def check(
    spans: Sequence[WordSpan], waveform: NDArray[np.float32], sampling_rate: int, config: Config
) -> list[str]:
    """Why these spans cannot be true for this waveform (num_samples,); empty when
    nothing speaks against them.
    """
    if not spans:
        return ["no words"]
    heard = voice(waveform, sampling_rate)
    start, end = edges(spans, heard)
    reasons = []
    if start < -config.max_start_before_voice:
        reasons.append(f"first word starts {-start:.2f} s before the voice")
    if start > config.max_start_after_voice:
        reasons.append(f"first word starts {start:.2f} s after the voice")
    if end > config.max_end_after_voice:
        reasons.append(f"last word ends {end:.2f} s after the voice")
    if end < -config.max_end_before_voice:
        reasons.append(f"last word ends {-end:.2f} s before the voice")
    silent = [span.word for span in spans if _active_share(span, heard.active) < 0.2]
    if len(silent) > config.max_silent_share * len(spans):
        reasons.append(f"{len(silent)} of {len(spans)} words over silence")
    for span in spans:
        duration = span.end - span.start
        if duration < config.min_word - 1e-6 or duration > config.max_word:
            reasons.append(f"word {span.word_index} {span.word!r} lasts {duration:.3f} s")
        elif duration < config.min_seconds_per_letter * len(span.word):
            reasons.append(
                f"word {span.word_index} {span.word!r} has {len(span.word)} letters in {duration:.3f} s"
            )
    return reasons


def word_start_errors(
    spans: Mapping[str, Sequence[WordSpan]], truth_spans: Mapping[str, Sequence[WordSpan]]
) -> dict[str, float]:
    """Errors of word starts against the truth, over the words that both have, by
    utterance_id and word_index.

    median_ms and p95_ms of the absolute error, bias_ms (positive is late), share
    within_50ms, and n words.
    """
    errors = []
    for utterance_id, found in spans.items():
        truth = {span.word_index: span.start for span in truth_spans.get(utterance_id, ())}
        errors += [
            span.start - truth[span.word_index] for span in found if span.word_index in truth
        ]
    if not errors:
        return {"n": 0}
    error = np.array(errors) * 1000
    size = np.abs(error)
    return {
        "median_ms": round(float(np.median(size)), 3),
        "bias_ms": round(float(error.mean()), 3),
        # Times are decimal: a start 50 ms off by the clock is not 50.000000001 ms off.
        "within_50ms": round(float((size <= 50 + 1e-6).mean()), 6),
        "p95_ms": round(float(np.percentile(size, 95)), 3),
        "n": len(errors),
    }


def summary(
    distances: Sequence[tuple[float, float]], num_failed: int, num_checked: int
) -> dict[str, Any]:
    """The check over a corpus: share that failed, medians of `edges` (signed and
    absolute), shares within 0.1 s.
    """
    result: dict[str, Any] = {"checked": num_checked, "failed": num_failed}
    result["share_failed"] = round(num_failed / num_checked, 6) if num_checked else 0.0
    if distances:
        table = np.array(distances)
        for column, name in enumerate(("first_start", "last_end")):
            values = table[:, column]
            result[f"{name}_bias_s"] = round(float(np.median(values)), 4)
            result[f"{name}_median_s"] = round(float(np.median(np.abs(values))), 4)
            result[f"{name}_within_100ms"] = round(float((np.abs(values) <= 0.1).mean()), 4)
    return result


def _active_share(span: WordSpan, active: NDArray[np.bool_]) -> float:
    first = int(np.clip(np.ceil((span.start - WINDOW / 2) / STEP), 0, len(active) - 1))
    past = int(np.ceil((span.end - WINDOW / 2) / STEP))
    return float(active[first : max(past, first + 1)].mean())
