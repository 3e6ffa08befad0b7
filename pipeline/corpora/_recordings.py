"""What prepare remembers of what it made: of recordings, transcripts and the rows of a
user's table, so that a grown corpus costs what is new.

It lies beside the data and is no output: it can be deleted at any time. As for DVC, a
recording is unchanged where its path leads to the same inode of the same size, changed
at the same nanosecond. One that changed within `folders.SETTLING` before it was looked
at is not remembered: a clock that ticks slowly could not tell the next change from it.
"""

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import folders, lookup, tables, tokens
from pipeline.folders import State
from pipeline.schema import Rejection, Utterance

log = logging.getLogger(__name__)
SEGMENT, MADE = ("audio_path", "start", "end"), ("audio_sha256", "duration", "fingerprint")
SPOKEN = ("transcript", "language", "words")
SOURCE = "source"  # column beside those of utterances: the text that a row was read from
NONE = State(0, 0, 0)  # of a row without a recording
Segment = tuple[str | None, float | None, float | None]


@dataclass(frozen=True)
class Known:
    """What need not be worked out again: hash, duration (s) and fingerprint by path,
    start and end; words by transcript and language.
    """

    decoded: Mapping[Segment, tuple[str, float, bytes]] = field(default_factory=dict)
    words: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    def __contains__(self, item: Utterance) -> bool:
        heard = item.audio_path is None or (item.audio_path, item.start, item.end) in self.decoded
        transcript = (item.transcript or "").strip()
        return heard and (not transcript or (transcript, item.language) in self.words)


@dataclass(frozen=True)
class Former:
    """What was made before, by the same code and settings.

    rows: a table of utterances with `SOURCE`. heard: which of them have no recording,
    or an unchanged one. read_by: what read them from their sources. states: those of
    recordings as they are, by path, where there is one to rely on.
    """

    rows: Any
    heard: NDArray[np.bool_]
    read_by: str
    states: dict[str, State]

    def by_source(self, read_by: str) -> dict[str, int]:
        """The row that would be made again, by the text that it was read from."""
        if read_by != self.read_by or not self.heard.any():
            return {}
        sources = self.rows[SOURCE].to_pylist()
        rows = np.flatnonzero(self.heard).tolist()
        return {sources[row]: row for row in rows if sources[row] is not None}

    def known(self, taken: Sequence[int]) -> Known:
        """What the rows hold that were not taken over as they are."""
        left = np.ones(len(self.rows), bool)
        left[list(taken)] = False
        if not left.any():
            return Known()
        columns = self.rows.select([*SEGMENT, *MADE, *SPOKEN]).filter(left).to_pydict()
        segments = zip(*(columns[name] for name in SEGMENT), strict=True)
        made = zip(*(columns[name] for name in MADE), strict=True)
        heard = self.heard[left].tolist()
        spoken = ((text or "").strip() for text in columns["transcript"])
        return Known(
            {key: value for key, value, same in zip(segments, made, heard, strict=True) if same},
            dict(
                zip(
                    zip(spoken, columns["language"], strict=True),
                    map(tuple, columns["words"]),
                    strict=True,
                )
            ),
        )

    def look_at(self, utterances: Iterable[Utterance]) -> dict[str, State]:
        """The states of its recordings and of those of utterances, by path."""
        paths = {item.audio_path for item in utterances if item.audio_path is not None}
        return self.states | _states(path for path in paths if path not in self.states)


@dataclass
class Read:
    """What a reader found: items that are new, the text that each was read from by its
    id, where the reader has texts, the rows of `Former` that it would make again, and
    what makes rows of texts.
    """

    items: list[Utterance | Rejection] = field(default_factory=list)
    sources: dict[str, str] = field(default_factory=dict)
    taken: list[int] = field(default_factory=list)
    read_by: str = ""


