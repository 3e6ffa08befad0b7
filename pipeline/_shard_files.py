"""The files of a folder of shards: HDF5, index and attributes, read without trust."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.tables import read_table, replacing, require_space, write_text

CHUNK_BYTES = 256 * 1024
OVERHEAD = 2**20  # bytes, more than a shard has beside its rows
INDEX, ATTRIBUTES = "index.parquet", "attributes.json"
SCHEMA = pa.schema(
    [
        ("utterance_id", pa.string()),
        ("shard", pa.int32()),
        ("start", pa.int64()),
        ("length", pa.int64()),
        ("lost", pa.int64()),
        ("key", pa.string()),
    ]
)
Float = NDArray[np.float32]
Index = list[dict[str, Any]]


class DamagedError(Exception):
    """A file is not as it was written; the message begins with its name."""


def name_of(shard: int) -> str:
    """File name of a shard."""
    return f"shard-{shard:03d}.h5"


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def key_of(*parts: object) -> str:
    """Hash of everything that an utterance's rows depend on: audio or words,
    configuration, code.
    """
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]


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
            file.attrs[name] = json.dumps(attributes[name], sort_keys=True)
        for block in _blocks(arrays, size):
            end = len(rows)
            require_space(path, 4 * dim * (end + len(block)) + OVERHEAD)
            rows.resize(end + len(block), axis=0)
            rows[end:] = block
        file.attrs["contents"] = _contents(index)


def open_rows(path: Path, dim: int) -> h5py.Dataset:
    """The dataset (n, dim) of a shard, left open; links out of the file are refused."""
    try:
        return _rows(h5py.File(path, "r"), dim)
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise DamagedError(f"{path.name} is damaged ({_line(error)})") from None


def check_shard(path: Path, dim: int, written: str, index: Sequence[Mapping[str, Any]]) -> None:
    """Raises DamagedError where a shard is not the file with the SHA-256 `written` that
    its part of the index describes.
    """
    if not path.is_file():
        raise DamagedError(f"{path.name} is missing")
    with open_rows(path, dim).file as file:
        try:
            described = file.attrs.get("contents") == _contents(index)
        except (OSError, KeyError, ValueError, RuntimeError) as error:
            raise DamagedError(f"{path.name} is damaged ({_line(error)})") from None
    if sha256(path) != written:
        raise DamagedError(
            f"{path.name} is damaged: it does not have the hash that was written with it"
            if described
            # A run killed between two shards leaves new shards beside the old index.
            else f"{path.name} is not the file of the index, a run may have been interrupted"
        )
    if not described:
        raise DamagedError(f"{INDEX} is damaged: {path.name} was written with another one")


def write_index(folder: Path, index: Index, hashes: Mapping[str, str]) -> None:
    """Writes the index by utterance_id, the hash of every shard in its metadata."""
    rows = sorted(index, key=lambda row: str(row["utterance_id"]))
    with replacing(folder / INDEX) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, SCHEMA.with_metadata(hashes)), temporary)


def read_index(folder: Path) -> tuple[Index, dict[str, str]]:
    """The rows of the index, and the hash of every shard."""
    try:
        table = read_table(folder / INDEX)
        metadata = table.schema.metadata or {}
        hashes = {name.decode(): value.decode() for name, value in metadata.items()}
        return table.select(SCHEMA.names).to_pylist(), hashes
    except FileNotFoundError:
        raise DamagedError(f"{INDEX} is missing") from None
    except (OSError, KeyError, UnicodeDecodeError, pa.ArrowException) as error:
        raise DamagedError(f"{INDEX} is damaged ({_line(error)})") from None


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
        raise DamagedError(f"{ATTRIBUTES} is missing") from None
    except (KeyError, ValueError, TypeError) as error:
        raise DamagedError(f"{ATTRIBUTES} is damaged ({_line(error)})") from None


def _rows(file: h5py.File, dim: int) -> h5py.Dataset:
    if not isinstance(file.get("rows", getlink=True), h5py.HardLink):
        raise ValueError("`rows` is a link out of the file")
    rows = file["rows"]
    if not isinstance(rows, h5py.Dataset) or rows.dtype != "<f4" or rows.shape[1:] != (dim,):
        raise ValueError(f"`rows` is no float32 dataset (n, {dim})")
    if rows.external or rows.is_virtual:
        raise ValueError("the values of `rows` lie outside the file")
    return rows


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


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
