"""Bringing a folder of shards to what is wanted, with the least work."""

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline import executor
from pipeline.folders import state
from pipeline.schema import Rejection
from pipeline.shards import _files as files
from pipeline.shards import _seen as seen_before
from pipeline.shards._files import Stored
from pipeline.shards._rows import DamagedError, Placed
from pipeline.tables import remove_unfinished, replacing

MEAN, MOST = 256, 1024  # utterances of a shard
BUILDING = ".building"  # what a run has finished, until all of it is


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
class _Work:
    """A shard that is wanted: the key of each utterance, the stored shards that hold
    some of them, which of these are known to be whole, and, for a worker, the items.
    """

    name: str
    keys: dict[str, str]
    stored: tuple[Stored, ...]
    whole: tuple[bool, ...]
    items: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_stored(self) -> bool:
        """Whether its file has what is wanted, and nothing else."""
        names = [item.path.name for item in self.stored]
        return names == [self.name] and self.keys == self.stored[0].keys


@dataclass(frozen=True)
class _Made:
    """A finished shard, what was copied into it, what could not be made, and why stored
    shards could not be used.
    """

    stored: Stored
    reused: int
    rejections: tuple[Rejection, ...] = ()
    faults: tuple[str, ...] = ()


Item = TypeVar("Item")
# Called in a worker process with what to compute from; yields the rows of each, in that
# order.
Produce = Callable[[Sequence[Item]], Iterator[Rows | Rejection]]


def divide(utterance_ids: Iterable[str]) -> dict[str, list[str]]:
    """The shards of a corpus: file name -> utterance ids, sorted.

    A shard ends after an id whose hash says so, `MEAN` utterances long in the mean and
    at most `MOST`; it is named by the hash of its first id.
    """
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for utterance_id in sorted(utterance_ids):
        digest = hashlib.sha256(utterance_id.encode()).digest()
        current = current or found.setdefault(files.name_of(digest[:8].hex()), [])
        current.append(utterance_id)
        if len(current) == MOST or int.from_bytes(digest[8:16], "big") % MEAN == 0:
            current = []
    return found


def build(
    folder: Path,
    keys: Mapping[str, str],
    items: Callable[[Sequence[str]], Sequence[Item]],
    produce: Produce[Item],
    attributes: Mapping[str, Any],
    description: str,
    memory: Path | None = None,
) -> Built:
    """Brings a folder to hold the utterances of `keys` (id -> key), computing only rows
    whose key changed or whose file is damaged, which is logged.

    `items` gives what `produce` makes the rows of some ids of, in their order; it is
    asked for those of a shard that changed. `attributes` describe the rows (JSON
    values) and are written to every shard. `memory`: a file, no output, that remembers
    which shards were compared with their hashes. Peak memory: the rows of one utterance
    a worker. A killed build goes on with the shards that it had finished.
    """
    # As they will be read back: a tuple would never equal the list that it becomes.
    attributes = dict(json.loads(json.dumps(dict(attributes), default=str)))
    building = folder / BUILDING
    building.mkdir(parents=True, exist_ok=True)
    stored = _stored(folder, attributes)
    seen = seen_before.recall(memory, folder, attributes)
    remove_unfinished(folder)
    remove_unfinished(building)
    files.write_attributes(building, attributes)
    place = {
        name: path
        for path, old in stored.items()
        for name, key in old.keys.items()
        if keys.get(name) == key
    }
    work = []
    for name, names in divide(keys).items():
        holding = [stored[old] for old in sorted({place[item] for item in names if item in place})]
        whole = tuple(old in seen for old in holding)
        work.append(_Work(name, {item: keys[item] for item in names}, tuple(holding), whole))
    # Reading a file and hashing it needs no process of its own.
    with ThreadPoolExecutor(executor.worker_count()) as threads:
        made = list(threads.map(partial(_taken_over, attributes), work))
    task = partial(_build_shard, building, produce, attributes)
    missing = [
        replace(wanted, items=dict(zip(wanted.keys, items([*wanted.keys]), strict=True)))
        for wanted, done in zip(work, made, strict=True)
        if done is None
    ]
    finished = [done for done in made if done is not None]
    for part in executor.run(task, missing, description) if missing else ():
        for fault in part.faults:
            _log(folder, fault)
        finished.append(part)
    filled = [item.stored for item in finished if len(item.stored.table)]
    _finish(folder, attributes, filled)
    seen_before.remember(memory, folder, attributes, filled)
    rejections = [item for part in finished for item in part.rejections]
    return Built(
        sum(len(part.stored.table) for part in finished),
        sum(part.reused for part in finished),
        tuple(sorted(rejections, key=lambda item: item.utterance_id)),
    )


