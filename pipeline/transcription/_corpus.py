"""Transcripts of a corpus by a chain of recognisers; what was written down before of
unchanged recordings is taken over.
"""

import dataclasses
import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pipeline import executor, lookup, tables, tokens
from pipeline.lookup import ConfigurationError
from pipeline.schema import TimedWord, Transcript, TranscriptionError, Utterance
from pipeline.transcription._scores import error_rates

Heard = Transcript | TranscriptionError
COLUMNS = ("utterance_id", "text", "recogniser", "language", "confidence", "reason", "detail")
PRIVATE = ("key", "words", "sha256")
SECONDS_OF_WORK = 60.0  # of audio in a work item
log = logging.getLogger(__name__)


def transcribe_corpus(
    utterances: Sequence[Utterance],
    chain: Mapping[str, Mapping[str, Any] | None],
    max_failed_share: float,
    words: tokens.Config,
    kept: Path,
) -> tuple[dict[str, Heard], dict[str, Any]]:
    """What was heard of each utterance, and the metrics; `utterances` have
    `audio_sha256` and `duration` where they have a recording.

    `kept` is a file that `write` wrote: what it holds of the same recordings, chain and
    code is taken from there, and everything is written there at the end. Metrics: word
    and character error rate where a corpus has words of its own, cut by `words`.
    Raises ConfigurationError when more than `max_failed_share` have no words.
    """
    keys = keys_of(utterances, chain)
    known = _read(kept, keys)
    missing = [item for item in utterances if item.utterance_id not in known]
    taken_over = len(utterances) - len(missing)
    work = partial(transcribe, chain=dict(chain))
    for part in (
        executor.run(work, _work(missing), f"transcribe {' > '.join(chain)}") if missing else ()
    ):
        known |= part
    heard = {item.utterance_id: known[item.utterance_id] for item in utterances}
    _stop_when_too_many_fail(heard, max_failed_share)
    write(kept, heard, keys)
    return heard, {"taken_over": taken_over, **_metrics(utterances, heard, words)}


def transcribe(
    utterances: Sequence[Utterance], chain: Mapping[str, Mapping[str, Any] | None]
) -> dict[str, Heard]:
    """What the first recogniser of the chain that can writes down of each utterance, by
    utterance_id; else the error of the last, with what each said.
    """
    errors: dict[str, list[tuple[str, TranscriptionError]]] = {}
    found: dict[str, Heard] = {}
    left = list(utterances)
    for name, values in chain.items():
        module = lookup.component("transcription", name)
        failed = []
        answers = module.transcribe(left, _configured(name, values)) if left else ()
        for utterance, (utterance_id, answer) in zip(left, answers, strict=True):
            if utterance_id != utterance.utterance_id:
                raise RuntimeError(
                    f"{name} answered for {utterance_id!r} in the place of "
                    f"{utterance.utterance_id!r}: it answers in the order of the utterances"
                )
            found[utterance_id] = answer
            if isinstance(answer, TranscriptionError):
                errors.setdefault(utterance_id, []).append((name, answer))
                failed.append(utterance)
        left = failed
    for utterance in left:
        trail = errors[utterance.utterance_id]
        if len(trail) > 1:
            # The last answer alone would hide why the better recognisers failed.
            detail = "; ".join(f"{name}: {error}" for name, error in trail)
            found[utterance.utterance_id] = TranscriptionError(trail[-1][1].reason, detail)
    return found


def spoken(utterance: Utterance, heard: Transcript) -> Utterance:
    """The utterance with the words that were heard in the place of its own.

    Word times that came with the corpus are of other words, and are left out.
    """
    if heard.recogniser == "given":
        return dataclasses.replace(
            utterance, transcript=heard.text, words_from=utterance.words_from or "given"
        )
    return dataclasses.replace(
        utterance,
        transcript=heard.text,
        language=heard.language,
        words_from=heard.recogniser,
        word_times=heard.words,
        alignment_path=None,
    )


def transcribed(items: Iterable[Any], path: Path) -> list[Any]:
    """The utterances with the words that a file of `transcribe_corpus` has of them,
    without words where nothing was heard; what is no utterance stays.

    Raises ConfigurationError where the file knows nothing of an utterance.
    """
    known = read(path)
    made = []
    for item in items:
        if isinstance(item, Utterance) and item.audio_path is not None:
            heard = known.get(item.utterance_id)
            if heard is None:
                raise ConfigurationError(
                    f"{path} has no row of {item.utterance_id}: run `dvc repro transcribe`"
                )
            # The corpus's own words do not stand in for those that were not heard.
            silent = dataclasses.replace(item, transcript=None, alignment_path=None)
            item = spoken(item, heard) if isinstance(heard, Transcript) else silent
        made.append(item)
    return made


def provenance(chain: Mapping[str, Mapping[str, Any] | None]) -> dict[str, str]:
    """Versions and model hashes of the chain's recognisers, by `recogniser.item`."""
    return {
        f"{name}.{item}": str(value)
        for name, values in chain.items()
        for item, value in lookup.component("transcription", name)
        .provenance(_configured(name, values))
        .items()
    }


def keys_of(
    utterances: Sequence[Utterance], chain: Mapping[str, Mapping[str, Any] | None]
) -> dict[str, str]:
    """A hash for each utterance of all that its transcript follows from: recording,
    given words, language, chain, models and code.
    """
    modules = [lookup.component("transcription", name).__name__ for name in chain]
    code = lookup.fingerprint("pipeline.transcription._corpus", *modules)
    made_by = [list(chain.items()), provenance(chain), code, lookup.environment()]
    whole = lookup.key_of(*made_by)
    beside = [values for name, values in chain.items() if name.split("-")[0] == "given" and values]
    return {
        item.utterance_id: lookup.key_of(
            item.audio_sha256,
            item.start,
            item.end,
            item.transcript,
            item.language,
            # A text beside a recording is found by its name.
            [_text_beside(item, str(values.get("suffix", ""))) for values in beside],
            whole,
        )
        for item in utterances
    }


