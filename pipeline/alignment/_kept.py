"""What was placed before, so that a grown corpus costs what has come to it."""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipeline import lookup, tables
from pipeline.alignment._chain import Placed
from pipeline.lookup import ConfigurationError
from pipeline.schema import AlignmentError

COLUMNS = ("utterance_id", "key", "placed", "sha256")
MADE_OF = (
    "utterance_id", "audio_sha256", "start", "end", "words", "transcript", "language", "speaker",
)  # fmt: skip
BATCH = 1 << 14  # rows
log = logging.getLogger(__name__)


def keys_of(utterances: Any, made_by: Sequence[Any], together: bool) -> dict[str, str]:
    """A hash for each utterance of a table of all that its placement depends on:
    recording, words, stated word times, and `made_by`; `together`: of all other
    utterances too.
    """
    key = lookup.keys_with(*made_by)
    rows = zip(*(utterances[name].to_pylist() for name in MADE_OF), strict=True)
    paths = utterances["alignment_path"].to_pylist()
    told: list[Any] = [()] * len(paths)
    if "word_times" in utterances.column_names:
        told = [[[*word.values()] for word in row] for row in utterances["word_times"].to_pylist()]
    keys = {
        name: key(*parts, times or _contents(path))
        for (name, *parts), times, path in zip(rows, told, paths, strict=True)
    }
    if not together:
        return keys
    whole = lookup.key_of(sorted(keys.items()))
    return {name: lookup.key_of(key, whole) for name, key in keys.items()}


class Row(NamedTuple):
    """A placement as it is written: a text, and a hash of it and its key."""

    text: str
    sha256: str


def read(path: Path, keys: Mapping[str, str]) -> dict[str, Row]:
    """The placements that a file holds under the same keys; what is damaged is left out
    and logged.
    """
    import pyarrow as pa

    if not path.is_file():
        return {}
    found: dict[str, Row] = {}
    damaged = 0
    try:
        # A part at a time: lists of a whole table take more memory than what is kept.
        for part in tables.read_table(path, COLUMNS).to_batches(max_chunksize=BATCH):
            for name, key, text, sha256 in zip(*map(pa.Array.to_pylist, part.columns), strict=True):
                if keys.get(name) != key:
                    continue
                if _sha256(name, key, text) == sha256:
                    found[name] = Row(text, sha256)
                else:
                    damaged += 1
    except ConfigurationError as error:
        log.warning("%s; its utterances are placed again", error)
        return {}
    if damaged:
        log.warning("%s is damaged: %d of its utterances are placed again", path, damaged)
    return found


def row(utterance_id: str, placed: Placed, keys: Mapping[str, str]) -> Row:
    """A new placement, to be written."""
    text = json.dumps(_plain(placed), ensure_ascii=False)
    return Row(text, _sha256(utterance_id, keys[utterance_id], text))


def write(path: Path, rows: Mapping[str, Row], keys: Mapping[str, str]) -> None:
    """Writes placements under their keys, by utterance_id."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = sorted(rows)
    columns = (
        names,
        [keys[name] for name in names],
        [rows[name].text for name in names],
        [rows[name].sha256 for name in names],
    )
    arrays = [pa.array(column, pa.string()) for column in columns]
    with tables.replacing(path) as temporary:
        pq.write_table(pa.table(arrays, COLUMNS), temporary, compression="zstd")


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


def _contents(path: str | None) -> str:
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest() if path else ""
    except OSError as error:
        # The aligner that reads it says what is wrong with it.
        return str(error.errno)


def _sha256(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
