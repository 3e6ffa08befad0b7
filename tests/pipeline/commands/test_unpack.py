"""Unpacking archives that try to write outside their folder."""

import gzip
import io
import stat
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from pipeline.commands import _unpack as unpack


def test_gzip_loses_its_ending(tmp_path: Path) -> None:
    archive = tmp_path / "cc.bin.gz"
    archive.write_bytes(gzip.compress(b"content"))
    (file,) = unpack.unpack(archive, tmp_path, "gzip")
    assert file == tmp_path / "cc.bin"
    assert file.read_bytes() == b"content"


def pack(archive: Path, kind: str, *names: str) -> Path:
    if kind == "zip":
        with zipfile.ZipFile(archive, "w") as packed:
            for name in names:
                packed.writestr(zipfile.ZipInfo(name), b"x")
    else:
        with tarfile.open(archive, "w:gz") as packed_tar:
            for name in names:
                entry = tarfile.TarInfo(name)
                entry.size = 1
                packed_tar.addfile(entry, io.BytesIO(b"x"))
    return archive


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_folders_come_back_as_they_were(tmp_path: Path, kind: Any) -> None:
    archive = pack(tmp_path / "archive", kind, "b/c/d.wav", "a.wav", "..\\odd", "C:odd")
    folder = tmp_path / "target"
    folder.mkdir()
    files = unpack.unpack(archive, folder, kind)
    assert files == [folder / name for name in ("..\\odd", "C:odd", "a.wav", "b/c/d.wav")]
    assert sorted(path for path in folder.rglob("*") if path.is_file()) == sorted(files)
    assert all(path.read_bytes() == b"x" for path in files)


@pytest.mark.parametrize("name", ["../evil", "/srv/evil", "a/../../evil", "//evil"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_no_name_leaves_the_target(tmp_path: Path, name: str, kind: Any) -> None:
    folder = tmp_path / "inner" / "target"
    folder.mkdir(parents=True)
    archive = pack(tmp_path / "archive", kind, "good", name)
    with pytest.raises(unpack.UnpackError, match="would write outside its folder"):
        unpack.unpack(archive, folder, kind)
    assert list(folder.iterdir()) == []
    assert not list(tmp_path.rglob("*evil*"))


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
)
def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path, kind: bytes) -> None:
    archive, folder = tmp_path / "a.tar", tmp_path / "target"
    folder.mkdir()
    with tarfile.open(archive, "w") as packed:
        entry = tarfile.TarInfo("out")
        entry.type, entry.linkname = kind, str(tmp_path)
        packed.addfile(entry)
        inner = tarfile.TarInfo("out/evil")
        inner.size = 1
        packed.addfile(inner, io.BytesIO(b"x"))
    with pytest.raises(unpack.UnpackError, match="link or device"):
        unpack.unpack(archive, folder, "tar")
    assert list(folder.iterdir()) == []


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    archive, folder = tmp_path / "a.zip", tmp_path / "target"
    folder.mkdir()
    link = zipfile.ZipInfo("out")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr(link, str(tmp_path))
    with pytest.raises(unpack.UnpackError, match="link or device"):
        unpack.unpack(archive, folder, "zip")
    assert list(folder.iterdir()) == []


def test_a_link_that_is_there_already_is_not_followed(tmp_path: Path) -> None:
    archive, folder, outside = tmp_path / "a.zip", tmp_path / "target", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (folder / "sub").symlink_to(outside)
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("sub/evil", b"x")
    with pytest.raises(unpack.UnpackError, match="would write outside its folder"):
        unpack.unpack(archive, folder, "zip")
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("kind", ["zip", "tar", "gzip"])
def test_a_damaged_file_is_not_left_half_written(tmp_path: Path, kind: Any) -> None:
    content, folder = bytes(range(256)) * 8192, tmp_path / "target"
    folder.mkdir()
    archive = tmp_path / "a.gz"
    if kind == "zip":
        with zipfile.ZipFile(archive, "w") as packed:
            packed.writestr("a", content)
        # The stored bytes no longer have the checksum that the archive states.
        archive.write_bytes(archive.read_bytes().replace(content[:256], bytes(256)))
    elif kind == "tar":
        with tarfile.open(archive, "w:gz", compresslevel=0) as packed_tar:
            entry = tarfile.TarInfo("a")
            entry.size = len(content)
            packed_tar.addfile(entry, io.BytesIO(content))
        archive.write_bytes(archive.read_bytes()[:-5000])
    else:
        archive.write_bytes(gzip.compress(content, 0)[:-5000])
    with pytest.raises(unpack.UnpackError, match="is damaged"):
        unpack.unpack(archive, folder, kind)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("kind", ["zip", "tar", "gzip"])
def test_an_archive_that_grows_beyond_measure_is_refused(
    tmp_path: Path, kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpack, "SMALL", 1000)
    archive, folder, zeros = tmp_path / "a.gz", tmp_path / "target", bytes(10**7)
    folder.mkdir()
    if kind == "zip":
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr("a", zeros)
    elif kind == "tar":
        with tarfile.open(archive, "w:gz") as packed_tar:
            entry = tarfile.TarInfo("a")
            entry.size = len(zeros)
            packed_tar.addfile(entry, io.BytesIO(zeros))
    else:
        archive.write_bytes(gzip.compress(zeros))
    with pytest.raises(
        unpack.UnpackError, match=r"holds .*more than \d+ bytes|bytes, more than \d+"
    ):
        unpack.unpack(archive, folder, kind)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_more_files_than_anybody_has_are_refused(
    tmp_path: Path, kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "target"
    folder.mkdir()
    archive = pack(tmp_path / "archive", kind, "a", "b", "c")
    monkeypatch.setattr(unpack, "MOST_FILES", 3)
    assert len(unpack.unpack(archive, folder, kind)) == 3
    monkeypatch.setattr(unpack, "MOST_FILES", 2)
    with pytest.raises(unpack.UnpackError, match="more than 2 files"):
        unpack.unpack(archive, folder, kind)
