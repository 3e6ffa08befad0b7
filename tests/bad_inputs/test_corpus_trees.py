"""Folders of published corpora as they arrive: incomplete, renamed, unreadable."""

import ctypes
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from pipeline import folders, tables
from stages import prepare
from tests.resources import miniature, miniature_iemocap, recordings
from tests.resources.bad_input import Case, Did

EVALUATION = "iemocap/Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"
TURNS = "iemocap/Session1/dialog/transcriptions/Ses01F_impro01.txt"


def ravdess(folder: Path) -> Path:
    """Two recordings of one actor."""
    for emotion in ("03", "04"):
        name = f"03-01-{emotion}-01-01-01-01.wav"
        recordings.write(folder / "ravdess" / "Actor_01" / name, seed=int(emotion))
    return folder / "ravdess"


def iemocap(folder: Path) -> Path:
    return miniature_iemocap.iemocap(folder, sessions=(1,))


def but(tree: Callable[[Path], Path], *changes: Callable[[Path], object]) -> Callable[[Path], Path]:
    """A tree that is right, but for `changes`."""

    def make(folder: Path) -> Path:
        root = tree(folder)
        for change in changes:
            change(folder)
        return root

    return make


def without(place: str) -> Callable[[Path], None]:
    def take(folder: Path) -> None:
        path = folder / place
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return take


def with_file(place: str, content: bytes = b"no rain") -> Callable[[Path], None]:
    def put(folder: Path) -> None:
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_bytes(content)

    return put


def with_tone(place: str) -> Callable[[Path], object]:
    return lambda folder: recordings.write(folder / place, seed=77)


def locked(place: str) -> Callable[[Path], None]:
    return lambda folder: (folder / place).chmod(0)


def linked(place: str, target: str) -> Callable[[Path], None]:
    return lambda folder: (folder / place).symlink_to(folder / target)


