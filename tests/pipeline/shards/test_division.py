import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import shards
from pipeline.shards import _building
from tests.resources.numbered_rows import small_shards


def test_the_division_follows_from_the_ids_alone() -> None:
    ids = [f"utterance {number}" for number in range(20000)]
    divided = shards.divide(ids)
    assert divided == shards.divide(reversed(ids))
    assert [item for part in divided.values() for item in part] == sorted(ids)
    lengths = [len(part) for part in divided.values()]
    assert max(lengths) <= 1024 and 200 < sum(lengths) / len(lengths) < 320
    assert list(shards.divide(["03-01-01-01-01-01-07"])) == ["shard-9e9ec3d6f059ad55.h5"]
    assert shards.divide([]) == {}


@given(st.sets(st.text(min_size=1), max_size=60), st.text(min_size=1))
def test_one_more_id_leaves_all_shards_but_its_neighbours(ids: set[str], added: str) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        small_shards(monkeypatch)
        before, after = shards.divide(ids), shards.divide({*ids, added})
        most = _building.MOST
    ends = {part[-1] for part in before.values()}
    touched = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    # A cut at `MOST` moves with the ids before it, up to the next that a hash makes.
    cut = [name for name in touched if len(before.get(name, ())) == most]
    assert len(touched) <= 3 + 2 * len(cut) and ends <= {*ids}
