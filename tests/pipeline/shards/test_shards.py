import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import executor, shards
from pipeline.lookup import ConfigurationError
from pipeline.schema import Rejection
from pipeline.shards import Rows, Shards, _files
from tests.resources import fabricated
from tests.resources.numbered_rows import (
    ATTRIBUTES,
    DIM,
    build,
    file_of,
    names,
    producer,
    small_shards,
    values,
)


@pytest.fixture(autouse=True)
def serial(monkeypatch: pytest.MonkeyPatch) -> None:
    fabricated.run_serially(monkeypatch)
    small_shards(monkeypatch)


def test_rows_come_back_as_they_went_in(tmp_path: Path) -> None:
    built, _ = build(tmp_path, names(40))
    assert (built.used, built.reused, built.rejections) == (40, 0, ())
    read = Shards(tmp_path)
    assert (
        list(read) == sorted(names(40))
        and len(read) == 40
        and "utterance 7" in read
        and "x" not in read
    )
    assert read.feature_dim == DIM and read.attributes == ATTRIBUTES
    for item in read:
        expected = values(item)
        np.testing.assert_array_equal(read.read(item), expected)
        assert (read.length(item), read.lost(item)) == (len(expected), len(item))


def test_a_second_build_computes_and_writes_nothing(tmp_path: Path) -> None:
    build(tmp_path, names(20))
    before = {path: path.stat().st_ino for path in tmp_path.glob("*.h5")}
    built, asked = build(tmp_path, names(20))
    assert (built.used, built.reused, asked) == (20, 20, [])
    assert {path: path.stat().st_ino for path in tmp_path.glob("*.h5")} == before


def test_an_incremental_build_equals_a_clean_one(tmp_path: Path) -> None:
    start = names(30)
    grown = {**names(45), "utterance 3": "2"}
    del grown["utterance 9"]
    build(tmp_path / "grown", start)
    built, asked = build(tmp_path / "grown", grown)
    build(tmp_path / "clean", grown)
    assert fabricated.files(tmp_path / "grown") == fabricated.files(tmp_path / "clean")
    assert sorted(asked) == sorted(item for item, key in grown.items() if start.get(item) != key)
    assert built.reused == 28


def test_a_grown_corpus_rewrites_only_the_shards_that_changed(tmp_path: Path) -> None:
    build(tmp_path, names(100))
    before = {path.name: (path.stat().st_ino, path.read_bytes()) for path in tmp_path.glob("*.h5")}
    grown = {**names(100), "newcomer": "1"}
    build(tmp_path, grown)
    after = {path.name: (path.stat().st_ino, path.read_bytes()) for path in tmp_path.glob("*.h5")}
    changed = {name for name in after if before.get(name) != after[name]}
    assert file_of("newcomer", grown) in changed and len(changed) <= 2 < len(after)


def test_a_changed_key_is_computed_anew(tmp_path: Path) -> None:
    build(tmp_path, names(20))
    keys = {**names(20), "utterance 5": "2"}
    _, asked = build(tmp_path, keys)
    assert asked == ["utterance 5"]
    np.testing.assert_array_equal(Shards(tmp_path).read("utterance 5"), values("utterance 5", "2"))


def test_changed_attributes_leave_nothing_over(tmp_path: Path) -> None:
    build(tmp_path, names(20))
    _, asked = build(
        tmp_path, names(20), attributes={**ATTRIBUTES, "timing": {"frame_shift": 0.02}}
    )
    assert sorted(asked) == sorted(names(20))


def test_attributes_that_json_changes_are_still_the_same(tmp_path: Path) -> None:
    attributes = {**ATTRIBUTES, "layers": (1, 2), "model": Path("model")}
    build(tmp_path, names(20), attributes=attributes)
    _, asked = build(tmp_path, names(20), attributes=attributes)
    assert asked == [] and Shards(tmp_path).attributes["layers"] == [1, 2]


def test_rejections_are_kept_and_said_again(tmp_path: Path) -> None:
    broken = ["utterance 4", "utterance 11"]
    for _ in range(2):
        built, asked = build(tmp_path, names(20), broken=broken)
        assert [item.utterance_id for item in built.rejections] == sorted(broken)
        assert built.used == 18 and "utterance 4" not in Shards(tmp_path)
    assert sorted(asked) == sorted(broken)
    built, _ = build(tmp_path, names(20))
    assert built.rejections == () and len(Shards(tmp_path)) == 20


def test_an_emptied_shard_disappears(tmp_path: Path) -> None:
    build(tmp_path, {"alone": "1"})
    build(tmp_path, {})
    build(tmp_path / "clean", {})
    assert sorted(path.name for path in tmp_path.glob("*.*")) == [
        "attributes.json",
        "index.parquet",
    ]
    assert len(Shards(tmp_path)) == 0


def test_links_into_a_cache_are_replaced_never_written(tmp_path: Path) -> None:
    build(tmp_path / "data", names(20))
    cached = {}
    (tmp_path / "cache").mkdir()
    for path in (tmp_path / "data").iterdir():
        copy = tmp_path / "cache" / path.name
        os.link(path, copy)
        copy.chmod(0o444)
        cached[copy] = copy.read_bytes()
    build(tmp_path / "data", dict.fromkeys(names(25), "2"))
    assert {copy: copy.read_bytes() for copy in cached} == cached
    build(tmp_path / "clean", dict.fromkeys(names(25), "2"))
    assert fabricated.files(tmp_path / "data") == fabricated.files(tmp_path / "clean")


class Killed(BaseException):
    pass


