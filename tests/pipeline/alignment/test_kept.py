import dataclasses
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.alignment import _placement as placement
from pipeline.schema import Utterance
from tests.resources import aligners, fabricated, recordings

CHAIN = {"uniform": {}}


@pytest.fixture
def utterances(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Utterance]:
    fabricated.run_serially(monkeypatch)
    made = []
    for number in range(6):
        path = recordings.write(tmp_path / f"{number}.wav", seconds=0.8, seed=number)
        made.append(
            Utterance(
                f"u{number}", "c", "e", str(path), words=("no", "not"), audio_sha256=str(number)
            )
        )
    return made


def place(
    utterances: list[Utterance],
    kept: Path | None,
    monkeypatch: pytest.MonkeyPatch,
    chain: dict = CHAIN,
) -> tuple[tuple, list[str]]:
    """What align_corpus gives, and the utterances that an aligner was asked for."""
    asked: list[str] = []
    own = placement._align

    def watched(items: list[Utterance], chain: dict, check: dict) -> dict:
        asked.extend(item.utterance_id for item in items)
        return own(items, chain, check)

    with monkeypatch.context() as patched:
        patched.setattr(placement, "_align", watched)
        found = aligners.align_corpus(utterances, chain, {}, 1.0, kept)
    return found, asked


def test_what_did_not_change_is_not_placed_again(
    utterances: list[Utterance], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "placed.parquet"
    # One utterance has more words than voice: it fails, and is not tried again.
    utterances[3] = dataclasses.replace(utterances[3], words=("word",) * 90)
    _, asked = place(utterances[:4], kept, monkeypatch)
    assert asked == ["u0", "u1", "u2", "u3"]
    changed = dataclasses.replace(utterances[1], audio_sha256="other")
    grown = [utterances[0], changed, *utterances[2:]]
    found, asked = place(grown, kept, monkeypatch)
    assert asked == ["u1", "u4", "u5"]
    whole, _ = place(grown, None, monkeypatch)
    assert found == whole
    assert place(grown, kept, monkeypatch) == (whole, [])
    assert [item.utterance_id for item in whole[1]] == ["u3"]


@pytest.mark.parametrize(
    ("change", "chain"),
    [
        ({"words": ("yes", "not")}, CHAIN),
        ({"start": 0.1, "end": 0.7}, CHAIN),
        ({}, {"uniform": {"skip_pauses": False}}),
    ],
    ids=["words", "bounds", "settings"],
)
def test_what_changed_is_placed_again(
    utterances: list[Utterance],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: dict,
    chain: dict,
) -> None:
    kept = tmp_path / "placed.parquet"
    place(utterances, kept, monkeypatch)
    wanted = [dataclasses.replace(utterances[0], **change), *utterances[1:]]
    found, asked = place(wanted, kept, monkeypatch, chain)
    assert asked == (["u0"] if change else [item.utterance_id for item in utterances])
    assert found == place(wanted, None, monkeypatch, chain)[0]


def test_an_aligner_that_learns_from_all_places_all_again(
    utterances: list[Utterance], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.alignment import uniform

    monkeypatch.setattr(uniform, "WHOLE_CORPUS", True, raising=False)
    kept = tmp_path / "placed.parquet"
    place(utterances[:5], kept, monkeypatch)
    assert place(utterances[:5], kept, monkeypatch)[1] == []
    assert len(place(utterances, kept, monkeypatch)[1]) == 6


def test_a_damaged_row_is_placed_again_and_named(
    utterances: list[Utterance],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    kept = tmp_path / "placed.parquet"
    whole, _ = place(utterances, kept, monkeypatch)
    table = pq.read_table(kept)
    rows = table.to_pylist()
    plain = json.loads(rows[2]["placed"])
    plain["spans"][0][0] += 0.1
    rows[2]["placed"] = json.dumps(plain)
    pq.write_table(pa.Table.from_pylist(rows, table.schema), kept)
    found, asked = place(utterances, kept, monkeypatch)
    assert (found, asked) == (whole, ["u2"])
    assert caplog.messages == [f"{kept} is damaged: 1 of its utterances are placed again"]
    kept.write_bytes(b"garbage")
    assert place(utterances, kept, monkeypatch) == (
        whole,
        [item.utterance_id for item in utterances],
    )
    assert "placed.parquet cannot be read" in caplog.messages[-1]
