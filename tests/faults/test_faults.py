"""A few faults over a small DAG; `make faults` tries all of them over the demo's."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults import conditions, damages, kills, project
from tests.resources import recordings

ACOUSTIC, SPLIT = "acoustic@manifest-fbank", "split@manifest-random"
pytestmark = pytest.mark.skipif(
    not Path("/proc/self/environ").exists(), reason="processes are read from /proc"
)


def document(corpus: Path) -> dict[str, Any]:
    """Recordings to one kind of feature and one split, without training."""
    return {
        "corpora": {"manifest": {"root": str(corpus)}},
        "acoustic": {"fbank": {"num_mel_bins": 8}},
        "splits": {"random": {"labels": {"a": "a", "b": "b"}, "folds": 2}},
        "inputs": {"manifest": {"acoustic": ["fbank"], "splits": ["random"]}},
    }


@pytest.fixture(scope="module")
def built(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Path, dict[str, str]]]:
    """The project, built undisturbed, and the hashes of its outputs."""
    where = tmp_path_factory.mktemp("project")
    corpus = where / "corpus"
    rows = ["utterance_id,emotion,audio_path,transcript"]
    for number in range(16):
        recordings.write(corpus / f"{number}.wav", seconds=0.3, seed=number)
        rows.append(f"u{number},{'ab'[number % 2]},{number}.wav,no rain")
    (corpus / "manifest.csv").write_text("\n".join(rows) + "\n")
    project.make(where, document(corpus))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SERFLOW_WORKERS", "1")
        project.must(where, project.repro(ACOUSTIC, SPLIT))
        yield where, project.hashes(where)


def test_a_killed_build_is_built_again_to_the_same_bytes(
    built: tuple[Path, dict[str, str]],
) -> None:
    where, reference = built
    strikes = [("SIGINT", 0.9), ("group", 0.6)]
    done = kills.kill(where, ACOUSTIC, strikes, reference, random.Random(0))
    assert [(mode, wrong) for mode, _, wrong in done] == [("SIGINT", []), ("group", [])]
    assert all(seconds is not None for _, seconds, _ in done)


def test_damaged_outputs_are_mended_to_the_same_bytes(
    built: tuple[Path, dict[str, str]],
) -> None:
    where, reference = built
    (shard,) = (where / "data/acoustic/manifest/fbank").glob("shard-*.h5")
    for damage in (damages.flip, damages.truncate, damages.delete):
        damage(shard)
        assert damages.built(where, ACOUSTIC, reference) == []
    assert project.unfinished(where, reference) == []


def test_other_conditions_give_the_same_bytes(
    built: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    where, reference = built
    other = tmp_path / "an ö place"
    project.make(other, document(where / "corpus"))
    variables = conditions.elsewhere(tmp_path / "shuffled", workers=3)
    project.must(other, project.repro(ACOUSTIC, SPLIT), **variables)
    found = project.hashes(other)
    assert found.keys() == reference.keys()
    assert [path for path in reference if found[path] != reference[path]] == []
