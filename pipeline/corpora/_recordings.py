"""What prepare remembers of the recordings that it decoded and of the transcripts that
it cut into words, so that a grown corpus costs what is new.

It lies beside the data and is no output: it can be deleted at any time. As for DVC, a
recording is unchanged where its path leads to the same inode of the same size, changed
at the same nanosecond. One that changed within `SETTLING` before it was looked at is
not remembered: a clock that ticks slowly could not tell the next change from it.
"""

import hashlib
import json
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from pipeline import lookup, tables, tokens
from pipeline.lookup import ConfigurationError
from pipeline.schema import Utterance

log = logging.getLogger(__name__)
SETTLING = 2 * 10**9  # ns; the coarsest clock of a file system in use, FAT's, ticks so
SEGMENT, MADE = ("audio_path", "start", "end"), ("audio_sha256", "duration")
SPOKEN = ("transcript", "language", "words")
STRINGS = ("audio_path", "audio_sha256", *SPOKEN)
Segment = tuple[str | None, float | None, float | None]


class State(NamedTuple):
    """By which a recording is known to be unchanged."""

    size: int
    changed: int
    inode: int


COLUMNS = (*SEGMENT, *MADE, *State._fields, *SPOKEN)


@dataclass(frozen=True)
class Known:
    """What need not be worked out again: hash and duration (s) by path, start and end;
    words by transcript and language.
    """

    decoded: Mapping[Segment, tuple[str, float]] = field(default_factory=dict)
    words: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    def __contains__(self, item: Utterance) -> bool:
        heard = item.audio_path is None or (item.audio_path, item.start, item.end) in self.decoded
        transcript = (item.transcript or "").strip()
        return heard and (not transcript or (transcript, item.language) in self.words)


def recall(
    memory: Path, utterances: Sequence[Utterance], config: tokens.Config
) -> tuple[Known, dict[str, State]]:
    """What is known of unchanged recordings and of transcripts that `config` cut; and
    the states of the recordings as they are, by path.
    """
    paths = {item.audio_path for item in utterances if item.audio_path is not None}
    states = {path: state for path in paths if (state := _state(path)) is not None}
    return _read(memory, states, config), states


def remember(
    memory: Path,
    utterances: Iterable[Utterance],
    states: Mapping[str, State],
    config: tokens.Config,
) -> None:
    """Writes down what was made of the utterances, whose recordings were in these
    states before; of a recording without a state nothing.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    kept = [item for item in utterances if item.audio_path is None or item.audio_path in states]
    if not kept:
        return
    columns: dict[str, list[Any]] = {
        name: [getattr(item, name) for item in kept] for name in (*SEGMENT, *MADE, *SPOKEN)
    }
    columns["transcript"] = [(text or "").strip() for text in columns["transcript"]]
    # No word has a space in it.
    columns["words"] = [" ".join(words) for words in columns["words"]]
    none = State(0, 0, 0)
    found = [none if item.audio_path is None else states[item.audio_path] for item in kept]
    columns |= dict(zip(State._fields, map(list, zip(*found, strict=True)), strict=True))
    kinds = dict.fromkeys(("start", "end", "duration"), pa.float64())
    kinds |= dict.fromkeys(State._fields, pa.int64()) | dict.fromkeys(STRINGS, pa.string())
    table = pa.table({name: pa.array(columns[name], kinds[name]) for name in COLUMNS})
    with tables.replacing(memory) as temporary:
        stated = {"made_by": _made_by(config), "sha256": _hash(columns)}
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


def _read(memory: Path, states: Mapping[str, State], config: tokens.Config) -> Known:
    """What a file holds of recordings in these states and of transcripts; nothing of
    what other code or settings made.
    """
    if not memory.is_file():
        return Known()
    try:
        # Another version has other columns.
        table = tables.read_table(memory)
        stated = table.schema.metadata or {}
        if stated.get(b"made_by", b"").decode() != _made_by(config):
            return Known()
        columns = {name: table[name].to_pylist() for name in table.column_names}
        if stated.get(b"sha256", b"").decode() != _hash(columns):
            raise ConfigurationError(f"{memory} does not have the hash that was written with it")
    except (ConfigurationError, UnicodeDecodeError) as error:
        log.warning("%s is damaged (%s): every recording is decoded again", memory, error)
        return Known()
    segments = zip(*(columns[name] for name in SEGMENT), strict=True)
    made = zip(*(columns[name] for name in MADE), strict=True)
    then = zip(*(columns[name] for name in State._fields), strict=True)
    decoded = {
        segment: result
        for segment, result, state in zip(segments, made, then, strict=True)
        if states.get(segment[0] or "") == state
    }
    spoken = zip(columns["transcript"], columns["language"], strict=True)
    cut = (tuple(words.split(" ")) if words else () for words in columns["words"])
    return Known(decoded, dict(zip(spoken, cut, strict=True)))


def _hash(columns: Mapping[str, Sequence[Any]]) -> str:
    """SHA-256 of the values of a table."""
    import numpy as np

    digest = hashlib.sha256()
    for name in COLUMNS:
        if name in STRINGS:
            digest.update("\0".join(text or "" for text in columns[name]).encode())
        else:
            kind = np.int64 if name in State._fields else np.float64
            digest.update(np.array(columns[name], kind).tobytes())
    return digest.hexdigest()


def _made_by(config: tokens.Config) -> str:
    environment = json.dumps(lookup.environment(), sort_keys=True)
    unwanted = sorted(tokens.stop_words(config.stop_words)) if config.stop_words else []
    words = lookup.key_of(asdict(config), unwanted)
    return f"{lookup.fingerprint('pipeline.audio', 'pipeline.tokens')} {words} {environment}"