@pytest.mark.parametrize("moment", ["at the index", "half-way"])
@pytest.mark.parametrize("returned", [False, True], ids=["goes on", "changes its mind"])
def test_a_killed_build_never_mixes_old_and_new_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, returned: bool, moment: str
) -> None:
    """Some shards are new, the index is old: whatever is asked for next, every row is
    the right one, and what was finished is not made again.
    """
    old, new = names(30), {**dict.fromkeys(names(30), "2"), "newcomer": "2"}
    build(tmp_path / "data", old)
    write_index, done = _files.write_index, set[str]()

    def die_at_the_index(path: Path, stored: Sequence) -> None:
        if path.name == _files.INDEX:
            raise Killed
        write_index(path, stored)

    def die_half_way(function: Callable, items: Sequence, *_: object) -> Iterator:
        for item in list(items)[:3]:
            done.update(item.keys)
            yield function(item)
        raise Killed

    with monkeypatch.context() as disturbed:
        if moment == "half-way":
            disturbed.setattr(executor, "run", die_half_way)
        else:
            disturbed.setattr(_files, "write_index", die_at_the_index)
            done.update(new)
        with pytest.raises(Killed):
            build(tmp_path / "data", new)
    (tmp_path / "data" / ".shard-000.h5.123.456.tmp").write_bytes(b"left by the kill")
    wanted = old if returned else new
    _, asked = build(tmp_path / "data", wanted)
    if returned:
        # At the index the old shards are gone already.
        assert sorted(asked) == (sorted(old) if moment == "at the index" else [])
    else:
        assert done and sorted(asked) == sorted({*new} - done)
    build(tmp_path / "clean", wanted)
    assert fabricated.files(tmp_path / "data") == fabricated.files(tmp_path / "clean")


def test_a_killed_build_of_a_grown_corpus_keeps_the_old_rows_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = names(60)
    build(tmp_path / "data", names(20))
    done: list[str] = []

    def run(function: Callable, items: Sequence, *_: object) -> Iterator:
        for item in list(items)[:3]:
            done.extend(item.keys)
            yield function(item)
        raise Killed

    with monkeypatch.context() as disturbed:
        disturbed.setattr(executor, "run", run)
        with pytest.raises(Killed):
            build(tmp_path / "data", keys)
    _, asked = build(tmp_path / "data", keys)
    assert done and not {*asked} & {*done} and not {*asked} & {*names(20)}
    build(tmp_path / "clean", keys)
    assert fabricated.files(tmp_path / "data") == fabricated.files(tmp_path / "clean")


def test_a_failing_producer_leaves_the_old_shards(tmp_path: Path) -> None:
    build(tmp_path, names(20))
    before = fabricated.files(tmp_path)

    def fails(wanted: Sequence[str]) -> Iterator[Rows | Rejection]:
        if wanted:
            raise RuntimeError("no memory")
        yield from ()

    with pytest.raises(RuntimeError, match="no memory"):
        shards.build(tmp_path, dict.fromkeys(names(20), "2"), list, fails, ATTRIBUTES, "test")
    shutil.rmtree(tmp_path / ".building")
    assert fabricated.files(tmp_path) == before


def test_rows_of_another_utterance_are_refused(tmp_path: Path) -> None:
    def confused(wanted: Sequence[str]) -> Iterator[Rows | Rejection]:
        return (Rows("somebody else", values(item)) for item in wanted)

    with pytest.raises(RuntimeError, match=r"'somebody else' came, expected 'utterance \d+'"):
        shards.build(tmp_path, names(3), list, confused, ATTRIBUTES, "test")


def test_rows_of_another_width_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"rows of shape \(\d+, 3\), expected \(length, 5\)"):
        shards.build(tmp_path, names(3), list, producer(names(3)), {"feature_dim": 5}, "test")


def test_a_folder_that_nobody_built_says_so(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"index.parquet is missing: build it with `dvc repro`"
    ):
        Shards(tmp_path)


@given(
    lengths=st.lists(st.integers(0, 40), min_size=1, max_size=25),
    chunk=st.sampled_from([1, 5 * 4 * DIM, 64 * 4 * DIM]),
    split=st.integers(0, 25),
)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_lengths_in_any_blocks(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], chunk: int, split: int
) -> None:
    folder = tmp_path_factory.mktemp("shards")
    keys = {f"u{number}": str(length) for number, length in enumerate(lengths)}

    def produce(wanted: Sequence[str]) -> Iterator[Rows | Rejection]:
        return (Rows(item, values(item, length=int(keys[item]))) for item in wanted)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(_files, "CHUNK_BYTES", chunk)
        first = dict(list(keys.items())[:split])
        shards.build(folder / "grown", first, list, produce, ATTRIBUTES, "test")
        shards.build(folder / "grown", keys, list, produce, ATTRIBUTES, "test")
        shards.build(folder / "clean", keys, list, produce, ATTRIBUTES, "test")
    read = Shards(folder / "grown")
    for item, length in keys.items():
        np.testing.assert_array_equal(read.read(item), values(item, length=int(length)))
    assert fabricated.files(folder / "grown") == fabricated.files(folder / "clean")


def test_bytes_do_not_depend_on_the_number_of_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shards that come in another order, as from more workers, make the same files."""
    build(tmp_path / "one", names(40))

    def run(function: Callable, items: Sequence, *_: object) -> Iterator:
        done = [function(item) for item in reversed(list(items))]
        return iter(done[::-1])

    monkeypatch.setattr(executor, "run", run)
    build(tmp_path / "many", names(40))
    assert fabricated.files(tmp_path / "one") == fabricated.files(tmp_path / "many")
