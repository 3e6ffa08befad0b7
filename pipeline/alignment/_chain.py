"""Aligners in order of preference: what one cannot place, or places against the audio,
goes to the next.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline import lookup
from pipeline.alignment import _check as alignment_check
from pipeline.alignment import _voice as voice
from pipeline.audio import AudioError
from pipeline.schema import AlignmentError, Utterance, WordSpan

IMPLAUSIBLE = "implausible alignment"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one aligner did with one utterance.

    reason, detail: why it did not place the words, empty where it did. checked: whether
    its spans were compared with the sound. edges: `alignment_check.edges` of those that
    were not placed by the voice.
    """

    aligner: str
    reason: str = ""
    detail: str = ""
    checked: bool = False
    edges: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """What a chain did with one utterance: spans or the last AlignmentError, and each
    aligner's answer in the order in which they were asked.
    """

    result: list[WordSpan] | AlignmentError
    answers: tuple[Answer, ...]


def align(
    utterances: Sequence[Utterance],
    aligners: Sequence[tuple[str, Any]],
    check: alignment_check.Config,
) -> dict[str, Placed]:
    """Aligns with the first of `aligners` (name, Config), what it fails on with the
    next, and so on; by utterance_id in the order given.

    Spans that the audio contradicts count as a failure ('implausible alignment').
    """
    if not aligners:
        raise lookup.ConfigurationError("the chain names no aligner, so nothing can be placed")
    done = {item.utterance_id: Placed(AlignmentError("not aligned"), ()) for item in utterances}
    left = list(utterances)
    for name, config in aligners:
        if not left:
            break
        module = lookup.component("alignment", name)
        failed = []
        for utterance, (utterance_id, answer) in zip(left, module.align(left, config), strict=True):
            if utterance_id != utterance.utterance_id:
                raise RuntimeError(
                    f"{name} answered for {utterance_id!r} in the place of "
                    f"{utterance.utterance_id!r}: align answers in the order of the utterances"
                )
            outcome, said = _checked(utterance, answer, check, name, module)
            done[utterance_id] = Placed(outcome, (*done[utterance_id].answers, said))
            if isinstance(outcome, AlignmentError):
                failed.append(utterance)
        left = failed
    for utterance in left:
        # The last answer alone would hide why the better aligners failed.
        item = done[utterance.utterance_id]
        if len(item.answers) > 1 and isinstance(item.result, AlignmentError):
            trail = "; ".join(
                f"{said.aligner}: {AlignmentError(said.reason, said.detail)}"
                for said in item.answers
            )
            whole = AlignmentError(item.result.reason, trail)
            done[utterance.utterance_id] = Placed(whole, item.answers)
    return done


def _checked(
    utterance: Utterance,
    answer: list[WordSpan] | AlignmentError,
    check: alignment_check.Config,
    name: str,
    module: Any,
) -> tuple[list[WordSpan] | AlignmentError, Answer]:
    checked, edges, error = False, None, None
    if isinstance(answer, AlignmentError):
        error = answer
    elif [span.word_index for span in answer] != list(range(len(utterance.words))):
        error = AlignmentError(
            "partial alignment", f"placed {len(answer)} of {len(utterance.words)} words"
        )
    else:
        try:
            heard = voice.of(utterance)
        except AudioError as fault:
            error = AlignmentError(fault.reason, fault.detail)
        else:
            checked = True
            if not getattr(module, "PLACES_BY_VOICE", False):
                edges = alignment_check.edges(answer, heard)
            reasons = alignment_check.check(answer, heard, check)
            if reasons:
                error = AlignmentError(IMPLAUSIBLE, "; ".join(reasons))
    if error is None:
        return answer, Answer(name, "", "", checked, edges)
    return error, Answer(name, error.reason, error.detail, checked, edges)
