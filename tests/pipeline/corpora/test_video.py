import builtins
import resource
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest
import soundfile

from pipeline.audio import AudioError
from pipeline.corpora import _video as video
from pipeline.lookup import ConfigurationError, StorageError
from tests.resources import recordings


def corrupt(clip: Path) -> Path:
    return recordings.write_corrupt(clip)


def cut_inside_a_packet(clip: Path) -> Path:
    """The first 60 % of a clip whose index stands first, as an interrupted download
    leaves it.
    """
    whole = recordings.write_clip(clip, seconds=4.0, index_first=True).read_bytes()
    clip.write_bytes(whole[: int(0.6 * len(whole))])
    return clip


def cut_after_a_packet(clip: Path) -> Path:
    """The same, where every packet that is there is whole: decoding ends early without
    an error.
    """
    whole = recordings.write_clip(clip, seconds=4.0, index_first=True).read_bytes()
    with av.open(str(clip)) as container:
        ends = [packet.pos + packet.size for packet in container.demux(audio=0) if packet.size]
    clip.write_bytes(whole[: ends[len(ends) // 2]])
    return clip


def mute(clip: Path) -> Path:
    return recordings.write_clip(clip, channels=0)


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (lambda clip: clip, "audio not found"),
        (recordings.write_empty, "audio unreadable"),
        (corrupt, "audio unreadable"),
        (mute, "audio track missing"),
        (cut_inside_a_packet, "audio unreadable"),
        (cut_after_a_packet, "audio truncated"),
    ],
)
def test_clips_without_usable_sound_say_why_and_leave_nothing_behind(
    tmp_path: Path, build: Callable[[Path], Path], reason: str
) -> None:
    with pytest.raises(AudioError) as error:
        video.sound_track(build(tmp_path / "clip.mp4"), tmp_path / "cache")
    assert error.value.reason == reason and "clip.mp4" in error.value.detail
    assert not list((tmp_path / "cache").rglob("*.flac"))


def test_results_come_in_order_and_one_clip_named_often_is_decoded_to_one_file(
    tmp_path: Path,
) -> None:
    good = recordings.write_clip(tmp_path / "videos" / "a.mp4", seconds=0.5)
    bad = recordings.write_corrupt(tmp_path / "videos" / "b.mp4")
    results = list(video.sound_tracks([good, bad, *[good] * 8], tmp_path / "cache"))
    assert isinstance(results[1], AudioError)
    assert {result for result in results if isinstance(result, Path)} == {results[0]}
    assert [path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()] == [
        Path(str(results[0])).name
    ]
    assert soundfile.info(str(results[0])).duration == pytest.approx(0.5, abs=0.06)


def test_equal_clips_decode_to_equal_bytes(tmp_path: Path) -> None:
    clip = recordings.write_clip(tmp_path / "videos" / "a.mp4")
    first, second = (video.sound_track(clip, tmp_path / cache) for cache in ("one", "two"))
    assert first.name == second.name and first.read_bytes() == second.read_bytes()


def test_a_full_disk_is_told_and_leaves_nothing_behind(tmp_path: Path) -> None:
    clip = recordings.write_clip(tmp_path / "a.mp4", seconds=4.0)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, limits[1]))
    try:
        with pytest.raises(StorageError, match="File too large"):
            video.sound_track(clip, tmp_path / "cache")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_a_long_clip_is_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    clip = recordings.write_clip(tmp_path / "a.mp4", seconds=40.0)
    tracemalloc.start()
    try:
        sound = video.sound_track(clip, tmp_path / "cache")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 * soundfile.info(str(sound)).frames


def test_a_missing_decoder_names_the_install_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    original = builtins.__import__

    def without_av(name: str, *rest: Any) -> Any:
        if name == "av":
            raise ImportError("No module named 'av'")
        return original(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_av)
    with pytest.raises(ConfigurationError, match=r"pip install 'serflow\[video\]'"):
        list(video.sound_tracks([tmp_path / "a.mp4"], tmp_path / "cache"))
