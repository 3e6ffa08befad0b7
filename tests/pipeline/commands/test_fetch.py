"""Fetching from a server on localhost that breaks off, lies and changes."""

import gzip
import hashlib
import http.server
import io
import re
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.commands import _download, fetch
from pipeline.commands import _unpack as unpack
from pipeline.commands.fetch import FetchError, Resource
from pipeline.lookup import ConfigurationError

CONTENT = bytes(range(256)) * 4000


@dataclass
class Served:
    """What the server sends, after how many bytes it breaks off (once per entry), and
    what it was asked for.
    """

    content: bytes = CONTENT
    breaks: list[int] = field(default_factory=list)
    ranges: bool = True
    etag: str = '"one"'
    status: int | None = None
    asked: list[str | None] = field(default_factory=list)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Served, str]]:
    state = Served()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            state.asked.append(asked)
            if state.status is not None:
                self.send_error(state.status)
                return
            start = 0
            if asked and state.ranges and self.headers.get("If-Range") in (None, state.etag):
                found = re.fullmatch(r"bytes=(\d+)-", asked)
                assert found is not None
                start = int(found[1])
                if start >= len(state.content):
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{len(state.content)}")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                self.send_response(206)
                self.send_header(
                    "Content-Range", f"bytes {start}-{len(state.content) - 1}/{len(state.content)}"
                )
            else:
                self.send_response(200)
            self.send_header("Content-Length", str(len(state.content) - start))
            self.send_header("ETag", state.etag)
            self.end_headers()
            stop = start + state.breaks.pop(0) if state.breaks else len(state.content)
            self.wfile.write(state.content[start:stop])

        def log_message(self, *args: Any) -> None:
            """Keeps the test's output clean."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    monkeypatch.setattr(_download.time, "sleep", lambda seconds: None)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    yield state, f"http://127.0.0.1:{server.server_port}/file"
    server.shutdown()
    server.server_close()
    thread.join()


def resource(address: str, content: bytes = CONTENT, **changes: Any) -> dict[str, Resource]:
    checksum = "sha256:" + hashlib.sha256(content).hexdigest()
    return {
        "thing": replace(
            Resource(address, "thing.dat", "things", len(content), checksum, None, "none"),
            **changes,
        )
    }


def test_a_file_arrives_and_is_not_fetched_twice(
    served: tuple[Served, str], tmp_path: Path
) -> None:
    state, address = served
    for _ in range(2):
        files = fetch.fetch("thing", tmp_path, resources=resource(address))
        assert files == [tmp_path / "things" / "thing.dat"]
    assert files[0].read_bytes() == CONTENT
    assert state.asked == [None]
    assert sorted(path.name for path in files[0].parent.iterdir()) == [".thing.json", "thing.dat"]


def test_a_broken_download_resumes_where_it_stopped(
    served: tuple[Served, str], tmp_path: Path
) -> None:
    state, address = served
    state.breaks = [300_000, 200_000]
    (file,) = fetch.fetch("thing", tmp_path, resources=resource(address))
    assert state.asked == [None, "bytes=300000-", "bytes=500000-"]
    assert file.read_bytes() == CONTENT


def test_a_later_run_resumes_too(served: tuple[Served, str], tmp_path: Path) -> None:
    state, address = served
    state.breaks = [100_000] + [0] * 20
    with pytest.raises(FetchError, match="ended early"):
        fetch.fetch("thing", tmp_path, resources=resource(address))
    assert (tmp_path / "things" / "thing.dat.part").stat().st_size == 100_000
    state.breaks, state.asked = [], []
    (file,) = fetch.fetch("thing", tmp_path, resources=resource(address))
    assert state.asked == ["bytes=100000-"]
    assert file.read_bytes() == CONTENT


def test_a_file_that_changed_in_between_starts_over(
    served: tuple[Served, str], tmp_path: Path
) -> None:
    state, address = served
    state.breaks = [100_000] + [0] * 20
    with pytest.raises(FetchError):
        fetch.fetch("thing", tmp_path, resources=resource(address))
    state.breaks, state.content, state.etag = [], CONTENT[::-1], '"two"'
    (file,) = fetch.fetch("thing", tmp_path, resources=resource(address, CONTENT[::-1]))
    assert file.read_bytes() == CONTENT[::-1]


def test_a_server_without_ranges_is_asked_for_everything_again(
    served: tuple[Served, str], tmp_path: Path
) -> None:
    state, address = served
    state.breaks, state.ranges = [300_000], False
    (file,) = fetch.fetch("thing", tmp_path, resources=resource(address))
    assert file.read_bytes() == CONTENT


def test_a_complete_part_file_is_recognised(served: tuple[Served, str], tmp_path: Path) -> None:
    _, address = served
    (tmp_path / "things").mkdir()
    (tmp_path / "things" / "thing.dat.part").write_bytes(CONTENT)
    (file,) = fetch.fetch("thing", tmp_path, resources=resource(address))
    assert file.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"checksum": "sha256:" + "0" * 64}, "expected 0000"),
        ({"checksum": "md5:" + "0" * 32}, "md5 .*expected 0000"),
        ({"size": 12}, "bytes, expected 12"),
    ],
)
def test_a_file_that_is_another_is_removed(
    served: tuple[Served, str], tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    _, address = served
    with pytest.raises(FetchError, match=message):
        fetch.fetch("thing", tmp_path, resources=resource(address, **change))
    assert list((tmp_path / "things").iterdir()) == []


def test_a_file_without_a_published_size_is_bounded(
    served: tuple[Served, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, address = served
    monkeypatch.setattr(_download, "MOST_BYTES", len(CONTENT) - 1)
    with pytest.raises(FetchError, match=f"more bytes, expected {len(CONTENT) - 1} at most"):
        fetch.fetch("thing", tmp_path, resources=resource(address, size=None))
    assert list((tmp_path / "things").iterdir()) == []


def test_without_a_published_checksum_the_sum_is_said(
    served: tuple[Served, str], tmp_path: Path
) -> None:
    _, address = served
    said: list[str] = []
    fetch.fetch("thing", tmp_path, resources=resource(address, checksum=None), say=said.append)
    assert hashlib.sha256(CONTENT).hexdigest() in said[0]


def test_without_a_network_the_error_says_what_to_put_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_download.time, "sleep", lambda seconds: None)
    known = resource("http://127.0.0.1:9/file")
    target = tmp_path / "things" / "thing.dat"
    with pytest.raises(FetchError, match=f"put the file at {re.escape(str(target))} by hand"):
        fetch.fetch("thing", tmp_path, resources=known)
    target.write_bytes(b"something else")
    with pytest.raises(FetchError, match="replace it or remove it"):
        fetch.fetch("thing", tmp_path, resources=known)
    assert target.exists()
    target.write_bytes(CONTENT)
    assert fetch.fetch("thing", tmp_path, resources=known) == [target]


def test_a_missing_page_is_asked_for_once(served: tuple[Served, str], tmp_path: Path) -> None:
    state, address = served
    state.status = 404
    with pytest.raises(FetchError, match="404"):
        fetch.fetch("thing", tmp_path, resources=resource(address))
    assert len(state.asked) == 1


def test_an_archive_is_unpacked_and_a_lost_file_comes_back(
    served: tuple[Served, str], tmp_path: Path
) -> None:
    state, address = served
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("Actor_01/a.wav", b"aaa")
        archive.writestr("Actor_02/b.wav", b"bb")
    state.content = packed.getvalue()
    known = resource(address, state.content, unpacking="zip", file="thing.zip")
    files = fetch.fetch("thing", tmp_path, resources=known)
    assert [path.relative_to(tmp_path).as_posix() for path in files] == [
        "things/Actor_01/a.wav",
        "things/Actor_02/b.wav",
    ]
    assert not (tmp_path / "things" / "thing.zip").exists()
    files[0].unlink()
    assert fetch.fetch("thing", tmp_path, resources=known)[0].read_bytes() == b"aaa"
    assert len(state.asked) == 2


@pytest.mark.parametrize("kind", ["zip", "tar", "gzip"])
def test_damaged_archives_are_errors(served: tuple[Served, str], tmp_path: Path, kind: Any) -> None:
    state, address = served
    state.content = gzip.compress(CONTENT)[:-20] if kind == "gzip" else b"PK\x03\x04 not an archive"
    known = resource(address, state.content, unpacking=kind)
    with pytest.raises(FetchError, match="damaged"):
        fetch.fetch("thing", tmp_path, resources=known)
    assert list((tmp_path / "things").iterdir()) == []


def test_a_disk_too_small_keeps_the_download(
    served: tuple[Served, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, address = served
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a", b"aaa")
    state.content = packed.getvalue()
    known = resource(address, state.content, unpacking="zip", file="thing.zip")
    with monkeypatch.context() as patch:
        patch.setattr(unpack.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 2}))
        with pytest.raises(FetchError, match="needs 3 bytes"):
            fetch.fetch("thing", tmp_path, resources=known)
    assert fetch.fetch("thing", tmp_path, resources=known)[0].read_bytes() == b"aaa"
    assert len(state.asked) == 1


def test_an_unknown_name_lists_the_known(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"unknown resource 'glove', expected one of .*'glove-6b'"
    ):
        fetch.fetch("glove", tmp_path)


def test_the_table_is_well_formed() -> None:
    for name, item in fetch.RESOURCES.items():
        assert re.fullmatch(r"[a-z0-9-]+", name)
        assert item.address.startswith(("https://", "http://emodb."))
        assert item.checksum is None or re.fullmatch(
            r"sha256:[0-9a-f]{64}|md5:[0-9a-f]{32}", item.checksum
        )
        assert not Path(item.folder).is_absolute()


def test_the_list_names_every_resource(capsys: pytest.CaptureFixture[str]) -> None:
    fetch.show()
    shown = capsys.readouterr().out
    assert all(name in shown for name in fetch.RESOURCES)