def write(path: Path, heard: Mapping[str, Heard], keys: Mapping[str, str]) -> None:
    """Writes what was heard under its keys, by utterance_id."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [_row(name, keys[name], item) for name, item in sorted(heard.items())]
    kinds = dict.fromkeys((*COLUMNS, *PRIVATE), pa.string()) | {"confidence": pa.float64()}
    columns = {name: pa.array([row[name] for row in rows], kind) for name, kind in kinds.items()}
    with tables.replacing(path) as temporary:
        pq.write_table(pa.table(columns), temporary, compression="zstd")


def read(path: Path) -> dict[str, Heard]:
    """What was heard, by utterance_id; ConfigurationError for a damaged file."""
    found = {}
    for row in tables.read_table(path, [*COLUMNS, *PRIVATE]).to_pylist():
        if _sha256(row) != row["sha256"]:
            raise ConfigurationError(
                f"{path} is damaged at {row['utterance_id']}: delete it and run `dvc repro`"
            )
        found[row["utterance_id"]] = _heard(row)
    return found


def _read(path: Path, keys: Mapping[str, str]) -> dict[str, Heard]:
    """What a file holds under the same keys; what is damaged is left out and logged."""
    if not path.is_file():
        return {}
    try:
        rows = tables.read_table(path, [*COLUMNS, *PRIVATE]).to_pylist()
    except ConfigurationError as error:
        log.warning("%s; its utterances are transcribed again", error)
        return {}
    same = [row for row in rows if keys.get(row["utterance_id"]) == row["key"]]
    whole = [row for row in same if _sha256(row) == row["sha256"]]
    if len(whole) < len(same):
        damaged = len(same) - len(whole)
        log.warning("%s is damaged: %d of its utterances are transcribed again", path, damaged)
    return {row["utterance_id"]: _heard(row) for row in whole}


def _row(name: str, key: str, item: Heard) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(COLUMNS) | {"utterance_id": name, "key": key}
    if isinstance(item, TranscriptionError):
        row |= {"reason": item.reason, "detail": item.detail, "words": "[]"}
    else:
        words = json.dumps(item.words, ensure_ascii=False)
        told = {part: getattr(item, part) for part in ("text", "recogniser", "language")}
        row |= {**told, "confidence": item.confidence, "words": words}
    return row | {"sha256": _sha256(row)}


def _heard(row: Mapping[str, Any]) -> Heard:
    if row["reason"] is not None:
        return TranscriptionError(row["reason"], row["detail"])
    words = tuple(TimedWord(*word) for word in json.loads(row["words"]))
    return Transcript(row["text"], row["recogniser"], row["language"], words, row["confidence"])


def _sha256(row: Mapping[str, Any]) -> str:
    values = [row[name] for name in (*COLUMNS, "key", "words")]
    return hashlib.sha256(json.dumps(values, ensure_ascii=False).encode()).hexdigest()


def _metrics(
    utterances: Sequence[Utterance], heard: Mapping[str, Heard], words: tokens.Config
) -> dict[str, Any]:
    done = [item for item in heard.values() if isinstance(item, Transcript)]
    by = Counter(item.recogniser for item in done)
    result: dict[str, Any] = {"recognised": dict(sorted(by.items()))}
    known = [item.confidence for item in done if item.confidence is not None]
    if known:
        result["mean_confidence"] = round(sum(known) / len(known), 4)
    for name in by:
        if name != "given":
            pairs = [
                (tokens.words(item.transcript, item.language, words), _words(answer, words))
                for item in utterances
                if item.transcript
                and isinstance(answer := heard[item.utterance_id], Transcript)
                and answer.recogniser == name
            ]
            result |= {name: rates} if (rates := error_rates(pairs)) else {}
    return result


def _words(heard: Transcript, config: tokens.Config) -> tuple[str, ...]:
    return tokens.words(heard.text, heard.language, config)


def _work(utterances: Sequence[Utterance]) -> list[list[Utterance]]:
    """Parts of about SECONDS_OF_WORK of audio."""
    work: list[list[Utterance]] = []
    filled = SECONDS_OF_WORK
    for item in utterances:
        if filled >= SECONDS_OF_WORK:
            work.append([])
            filled = 0.0
        work[-1].append(item)
        filled += item.duration or 1.0
    return work


def _text_beside(item: Utterance, suffix: str) -> str:
    try:
        path = Path(item.audio_path or "").with_suffix(suffix)
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except (OSError, ValueError):
        return ""  # the recogniser says what is wrong with it


def _configured(name: str, values: Mapping[str, Any] | None) -> Any:
    module = lookup.component("transcription", name)
    return lookup.configure(module.Config, values, f"transcription.{name}")


def _stop_when_too_many_fail(heard: Mapping[str, Heard], limit: float) -> None:
    failed = [item for item in heard.values() if isinstance(item, TranscriptionError)]
    if len(failed) <= limit * len(heard):
        return
    reasons = dict(Counter(item.reason for item in failed).most_common())
    raise ConfigurationError(
        f"{len(failed)} of {len(heard)} recordings have no transcript ({reasons}, for example "
        f"{failed[0]}), more than {limit:.0%}: mend what the reasons name or raise max_failed_share"
    )