def _taken_over(attributes: Mapping[str, Any], work: _Work) -> _Made | None:
    """The stored shard that is what is wanted, byte for byte what was written; else
    None.
    """
    if not work.is_stored:
        return None
    (stored,) = work.stored
    try:
        if not all(work.whole):
            files.check_shard(stored, attributes)
    except DamagedError:
        return None
    return _Made(stored, len(stored.table))


def _build_shard(
    building: Path, produce: Produce[Item], attributes: dict[str, Any], work: _Work
) -> _Made:
    faults: list[str] = []
    kept: dict[str, tuple[Stored, dict[str, Any]]] = {}
    for old, whole in zip(work.stored, work.whole, strict=True):
        same = [row for row in old.index if work.keys.get(row["utterance_id"]) == row["key"]]
        try:
            if same:
                if not whole:
                    files.check_shard(old, attributes)
                kept |= {row["utterance_id"]: (old, row) for row in same}
        except DamagedError as error:
            faults.append(str(error))
    missing = [utterance_id for utterance_id in work.keys if utterance_id not in kept]
    fresh = _in_order(produce([work.items[item] for item in missing]), missing)
    refused: dict[str, Rejection] = {}
    first: list[Rows] = []
    for made in fresh:
        if isinstance(made, Rows):
            first.append(made)
            break
        refused[made.utterance_id] = made
    if not first and replace(work, keys={item: work.keys[item] for item in kept}).is_stored:
        # What is rejected, maybe once more, changes no file.
        return _Made(work.stored[0], len(kept), tuple(refused.values()))
    fresh = chain(first, fresh)
    dim, index = int(attributes["feature_dim"]), []
    opened: dict[Path, Placed] = {}

    def rows() -> Iterator[NDArray[np.float32]]:
        start = 0
        for utterance_id, key in work.keys.items():
            if utterance_id in refused:
                continue
            if utterance_id in kept:
                old, row = kept[utterance_id]
                if old.path not in opened:
                    opened[old.path] = Placed(old.path, dim)
                values = opened[old.path].read(row["start"], row["start"] + row["length"])
                made: Rows | Rejection = Rows(utterance_id, values, row["lost"])
            else:
                made = next(fresh)
            if isinstance(made, Rejection):
                refused[utterance_id] = made
                continue
            if made.values.shape[1:] != (dim,):
                shape = made.values.shape
                raise ValueError(f"rows of shape {shape}, expected (length, {dim})")
            row = {"utterance_id": utterance_id, "shard": files.shard_of(work.name)}
            index.append(
                {**row, "start": start, "length": len(made.values), "lost": made.lost, "key": key}
            )
            start += len(made.values)
            yield made.values

    path = building / work.name
    with replacing(path) as temporary:
        files.write_shard(temporary, dim, attributes, rows(), index)
    makers = {files.here(), *(maker for old, _ in kept.values() for maker in old.made_by)}
    before, table = state(path), files.index_table(index)
    stored = Stored(path, files.sha256(path), table, tuple(sorted(makers)), before)
    files.write_index(path.with_suffix(".parquet"), [stored])
    return _Made(stored, len(kept), tuple(refused.values()), tuple(faults))


def _in_order(
    fresh: Iterator[Rows | Rejection], utterance_ids: Sequence[str]
) -> Iterator[Rows | Rejection]:
    for utterance_id in utterance_ids:
        made = next(fresh)
        if made.utterance_id != utterance_id:
            raise RuntimeError(f"rows of {made.utterance_id!r} came, expected {utterance_id!r}")
        yield made


def _stored(folder: Path, attributes: Mapping[str, Any]) -> dict[Path, Stored]:
    """The shards of a folder that were written with `attributes`, by file, those that a
    killed run had finished after those that it found.
    """
    found: dict[Path, Stored] = {}
    building = folder / BUILDING
    finished = [folder / files.INDEX] if any(folder.glob("shard-*.h5")) else []
    begun = sorted(building.glob("shard-*.parquet"))
    for place, indexes in ((folder, finished), (building, begun)):
        try:
            if indexes and files.read_attributes(place) == attributes:
                for item in (item for index in indexes for item in files.read_index(index)):
                    # A run that was killed at its very end has moved what it had made.
                    moved = not item.path.exists() and place == building
                    path = folder / item.path.name if moved else item.path
                    found[path] = replace(item, path=path)
        except DamagedError as error:
            _log(place, str(error))
    return found


def _finish(folder: Path, attributes: Mapping[str, Any], stored: Sequence[Stored]) -> None:
    names = {item.path.name for item in stored}
    for item in stored:
        if item.path.parent != folder:
            item.path.replace(folder / item.path.name)
    for path in folder.glob("shard-*.h5"):
        if path.name not in names:
            path.unlink()
    files.write_index(folder / files.INDEX, stored)
    files.write_attributes(folder, attributes)
    shutil.rmtree(folder / BUILDING)


def _log(folder: Path, fault: str) -> None:
    logging.getLogger(__name__).warning("%s/%s; made again", folder, fault)
