"""The files of a folder of shards: HDF5, index and attributes, read without trust."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.folders import State, require_space, state
from pipeline.lookup import environment, key_of
from pipeline.shards._rows import DamagedError, Float, MissingError, one_line, open_rows
from pipeline.tables import read_parquet, replacing, write_text

CHUNK_BYTES = 256 * 1024
OVERHEAD = 2**20  # bytes, more than a shard has beside its rows
INDEX, ATTRIBUTES = "index.parquet", "attributes.json"
MADE_BY = "made_by"  # in the metadata of the index, beside the hashes of the shards
SCHEMA = pa.schema(
    [
        ("utterance_id", pa.string()),
        ("shard", pa.string()),
        ("start", pa.int64()),
        ("length", pa.int64()),
        ("lost", pa.int64()),
        ("key", pa.string()),
    ]
)
SHARD = re.compile(r"[0-9a-f]{16}")
Index = list[dict[str, Any]]


@dataclass(frozen=True)
class Stored:
    """A shard's file, the SHA-256 of its bytes, its part of the index (a table) in the
    order of its rows, the environments (`lookup.environment` as JSON) that made them,
    and the state of the file before it was read.
    """

    path: Path
    sha256: str
    table: pa.Table
    made_by: tuple[str, ...] = ()
    state: State | None = None

    @property
    def index(self) -> Index:
        """Its part of the index, row by row."""
        return list(self.table.to_pylist())

    @property
    def keys(self) -> dict[str, str]:
        """The key of each utterance."""
        names, keys = (self.table[name].to_pylist() for name in ("utterance_id", "key"))
        return dict(zip(names, keys, strict=True))

    def __reduce__(self) -> tuple[Any, ...]:
        # Pickled, a part of a table would take all of it along.
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, self.table.schema) as stream:
            stream.write_table(self.table)
        part = sink.getvalue().to_pybytes()
        return _received, (self.path, self.sha256, part, self.made_by, self.state)


def _received(path: Path, sha256: str, part: bytes, *others: Any) -> Stored:
    with pa.ipc.open_stream(part) as stream:
        return Stored(path, sha256, stream.read_all(), *others)


def index_table(rows: Index) -> pa.Table:
    """Rows of the index as a table."""
    return pa.Table.from_pylist(rows, SCHEMA)


def name_of(shard: str) -> str:
    """File name of a shard, as the index has it."""
    return f"shard-{shard}.h5"


def shard_of(name: str) -> str:
    """A shard as the index has it, of its file name."""
    return name.removeprefix("shard-").removesuffix(".h5")


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_shard(
    path: Path, dim: int, attributes: Mapping[str, Any], arrays: Iterable[Float], index: Index
) -> None:
    """Writes the rows of `arrays`, each (length, dim), one after the other.

    `index` is what iterating over `arrays` has made of the shard's part of the index.
    """
    size = max(1, CHUNK_BYTES // (4 * max(1, dim)))
    with h5py.File(path, "w") as file:
        rows = file.create_dataset(
            "rows",
            (0, dim),
            maxshape=(None, dim),
            dtype="<f4",
            chunks=(size, max(1, dim)),
            track_times=False,
        )
        for name in sorted(attributes):
            file.attrs[name] = _json(attributes[name])
        for block in _blocks(arrays, size):
            end = len(rows)
            require_space(path, 4 * dim * (end + len(block)) + OVERHEAD)
            rows.resize(end + len(block), axis=0)
            rows[end:] = block
        file.attrs["contents"] = _contents(index)


def check_shard(stored: Stored, attributes: Mapping[str, Any]) -> None:
    """Raises DamagedError where a shard is not, byte for byte, the file that its part
    of the index and `attributes` describe.
    """
    path = stored.path
    if not path.is_file():
        raise MissingError(f"{path.name} is missing")
    # Bytes that nobody vouches for are not given to the HDF5 library.
    try:
        found = sha256(path)
    except OSError as error:
        raise DamagedError(f"{path.name} is damaged ({one_line(error)})") from None
    if found != stored.sha256:
        raise DamagedError(
            f"{path.name} is not the file that {INDEX} was written with: it is damaged, or a run "
            "was interrupted"
        )
    try:
        with h5py.File(path, "r") as file:
            described = {name: str(value) for name, value in file.attrs.items()}
    except (OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise DamagedError(f"{path.name} is damaged ({one_line(error)})") from None
    contents = described.pop("contents", "")
    if described != {name: _json(value) for name, value in attributes.items()}:
        raise DamagedError(f"{ATTRIBUTES} is damaged: {path.name} was written with another one")
    rows, index = open_rows(path, int(attributes["feature_dim"])), stored.index
    with rows.file:
        end = len(rows)
    if contents != _contents(index) or end != sum(row["length"] for row in index):
        raise DamagedError(f"{INDEX} is damaged: {path.name} was written with another one")


def write_index(path: Path, stored: Iterable[Stored]) -> None:
    """Writes the index of some shards by utterance_id; the hash of every shard and what
    made its rows stand in its metadata.
    """
    shards = sorted(stored, key=lambda item: item.path.name)
    table = pa.concat_tables([SCHEMA.empty_table(), *(item.table for item in shards)])
    # In one piece: the bytes of a file follow from the pieces too.
    table = table.combine_chunks().sort_by("utterance_id")
    metadata = {item.path.name: item.sha256 for item in shards}
    metadata[MADE_BY] = _json({item.path.name: list(item.made_by) for item in shards})
    with replacing(path) as temporary:
        pq.write_table(table.replace_schema_metadata(metadata), temporary)


def read_index(path: Path) -> list[Stored]:
    """The shards of an index, which lie beside it, in the states that they are in."""
    table, hashes, made_by = read_whole_index(path)
    shards = table["shard"].combine_chunks().dictionary_encode()
    numbers = shards.indices.to_numpy()
    # Those of older versions do not follow each other.
    table = table.take(np.argsort(numbers, kind="stable"))
    ends = np.cumsum(np.bincount(numbers, minlength=len(shards.dictionary)))
    found, start = [], 0
    for shard, end in zip(shards.dictionary.to_pylist(), ends.tolist(), strict=True):
        place, part = path.parent / name_of(shard), table.slice(start, end - start)
        name, start = place.name, end
        item = Stored(place, hashes.get(name, ""), part, made_by.get(name, ()), state(place))
        found.append(item)
    return found


def read_whole_index(
    path: Path,
) -> tuple[pa.Table, Mapping[str, str], Mapping[str, tuple[str, ...]]]:
    """An index, the hash of each of its files and what made the rows of each."""
    try:
        table = read_parquet(path)
        found = {key.decode(): text.decode() for key, text in (table.schema.metadata or {}).items()}
        made_by = {
            name: tuple(map(str, makers))
            for name, makers in json.loads(found.pop(MADE_BY, "{}")).items()
        }
        table = table.select(SCHEMA.names).replace_schema_metadata(None)
        _check_index(table)
    except FileNotFoundError:
        raise MissingError(f"{path.name} is missing") from None
    except (OSError, AttributeError, KeyError, TypeError, ValueError, pa.ArrowException) as error:
        raise DamagedError(f"{path.name} is damaged ({one_line(error)})") from None
    return table, found, made_by


def here() -> str:
    """The environment of this process, as it is written."""
    return _json(environment())


def write_attributes(folder: Path, attributes: Mapping[str, Any]) -> None:
    """Writes what describes the rows of every shard."""
    write_text(folder / ATTRIBUTES, json.dumps(attributes, indent=2, sort_keys=True) + "\n")


def read_attributes(folder: Path) -> dict[str, Any]:
    """What describes the rows of every shard."""
    try:
        attributes = dict(json.loads((folder / ATTRIBUTES).read_text(encoding="utf-8")))
        attributes["feature_dim"] = int(attributes["feature_dim"])
        return attributes
    except FileNotFoundError:
        raise MissingError(f"{ATTRIBUTES} is missing") from None
    except (OSError, KeyError, OverflowError, RecursionError, TypeError, ValueError) as error:
        raise DamagedError(f"{ATTRIBUTES} is damaged ({one_line(error)})") from None


def _check_index(table: pa.Table) -> None:
    if not table.schema.equals(SCHEMA):
        raise ValueError("its columns have other types")
    if any(column.null_count for column in table.columns):
        raise ValueError("a cell is empty")
    if len(set(table["utterance_id"].to_pylist())) != len(table):
        raise ValueError("an utterance stands twice")
    if any((table[name].to_numpy() < 0).any() for name in ("start", "length", "lost")):
        raise ValueError("a number is below zero")
    if not all(SHARD.fullmatch(name) for name in table["shard"].unique().to_pylist()):
        raise ValueError("a shard has another name than sixteen hexadecimal digits")


def _blocks(arrays: Iterable[Float], size: int) -> Iterator[Float]:
    """The same rows in arrays of `size`, the last one shorter.

    Written chunk by chunk, a file's bytes depend on its rows alone.
    """
    pending: list[Float] = []
    waiting = 0
    for values in arrays:
        pending.append(np.asarray(values, dtype="<f4"))
        waiting += len(values)
        if waiting >= size:
            rows = np.concatenate(pending)
            whole = len(rows) // size * size
            for first in range(0, whole, size):
                yield rows[first : first + size]
            pending, waiting = [rows[whole:].copy()], len(rows) - whole
    if waiting:
        yield np.concatenate(pending)


def _contents(index: Sequence[Mapping[str, Any]]) -> str:
    return key_of([[row[name] for name in SCHEMA.names] for row in index])


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
