"""Word times of a corpus by a chain of aligners, checked against the audio and, where
they are known, against the true times.
"""

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from pipeline import executor, lookup
from pipeline.alignment import _chain as alignment_chain
from pipeline.alignment import _check as alignment_check
from pipeline.alignment import _kept as kept_placements
from pipeline.alignment import _voice as voice
from pipeline.alignment._chain import Placed
from pipeline.lookup import ConfigurationError
from pipeline.schema import AlignmentError, Rejection, Utterance, WordSpan

WITHOUT_SPEAKER = 50  # utterances of a work item where the speaker is unknown
log = logging.getLogger(__name__)


def align_corpus(
    utterances: Sequence[Utterance],
    chain: Mapping[str, Mapping[str, Any] | None],
    check: Mapping[str, Any],
    max_failed_share: float,
    kept: Path | None = None,
) -> tuple[list[WordSpan], list[Rejection], dict[str, Any]]:
    """Spans, rejections and metrics of every utterance.

    `kept` is a file of placements: what it holds of the same recordings, words, chain
    and code is taken from there, and everything is written there at the end.

    Raises ConfigurationError with the figures when an aligner places more than
    `max_failed_share` of the utterances against their audio, or the chain leaves more
    than that unplaced: an aligner can fail over a whole corpus and report no error.
    """
    fit: list[Utterance] = []
    rejections: list[Rejection] = []
    for item in utterances:
        fault = _unfit(item)
        if fault is None:
            fit.append(item)
        else:
            rejections.append(Rejection(item.utterance_id, "align", *fault))
    together = learns_from_all(chain)
    modules = [lookup.component("alignment", name).__name__ for name in chain]
    code = lookup.fingerprint("pipeline.alignment._chain", *modules)
    keys = kept_placements.keys_of(fit, [chain, check, provenance(chain), code], together)
    rows = kept_placements.read(kept, fit, keys) if kept is not None else {}
    missing = [item for item in fit if item.utterance_id not in rows]
    work = _by_speaker(missing)
    if together:
        rows, work = ({}, [fit]) if missing else (rows, [])
    place = partial(_align, chain=dict(chain), check=dict(check))
    for part in executor.run(place, work, f"align {' > '.join(chain)}") if work else ():
        rows |= {name: kept_placements.row(name, placed, keys) for name, placed in part.items()}
    done = {item.utterance_id: rows[item.utterance_id].placed for item in fit}
    metrics = alignment_chain.metrics(done)
    _stop_when_too_many_fail(done, max_failed_share)
    spans: list[WordSpan] = []
    for utterance_id, placed in done.items():
        if isinstance(placed.result, AlignmentError):
            error = placed.result
            rejections.append(Rejection(utterance_id, "align", error.reason, error.detail))
        else:
            spans += placed.result
    if kept is not None:
        kept_placements.write(kept, rows, keys)
    if "given" not in chain and any(item.alignment_path for item in fit):
        metrics["against_given"] = _against_given(fit, done)
    return spans, rejections, metrics


def learns_from_all(chain: Mapping[str, Any]) -> bool:
    """Whether an aligner of the chain places an utterance by all others too."""
    modules = [lookup.component("alignment", name) for name in chain]
    return any(getattr(module, "WHOLE_CORPUS", False) for module in modules)


def provenance(chain: Mapping[str, Mapping[str, Any] | None]) -> dict[str, Any]:
    """Versions and model hashes of the chain's aligners, by `aligner.item`."""
    found: dict[str, Any] = {}
    for name, values in chain.items():
        module = lookup.component("alignment", name)
        if hasattr(module, "provenance"):
            known = module.provenance(_configured(name, values))
            found |= {f"{name}.{item}": value for item, value in known.items()}
    return found


def place_one(
    utterance: Utterance, chain: Mapping[str, Any], check: Mapping[str, Any]
) -> list[WordSpan]:
    """Spans of a single utterance by the chain that a model's description states.

    The description may come from anybody: what it says of programs, their arguments and
    folders is left out with a warning, and an aligner uses the program of this machine.
    Raises AlignmentError when no aligner of the chain places the words, and
    ConfigurationError for settings that are wrong or name a file where only a name is
    safe.
    """
    safe = {name: _without_programs(name, values) for name, values in chain.items()}
    return place(utterance, safe, check)


