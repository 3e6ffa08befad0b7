from pathlib import Path

import pytest

from pipeline.corpora import _listing as listing
from pipeline.lookup import ConfigurationError


def test_files_are_sorted_by_path_and_leave_out_hidden_ones_and_folders(tmp_path: Path) -> None:
    for name in ("b.wav", "B.WAV", "a/z.flac", "a-b/c.wav", "._b.wav", "notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    (tmp_path / "folder.wav").mkdir()
    deep = [
        path.relative_to(tmp_path).as_posix()
        for path in listing.files(tmp_path, listing.AUDIO_SUFFIXES, deep=True)
    ]
    assert deep == ["B.WAV", "a/z.flac", "a-b/c.wav", "b.wav"]
    assert [path.name for path in listing.files(tmp_path, (".wav",))] == ["B.WAV", "b.wav"]
    assert [path.name for path in listing.hidden_metadata(tmp_path)] == ["._b.wav"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_text_is_decoded_whatever_the_encoding(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes("我 很 高兴\r\n中立\rend".encode(encoding))
    assert listing.read_text(path, "gb18030") == "我 很 高兴\n中立\nend"


def test_text_in_no_known_encoding_is_an_error_and_not_a_guess(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes(b"\x81\x8d")
    with pytest.raises(ConfigurationError, match="expected UTF-8, UTF-16 with its mark, or cp1252"):
        listing.read_text(path)


def test_csv_cells_keep_their_zeros_and_short_rows_are_filled(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('\ufeffid, text\n0001,"a, \x85b"\n2\n3,c,beyond\n', encoding="utf-8")
    assert listing.read_csv(path, ("id",)) == [
        {"id": "0001", "text": "a, \x85b"},
        {"id": "2", "text": ""},
        {"id": "3", "text": "c"},
    ]
    with pytest.raises(ConfigurationError, match=r"expected \['label'\] among them"):
        listing.read_csv(path, ("id", "label"))
