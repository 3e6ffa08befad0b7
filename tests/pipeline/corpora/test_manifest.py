from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import tokens
from pipeline.corpora import _preparation as preparation
from pipeline.corpora import manifest
from pipeline.lookup import ConfigurationError
from pipeline.schema import Rejection, Utterance
from tests.resources import miniature, recordings


def read(root: Path, **values: object) -> tuple[dict[str, Utterance], dict[str, str]]:
    rows = list(manifest.read(root, manifest.Config(**values)))
    found = {row.utterance_id: row for row in rows if isinstance(row, Utterance)}
    return found, {row.utterance_id: row.reason for row in rows if isinstance(row, Rejection)}


def test_rows_become_utterances_with_segments_ratings_and_votes(tmp_path: Path) -> None:
    root = miniature.manifest(tmp_path)
    found, _ = read(root)
    assert list(found) == ["0001", "0002", "0003", "0004"]
    assert found["0001"] == Utterance(
        utterance_id="0001",
        corpus="manifest",
        emotion="angry",
        audio_path=(root / "long.wav").as_posix(),
        start=0.0,
        end=0.75,
        transcript="Go away",
        language="en",
        speaker="s1",
        subset="train",
        ratings={"valence": 1.5},
        votes=("angry", "sad", "angry"),
    )
    assert (found["0002"].language, found["0002"].subset) == ("en-gb", "valid")
    assert (found["0003"].audio_path, found["0004"].transcript) == (None, None)
    prepared = [preparation.prepare_utterance(row, tokens.Config()) for row in found.values()]
    assert [row.duration for row in prepared if isinstance(row, Utterance)] == [
        0.75,
        1.25,
        None,
        0.3,
    ]


def test_rows_that_cannot_be_used_say_why(tmp_path: Path) -> None:
    _, rejections = read(miniature.manifest(tmp_path))
    assert rejections == {
        "up": "path leaves the corpus folder",
        "absolute": "path leaves the corpus folder",
        "link": "path leaves the corpus folder",
        "0001": "listed twice",
        "row 9": "no utterance id",
        "unlabelled": "no label",
        "backwards": "impossible segment",
        "infinite": "not a number",
        "subset": "unknown subset",
        "rating": "not a number",
        "comma": "unparsable row",
    }


def test_links_may_lead_out_only_when_that_is_allowed(tmp_path: Path) -> None:
    found, rejections = read(miniature.manifest(tmp_path), follow_links=True)
    assert "link" in found
    assert {name for name, reason in rejections.items() if reason.startswith("path leaves")} == {
        "up",
        "absolute",
    }


