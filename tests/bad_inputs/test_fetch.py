"""Public resources: files that were put into their place, and addresses."""

import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.commands import _resources as resources
from pipeline.commands import _unpack as unpacking
from tests.resources.bad_input import Case, Did

THING = resources.Resource("http://127.0.0.1:9/thing", "thing", "things", None, None, "zip", "none")


def zipped(name: str = "a.txt", content: bytes = b"no rain", link: bool = False) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as file:
        info = zipfile.ZipInfo(name)
        info.external_attr = (0o120777 if link else 0o100644) << 16
        file.writestr(info, content, zipfile.ZIP_DEFLATED)
    return held.getvalue()


def flagged(flag: int) -> bytes:
    """A zip file whose member carries a flag, in both of its headings."""
    data = bytearray(zipped())
    data[6] |= flag
    data[data.index(b"PK\x01\x02") + 8] |= flag
    return bytes(data)


def tarred(name: str = "a.txt", kind: bytes = tarfile.REGTYPE, target: str = "") -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as file:
        member = tarfile.TarInfo(name)
        member.type, member.linkname, member.size = kind, target, 0
        file.addfile(member)
    return held.getvalue()


def given(content: bytes, unpack: str | None = "zip", **changes: object) -> Callable[..., str]:
    """A file that the user has put there, and what the resource is."""

    def make(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
        (folder / "data" / "things").mkdir(parents=True)
        (folder / "data" / "things" / "thing").write_bytes(content)
        thing = replace(THING, unpacking=unpack, **changes)  # type: ignore[arg-type]
        monkeypatch.setitem(resources.RESOURCES, "thing", thing)
        return "thing"

    return make


def noted(note: str) -> Callable[..., str]:
    """What an earlier fetch noted, damaged."""

    def make(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
        name = given(zipped())(folder, monkeypatch)
        (folder / "data" / "things" / ".thing.json").write_text(note)
        return name

    return make


OUTSIDE, DAMAGED = "would write outside its folder", "is damaged"
CASES = [
    Case("an unknown name", lambda *_: "glove-7b", "unknown resource 'glove-7b'"),
    Case("a name that is a path", lambda *_: "../secret", "unknown resource '../secret'"),
    Case("plain http without a checksum", lambda *_: "emodb", "without encryption and without a"),
    Case("a zip that is right", given(zipped()), "used"),
    Case("an empty zip", given(b""), DAMAGED),
    Case("half of a zip", given(zipped(content=bytes(9999))[:60]), DAMAGED),
    Case("a web page for a zip", given(b"<html>not found</html>"), DAMAGED),
    Case("an encrypted zip", given(flagged(1)), "'a.txt' is encrypted"),
    Case("a zip that leaves its folder", given(zipped("../a.txt")), OUTSIDE),
    Case("a zip from the root", given(zipped("/a.txt")), OUTSIDE),
    Case(
        "a zip with a link", given(zipped(content=b"/etc/passwd", link=True)), "is a link or device"
    ),
    Case(
        "a zip of more than it may hold",
        given(zipped(content=bytes(2_000_000))),
        "thing holds 2000000 bytes, more than",
    ),
    Case(
        "a gzip of more than it may hold",
        given(gzip.compress(bytes(2_000_000)), "gzip"),
        "thing holds more than",
    ),
    Case("half of a gzip", given(gzip.compress(bytes(range(256)))[:40], "gzip"), DAMAGED),
    Case("a tar for a gzip", given(tarred(), "gzip"), DAMAGED),
    Case("a tar that leaves its folder", given(tarred("../a.txt"), "tar"), OUTSIDE),
    Case(
        "a tar with a link",
        given(tarred("a", tarfile.SYMTYPE, "/etc/passwd"), "tar"),
        "is a link or device",
    ),
    Case("a tar with a device", given(tarred("a", tarfile.CHRTYPE), "tar"), "is a link or device"),
    Case("half of a tar", given(tarred()[:300], "tar"), DAMAGED),
    Case(
        "another checksum",
        given(zipped(), checksum="md5:" + "0" * 32),
        "is not the file it should be (md5",
    ),
    Case("another size", given(zipped(), size=5), "bytes, expected 5"),
    Case("a note that is a list", noted("[1]"), "used"),
    Case("a note that is no JSON", noted("{"), "used"),
    Case("a note without files", noted('{"resource": {}}'), "used"),
    Case("a note of other files", noted('{"files": {"../../x": 1}}'), "used"),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_bad_resource(
    case: Case, user: Did, settle: Callable[[Case, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "MOST_BYTES", 1_000_000)
    line = user.serflow("fetch", case.make(user.folder, monkeypatch))
    things = user.folder / "data" / "things"
    found = sorted(path.name for path in things.iterdir()) if things.is_dir() else []
    if line is not None:
        assert set(found) <= {"thing"}  # nothing half-unpacked
    settle(case, line or f"used: {', '.join(found)}")
