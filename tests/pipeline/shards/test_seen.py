import json
import os
from pathlib import Path

import pytest

from pipeline.shards import Shards, _building, _files
from tests.pipeline.shards.test_files import KINDS, damage
from tests.resources import fabricated
from tests.resources.numbered_rows import build, file_of, names, small_shards

LONG_AGO = 1_600_000_000 * 10**9


@pytest.fixture(autouse=True)
def serial(monkeypatch: pytest.MonkeyPatch) -> None:
    fabricated.run_serially(monkeypatch)
    small_shards(monkeypatch)


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The shards that were read as a whole, to compare them."""
    check, found = _files.check_shard, list[str]()

    def noted(stored: _files.Stored, attributes: dict) -> None:
        found.append(stored.path.name)
        check(stored, attributes)

    monkeypatch.setattr(_building.files, "check_shard", noted)
    return found


@pytest.fixture
def folder(tmp_path: Path, hashed: list[str]) -> Path:
    """Shards that were compared long after they were written."""
    place, memory = tmp_path / "data", tmp_path / "memory.json"
    build(place, names(60), memory=memory)
    for shard in place.glob("*.h5"):
        os.utime(shard, ns=(LONG_AGO, LONG_AGO))
    build(place, names(60), memory=memory)
    assert len(hashed) == len(list(place.glob("*.h5"))) > 3, "the first run had just made them"
    hashed.clear()
    return place


def test_what_nothing_has_touched_is_not_read_again(
    tmp_path: Path, folder: Path, hashed: list[str]
) -> None:
    memory = tmp_path / "memory.json"
    built, asked = build(folder, names(60), memory=memory)
    assert (built.reused, asked, hashed) == (60, [], [])
    grown = {**names(60), "newcomer": "1"}
    _, asked = build(folder, grown, memory=memory)
    assert (asked, hashed) == (["newcomer"], [])
    build(tmp_path / "clean", grown)
    assert fabricated.files(folder) == fabricated.files(tmp_path / "clean")
    # What was made just now is looked at once more.
    build(folder, grown, memory=memory)
    assert file_of("newcomer", grown) in hashed and len(hashed) <= 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("grown", [False, True], ids=["same", "grown"])
def test_what_is_damaged_is_found_all_the_same(
    tmp_path: Path, folder: Path, kind: str, grown: bool, caplog: pytest.LogCaptureFixture
) -> None:
    name = damage(folder, kind)
    wanted = {**names(60), **{f"newcomer {number}": "1" for number in range(60 * grown)}}
    build(folder, wanted, memory=tmp_path / "memory.json")
    assert any(f"{name} is " in line for line in caplog.messages)
    build(tmp_path / "clean", wanted)
    assert fabricated.files(folder) == fabricated.files(tmp_path / "clean")
    Shards(folder).check()


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"compared": [], "states": {}}', "same states as a list", "other numbers"],
)
def test_a_memory_that_says_nothing_costs_a_look_at_every_shard(
    tmp_path: Path, folder: Path, hashed: list[str], content: str
) -> None:
    memory = tmp_path / "memory.json"
    kept = json.loads(memory.read_text())
    if content == "same states as a list":
        content = json.dumps({**kept, "states": [*kept["states"]]})
    elif content == "other numbers":
        changed = {name: [size, 1, inode] for name, (size, _, inode) in kept["states"].items()}
        content = json.dumps({**kept, "states": changed})
    memory.write_text(content)
    _, asked = build(folder, names(60), memory=memory)
    assert asked == [] and sorted(hashed) == sorted(path.name for path in folder.glob("*.h5"))
    assert json.loads(memory.read_text()) == kept


def test_a_copy_in_the_place_of_a_shard_is_read(
    tmp_path: Path, folder: Path, hashed: list[str]
) -> None:
    """As DVC makes it of a link, or `dvc checkout` of an older version."""
    shard = sorted(folder.glob("*.h5"))[2]
    copy = tmp_path / "copy"
    copy.write_bytes(shard.read_bytes())
    os.utime(copy, ns=(LONG_AGO, LONG_AGO))
    copy.replace(shard)
    build(folder, names(60), memory=tmp_path / "memory.json")
    assert hashed == [shard.name]


def test_other_attributes_and_another_index_are_not_vouched_for(
    tmp_path: Path, folder: Path, hashed: list[str]
) -> None:
    memory, index = tmp_path / "memory.json", folder / "index.parquet"
    whole = index.read_bytes()
    build(folder, {**names(60), "newcomer": "1"}, memory=memory)
    hashed.clear()
    index.write_bytes(whole)
    build(folder, names(60), memory=memory)
    assert len(hashed) >= len(list(folder.glob("*.h5"))) - 2