def test_a_linked_folder_is_followed_for_every_row(tmp_path: Path) -> None:
    root = tmp_path / "mine"
    for name in ("outside/a.wav", "mine/deep/b.wav", "mine/deep/c.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        recordings.write(tmp_path / name)
    (root / "out").symlink_to(tmp_path / "outside")
    (root / "in").symlink_to(root / "deep")
    (root / "deep" / "d.wav").symlink_to(tmp_path / "outside" / "a.wav")
    paths = ("out/a.wav", "out/b.wav", "in/b.wav", "in/c.wav", "in/d.wav", "in/../deep/b.wav")
    rows = [f"{path.replace('/', '-')},sad,{path}" for path in paths]
    lines = ["utterance_id,emotion,audio_path", *rows]
    (root / "manifest.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    found, rejections = read(root)
    assert set(found) == {"in-b.wav", "in-c.wav", "in-..-deep-b.wav"}
    assert set(rejections) == {"out-a.wav", "out-b.wav", "in-d.wav"}
    assert all(reason.startswith("path leaves") for reason in rejections.values())


def audio_elsewhere(folder: Path, *paths: str) -> dict[str, object]:
    """A table in one folder and recordings in another; the reader's settings."""
    (folder / "table").mkdir()
    (folder / "audio" / "deep").mkdir(parents=True)
    for name in ("audio/a.wav", "audio/deep/b.wav", "outside.wav"):
        recordings.write(folder / name)
    rows = [f"u{number},sad,{path}" for number, path in enumerate(paths)]
    lines = ["utterance_id,emotion,audio_path", *rows]
    (folder / "table" / "manifest.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {"audio_root": folder / "audio"}


def test_recordings_may_lie_in_a_folder_of_their_own(tmp_path: Path) -> None:
    inside = (tmp_path / "audio" / "a.wav").as_posix()
    settings = audio_elsewhere(tmp_path, "a.wav", "deep/b.wav", inside)
    found, rejections = read(tmp_path / "table", **settings)
    assert [row.audio_path for row in found.values()] == [
        inside,
        (tmp_path / "audio" / "deep" / "b.wav").as_posix(),
        inside,
    ]
    assert rejections == {}


def test_word_times_lie_with_the_recordings(tmp_path: Path) -> None:
    settings = audio_elsewhere(tmp_path)
    (tmp_path / "table" / "manifest.csv").write_text(
        "utterance_id,emotion,audio_path,alignment_path\na,sad,a.wav,a.TextGrid\n"
        "b,sad,a.wav,../table/b.TextGrid\n",
        encoding="utf-8",
    )
    found, rejections = read(tmp_path / "table", **settings)
    assert found["a"].alignment_path == (tmp_path / "audio" / "a.TextGrid").as_posix()
    assert rejections == {"b": "path leaves the corpus folder"}


def test_no_path_leaves_the_folder_of_the_recordings(tmp_path: Path) -> None:
    outside = (tmp_path / "outside.wav").as_posix()
    settings = audio_elsewhere(tmp_path, "../outside.wav", outside, "link.wav", "deep/../a.wav")
    (tmp_path / "audio" / "link.wav").symlink_to(outside)
    found, rejections = read(tmp_path / "table", **settings)
    assert list(found) == ["u3"]
    assert rejections == dict.fromkeys(["u0", "u1", "u2"], "path leaves the corpus folder")
    found, _ = read(tmp_path / "table", **settings, follow_links=True)
    assert list(found) == ["u2", "u3"]


def test_a_path_outside_names_the_setting_that_allows_it(tmp_path: Path) -> None:
    audio_elsewhere(tmp_path, "../audio/a.wav")
    (row,) = manifest.read(tmp_path / "table", manifest.Config())
    assert isinstance(row, Rejection) and "set the reader's audio_root to the folder" in row.detail


def test_a_folder_of_recordings_that_is_not_there_stops_the_build(tmp_path: Path) -> None:
    audio_elsewhere(tmp_path, "a.wav")
    with pytest.raises(ConfigurationError, match=r"nowhere is not a folder.*audio_root"):
        read(tmp_path / "table", audio_root=tmp_path / "nowhere")


@given(
    parts=st.lists(
        st.sampled_from(["..", ".", "a", "out", "in", "", "/", "b.wav"]), min_size=1, max_size=6
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_spelling_of_a_path_leaves_the_folder(tmp_path: Path, parts: list[str]) -> None:
    root = tmp_path / "root"
    if not root.exists():
        (root / "a").mkdir(parents=True)
        (root / "out").symlink_to(tmp_path)
        (root / "in").symlink_to(root / "a")
    (root / "manifest.csv").write_text(
        f'utterance_id,emotion,audio_path\nx,sad,"{"/".join(parts)}"\n', encoding="utf-8"
    )
    found, rejections = read(root)
    for row in found.values():
        assert row.audio_path is None or Path(row.audio_path).resolve().is_relative_to(
            root.resolve()
        )
    assert len(found) + len(rejections) == 1


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_every_kind_of_table_gives_the_same_rows(tmp_path: Path, suffix: str) -> None:
    recordings.write(tmp_path / "a.wav")
    columns = {
        "utterance_id": ["007", "8"],
        "emotion": ["sad", "happy"],
        "audio_path": ["a.wav", None],
    }
    columns |= {"transcript": ["it is, well", None], "rating_arousal": [0.5, None]}
    table = tmp_path / f"mine{suffix}"
    if suffix == ".parquet":
        pq.write_table(pa.table(columns), table)
    else:
        mark = "," if suffix == ".csv" else "\t"
        lines = [
            mark.join(columns),
            mark.join(("007", "sad", "a.wav", '"it is, well"', "0.5")),
            mark.join(("8", "happy")),
        ]
        table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    for root, values in ((table, {}), (tmp_path, {"file": table.name})):
        found, rejections = read(root, **values)
        assert rejections == {} and list(found) == ["007", "8"]
        assert (found["007"].transcript, found["007"].ratings) == ("it is, well", {"arousal": 0.5})
        assert (found["8"].audio_path, found["8"].transcript, found["8"].ratings) == (
            None,
            None,
            {},
        )


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("utterance_id,transcript", "lacks the column emotion, expected utterance_id, emotion"),
        (
            "utterance_id,emotion",
            "neither recordings nor words, expected a column audio_path or transcript",
        ),
        ("utterance_id,emotion,transcript,gender", "unknown column 'gender', expected .*x_"),
        ("utterance_id,emotion,emotion,transcript", "column emotion stands twice"),
        ("", "lacks the column utterance_id, emotion"),
    ],
)
def test_a_wrong_header_stops_before_any_row(tmp_path: Path, header: str, message: str) -> None:
    (tmp_path / "manifest.csv").write_text(f"{header}\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=message):
        read(tmp_path)


def test_a_table_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine.parquet").write_text("utterance_id\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="expected a parquet table"):
        read(tmp_path, file="mine.parquet")
    (tmp_path / "manifest.csv").write_bytes(b"utterance_id,emotion,transcript\n1,sad,\x81\n")
    with pytest.raises(ConfigurationError, match="or set reader"):
        read(tmp_path)


def test_given_word_times_are_a_path_like_any_other(tmp_path: Path) -> None:
    (tmp_path / "words.TextGrid").write_text("", encoding="utf-8")
    (tmp_path / "manifest.csv").write_text(
        "utterance_id,emotion,transcript,alignment_path\na,sad,so,words.TextGrid\nb,sad,so,../words.TextGrid\n",
        encoding="utf-8",
    )
    found, rejections = read(tmp_path)
    assert found["a"].alignment_path == (tmp_path / "words.TextGrid").as_posix()
    assert rejections == {"b": "path leaves the corpus folder"}


def test_the_sex_of_a_speaker_is_spelt_in_one_way(tmp_path: Path) -> None:
    cells = ("F", "male", "", "Other")
    rows = (f"{number},sad,no,{cell}" for number, cell in enumerate(cells))
    text = "\n".join(("utterance_id,emotion,transcript,sex", *rows)) + "\n"
    (tmp_path / "manifest.csv").write_text(text, encoding="utf-8")
    found, _ = read(tmp_path)
    assert [row.sex for row in found.values()] == ["female", "male", None, "other"]