def read_corpus(corpus: str, root: Path, config: Any, former: Former | None) -> Read:
    """Reads a corpus by its module, and takes what is in `former` over where the module
    can tell its rows from texts (`read_new`).
    """
    module, found, rows = lookup.component("corpora", corpus), Read(), dict[str, int]()
    if former is None or not hasattr(module, "read_new"):
        found.items += module.read(root, config)
        return found

    def known(heading: str) -> dict[str, int]:
        code = lookup.fingerprint(module.__name__, "pipeline.corpora._preparation")
        found.read_by = lookup.key_of(code, corpus, str(root), asdict(config), heading)
        rows.update(former.by_source(found.read_by))
        return rows

    for source, item in module.read_new(root, config, known):
        if item is None:
            found.taken.append(rows[source])
        else:
            found.items.append(item)
            found.sources[item.utterance_id] = source
    return found


def recall(memory: Path, config: tokens.Config) -> Former:
    """What a file holds that `config` and this code made; nothing of what others did,
    or of a damaged file, which is logged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    nothing = Former(tables.utterance_table([]), np.zeros(0, bool), "", {})
    if not memory.is_file():
        return nothing
    digest, content = (data := memory.read_bytes())[:32], memoryview(data)[32:]
    if data.startswith(b"PAR1"):
        return nothing  # of an older version
    if hashlib.sha256(content).digest() != digest:
        log.warning(
            "%s is damaged (it does not have the hash that was written with it): every recording "
            "is decoded again",
            memory,
        )
        return nothing
    with pq.ParquetFile(pa.BufferReader(content)) as file:
        table = file.read(use_threads=False)
    stated = table.schema.metadata or {}
    columns = {*nothing.rows.column_names, SOURCE, *State._fields}
    if stated.get(b"made_by") != _made_by(config).encode() or columns - {*table.column_names}:
        return nothing
    paths = table["audio_path"].combine_chunks().dictionary_encode()
    states = _states(paths.dictionary.to_pylist())
    heard = np.ones(len(table), bool)
    for column, now in zip(State._fields, _columns(paths, states), strict=True):
        heard &= table[column].to_numpy() == now
    table = table.drop_columns(list(State._fields)).replace_schema_metadata(None)
    return Former(table, heard, stated.get(b"read_by", b"").decode(), states)


def remember(
    memory: Path, rows: Any, states: Mapping[str, State], config: tokens.Config, read_by: str
) -> None:
    """Writes down a table of utterances with `SOURCE`, whose recordings were in these
    states before; of a recording without a state nothing.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    paths = rows["audio_path"].combine_chunks().dictionary_encode()
    columns = _columns(paths, states)
    for name, column in zip(State._fields, columns, strict=True):
        rows = rows.append_column(name, pa.array(column))
    rows = rows.filter((columns[0] > 0) | rows["audio_path"].is_null().to_numpy())
    stated = {"made_by": _made_by(config), "read_by": read_by}
    # A dictionary serves columns whose values come again.
    often = [name for name in tables.SHARED if name in rows.column_names]
    content = pa.BufferOutputStream()
    pq.write_table(
        rows.replace_schema_metadata(stated),
        content,
        use_dictionary=often,
        use_compliant_nested_type=False,
    )
    written = content.getvalue()
    with tables.replacing(memory) as temporary, temporary.open("wb") as file:
        file.write(hashlib.sha256(written).digest())
        file.write(written)


def _states(paths: Iterable[str]) -> dict[str, State]:
    found = ((path, folders.state(path)) for path in paths)
    return {path: state for path, state in found if state is not None and state.settled}


def _columns(paths: Any, states: Mapping[str, State]) -> list[NDArray[Any]]:
    """The state of each row's recording, `NONE` where there is none, in columns."""
    known = [states.get(path, NONE) for path in paths.dictionary.to_pylist()]
    place = paths.indices.fill_null(len(known)).to_numpy(zero_copy_only=False)
    kinds = (np.int64, np.int64, np.uint64)  # inodes of network file systems fill 64 bits
    columns = zip(*[*known, NONE], strict=True)
    return [np.array(column, kind)[place] for column, kind in zip(columns, kinds, strict=True)]


def _made_by(config: tokens.Config) -> str:
    environment = json.dumps(lookup.environment(), sort_keys=True)
    unwanted = sorted(tokens.stop_words(config.stop_words)) if config.stop_words else []
    words = lookup.key_of(asdict(config), unwanted)
    code = lookup.fingerprint("pipeline.audio", "pipeline.tokens", "pipeline.corpora._fingerprint")
    return f"{code} {words} {environment}"
