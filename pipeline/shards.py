"""Feature shards: the only code that reads or writes HDF5 and shard indexes.

A folder holds `shard-NNN.h5`, each with one flat float32 dataset `rows` (total_rows,
dim), `index.parquet` (utterance_id, shard, start, length, lost, key) sorted by
utterance_id, with the SHA-256 of every shard in its metadata, and `attributes.json`. An
utterance's shard follows from its id alone.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import h5py
import numpy as np
from numpy.typing import NDArray

from pipeline import _shard_files as files
from pipeline import executor
from pipeline._shard_files import DamagedError, Index, Written, key_of, unusable
from pipeline.schema import Rejection
from pipeline.tables import remove_unfinished, replacing

__all__ = ["Built", "Rows", "Shards", "build", "key_of", "shard_of"]

NUM_SHARDS = 16


@dataclass(frozen=True)
class Rows:
    """What was made of one utterance: (length, dim) float32, and how many rows a frame
    limit cut from its end.
    """

    utterance_id: str
    values: NDArray[np.float32]
    lost: int = 0


@dataclass(frozen=True)
class Built:
    """Outcome of `build`: utterances in the index, how many of them were copied, and
    what could not be made.
    """

    used: int
    reused: int
    rejections: tuple[Rejection, ...]


@dataclass(frozen=True)
class _Shard:
    """One shard's part of the index and its file.

    fault: why an old file could not be used, empty where it could.
    """

    index: Index
    written: Written
    reused: int
    rejections: tuple[Rejection, ...] = ()
    fault: str = ""


Item = TypeVar("Item")
# Called in a worker process with what to compute from; yields the rows of each, in that
# order.
Produce = Callable[[Sequence[Item]], Iterator[Rows | Rejection]]


def shard_of(utterance_id: str) -> int:
    """The shard of an utterance: a function of its id, so that a grown corpus rewrites
    only shards that changed.
    """
    return int.from_bytes(hashlib.sha256(utterance_id.encode()).digest()[:8], "big") % NUM_SHARDS


def build(
    folder: Path,
    keys: Mapping[str, str],
    items: Mapping[str, Item],
    produce: Produce[Item],
    attributes: Mapping[str, Any],
    description: str,
) -> Built:
    """Brings a folder to hold the utterances of `keys` (id -> key), computing only rows
    whose key changed or whose file is damaged, which is logged.

    `items` are what `produce` makes rows of (id -> item); a worker gets those of its
    shard alone. `attributes` describe the rows (JSON values) and are written to every
    shard. Peak memory: the rows of one utterance a worker.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # As they will be read back: a tuple would never equal the list that it becomes.
    attributes = dict(json.loads(json.dumps(dict(attributes), default=str)))
    remove_unfinished(folder)
    previous, files_before, fault = files.read_previous(folder, attributes)
    if fault:
        _log(folder, fault)
    wanted: list[dict[str, str]] = [{} for _ in range(NUM_SHARDS)]
    for utterance_id in sorted(keys):
        wanted[shard_of(utterance_id)][utterance_id] = keys[utterance_id]
    work = [
        (
            shard,
            names,
            {name: items[name] for name in names},
            {name: row for name, row in previous.items() if row["shard"] == shard},
            files_before.get(files.name_of(shard), Written()),
        )
        for shard, names in enumerate(wanted)
    ]
    made = []
    task = partial(_build_shard, folder, produce, attributes)
    for part in executor.run(task, work, description):
        if part.fault:
            _log(folder, part.fault)
        made.append(part)
    index = [row for shard in made for row in shard.index]
    written = {files.name_of(number): item.written for number, item in enumerate(made)}
    files.write_index(folder, index, {name: item for name, item in written.items() if item.sha256})
    files.write_attributes(folder, attributes)
    rejections = sorted(
        (item for shard in made for item in shard.rejections), key=lambda item: item.utterance_id
    )
    return Built(len(index), sum(shard.reused for shard in made), tuple(rejections))


