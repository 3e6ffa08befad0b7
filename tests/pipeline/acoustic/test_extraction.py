import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline import audio, lookup, tables, tokens
from pipeline.acoustic import _extraction as extraction
from pipeline.acoustic import fbank
from pipeline.corpora import _preparation as preparation
from pipeline.schema import Utterance
from pipeline.shards import Built, Shards
from tests.resources import fabricated, recordings
from tests.resources.small_models import write_speech_encoder

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


def extract(
    utterances: list[Utterance], folder: Path, feature: str = "fbank", **settings: object
) -> Built:
    config = lookup.component_config("acoustic", feature, SETTINGS | settings)
    return extraction.extract_corpus(
        tables.utterance_table(utterances), feature, config, folder / "out"
    )


def test_shards_hold_what_the_feature_gives(tmp_path: Path) -> None:
    utterances = corpus(tmp_path)
    built = extract(utterances, tmp_path)
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
    extract([*halves, item], tmp_path)
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
    built = extract([*good, *bad], tmp_path)
    assert built.used == 6
    assert [(item.utterance_id, item.stage, item.reason) for item in built.rejections] == [
        ("gone", "acoustic", "audio not found"),
        ("short", "acoustic", "audio too short"),
        ("text", "acoustic", "no audio"),
    ]


def reused(folder: Path, utterances: list[Utterance], **settings: object) -> int:
    return extract(utterances, folder, **settings).reused


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
    read_text = Path.read_text
    mended = lookup.ROOT / "acoustic" / "_mel.py"
    for added, kept in (("# a comment", 6), ("MENDED = 1", 0)):
        monkeypatch.setattr(
            Path,
            "read_text",
            lambda path, added=added, **how: (
                read_text(path, **how) + (added if path == mended else "")
            ),
        )
        assert reused(tmp_path, utterances, num_mel_bins=9) == kept


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of pipeline/ whose sources the keys are made from."""
    root = tmp_path / "project" / "pipeline"
    shutil.copytree(lookup.ROOT, root, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(lookup, "ROOT", root)
    lookup.reachable.cache_clear()
    yield root
    lookup.reachable.cache_clear()


def key_of_one(monkeypatch: pytest.MonkeyPatch, feature: str) -> str:
    lookup.reachable.cache_clear()
    found: dict[str, str] = {}
    monkeypatch.setattr(extraction.shards, "build", lambda _, keys, *__, **___: found.update(keys))
    config = lookup.component_config("acoustic", feature, {})
    item = Utterance("a", "tiny", "sad", audio_sha256="0")
    extraction.extract_corpus(tables.utterance_table([item]), feature, config, Path())
    return found["a"]


@pytest.mark.parametrize(
    ("changed", "concerned"),
    [
        ("acoustic/own.py", set()),
        ("acoustic/__init__.py", set()),
        ("acoustic/_extraction.py", set()),
        ("acoustic/mfcc.py", {"mfcc"}),
        ("acoustic/_mel.py", {"fbank", "mfcc"}),
        ("acoustic/_short_term_kernel.py", {"short_term"}),
        ("audio.py", {"fbank", "mfcc", "short_term"}),
    ],
)
def test_keys_follow_the_code_that_a_feature_reaches(
    copy: Path, monkeypatch: pytest.MonkeyPatch, changed: str, concerned: set[str]
) -> None:
    features = ("fbank", "mfcc", "short_term")
    before = {feature: key_of_one(monkeypatch, feature) for feature in features}
    with (copy / changed).open("a", encoding="utf-8") as file:
        file.write("\nANOTHER = 1\n")
    after = {feature: key_of_one(monkeypatch, feature) for feature in features}
    assert {feature for feature in features if after[feature] != before[feature]} == concerned


def test_another_model_under_the_same_name_is_another_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = Utterance("a", "tiny", "sad", audio_sha256="0")
    found: list[str] = []
    monkeypatch.setattr(
        extraction.shards, "build", lambda _, keys, *__, **___: found.append(keys["a"])
    )
    model = write_speech_encoder(tmp_path)
    config = lookup.component_config("acoustic", "ssl", {"model": model})
    extraction.extract_corpus(tables.utterance_table([item]), "ssl", config, tmp_path / "out")
    with (tmp_path / "config.json").open("a") as file:
        file.write("\n")
    extraction.extract_corpus(tables.utterance_table([item]), "ssl", config, tmp_path / "out")
    assert len(set(found)) == 2


def test_one_utterance_has_the_frames_that_the_corpus_gives_it(tmp_path: Path) -> None:
    (item,) = corpus(tmp_path, 1)
    extract([item], tmp_path, max_frames=5)
    config = lookup.component_config("acoustic", "fbank", SETTINGS | {"max_frames": 5})
    frames, lost = extraction.features(item, "fbank", config)
    shards = Shards(tmp_path / "out")
    np.testing.assert_array_equal(frames, shards.read("u0"))
    assert (len(frames), lost) == (5, shards.lost("u0")) == (5, 13)


def test_truncation_is_counted(tmp_path: Path) -> None:
    extract(corpus(tmp_path), tmp_path, max_frames=20)
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
