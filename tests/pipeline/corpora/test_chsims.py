from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.corpora import chsims
from pipeline.lookup import ConfigurationError
from pipeline.schema import Rejection, Utterance
from tests.resources import miniature, recordings


def read(root: Path, **values: float) -> tuple[dict[str, Utterance], list[Rejection]]:
    rows = list(chsims.read(root, chsims.Config(cache=root.parent / "cache", **values)))
    found = {row.utterance_id: row for row in rows if isinstance(row, Utterance)}
    return found, [row for row in rows if isinstance(row, Rejection)]


@pytest.mark.parametrize("layout", ["mmsa", "first"])
def test_both_layouts_give_the_same_utterances(tmp_path: Path, layout: str) -> None:
    found, rejections = read(miniature.chsims(tmp_path, layout))
    assert {name: (row.emotion, row.subset, row.transcript) for name, row in found.items()} == {
        "video_0001_0001": ("positive", "train", "我真的很高兴"),
        "video_0001_0002": ("negative", "train", "你在说什么"),
        "video_0001_0010": ("neutral", "test", "今天是星期一"),
        "video_0002_0001": ("negative", "valid", "我不想见他，走吧"),
    }
    row = found["video_0002_0001"]
    assert row.ratings == {
        "sentiment": -1.0,
        "sentiment_text": -0.8,
        "sentiment_audio": -1.0,
        "sentiment_vision": -0.6,
    }
    assert (row.language, row.dialogue, row.speaker) == ("zh", "video_0002", None)
    reasons = {"audio track missing": 1, "audio unreadable": 1, "audio not found": 1}
    if layout == "mmsa":
        reasons |= {"label outside the scheme": 1, "unparsable clip id": 1}
    assert Counter(row.reason for row in rejections) == reasons


def test_the_thresholds_decide_the_class_and_must_not_cross(tmp_path: Path) -> None:
    root = miniature.chsims(tmp_path)
    found, _ = read(root, negative_to=-0.5, positive_from=0.8)
    assert Counter(row.emotion for row in found.values()) == {"neutral": 3, "negative": 1}
    found, _ = read(root, negative_to=0.0, positive_from=0.0)
    assert Counter(row.emotion for row in found.values()) == {"positive": 1, "negative": 3}
    with pytest.raises(ConfigurationError, match=r"negative_to 0\.5 lies above positive_from 0\.1"):
        read(root, negative_to=0.5)


def test_sound_is_decoded_once_into_mono_flac_at_its_own_rate_and_anew_when_a_clip_changes(
    tmp_path: Path,
) -> None:
    root = miniature.chsims(tmp_path)
    before = {name: Path(row.audio_path) for name, row in read(root)[0].items()}
    times = {path: path.stat().st_mtime_ns for path in before.values()}
    info = soundfile.info(before["video_0001_0002"])
    assert (info.format, info.subtype, info.channels, info.samplerate) == (
        "FLAC",
        "PCM_16",
        1,
        44100,
    )
    assert {name: Path(row.audio_path) for name, row in read(root)[0].items()} == before
    assert {path: path.stat().st_mtime_ns for path in before.values()} == times
    recordings.write_clip(root / "Raw" / "video_0001" / "0002.mp4", seed=99)
    after = {name: Path(row.audio_path) for name, row in read(root)[0].items()}
    assert [name for name in before if before[name] != after[name]] == ["video_0001_0002"]


def test_the_decoded_sound_is_the_sound_of_the_clip(tmp_path: Path) -> None:
    recordings.write_clip(tmp_path / "Raw" / "video_0001" / "0001.mp4", seconds=1.0, seed=3)
    (tmp_path / "label.csv").write_text(
        "video_id,clip_id,text,label,mode\nvideo_0001,1,好,0.2,train\n", encoding="utf-8"
    )
    found, _ = read(tmp_path)
    decoded, rate = soundfile.read(found["video_0001_0001"].audio_path)
    original = recordings.tone(1.0, rate, seed=3)
    # The encoder may put up to two blocks of silence first; AAC keeps the wave, not
    # every sample.
    shift = int(np.argmax(np.correlate(decoded[4000:42048], original[4000:40000], mode="valid")))
    placed = decoded[4000 + shift : 40000 + shift]
    assert np.corrcoef(placed, original[4000:40000])[0, 1] > 0.98
    assert np.std(placed) == pytest.approx(np.std(original), rel=0.05)


def test_row_numbers_must_cover_the_first_release_once(tmp_path: Path) -> None:
    root = miniature.chsims(tmp_path, "first")
    index = root / "metadata" / "test_index.csv"
    index.write_text("index\n0\n", encoding="utf-8")
    with pytest.raises(
        ConfigurationError, match=r"row 0 stands in two subsets, expected every row"
    ):
        read(root)
    index.write_text("index\n99\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="row 99 is not one of 7 rows"):
        read(root)
    index.write_text("2\n5\n", encoding="utf-8")
    assert read(root)[0]["video_0001_0010"].subset == "test"
    index.rename(root / "metadata" / "sentiment" / "test_index.csv")
    assert read(root)[0]["video_0001_0010"].subset == "test"


def test_a_table_without_its_columns_says_which_are_missing(tmp_path: Path) -> None:
    root = miniature.chsims(tmp_path)
    (root / "label.csv").write_text("video_id,clip_id,label\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"expected \['mode', 'text'\] among them"):
        read(root)
    (root / "label.csv").unlink()
    with pytest.raises(
        ConfigurationError, match=r"expected label\.csv, or metadata/sentiment/label_M\.csv"
    ):
        read(root)
