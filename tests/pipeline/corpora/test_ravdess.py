import os
from collections import Counter
from pathlib import Path

import pytest

from pipeline import tokens
from pipeline.corpora import _preparation as preparation
from pipeline.corpora import _totals as totals
from pipeline.corpora import ravdess
from pipeline.lookup import ConfigurationError
from pipeline.schema import Rejection, Utterance
from tests.resources import miniature, recordings
from tests.resources.prepare_stage import flagged


def read(root: Path) -> tuple[dict[str, Utterance], list[Rejection]]:
    rows = list(ravdess.read(root, ravdess.Config()))
    found = {row.utterance_id: row for row in rows if isinstance(row, Utterance)}
    rejections = [row for row in rows if isinstance(row, Rejection)]
    assert len(rows) == len(found) + len(rejections)
    return found, rejections


def test_the_name_gives_label_speaker_transcript_and_intensity(tmp_path: Path) -> None:
    found, _ = read(miniature.ravdess(tmp_path))
    row = found["03-01-05-02-02-01-12"]
    assert (row.emotion, row.speaker, row.transcript) == (
        "angry",
        "Actor_12",
        "Dogs are sitting by the door",
    )
    assert (row.ratings, row.language, row.start, row.end) == ({"intensity": 2.0}, "en", None, None)
    assert list(found) == sorted(found)
    assert all((row.sex == "male") == (int(row.speaker[-2:]) % 2 == 1) for row in found.values())


def test_traps_become_rejections_and_metadata_files_are_not_recordings(tmp_path: Path) -> None:
    found, rejections = read(miniature.ravdess(tmp_path))
    assert Counter(row.reason for row in rejections) == {
        "song, not speech": 1,
        "unparsable file name": 1,
        "impossible file name": 1,
        "folder and file name disagree": 1,
        "listed twice": 1,
    }
    assert not any(
        name.startswith("._") for name in [*found, *(row.utterance_id for row in rejections)]
    )


def test_a_flat_folder_gives_the_same_utterances(tmp_path: Path) -> None:
    nested, flat = tmp_path / "nested", tmp_path / "flat"
    for name in ("03-01-01-01-01-01-01", "03-01-03-01-02-02-07"):
        recordings.write(nested / "speech" / f"Actor_{name[-2:]}" / f"{name}.wav")
        recordings.write(flat / f"{name}.WAV")
    assert (
        set(read(nested)[0])
        == set(read(flat)[0])
        == {"03-01-01-01-01-01-01", "03-01-03-01-02-02-07"}
    )


def test_an_empty_or_missing_folder_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="expected Actor_NN"):
        list(ravdess.read(tmp_path, ravdess.Config()))
    with pytest.raises(ConfigurationError, match="is not a folder, expected the RAVDESS folder"):
        list(ravdess.read(tmp_path / "missing", ravdess.Config()))


def test_prepare_flags_the_copy_and_mixes_stereo_down(tmp_path: Path) -> None:
    found, _ = read(miniature.ravdess(tmp_path))
    prepared = [preparation.prepare_utterance(row, tokens.Config()) for row in found.values()]
    rejections = [row for row in prepared if isinstance(row, Rejection)]
    assert Counter(row.reason for row in rejections) == {
        "audio unreadable": 2,
        "audio truncated": 1,
        "audio silent": 1,
        "audio empty": 1,
    }
    marked = flagged(row for row in prepared if isinstance(row, Utterance))
    assert {row.utterance_id: row.duplicate_of for row in marked if row.duplicate_of} == {
        "03-01-03-01-02-02-07": "03-01-03-01-02-01-07"
    }


def test_published_totals_add_up() -> None:
    counts = {count.name: count.expected for count in ravdess.TOTALS.counts}
    assert (
        sum(number for name, number in counts.items() if name.startswith("emotion "))
        == counts["utterances"]
        == 1440
    )
    assert sum(number for name, number in counts.items() if name.startswith("speaker ")) == 1440


@pytest.mark.skipif(
    "SERFLOW_RAVDESS" not in os.environ, reason="SERFLOW_RAVDESS names no RAVDESS folder"
)
def test_real_corpus_matches_the_published_totals_of_the_actors_that_are_there() -> None:
    found, rejections = read(Path(os.environ["SERFLOW_RAVDESS"]))
    assert rejections == []
    rows = list(found.values())
    assert len(rows) == 60 * len({row.speaker for row in rows})
    assert totals.differences(ravdess.TOTALS, rows) == []
    actor = [
        preparation.prepare_utterance(row, tokens.Config())
        for row in rows
        if row.speaker == "Actor_07"
    ]
    marked = flagged(row for row in actor if isinstance(row, Utterance))
    assert len(marked) == 60
    assert [row.utterance_id for row in marked if row.duplicate_of] == ["03-01-03-01-02-02-07"]


@pytest.mark.skipif(
    "SERFLOW_RAVDESS_ORIGINAL" not in os.environ, reason="SERFLOW_RAVDESS_ORIGINAL names no folder"
)
def test_untouched_originals_are_read_with_their_stereo_file_and_their_copy() -> None:
    import soundfile

    found, rejections = read(Path(os.environ["SERFLOW_RAVDESS_ORIGINAL"]))
    assert rejections == []
    assert 2 in {soundfile.info(row.audio_path).channels for row in found.values()}
    assert {soundfile.info(row.audio_path).samplerate for row in found.values()} == {
        ravdess.SAMPLING_RATE
    }
    prepared = [preparation.prepare_utterance(row, tokens.Config()) for row in found.values()]
    marked = flagged(row for row in prepared if isinstance(row, Utterance))
    assert len(marked) == len(found)
    assert {row.utterance_id: row.duplicate_of for row in marked if row.duplicate_of} == {
        "03-01-03-01-02-02-07": "03-01-03-01-02-01-07"
    }
