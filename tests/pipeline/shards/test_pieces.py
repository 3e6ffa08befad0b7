"""A shard that is the work of most of a corpus is made in pieces, to the same bytes."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import pytest

from pipeline import executor, shards
from pipeline.executor._engine import Engine
from pipeline.schema import Rejection
from pipeline.shards import Rows, Shards, _building
from tests.resources import fabricated
from tests.resources.numbered_rows import ATTRIBUTES, names, producer, values

KEYS = names(40)


@pytest.fixture
def one_shard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_building, "MEAN", 2**64)


def build(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    workers: int,
    broken: Sequence[str] = (),
    keys: dict[str, str] = KEYS,
    together: bool = False,
) -> tuple[shards.Built, list[list[str]]]:
    """What was built, and the utterances of every call in a worker."""
    calls: list[list[str]] = []

    def produce(wanted: Sequence[str]) -> Iterator[Rows | Rejection]:
        calls.append(list(wanted))
        return producer(keys, None, broken)(wanted)

    with monkeypatch.context() as patch:
        patch.setenv("SERFLOW_WORKERS", str(workers))
        fabricated.run_serially(patch)
        built = shards.build(
            folder, keys, list, produce, ATTRIBUTES, "test", one_by_one=not together
        )
    return built, [call for call in calls if call]


@pytest.mark.usefixtures("one_shard")
def test_few_shards_leave_no_worker_idle_and_have_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = ["utterance 3", "utterance 17"]
    alone, calls = build(tmp_path / "one", monkeypatch, 1, broken)
    assert [len(call) for call in calls] == [40]
    built, calls = build(tmp_path / "two", monkeypatch, 2, broken)
    assert [len(call) for call in calls] == [8, 8, 8, 8, 8]
    assert sorted(item for call in calls for item in call) == sorted(KEYS)
    assert built == alone and built.reused == 0 and len(built.rejections) == 2
    assert fabricated.files(tmp_path / "one") == fabricated.files(tmp_path / "two")
    # Nothing is left of the pieces.
    assert len(list((tmp_path / "two").rglob("*.h5"))) == 1


@pytest.mark.usefixtures("one_shard")
def test_a_grown_shard_is_made_of_old_rows_and_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(tmp_path / "grown", monkeypatch, 2, keys=names(10))
    built, calls = build(tmp_path / "grown", monkeypatch, 2)
    build(tmp_path / "clean", monkeypatch, 1)
    assert built.reused == 10 and built.used == 40
    assert len(calls) > 1 and sum(map(len, calls)) == 30
    assert fabricated.files(tmp_path / "grown") == fabricated.files(tmp_path / "clean")


@pytest.mark.usefixtures("one_shard")
def test_a_killed_build_keeps_its_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def die(function: Callable, items: Sequence, *_: object) -> Iterator:
        for item in list(items)[:3]:
            done.extend(item.keys)
            yield function(item)
        raise KeyboardInterrupt

    def begin(folder: Path) -> None:
        produce = producer(KEYS)
        shards.build(folder, KEYS, list, produce, ATTRIBUTES, "test", one_by_one=True)

    with monkeypatch.context() as disturbed:
        disturbed.setenv("SERFLOW_WORKERS", "2")
        disturbed.setattr(executor, "run", die)
        with pytest.raises(KeyboardInterrupt):
            begin(tmp_path / "data")
    _, calls = build(tmp_path / "data", monkeypatch, 2)
    build(tmp_path / "clean", monkeypatch, 1)
    assert len(done) == 24 and not {*done} & {item for call in calls for item in call}
    assert fabricated.files(tmp_path / "data") == fabricated.files(tmp_path / "clean")


@pytest.mark.usefixtures("one_shard")
def test_rows_that_depend_on_their_neighbours_are_made_in_one_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, calls = build(tmp_path, monkeypatch, 2, together=True)
    assert [len(call) for call in calls] == [40]


def test_a_corpus_of_many_shards_is_not_cut_further(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_building, "MEAN", 2)
    monkeypatch.setattr(_building, "LEAST", 1)
    _, calls = build(tmp_path, monkeypatch, 2)
    assert sorted(map(len, calls), reverse=True) == [len(call) for call in calls]
    assert len(calls) == len(shards.divide(KEYS))


@pytest.mark.usefixtures("one_shard")
def test_the_workers_of_the_engine_count_and_not_the_cores_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Engine(ThreadPoolExecutor(1), lambda: 5)
    monkeypatch.setattr(executor, "_opened", lambda _: nullcontext(cluster))
    monkeypatch.setattr(_building, "LEAST", 1)
    _, calls = build(tmp_path, monkeypatch, 1)
    assert [len(call) for call in calls] == [1] * 40


def produce_here(keys: dict[str, str], wanted: Sequence[str]) -> Iterator[Rows | Rejection]:
    return (Rows(item, values(item, keys[item])) for item in wanted)


@pytest.mark.usefixtures("one_shard")
def test_processes_make_pieces_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for workers in ("1", "2"):
        monkeypatch.setenv("SERFLOW_WORKERS", workers)
        shards.build(
            tmp_path / workers,
            KEYS,
            list,
            partial(produce_here, KEYS),
            ATTRIBUTES,
            "test",
            one_by_one=True,
        )
    assert fabricated.files(tmp_path / "1") == fabricated.files(tmp_path / "2")
    assert len(Shards(tmp_path / "2")) == 40
