"""What was placed before, so that a grown corpus costs what has come to it."""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline import lookup, tables
from pipeline.alignment._chain import Answer, Placed
from pipeline.lookup import ConfigurationError
from pipeline.schema import AlignmentError, Utterance, WordSpan

COLUMNS = ("utterance_id", "key", "placed", "sha256")
log = logging.getLogger(__name__)


def keys_of(
    utterances: Sequence[Utterance], made_by: Sequence[Any], together: bool
) -> dict[str, str]:
    """A hash for each utterance of all that its placement depends on: recording, words,
    stated word times, and `made_by`; `together`: of all other utterances too.
    """
    keys = {
        item.utterance_id: lookup.key_of(
            item.audio_sha256,
            item.start,
            item.end,
            item.words,
            item.transcript,
            item.language,
            item.speaker,
            _contents(item.alignment_path),
            *made_by,
        )
        for item in utterances
    }
    if not together:
        return keys
    whole = lookup.key_of(sorted(keys.items()))
    return {name: lookup.key_of(key, whole) for name, key in keys.items()}


def read(path: Path, utterances: Sequence[Utterance], keys: Mapping[str, str]) -> dict[str, Placed]:
    """The placements that a file holds under the same keys; what is damaged is left out
    and logged.
    """
    if not path.is_file():
        return {}
    wanted = {item.utterance_id: item for item in utterances}
    found: dict[str, Placed] = {}
    damaged = 0
    try:
        columns = (tables.read_table(path, COLUMNS)[name].to_pylist() for name in COLUMNS)
        for name, key, placed, sha256 in zip(*columns, strict=True):
            if name not in wanted or keys[name] != key:
                continue
            if _sha256(name, key, placed) == sha256:
                found[name] = _placed(wanted[name], json.loads(placed))
            else:
                damaged += 1
    except ConfigurationError as error:
        log.warning("%s; its utterances are placed again", error)
        return {}
    if damaged:
        log.warning("%s is damaged: %d of its utterances are placed again", path, damaged)
    return found


def write(path: Path, placed: Mapping[str, Placed], keys: Mapping[str, str]) -> None:
    """Writes placements under their keys, by utterance_id."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = []
    for name, item in sorted(placed.items()):
        text = json.dumps(_plain(item), ensure_ascii=False)
        rows.append((name, keys[name], text, _sha256(name, keys[name], text)))
    columns = {
        name: pa.array([row[place] for row in rows], pa.string())
        for place, name in enumerate(COLUMNS)
    }
    with tables.replacing(path) as temporary:
        pq.write_table(pa.table(columns), temporary, compression="zstd")


def _plain(item: Placed) -> dict[str, Any]:
    result = item.result
    plain: dict[str, Any] = (
        {"error": [result.reason, result.detail]}
        if isinstance(result, AlignmentError)
        else {"spans": [[span.start, span.end, span.confidence, span.aligner] for span in result]}
    )
    answers = [
        [said.aligner, said.reason, said.detail, said.checked, said.edges] for said in item.answers
    ]
    return plain | {"answers": answers}


def _placed(utterance: Utterance, plain: Mapping[str, Any]) -> Placed:
    answers = tuple(
        Answer(aligner, reason, detail, checked, None if edges is None else tuple(edges))
        for aligner, reason, detail, checked, edges in plain["answers"]
    )
    if "error" in plain:
        return Placed(AlignmentError(*plain["error"]), answers)
    spans = [
        WordSpan(utterance.utterance_id, index, word, *times)
        for index, (word, times) in enumerate(zip(utterance.words, plain["spans"], strict=True))
    ]
    return Placed(spans, answers)


def _contents(path: str | None) -> str:
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest() if path else ""
    except OSError as error:
        # The aligner that reads it says what is wrong with it.
        return str(error.errno)


def _sha256(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
