"""What prepare remembers of the recordings that it decoded, so that a grown corpus
decodes what is new.

It lies beside the data and is no output: it can be deleted at any time. As for DVC, a
recording is unchanged where its path leads to the same inode of the same size, changed
at the same nanosecond. One that changed within `SETTLING` before it was looked at is
not remembered: a clock that ticks slowly could not tell the next change from it.
"""

import dataclasses
import hashlib
import json
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipeline import lookup, tables
from pipeline.lookup import ConfigurationError
from pipeline.schema import Utterance

log = logging.getLogger(__name__)
SETTLING = 2 * 10**9  # ns; the coarsest clock of a file system in use, FAT's, ticks so
SEGMENT, MADE = ("audio_path", "start", "end"), ("audio_sha256", "duration")


class State(NamedTuple):
    """By which a recording is known to be unchanged."""

    size: int
    changed: int
    inode: int


def recall(
    memory: Path, utterances: Sequence[Utterance]
) -> tuple[list[Utterance], dict[str, State]]:
    """The utterances, with `audio_sha256` and `duration` where an unchanged recording
    was decoded before; and the states of the recordings as they are, by path.
    """
    paths = {item.audio_path for item in utterances if item.audio_path is not None}
    states = {path: state for path in paths if (state := _state(path)) is not None}
    known = _read(memory) if states else {}
    recalled = []
    for item in utterances:
        state, made = known.get((item.audio_path, item.start, item.end), (None, None))
        if made is not None and states.get(item.audio_path or "") == state:
            item = dataclasses.replace(item, audio_sha256=made[0], duration=made[1])
        recalled.append(item)
    return recalled, states


def remember(memory: Path, utterances: Iterable[Utterance], states: Mapping[str, State]) -> None:
    """Writes down what was decoded of the recordings that were in these states
    before.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    kept = [item for item in utterances if item.audio_path in states]
    if not kept:
        return
    columns = {name: [getattr(item, name) for item in kept] for name in (*SEGMENT, *MADE)}
    for name in State._fields:
        columns[name] = [getattr(states[item.audio_path or ""], name) for item in kept]
    kinds = dict.fromkeys(State._fields, pa.int64()) | dict.fromkeys(("start", "end"), pa.float64())
    table = pa.table({name: pa.array(column, kinds.get(name)) for name, column in columns.items()})
    with tables.replacing(memory) as temporary:
        stated = {"made_by": _made_by(), "sha256": _hash(table)}
        pq.write_table(table.replace_schema_metadata(stated), temporary)


def _state(path: str) -> State | None:
    """None where there is none to rely on."""
    now = time.time_ns()
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return None
    if found.st_mtime_ns > now - SETTLING:
        return None
    return State(found.st_size, found.st_mtime_ns, found.st_ino)


def _read(
    memory: Path,
) -> dict[tuple[str | None, float | None, float | None], tuple[State, tuple[str, float]]]:
    """What was decoded of each segment; nothing of what other code decoded."""
    if not memory.is_file():
        return {}
    try:
        table = tables.read_table(memory, [*SEGMENT, *State._fields, *MADE])
        stated = table.schema.metadata or {}
        if stated.get(b"made_by", b"").decode() != _made_by():
            return {}
        if stated.get(b"sha256", b"").decode() != _hash(table):
            raise ConfigurationError(f"{memory} does not have the hash that was written with it")
    except (ConfigurationError, UnicodeDecodeError) as error:
        log.warning("%s is damaged (%s): every recording is decoded again", memory, error)
        return {}
    columns = (column.to_pylist() for column in table.columns)
    return {
        (path, start, end): (State(size, changed, inode), (sha256, duration))
        for path, start, end, size, changed, inode, sha256, duration in zip(*columns, strict=True)
    }


def _hash(table: Any) -> str:
    """SHA-256 of the values of a table."""
    digest = hashlib.sha256()
    for name in (*SEGMENT, *MADE, *State._fields):
        digest.update(repr(table[name].to_pylist()).encode())
    return digest.hexdigest()


def _made_by() -> str:
    environment = json.dumps(lookup.environment(), sort_keys=True)
    return f"{lookup.fingerprint('pipeline.audio')} {environment}"
