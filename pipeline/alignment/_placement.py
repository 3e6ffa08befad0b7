"""Word times of a corpus by a chain of aligners, checked against the audio and, where
they are known, against the true times.
"""

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from pipeline import executor, lookup, tables
from pipeline.alignment import _chain as alignment_chain
from pipeline.alignment import _check as alignment_check
from pipeline.alignment import _kept as kept_placements
from pipeline.alignment import _voice as voice
from pipeline.alignment._account import Account, account
from pipeline.alignment._chain import Placed
from pipeline.lookup import ConfigurationError
from pipeline.schema import AlignmentError, Rejection, Utterance, WordSpan

WITHOUT_SPEAKER = 50  # utterances of a work item where the speaker is unknown
log = logging.getLogger(__name__)


def align_corpus(
    utterances: Any,
    chain: Mapping[str, Mapping[str, Any] | None],
    check: Mapping[str, Any],
    max_failed_share: float,
    kept: Path | None = None,
) -> tuple[Any, list[Rejection], dict[str, Any]]:
    """Spans (a table of `tables.span_table`), rejections and metrics of every utterance
    of a table.

    `kept` is a file of placements: what it holds of the same recordings, words, chain
    and code is taken from there, and everything is written there at the end.

    Raises ConfigurationError with the figures when an aligner places more than
    `max_failed_share` of the utterances against their audio, or the chain leaves more
    than that unplaced: an aligner can fail over a whole corpus and report no error.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    names, paths, words = (
        utterances[name].to_pylist() for name in ("utterance_id", "audio_path", "words")
    )
    faults = [_unfit(path, spoken) for path, spoken in zip(paths, words, strict=True)]
    rejections = [
        Rejection(name, "align", *fault)
        for name, fault in zip(names, faults, strict=True)
        if fault is not None
    ]
    fit = utterances.filter([fault is None for fault in faults]) if rejections else utterances
    spoken_by = {name: spoken for name, spoken in zip(names, words, strict=True) if spoken}
    together = learns_from_all(chain)
    modules = [lookup.component("alignment", name).__name__ for name in chain]
    code = lookup.fingerprint("pipeline.alignment._chain", *modules)
    keys = kept_placements.keys_of(fit, [chain, check, provenance(chain), code], together)
    rows = kept_placements.read(kept, keys) if kept is not None else {}
    missing = [place for place, name in enumerate(keys) if name not in rows]
    if together and missing:
        rows, work = {}, [tables.utterance_rows(fit)]
    else:
        work = _by_speaker(tables.utterance_rows(fit.take(pa.array(missing, pa.int64()))))
    place = partial(_align, chain=dict(chain), check=dict(check))
    for part in executor.run(place, work, f"align {' > '.join(chain)}") if work else ():
        rows |= {name: kept_placements.row(name, placed, keys) for name, placed in part.items()}
    found = account({name: rows[name].text for name in sorted(keys)}, spoken_by)
    _stop_when_too_many_fail(found, max_failed_share)
    if kept is not None:
        kept_placements.write(kept, rows, keys)
    metrics = found.metrics()
    given = fit["alignment_path"].is_valid()
    if "given" not in chain and pc.any(given).as_py():
        metrics["against_given"] = _against_given(fit.filter(given), found.spans)
    return found.spans, [*rejections, *found.rejections], metrics


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
    fault = _unfit(utterance.audio_path, utterance.words)
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


def _unfit(audio_path: str | None, words: Sequence[str]) -> tuple[str, str] | None:
    if audio_path is None:
        return "no audio", "an alignment needs a recording"
    if not words:
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


def _stop_when_too_many_fail(found: Account, limit: float) -> None:
    for name, tally in found.tallies.items():
        if tally.implausible > limit * tally.checked:
            raise ConfigurationError(
                f"{name} placed {tally.implausible} of {tally.checked} utterances against their "
                f"audio ({tally.check()}), more than {limit:.0%}: use another aligner or raise "
                "max_failed_share"
            )
    unplaced = len(found.rejections)
    if unplaced > limit * (total := found.placed + unplaced):
        reasons = {name: dict(tally.failures) for name, tally in found.tallies.items()}
        raise ConfigurationError(
            f"{unplaced} of {total} utterances were not aligned ({reasons}), more than "
            f"{limit:.0%}: mend what the reasons name or raise max_failed_share"
        )


def _against_given(utterances: Any, spans: Any) -> dict[str, Any]:
    import pyarrow as pa
    import pyarrow.compute as pc

    given = lookup.component("alignment", "given")
    answers = given.align(tables.utterance_rows(utterances), given.Config())
    truth = {name: found for name, found in answers if not isinstance(found, AlignmentError)}
    placed: dict[str, list[WordSpan]] = {}
    for span in tables.span_rows(spans.filter(pc.is_in(spans["utterance_id"], pa.array([*truth])))):
        placed.setdefault(span.utterance_id, []).append(span)
    return alignment_check.word_start_errors(placed, truth)
