"""Bringing a folder of shards to what is wanted, with the least work."""

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from heapq import heapreplace
from itertools import chain, islice
from pathlib import Path
from typing import Any

from pipeline import executor, folders
from pipeline.schema import Rejection
from pipeline.shards import _files as files
from pipeline.shards import _seen as seen_before
from pipeline.shards._files import Stored
from pipeline.shards._making import Item, Made, Produce, Work, make, taken_over
from pipeline.shards._rows import DamagedError

MEAN, MOST = 256, 1024  # utterances of a shard
LEAST = 8  # utterances of a piece: fewer would rather wait than begin another process
PIECES = 8  # of what one worker has to do, where shards are cut
UNEVEN = 1.1  # of its even share: a worker with more has its shards cut
BUILDING = ".building"  # what a run has finished, until all of it is


@dataclass(frozen=True)
class Built:
    """Outcome of `build`: utterances in the index, how many of them were copied, and
    what could not be made.
    """

    used: int
    reused: int
    rejections: tuple[Rejection, ...]


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
    one_by_one: bool = False,
) -> Built:
    """Brings a folder to hold the utterances of `keys` (id -> key), computing only rows
    whose key changed or whose file is damaged, which is logged.

    `items` gives what `produce` makes the rows of some ids of, in their order; it is
    asked for those of a shard that changed. `attributes` describe the rows (JSON
    values) and are written to every shard. `memory`: a file, no output, that remembers
    which shards were compared with their hashes. `one_by_one`: no row depends on the
    utterances beside it, so that a shard may be made in pieces where few of them would
    leave workers idle. Peak memory: the rows of one utterance a worker. A killed build
    goes on with what it had finished.
    """
    # As they will be read back: a tuple would never equal the list that it becomes.
    attributes = dict(json.loads(json.dumps(dict(attributes), default=str)))
    building = folder / BUILDING
    building.mkdir(parents=True, exist_ok=True)
    stored = _stored(folder, attributes)
    seen = seen_before.recall(memory, folder, attributes)
    folders.remove_unfinished(folder)
    folders.remove_unfinished(building)
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
        work.append(Work(name, {item: keys[item] for item in names}, tuple(holding), whole))
    # Reading a file and hashing it needs no process of its own.
    with ThreadPoolExecutor(executor.worker_count()) as threads:
        made = list(threads.map(partial(taken_over, attributes), work))
    task = partial(make, building, produce, attributes)
    missing = [
        replace(wanted, items=dict(zip(wanted.keys, items([*wanted.keys]), strict=True)))
        for wanted, done in zip(work, made, strict=True)
        if done is None
    ]
    finished = [done for done in made if done is not None]
    for part in _made(task, missing, description, one_by_one):
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


def _made(
    task: Callable[[Work], Made], missing: Sequence[Work], description: str, one_by_one: bool
) -> Iterator[Made]:
    """Every shard, those with the most to do first; in pieces where so few would leave
    workers idle.
    """
    if not missing:
        return
    fresh = {work.name: len(work.fresh) for work in missing}
    ordered = sorted(missing, key=lambda work: fresh[work.name], reverse=True)
    with executor.together():
        count = executor.capacity()
        share = sum(fresh.values()) / count
        most = max(LEAST, int(share / PIECES))
        uneven = _longest((fresh[work.name] for work in ordered), count) > UNEVEN * share
        large = sum(size > 2 * most for size in fresh.values()) if one_by_one and uneven else 0
        cut, rest = ordered[:large], ordered[large:]
        pieces = [list(work.pieces(most)) for work in cut]
        made = executor.run(task, [*rest, *chain(*pieces)], description)
        yield from islice(made, len(rest))
        done = [tuple(islice(made, len(part))) for part in pieces]
        if cut:
            whole = [replace(work, made=parts) for work, parts in zip(cut, done, strict=True)]
            yield from executor.run(task, whole, f"{description}, put together")


def _longest(sizes: Iterable[int], count: int) -> int:
    """What the busiest of so many workers does, each of which takes the next size when
    it is free.
    """
    loads = [0] * count
    for size in sizes:
        heapreplace(loads, loads[0] + size)
    return max(loads)


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