def place(
    utterance: Utterance, chain: Mapping[str, Any], check: Mapping[str, Any]
) -> list[WordSpan]:
    """Spans of a single utterance by a chain of params.yaml, as `align_corpus` places
    it where no aligner learns from the whole corpus.

    Raises AlignmentError when no aligner of the chain places the words.
    """
    fault = _unfit(utterance)
    if fault is not None:
        raise AlignmentError(*fault)
    result = _align([utterance], chain, check)[utterance.utterance_id].result
    if isinstance(result, AlignmentError):
        raise result
    return result


def examine(
    utterance: Utterance, spans: Sequence[WordSpan], check: Mapping[str, Any]
) -> tuple[list[str], tuple[float, float]]:
    """What the check says of an utterance's spans: why they cannot be true, none where
    they can, and the seconds between which the voice is heard.

    Raises AudioError where the recording cannot be used.
    """
    tolerances = lookup.configure(alignment_check.Config, check, "alignment.check")
    heard = voice.of(utterance)
    return alignment_check.check(spans, heard, tolerances), (heard.start, heard.end)


def _without_programs(aligner: str, values: Any) -> Any:
    """The settings of an aligner without those that its module says are `LOCAL`; those
    in its `NAMES` must be plain names.
    """
    module = lookup.component("alignment", aligner)
    if not isinstance(values, Mapping):
        return values
    local = [name for name in getattr(module, "LOCAL", ()) if name in values]
    if local:
        log.warning(
            "alignment.%s: %s of the model's description not used, programs and their "
            "arguments are never taken from a model",
            aligner,
            " and ".join(local),
        )
    for name in getattr(module, "NAMES", ()):
        if name in values and not lookup.NAME.fullmatch(str(values[name])):
            raise ConfigurationError(
                f"alignment.{aligner}: {name} = {values[name]!r} is no plain name, and a model's "
                f"description may not point to files: give it a name that {aligner} knows"
            )
    return {name: value for name, value in values.items() if name not in local}


def _align(
    utterances: Sequence[Utterance], chain: Mapping[str, Any], check: Mapping[str, Any]
) -> dict[str, Placed]:
    aligners = [(name, _configured(name, values)) for name, values in chain.items()]
    tolerances = lookup.configure(alignment_check.Config, check, "alignment.check")
    return alignment_chain.align(utterances, aligners, tolerances)


def _configured(aligner: str, values: Mapping[str, Any] | None) -> Any:
    module = lookup.component("alignment", aligner)
    return lookup.configure(module.Config, values, f"alignment.{aligner}")


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


def _stop_when_too_many_fail(done: Mapping[str, Placed], limit: float) -> None:
    tallies = alignment_chain.tallies(done)
    for name, tally in tallies.items():
        if tally.implausible > limit * tally.checked:
            raise ConfigurationError(
                f"{name} placed {tally.implausible} of {tally.checked} utterances against their "
                f"audio ({tally.check()}), more than {limit:.0%}: use another aligner or raise "
                "max_failed_share"
            )
    unplaced = sum(isinstance(item.result, AlignmentError) for item in done.values())
    if unplaced > limit * len(done):
        reasons = {name: dict(tally.failures) for name, tally in tallies.items()}
        raise ConfigurationError(
            f"{unplaced} of {len(done)} utterances were not aligned ({reasons}), more than "
            f"{limit:.0%}: mend what the reasons name or raise max_failed_share"
        )


def _against_given(utterances: Sequence[Utterance], done: Mapping[str, Placed]) -> dict[str, Any]:
    given = lookup.component("alignment", "given")
    answers = given.align([item for item in utterances if item.alignment_path], given.Config())
    truth = {name: spans for name, spans in answers if not isinstance(spans, AlignmentError)}
    placed = {name: item.result for name, item in done.items() if isinstance(item.result, list)}
    return alignment_check.word_start_errors(placed, truth)
