"""Whether word spans can be true, judged by the audio alone.

An aligner can be wrong over a whole corpus and report no error.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipeline.alignment._voice import STEP, WINDOW, Voice
from pipeline.lookup import checked
from pipeline.schema import WordSpan

PLACED_BY_VOICE = "not stated: the words were placed by the voice itself"


@checked
class Config:
    """Tolerances; the defaults pass every true alignment of synthetic speech and 99 %
    of acted speech.

    max_start_before_voice, max_start_after_voice: seconds that the first word may start
    before or after the voice. max_end_after_voice, max_end_before_voice: the same of
    the last word's end. Those inside the voice are wide, because breath and laughter
    count as voice. max_silent_share: share of the words that may lie over silence.
    min_word, max_word: seconds that a word lasts. min_seconds_per_letter: the fastest
    speech.
    """

    max_start_before_voice: float = Field(default=0.3, ge=0)
    max_start_after_voice: float = Field(default=1.25, ge=0)
    max_end_after_voice: float = Field(default=0.3, ge=0)
    max_end_before_voice: float = Field(default=1.25, ge=0)
    max_silent_share: float = Field(default=0.2, ge=0, le=1)
    min_word: float = Field(default=0.01, ge=0)
    max_word: float = Field(default=2.5, gt=0)
    min_seconds_per_letter: float = Field(default=0.008, ge=0)


def edges(spans: Sequence[WordSpan], heard: Voice) -> tuple[float, float]:
    """Seconds from the voice's start to the first word's, and from its end to the last
    word's; negative is early.
    """
    return spans[0].start - heard.start, spans[-1].end - heard.end


def check(spans: Sequence[WordSpan], heard: Voice, config: Config) -> list[str]:
    """Why these spans cannot be true for this voice; empty where they can."""
    if not spans:
        return ["no words"]
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
            letters = f"{len(span.word)} letters in {duration:.3f} s"
            reasons.append(f"word {span.word_index} {span.word!r} has {letters}")
    return reasons


def word_start_errors(
    spans: Mapping[str, Sequence[WordSpan]], truth_spans: Mapping[str, Sequence[WordSpan]]
) -> dict[str, float]:
    """Errors of word starts against the true spans, over the words that both have.

    Both are by utterance_id. median_ms and p95_ms of the absolute error, bias_ms
    (positive is late), the share within_50ms, and n words.
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

    `distances` are empty for an aligner that places words by the voice: it would agree
    with it by construction.
    """
    result: dict[str, Any] = {"checked": num_checked, "failed": num_failed}
    result["share_failed"] = round(num_failed / num_checked, 6) if num_checked else 0.0
    if num_checked and not distances:
        result["agreement"] = PLACED_BY_VOICE
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
