"""Rows that follow from an utterance's name and key, and folders of shards of them."""

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from pipeline import shards
from pipeline.schema import Rejection
from pipeline.shards import Rows, _building

DIM = 3
ATTRIBUTES = {"feature_dim": DIM, "timing": {"frame_shift": 0.01}}
Produce = Callable[[Sequence[str]], Iterator[Rows | Rejection]]


def values(utterance_id: str, key: str = "1", length: int | None = None) -> np.ndarray:
    generator = np.random.default_rng(zlib.crc32(f"{utterance_id} {key}".encode()))
    count = int(generator.integers(1, 9)) if length is None else length
    return generator.standard_normal((count, DIM)).astype(np.float32)


def producer(
    keys: Mapping[str, str], asked: list[str] | None = None, broken: Sequence[str] = ()
) -> Produce:
    def produce(wanted: Sequence[str]) -> Iterator[Rows | Rejection]:
        for item in wanted:
            if asked is not None:
                asked.append(item)
            if item in broken:
                yield Rejection(item, "acoustic", "audio silent", "peak")
            else:
                yield Rows(item, values(item, keys[item]), lost=len(item))

    return produce


def build(
    folder: Path, keys: Mapping[str, str], **options: object
) -> tuple[shards.Built, list[str]]:
    asked: list[str] = []
    broken = options.pop("broken", ())
    attributes = options.pop("attributes", ATTRIBUTES)
    memory = options.pop("memory", None)
    built = shards.build(
        folder, keys, list, producer(keys, asked, broken), attributes, "test", memory
    )
    return built, asked


def names(count: int) -> dict[str, str]:
    return {f"utterance {number}": "1" for number in range(count)}


def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards of four utterances in the mean and of twelve at most."""
    monkeypatch.setattr(_building, "MEAN", 4)
    monkeypatch.setattr(_building, "MOST", 12)


def file_of(utterance_id: str, utterance_ids: Iterable[str]) -> str:
    """The shard of an utterance of a corpus."""
    divided = shards.divide(utterance_ids)
    (name,) = (name for name, ids in divided.items() if utterance_id in ids)
    return name
