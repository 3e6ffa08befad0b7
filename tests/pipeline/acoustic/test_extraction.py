from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from pipeline import audio, lookup, tokens
from pipeline.acoustic import _extraction as extraction
from pipeline.acoustic import fbank
from pipeline.corpora import _preparation as preparation
from pipeline.schema import Utterance
from pipeline.shards import Shards
from tests.resources import fabricated, recordings

SETTINGS = {"num_mel_bins": 8}


@pytest.fixture(autouse=True)
def serial(monkeypatch: pytest.MonkeyPatch) -> None:
    fabricated.run_serially(monkeypatch)


def corpus(folder: Path, count: int = 6) -> list[Utterance]:
    made = []
    for number in range(count):
        path = recordings.write(
            folder / f"{number}.wav", seconds=0.2 + 0.05 * number, sampling_rate=22050, seed=number
        )
        item = Utterance(f"u{number}", "tiny", "sad", audio_path=str(path), transcript="no")
        made.append(preparation.prepare_utterance(item, tokens.Config()))
    return made  # type: ignore[return-value]


def test_shards_hold_what_the_feature_gives(tmp_path: Path) -> None:
    utterances = corpus(tmp_path)
    built = extraction.extract_corpus(utterances, "fbank", SETTINGS, tmp_path / "out")
    assert (built.used, built.rejections) == (6, ())
    shards = Shards(tmp_path / "out")
    config = fbank.Config(**SETTINGS)
    for item in utterances:
        expected = fbank.extract(
            audio.load(item, config.sampling_rate), config.sampling_rate, config
        )
        np.testing.assert_array_equal(shards.read(item.utterance_id), expected)
    assert shards.attributes["feature_names"] == fbank.feature_names(config)
    assert shards.attributes["timing"] == dataclasses.asdict(fbank.timing(config))
    assert (
        shards.attributes["config"]["num_mel_bins"] == 8
        and shards.attributes["sampling_rate"] == 16000
    )


def test_segments_of_one_recording_have_rows_of_their_own(tmp_path: Path) -> None:
    (item,) = corpus(tmp_path, 1)
    halves = [
        dataclasses.replace(item, utterance_id=name, start=start, end=end)
        for name, start, end in (("first", 0.0, 0.1), ("second", 0.1, 0.2))
    ]
    extraction.extract_corpus([*halves, item], "fbank", SETTINGS, tmp_path / "out")
    shards = Shards(tmp_path / "out")
    assert not np.array_equal(shards.read("first"), shards.read("second"))
    assert shards.length("first") == shards.length("second") == 8 and shards.length("u0") == 18


def test_what_cannot_be_used_is_rejected_and_the_rest_goes_on(tmp_path: Path) -> None:
    good = corpus(tmp_path)
    bad = [
        dataclasses.replace(good[0], utterance_id="gone", audio_path=str(tmp_path / "gone.wav")),
        dataclasses.replace(
            good[0],
            utterance_id="short",
            audio_path=str(recordings.write(tmp_path / "s.wav", seconds=0.02)),
        ),
        dataclasses.replace(good[0], utterance_id="text", audio_path=None, audio_sha256=None),
    ]
    built = extraction.extract_corpus([*good, *bad], "fbank", SETTINGS, tmp_path / "out")
    assert built.used == 6
    assert [(item.utterance_id, item.stage, item.reason) for item in built.rejections] == [
        ("gone", "acoustic", "audio not found"),
        ("short", "acoustic", "audio too short"),
        ("text", "acoustic", "no audio"),
    ]


def reused(
    folder: Path, utterances: list[Utterance], feature: str = "fbank", **settings: object
) -> int:
    return extraction.extract_corpus(
        utterances, feature, SETTINGS | settings, folder / "out"
    ).reused


def test_only_what_changed_is_computed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    utterances = corpus(tmp_path)
    assert reused(tmp_path, utterances) == 0
    assert reused(tmp_path, utterances) == 6
    renamed = [
        dataclasses.replace(item, audio_path=f"{tmp_path}/./{item.utterance_id[1:]}.wav")
        for item in utterances
    ]
    assert reused(tmp_path, renamed) == 6
    recordings.write(tmp_path / "2.wav", seconds=0.3, sampling_rate=22050, seed=77)
    changed = preparation.prepare_utterance(utterances[2], tokens.Config())
    assert reused(tmp_path, [*utterances[:2], changed, *utterances[3:]]) == 5  # type: ignore[list-item]
    assert reused(tmp_path, utterances, num_mel_bins=9) == 0
    assert reused(tmp_path, utterances, num_mel_bins=9) == 6
    # Code counts too: a mended feature is never served from old rows.
    read_bytes = Path.read_bytes
    mended = lookup.ROOT / "mel.py"
    monkeypatch.setattr(
        Path, "read_bytes", lambda path: read_bytes(path) + (b"#" if path == mended else b"")
    )
    assert reused(tmp_path, utterances, num_mel_bins=9) == 0


def test_truncation_is_counted(tmp_path: Path) -> None:
    extraction.extract_corpus(
        corpus(tmp_path), "fbank", SETTINGS | {"max_frames": 20}, tmp_path / "out"
    )
    shards = Shards(tmp_path / "out")
    assert {shards.length(name) + shards.lost(name) for name in shards} == {18, 23, 28, 33, 38, 43}
    assert max(shards.length(name) for name in shards) == 20


@pytest.mark.parametrize(
    ("lengths", "max_frames", "expected"),
    [
        ([10, 5], None, 0.25),
        ([10, 5], 20, 1 - 15 / 40),
        ([], None, 0.0),
        ([7], None, 0.0),
        ([], 5, 0.0),
    ],
)
def test_padding_share(lengths: list[int], max_frames: int | None, expected: float) -> None:
    assert extraction.padding_share(lengths, max_frames) == pytest.approx(expected)
