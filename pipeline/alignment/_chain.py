"""Aligners in order of preference: what one cannot place, or places against the audio,
falls visibly to the next.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline import audio, lookup
from pipeline.alignment import _check as alignment_check
from pipeline.schema import AlignmentError, Utterance, WordSpan

SAMPLING_RATE = 16000  # Hz, of the check


@dataclass(frozen=True)
class Aligned:
    """What a chain did with some utterances; results of several calls add up with
    `merge`.

    results: spans or the last AlignmentError, by utterance_id in the order given.
    tried, placed: utterances by aligner. failures: by aligner, utterances by reason.
    implausible: of the utterances checked (`checked`, by aligner), those that failed.
    distances: `alignment_check.edges` of what was checked, by aligner. trail: for
    utterances that the first aligner did not place, what each aligner answered.
    """

    results: dict[str, list[WordSpan] | AlignmentError] = field(default_factory=dict)
    tried: Counter[str] = field(default_factory=Counter)
    placed: Counter[str] = field(default_factory=Counter)
    checked: Counter[str] = field(default_factory=Counter)
    implausible: Counter[str] = field(default_factory=Counter)
    failures: dict[str, Counter[str]] = field(default_factory=dict)
    distances: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    trail: dict[str, list[str]] = field(default_factory=dict)

    def metrics(self) -> dict[str, Any]:
        """Counts for metrics.json: coverage; per aligner tried, placed, failures by
        reason, the check's summary.
        """
        num_placed = sum(self.placed.values())
        result: dict[str, Any] = {
            "utterances": len(self.results),
            "placed": num_placed,
            "coverage": round(num_placed / len(self.results), 6) if self.results else 0.0,
            "fallbacks": sum(isinstance(self.results[name], list) for name in self.trail),
        }
        known = [
            s.confidence
            for r in self.results.values()
            if isinstance(r, list)
            for s in r
            if s.confidence is not None
        ]
        if known:
            result["mean_confidence"] = round(sum(known) / len(known), 4)
        result["aligners"] = {
            name: {
                "tried": self.tried[name],
                "placed": self.placed[name],
                "failures": dict(sorted(self.failures.get(name, Counter()).items())),
                "check": alignment_check.summary(
                    self.distances.get(name, []), self.implausible[name], self.checked[name]
                ),
            }
            for name in self.tried
        }
        return result


def align(
    utterances: Sequence[Utterance],
    aligners: Sequence[tuple[str, Any]],
    check: alignment_check.Config | None,
) -> Aligned:
    """Aligns with the first of `aligners` (name, Config), what it fails on with the
    next, and so on; spans name theirs.

    With a `check`, spans that the audio speaks against count as a failure ('implausible
    alignment').
    """
    if not aligners:
        raise lookup.ConfigurationError("no aligner given, expected at least one name")
    done = Aligned(
        results={utterance.utterance_id: AlignmentError("not aligned") for utterance in utterances}
    )
    left = list(utterances)
    for name, config in aligners:
        if not left:
            break
        failed = []
        answers = lookup.component("alignment", name).align(left, config)
        for utterance, (utterance_id, answer) in zip(left, answers, strict=True):
            if utterance_id != utterance.utterance_id:
                raise RuntimeError(
                    f"{name} answered {utterance_id!r}, expected {utterance.utterance_id!r}"
                )
            done.tried[name] += 1
            outcome = _checked(utterance, answer, name, check, done)
            done.results[utterance_id] = outcome
            if isinstance(outcome, AlignmentError):
                done.failures.setdefault(name, Counter())[outcome.reason] += 1
                done.trail.setdefault(utterance_id, []).append(f"{name}: {outcome}")
                failed.append(utterance)
            else:
                done.placed[name] += 1
        left = failed
    for utterance in left:
        # The last answer alone would hide why the better aligners failed.
        trail, last = done.trail[utterance.utterance_id], done.results[utterance.utterance_id]
        if len(trail) > 1 and isinstance(last, AlignmentError):
            done.results[utterance.utterance_id] = AlignmentError(last.reason, "; ".join(trail))
    return done


def merge(parts: Sequence[Aligned]) -> Aligned:
    """The sum of several calls over different utterances, in order."""
    total = Aligned()
    for part in parts:
        total.results.update(part.results)
        total.trail.update(part.trail)
        for mine, theirs in (
            (total.tried, part.tried),
            (total.placed, part.placed),
            (total.checked, part.checked),
            (total.implausible, part.implausible),
        ):
            mine.update(theirs)
        for name, reasons in part.failures.items():
            total.failures.setdefault(name, Counter()).update(reasons)
        for name, rows in part.distances.items():
            total.distances.setdefault(name, []).extend(rows)
    return total


def share_failed(done: Aligned, aligner: str) -> float:
    """Share of the utterances that an aligner was given which it did not place, or
    placed against the audio.
    """
    tried = done.tried[aligner]
    return (tried - done.placed[aligner]) / tried if tried else 0.0


def _checked(
    utterance: Utterance,
    answer: list[WordSpan] | AlignmentError,
    name: str,
    check: alignment_check.Config | None,
    done: Aligned,
) -> list[WordSpan] | AlignmentError:
    if isinstance(answer, AlignmentError):
        return answer
    if [span.word_index for span in answer] != list(range(len(utterance.words))):
        return AlignmentError(
            "partial alignment", f"placed {len(answer)} of {len(utterance.words)} words"
        )
    if check is None:
        return answer
    try:
        waveform = audio.load(utterance, SAMPLING_RATE)
    except audio.AudioError as error:
        return AlignmentError(error.reason, error.detail)
    reasons = alignment_check.check(answer, waveform, SAMPLING_RATE, check)
    done.checked[name] += 1
    done.distances.setdefault(name, []).append(
        alignment_check.edges(answer, alignment_check.voice(waveform, SAMPLING_RATE))
    )
    if reasons:
        done.implausible[name] += 1
        return AlignmentError("implausible alignment", "; ".join(reasons))
    return answer