class Shards:
    """Reads utterances' rows from a folder of shards.

    Raises ConfigurationError, one line that names the file, for a folder that is not
    built or whose files cannot be read. Hashes are compared by `check` alone.
    """

    def __init__(self, folder: Path) -> None:
        try:
            index, self._written = files.read_index(folder)
            self.attributes = files.read_attributes(folder)
        except DamagedError as error:
            raise unusable(folder, error) from None
        self.folder = folder
        self._index = {row["utterance_id"]: row for row in index}
        self._files: dict[int, h5py.Dataset] = {}

    def __contains__(self, utterance_id: str) -> bool:
        return utterance_id in self._index

    def __iter__(self) -> Iterator[str]:
        return iter(self._index)

    def __len__(self) -> int:
        return len(self._index)

    @property
    def feature_dim(self) -> int:
        """Width of a row; 0 when nothing was built."""
        return int(self.attributes["feature_dim"])

    def file_of(self, utterance_id: str) -> str:
        """Name of the file that holds the utterance's rows."""
        return files.name_of(self._index[utterance_id]["shard"])

    def key(self, utterance_id: str) -> str:
        """What the utterance's rows were made of, as a hash."""
        return str(self._index[utterance_id]["key"])

    @property
    def made_by(self) -> list[dict[str, str]]:
        """The environments that made the rows, none for shards of older versions."""
        known = {item for written in self._written.values() for item in written.made_by}
        return [json.loads(item) for item in sorted(known)]

    def length(self, utterance_id: str) -> int:
        """Rows of an utterance."""
        return int(self._index[utterance_id]["length"])

    def lost(self, utterance_id: str) -> int:
        """Rows that a frame limit cut from the utterance's end."""
        return int(self._index[utterance_id]["lost"])

    def check(self) -> None:
        """Raises ConfigurationError where a shard is not, byte for byte, the file that
        the index was written with.
        """
        for fault in self.faults():
            raise unusable(self.folder, fault)

    def faults(self) -> Iterator[DamagedError]:
        """What is wrong with each shard, the index or the attributes: nothing where all
        are as they were written.
        """
        parts: dict[str, Index] = {}
        for row in self._index.values():
            parts.setdefault(files.name_of(row["shard"]), []).append(row)
        for name in sorted({*parts, *self._written}):
            # In the order in which they lie there, as when they were written.
            part = sorted(parts.get(name, []), key=lambda row: str(row["utterance_id"]))
            try:
                written = self._written.get(name, Written())
                files.check_shard(self.folder / name, self.attributes, written, part)
            except DamagedError as error:
                yield error

    def read(self, utterance_id: str) -> NDArray[np.float32]:
        """The rows of an utterance: (length, dim) float32."""
        row = self._index[utterance_id]
        shard, start, past = row["shard"], row["start"], row["start"] + row["length"]
        try:
            if shard not in self._files:
                path = self.folder / files.name_of(shard)
                self._files[shard] = files.open_rows(path, self.feature_dim)
            rows = self._files[shard]
            if past > len(rows):
                raise DamagedError(
                    f"{files.name_of(shard)} ends before the rows of {utterance_id!r}"
                )
            return np.asarray(rows[start:past], dtype=np.float32)
        except DamagedError as error:
            raise unusable(self.folder, error) from None
        except OSError as error:
            fault = DamagedError(f"{files.name_of(shard)} is damaged ({error})")
            raise unusable(self.folder, fault) from None


def _build_shard(
    folder: Path,
    produce: Produce[Item],
    attributes: dict[str, Any],
    work: tuple[int, dict[str, str], dict[str, Item], dict[str, dict[str, Any]], Written],
) -> _Shard:
    shard, wanted, items, previous, before = work
    path, dim, fault = folder / files.name_of(shard), int(attributes["feature_dim"]), ""
    current = {
        name for name, key in wanted.items() if name in previous and previous[name]["key"] == key
    }
    try:
        if current:
            files.check_shard(path, attributes, before, list(previous.values()))
    except DamagedError as error:
        previous, current, fault = {}, set(), str(error)
    if current == set(wanted) == set(previous) and path.is_file() == bool(wanted):
        return _Shard(list(previous.values()), before, len(current))
    fresh = produce([item for name, item in items.items() if name not in current])
    index: Index = []
    rejections: list[Rejection] = []

    def rows(old: h5py.Dataset | None) -> Iterator[NDArray[np.float32]]:
        start = 0
        for utterance_id, key in wanted.items():
            if old is not None and utterance_id in current:
                row = previous[utterance_id]
                kept = old[row["start"] : row["start"] + row["length"]]
                made: Rows | Rejection = Rows(utterance_id, kept, row["lost"])
            else:
                made = next(fresh)
            if made.utterance_id != utterance_id:
                raise RuntimeError(f"rows of {made.utterance_id!r} came, expected {utterance_id!r}")
            if isinstance(made, Rejection):
                rejections.append(made)
                continue
            if made.values.shape[1:] != (dim,):
                shape = made.values.shape
                raise ValueError(f"rows of shape {shape}, expected (length, {dim})")
            row = {"utterance_id": utterance_id, "shard": shard, "start": start}
            index.append({**row, "length": len(made.values), "lost": made.lost, "key": key})
            start += len(made.values)
            yield made.values

    old = files.open_rows(path, dim) if current else None
    try:
        with replacing(path) as temporary:
            files.write_shard(temporary, dim, attributes, rows(old), index)
    finally:
        if old is not None:
            old.file.close()
    written = Written()
    if index:
        makers = {files.here(), *(before.made_by if current else ())}
        written = Written(files.sha256(path), tuple(sorted(makers)))
    else:
        path.unlink()
    return _Shard(index, written, len(current), tuple(rejections), fault)


def _log(folder: Path, fault: str) -> None:
    logging.getLogger(__name__).warning("%s/%s; made again", folder, fault)
