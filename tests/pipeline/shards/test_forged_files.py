"""Shards whose hashes would not give them away: only their own structures do."""

import random
from pathlib import Path

import h5py
import pytest

from pipeline.lookup import ConfigurationError
from pipeline.shards import Shards
from tests.resources import fabricated
from tests.resources.numbered_rows import build, names


@pytest.fixture(autouse=True)
def serial(monkeypatch: pytest.MonkeyPatch) -> None:
    fabricated.run_serially(monkeypatch)


@pytest.mark.parametrize("place", [2**63, 2**62, 2**64 - 1])
def test_rows_that_lie_past_the_end_of_the_file_are_refused(tmp_path: Path, place: int) -> None:
    build(tmp_path, names(20))
    path = tmp_path / Shards(tmp_path).file_of("utterance 7")
    with h5py.File(path, "r") as file:
        before = file["rows"].id.get_chunk_info(0).byte_offset
    content = path.read_bytes()
    moved = content.replace(before.to_bytes(8, "little"), place.to_bytes(8, "little"))
    assert moved != content
    path.write_bytes(moved)
    with pytest.raises(ConfigurationError, match=f"{path.name} (is damaged|ends before its rows)"):
        Shards(tmp_path).read("utterance 7")


def test_any_damage_around_the_rows_is_one_line_or_none(tmp_path: Path) -> None:
    """HDF5's own structures, as if the hashes had been forged with them."""
    build(tmp_path, names(20))
    read = Shards(tmp_path)
    path = tmp_path / read.file_of("utterance 7")
    whole, draw = path.read_bytes(), random.Random(0)
    with h5py.File(path, "r") as file:
        chunk = file["rows"].id.get_chunk_info(0)
    around = [*range(chunk.byte_offset), *range(chunk.byte_offset + chunk.size, len(whole))]
    refused = 0
    for _ in range(100):
        content = bytearray(whole)
        for place in draw.sample(around, 4):
            content[place] = draw.choice([0, 0x80, 0xFF, content[place] ^ 1])
        path.write_bytes(content)
        try:
            assert Shards(tmp_path).read("utterance 7").shape == read.read("utterance 7").shape
        except ConfigurationError as error:
            assert path.name in str(error) and "\n" not in str(error)
            refused += 1
    assert refused > 10