ACTOR = "ravdess/Actor_01"
FIRST = f"{ACTOR}/03-01-03-01-01-01-01.wav"
CASES = [
    Case("no folder", lambda folder: folder / "ravdess", "is not a folder, expected"),
    Case(
        "a file for the folder",
        but(lambda folder: folder / "ravdess", with_file("ravdess")),
        "is not a folder",
    ),
    Case(
        "an empty folder",
        but(lambda folder: folder / "ravdess", lambda folder: (folder / "ravdess").mkdir()),
        "no ",
    ),
    Case("RAVDESS that is right", ravdess, "used: 2 used, 0 rejected"),
    Case(
        "a file with another name",
        but(ravdess, with_tone(f"{ACTOR}/happy.wav")),
        "used: 2 used, 1 rejected (unparsable file name)",
    ),
    Case(
        "a name that ends early",
        but(ravdess, with_tone(f"{ACTOR}/03-01-05.wav")),
        "used: 2 used, 1 rejected (unparsable file name)",
    ),
    Case(
        "an emotion of 99",
        but(ravdess, with_tone(f"{ACTOR}/03-01-99-01-01-01-01.wav")),
        "used: 2 used, 1 rejected (unparsable file name)",
    ),
    Case(
        "a recording in two folders",
        but(ravdess, with_tone("ravdess/Actor_02/03-01-03-01-01-01-01.wav")),
        "used: 2 used, 1 rejected (listed twice)",
    ),
    Case(
        "metadata of macOS",
        but(ravdess, with_file(f"{ACTOR}/._03-01-03-01-01-01-01.wav")),
        "used: 2 used, 0 rejected",
    ),
    Case(
        "a folder with a recording's name",
        but(ravdess, without(FIRST), lambda folder: (folder / FIRST).mkdir()),
        "used: 1 used, 0 rejected",
    ),
    Case(
        "a recording of zero bytes",
        but(ravdess, with_file(FIRST, b"")),
        "used: 1 used, 1 rejected (audio unreadable)",
    ),
    Case(
        "a link to nothing",
        but(ravdess, without(FIRST), linked(FIRST, "nowhere")),
        "used: 1 used, 1 rejected (audio not found)",
    ),
    Case(
        "a link to itself",
        but(ravdess, without(FIRST), linked(FIRST, FIRST)),
        "used: 1 used, 1 rejected (audio not found)",
    ),
    Case(
        "a folder linked into itself",
        but(ravdess, linked(f"{ACTOR}/again", ACTOR)),
        "used: 2 used, 0 rejected",
    ),
    Case(
        "a recording that may not be read",
        but(ravdess, locked(FIRST)),
        "used: 1 used, 1 rejected (audio unreadable)",
    ),
    Case(
        "an actor's folder that may not be read",
        but(ravdess, locked(ACTOR)),
        "ravdess/Actor_01: Permission denied",
    ),
    Case(
        "a root that may not be read", but(ravdess, locked("ravdess")), "ravdess: Permission denied"
    ),
    Case(
        "IEMOCAP without sessions",
        but(iemocap, without("iemocap/Session1")),
        "no session in iemocap",
    ),
    Case(
        "IEMOCAP without recordings",
        but(iemocap, without("iemocap/Session1/sentences/wav")),
        "is not a folder, expected the IEMOCAP tree",
    ),
    Case(
        "IEMOCAP without evaluations",
        but(iemocap, without("iemocap/Session1/dialog/EmoEvaluation")),
        "is not a folder, expected the IEMOCAP tree",
    ),
    Case(
        "IEMOCAP without a transcription",
        but(iemocap, without(TURNS)),
        "is not a file, expected a text file of the corpus",
    ),
    Case("an empty evaluation", but(iemocap, with_file(EVALUATION, b"")), "its reader found none"),
    Case(
        "an evaluation of zero bytes",
        but(iemocap, with_file(EVALUATION, bytes(99))),
        "its reader found none",
    ),
    Case(
        "an evaluation of brackets",
        but(iemocap, with_file(EVALUATION, b"[\n[\n[")),
        "1 × unparsable evaluation line",
    ),
    Case(
        "an evaluation that is a picture",
        but(iemocap, with_file(EVALUATION, b"\x89PNG\x81\x8d")),
        "cannot be decoded, expected UTF-8",
    ),
    Case(
        "a transcription that is a picture",
        but(iemocap, with_file(TURNS, b"\x89PNG\x81\x8d")),
        "cannot be decoded, expected UTF-8",
    ),
    Case(
        "evaluations that may not be read",
        but(iemocap, locked(EVALUATION)),
        "Ses01F_impro01.txt: Permission denied",
    ),
    Case(
        "MELD without its tables",
        but(
            miniature.meld,
            *map(
                without,
                ("meld/train_sent_emo.csv", "meld/dev_sent_emo.csv", "meld/test_sent_emo.csv"),
            ),
        ),
        "meld",
    ),
    Case(
        "ESD with a folder that may not be read",
        but(miniature.esd, locked("esd/0011/Angry")),
        "esd/0011/Angry: Permission denied",
    ),
    Case("ESD without words", but(miniature.esd, without("esd/0011/0011.txt")), "is not a file"),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_bad_tree(case: Case, user: Did, settle: Callable[[Case, str], None]) -> None:
    root = case.make(user.folder)
    params, data = user.folder / "params.yaml", user.folder / "data"
    params.write_text(yaml.safe_dump({"corpora": {root.name: {"root": str(root)}}}))
    with unprivileged():
        line = user.stage(prepare.main, root.name, "--params", params, "--data", data)
    for path in (user.folder, *user.folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755)
    settle(case, line or f"used: {used(folders.utterances(data, root.name))}")


def used(place: Path) -> str:
    rejected = tables.read_rejections(place / folders.REJECTS)
    reasons = sorted({item.reason for item in rejected})
    counted = (
        f"{len(tables.read_utterances(place / folders.UTTERANCES))} used, {len(rejected)} rejected"
    )
    return f"{counted} ({', '.join(reasons)})" if reasons else counted


@contextmanager
def unprivileged() -> Iterator[None]:
    """Takes from root what would let it read everything; nothing for other users."""
    libc = ctypes.CDLL(None)
    heading = (ctypes.c_uint32 * 2)(0x20080522, 0)
    before, changed = (ctypes.c_uint32 * 6)(), (ctypes.c_uint32 * 6)()
    if libc.capget(heading, before) != 0:
        raise OSError("capget")
    changed[:] = before[:]
    changed[0] &= ~0b110  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, of the effective ones
    libc.capset(heading, changed)
    try:
        yield
    finally:
        libc.capset(heading, before)
