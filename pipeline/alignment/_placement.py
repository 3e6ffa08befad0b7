"""Word times of a corpus: a chain of aligners over its speakers, checked against audio
and, where known, truth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import Any

from pipeline import executor, lookup
from pipeline.alignment import _chain as alignment_chain
from pipeline.alignment import _check as alignment_check
from pipeline.alignment._chain import Aligned
from pipeline.lookup import ConfigurationError
from pipeline.schema import AlignmentError, Rejection, Utterance, WordSpan

WITHOUT_SPEAKER = 50  # utterances of a work item where nobody knows who speaks


def align_corpus(
    utterances: Sequence[Utterance],
    chain: Mapping[str, Mapping[str, Any] | None],
    check: Mapping[str, Any],
    max_failed_share: float,
) -> tuple[list[WordSpan], list[Rejection], dict[str, Any]]:
    """Spans, rejections and metrics of every utterance.

    Raises ConfigurationError with the figures when an aligner places more than
    `max_failed_share` of the utterances against their audio, or the chain leaves more
    than that unplaced: real aligners fail silently over whole corpora.
    """
    fit: list[Utterance] = []
    rejections: list[Rejection] = []
    for item in utterances:
        fault = _unfit(item)
        if fault is None:
            fit.append(item)
        else:
            rejections.append(Rejection(item.utterance_id, "align", *fault))
    work = _by_speaker(fit)
    if any(getattr(lookup.component("alignment", name), "WHOLE_CORPUS", False) for name in chain):
        work = [fit] if fit else []
    place = partial(
        _align,
        chain={name: dict(values or {}) for name, values in chain.items()},
        check=dict(check),
    )
    done = alignment_chain.merge(list(executor.run(place, work, f"align {' > '.join(chain)}")))
    metrics = done.metrics()
    _stop_when_too_many_fail(done, max_failed_share)
    spans: list[WordSpan] = []
    for utterance_id, result in done.results.items():
        if isinstance(result, AlignmentError):
            rejections.append(Rejection(utterance_id, "align", result.reason, result.detail))
        else:
            spans += result
    if "given" not in chain and any(item.alignment_path for item in fit):
        metrics["against_given"] = _against_given(fit, done)
    return spans, rejections, metrics


def provenance(chain: Mapping[str, Mapping[str, Any] | None]) -> dict[str, Any]:
    """Versions and model hashes of the chain's external aligners, by `aligner.item`."""
    found: dict[str, Any] = {}
    for name, values in chain.items():
        module = lookup.component("alignment", name)
        if hasattr(module, "provenance"):
            config = lookup.configure(module.Config, values, f"alignment.{name}")
            found |= {f"{name}.{item}": value for item, value in module.provenance(config).items()}
    return found


def place_one(
    utterance: Utterance, chain: Mapping[str, Any], check: Mapping[str, Any]
) -> list[WordSpan]:
    """Spans of a single utterance; raises AlignmentError when no aligner of the chain
    places it.
    """
    result = _align([utterance], dict(chain), dict(check)).results[utterance.utterance_id]
    if isinstance(result, AlignmentError):
        raise result
    return result


def _align(
    utterances: Sequence[Utterance], chain: dict[str, Any], check: dict[str, Any]
) -> Aligned:
    aligners = [
        (
            name,
            lookup.configure(
                lookup.component("alignment", name).Config, values, f"alignment.{name}"
            ),
        )
        for name, values in chain.items()
    ]
    return alignment_chain.align(
        utterances, aligners, lookup.configure(alignment_check.Config, check, "alignment.check")
    )


def _unfit(utterance: Utterance) -> tuple[str, str] | None:
    if utterance.audio_path is None:
        return "no audio", "an alignment needs a recording"
    if not utterance.words:
        return "no words", "empty transcript"
    return None


def _by_speaker(utterances: Sequence[Utterance]) -> list[list[Utterance]]:
    ordered = sorted(utterances, key=lambda item: (item.speaker or "", item.utterance_id))
    work: list[list[Utterance]] = []
    for speaker, group in groupby(ordered, key=lambda item: item.speaker or ""):
        items = list(group)
        size = len(items) if speaker else WITHOUT_SPEAKER
        work += [items[first : first + size] for first in range(0, len(items), size)]
    return work


def _stop_when_too_many_fail(done: Aligned, limit: float) -> None:
    for name, checked in done.checked.items():
        if done.implausible[name] > limit * checked:
            summary = alignment_check.summary(done.distances[name], done.implausible[name], checked)
            raise ConfigurationError(
                f"{name} placed {done.implausible[name]} of {checked} utterances against their audio ({summary}), "
                f"expected at most {limit:.0%}: use another aligner or raise max_failed_share"
            )
    unplaced = len(done.results) - sum(done.placed.values())
    if unplaced > limit * len(done.results):
        reasons = {name: dict(counts) for name, counts in done.failures.items()}
        raise ConfigurationError(
            f"{unplaced} of {len(done.results)} utterances were not aligned ({reasons}), expected at most {limit:.0%}"
        )


def _against_given(utterances: Sequence[Utterance], done: Aligned) -> dict[str, Any]:
    module = lookup.component("alignment", "given")
    answers = dict(
        module.align([item for item in utterances if item.alignment_path], module.Config())
    )
    truth = {
        name: spans for name, spans in answers.items() if not isinstance(spans, AlignmentError)
    }
    placed = {
        name: spans
        for name, spans in done.results.items()
        if name in truth and isinstance(spans, list)
    }
    return alignment_check.word_start_errors(placed, {name: truth[name] for name in placed})
