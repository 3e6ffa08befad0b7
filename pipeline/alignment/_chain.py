"""Aligners in order of preference: what one cannot place, or places against the audio,
goes to the next.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from pipeline import lookup
from pipeline.alignment import _check as alignment_check
from pipeline.alignment import _voice as voice
from pipeline.audio import AudioError
from pipeline.schema import AlignmentError, Utterance, WordSpan


@dataclass
class Tally:
    """What one aligner did: utterances tried and placed, failures by reason.

    implausible: how many of the utterances `checked` cannot be right. distances:
    `alignment_check.edges` of each that was checked.
    """

    tried: int = 0
    placed: int = 0
    checked: int = 0
    implausible: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    distances: list[tuple[float, float]] = field(default_factory=list)

    def __add__(self, other: "Tally") -> "Tally":
        names = [item.name for item in fields(self)]
        return Tally(*(getattr(self, name) + getattr(other, name) for name in names))

    def check(self) -> dict[str, Any]:
        """The summary of the check over the utterances."""
        return alignment_check.summary(self.distances, self.implausible, self.checked)


@dataclass(frozen=True)
class Aligned:
    """What a chain did with some utterances.

    results: spans or the last AlignmentError, by utterance_id in the order given.
    aligners: a Tally by name. trail: for utterances that the first aligner did not
    place, what each aligner answered.
    """

    results: dict[str, list[WordSpan] | AlignmentError] = field(default_factory=dict)
    aligners: dict[str, Tally] = field(default_factory=dict)
    trail: dict[str, list[str]] = field(default_factory=dict)

    def metrics(self) -> dict[str, Any]:
        """For metrics.json: coverage; per aligner tried, placed, failures by reason and
        the summary of the check.
        """
        placed = [spans for spans in self.results.values() if isinstance(spans, list)]
        result: dict[str, Any] = {
            "utterances": len(self.results),
            "placed": len(placed),
            "coverage": round(len(placed) / len(self.results), 6) if self.results else 0.0,
            "fallbacks": sum(isinstance(self.results[name], list) for name in self.trail),
        }
        spans = [span for found in placed for span in found]
        known = [span.confidence for span in spans if span.confidence is not None]
        if known:
            result["mean_confidence"] = round(sum(known) / len(known), 4)
        result["aligners"] = {
            name: {
                "tried": tally.tried,
                "placed": tally.placed,
                "failures": dict(sorted(tally.failures.items())),
                "check": tally.check(),
            }
            for name, tally in self.aligners.items()
        }
        return result


def align(
    utterances: Sequence[Utterance],
    aligners: Sequence[tuple[str, Any]],
    check: alignment_check.Config,
) -> Aligned:
    """Aligns with the first of `aligners` (name, Config), what it fails on with the
    next, and so on.

    Spans that the audio contradicts count as a failure ('implausible alignment').
    """
    if not aligners:
        raise lookup.ConfigurationError("the chain names no aligner, so nothing can be placed")
    done = Aligned({item.utterance_id: AlignmentError("not aligned") for item in utterances})
    left = list(utterances)
    for name, config in aligners:
        if not left:
            break
        module = lookup.component("alignment", name)
        tally = done.aligners.setdefault(name, Tally())
        failed = []
        for utterance, (utterance_id, answer) in zip(left, module.align(left, config), strict=True):
            if utterance_id != utterance.utterance_id:
                raise RuntimeError(
                    f"{name} answered for {utterance_id!r} in the place of "
                    f"{utterance.utterance_id!r}: align answers in the order of the utterances"
                )
            tally.tried += 1
            outcome = _checked(utterance, answer, check, tally, module)
            done.results[utterance_id] = outcome
            if isinstance(outcome, AlignmentError):
                tally.failures[outcome.reason] += 1
                done.trail.setdefault(utterance_id, []).append(f"{name}: {outcome}")
                failed.append(utterance)
            else:
                tally.placed += 1
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
        for name, tally in part.aligners.items():
            total.aligners[name] = total.aligners.get(name, Tally()) + tally
    return total


def _checked(
    utterance: Utterance,
    answer: list[WordSpan] | AlignmentError,
    check: alignment_check.Config,
    tally: Tally,
    module: Any,
) -> list[WordSpan] | AlignmentError:
    if isinstance(answer, AlignmentError):
        return answer
    if [span.word_index for span in answer] != list(range(len(utterance.words))):
        return AlignmentError(
            "partial alignment", f"placed {len(answer)} of {len(utterance.words)} words"
        )
    try:
        heard = voice.of(utterance)
    except AudioError as error:
        return AlignmentError(error.reason, error.detail)
    reasons = alignment_check.check(answer, heard, check)
    tally.checked += 1
    if not getattr(module, "PLACES_BY_VOICE", False):
        tally.distances.append(alignment_check.edges(answer, heard))
    if reasons:
        tally.implausible += 1
        return AlignmentError("implausible alignment", "; ".join(reasons))
    return answer
