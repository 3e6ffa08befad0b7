"""Recordings in a store that fsspec reads; here one in memory."""

from collections.abc import Iterator
from pathlib import Path

import fsspec
import numpy as np
import pytest

from pipeline import audio, corpora, tokens
from pipeline.corpora import _preparation as preparation
from pipeline.corpora import manifest
from pipeline.lookup import ConfigurationError, StorageError
from pipeline.schema import Rejection, Utterance
from tests.resources import recordings


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Path]:
    """A table whose recordings lie in the store, and one of them beside it."""
    recordings.write(tmp_path / "a.wav", seconds=1.0)
    store = fsspec.filesystem("memory")
    store.pipe("/bucket/deep/a.wav", (tmp_path / "a.wav").read_bytes())
    store.pipe("/bucket/cut.wav", (tmp_path / "a.wav").read_bytes()[:2000])
    (tmp_path / "manifest.csv").write_text(
        "utterance_id,emotion,audio_path,start,end,alignment_path\n"
        "whole,sad,deep/a.wav,,,\npart,sad,deep/a.wav,0.25,0.5,\ncut,sad,cut.wav,,,\n"
        "absent,sad,b.wav,,,\nup,sad,../a.wav,,,\nroot,sad,/a.wav,,,\nurl,sad,s3://b/a.wav,,,\n"
        "times,sad,deep/a.wav,,,a.TextGrid\n",
        encoding="utf-8",
    )
    audio._fetched.cache_clear()
    yield tmp_path
    audio._fetched.cache_clear()
    store.rm("/bucket", recursive=True)


def prepared(root: Path, **settings: object) -> dict[str, Utterance | Rejection]:
    rows = list(manifest.read(root, manifest.Config(**settings)))
    return {
        row.utterance_id: row
        if isinstance(row, Rejection)
        else preparation.prepare_utterance(row, tokens.Config())
        for row in rows
    }


def test_recordings_are_read_from_a_store_as_from_a_folder(table: Path) -> None:
    found = prepared(table, audio_root="memory://bucket/")
    whole, part = found["whole"], found["part"]
    assert isinstance(whole, Utterance) and whole.audio_path == "memory://bucket/deep/a.wav"
    assert isinstance(part, Utterance) and part.duration == 0.25
    expected, rate = audio.read(table / "a.wav")
    assert whole.audio_sha256 == audio.content_hash(expected, rate) and whole.duration == 1.0
    np.testing.assert_array_equal(audio.load(whole, rate), expected)
    assert audio.duration("memory://bucket/deep/a.wav") == 1.0
    reasons = {name: row.reason for name, row in found.items() if isinstance(row, Rejection)}
    assert reasons == {
        "cut": "audio truncated",
        "absent": "audio not found",
        "up": "path leaves the corpus folder",
        "root": "path leaves the corpus folder",
        "url": "path leaves the corpus folder",
        "times": "not in a store",
    }


def test_a_store_that_fails_stops_the_stage_and_leaves_no_recording_out(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise PermissionError("403: Forbidden")

    monkeypatch.setattr(fsspec, "open", fails)
    with pytest.raises(StorageError, match=r"memory://.*a.wav cannot be read \(PermissionError: 4"):
        prepared(table, audio_root="memory://bucket")


def test_a_store_that_nobody_knows_is_one_line(table: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nothing://b/.* cannot be read: Protocol"):
        prepared(table, audio_root="nothing://b")


def test_a_corpus_lies_in_folders_and_its_recordings_may_lie_in_a_store() -> None:
    with pytest.raises(ConfigurationError, match=r"ravdess.root: readers list folders, s3:"):
        corpora.settings("ravdess", {"root": "s3://bucket/RAVDESS"})
    stated = {"root": "data/raw/mine", "reader": {"audio_root": "s3://bucket/mine"}}
    # What DVC asks for changes.
    assert corpora.settings("manifest-mine", stated).places == {"root": "data/raw/mine"}
