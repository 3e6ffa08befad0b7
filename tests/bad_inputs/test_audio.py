"""Recordings: what the stage prepare does with those that are broken or odd."""

import csv
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from pipeline import folders, tables
from tests.resources import recordings
from tests.resources.bad_input import Case, Did

Make = Callable[[Path], dict[str, Any]]
TONE = recordings.tone(0.5)


def written(
    file: str, signal: Any = TONE, rate: int = 16000, cut: float = 1, **options: Any
) -> Make:
    """A recording of which the share `cut` is left."""

    def make(root: Path) -> dict[str, Any]:
        soundfile.write(root / file, signal, rate, **options)
        data = (root / file).read_bytes()
        (root / file).write_bytes(data[: int(len(data) * cut)])
        return {"audio_path": file}

    return make


def floats(values: Any) -> Make:
    return written("bad.wav", np.asarray(values), subtype="FLOAT")


def content(data: bytes, file: str = "bad.wav") -> Make:
    def make(root: Path) -> dict[str, Any]:
        (root / file).write_bytes(data)
        return {"audio_path": file}

    return make


def header(rate: int = 16000, channels: int = 1, length: int = 8000, bits: int = 16) -> Make:
    """A wav file whose header says these, before 8000 bytes of noise."""
    noise = np.random.default_rng(0).integers(-9999, 9999, 4000, np.int16).tobytes()
    wide = channels * bits // 8
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * wide & 0xFFFFFFFF, wide & 0xFFFF, bits)
    head = b"RIFF" + struct.pack("<I", 36 + length & 0xFFFFFFFF) + b"WAVEfmt \x10\0\0\0" + form
    return content(head + b"data" + struct.pack("<I", length) + noise)


def segment(start: float | str, end: float | str) -> Make:
    """A part of a good recording of half a second."""

    def make(root: Path) -> dict[str, Any]:
        soundfile.write(root / "bad.wav", TONE, 16000)
        return {"audio_path": "bad.wav", "start": start, "end": end}

    return make


def pipe(root: Path) -> dict[str, Any]:
    os.mkfifo(root / "bad.wav")
    return {"audio_path": "bad.wav"}


def flipped(root: Path) -> dict[str, Any]:
    written("bad.flac")(root)
    data = bytearray((root / "bad.flac").read_bytes())
    data[len(data) // 2] ^= 0xFF
    (root / "bad.flac").write_bytes(data)
    return {"audio_path": "bad.flac"}


CASES = [
    Case("no file", lambda root: {"audio_path": "bad.wav"}, "reject: audio not found"),
    Case("a pipe", pipe, "reject: audio not found"),
    Case("zero bytes", content(b""), "reject: audio unreadable"),
    Case("a text file", content(b"no rain today\n" * 9), "reject: audio unreadable"),
    Case("a picture", content(b"\x89PNG\r\n\x1a\n" + bytes(999)), "reject: audio unreadable"),
    Case("44 bytes of a heading", content(b"RIFF\xff\xff\xff\xffWAVE"), "reject: audio unreadable"),
    Case("a wav file called flac", written("bad.flac", format="WAV"), "used"),
    Case("no samples", written("bad.wav", TONE[:0]), "reject: audio empty"),
    Case("one sample", written("bad.wav", TONE[:1] + 0.1), "used"),
    Case("zeros", written("bad.wav", 0 * TONE), "reject: audio silent"),
    Case("the last bit alone", written("bad.wav", TONE * 1e-4), "reject: audio silent"),
    Case("half of a wav", written("bad.wav", cut=0.5), "reject: audio truncated"),
    Case(
        "half of a wav of floats",
        written("bad.wav", cut=0.5, subtype="FLOAT"),
        "reject: audio truncated",
    ),
    Case("half of an RF64", written("bad.wav", cut=0.5, format="RF64"), "reject: audio truncated"),
    Case("half of a W64", written("bad.w64", cut=0.5), "reject: audio truncated"),
    Case("half of an AIFF", written("bad.aiff", cut=0.5), "reject: audio truncated"),
    Case("half of an AU", written("bad.au", cut=0.5), "reject: audio truncated"),
    Case(
        "half of a SPHERE file",
        written("bad.sph", cut=0.5, format="NIST"),
        "reject: audio truncated",
    ),
    Case(
        "a quarter of an OGG",
        written("bad.ogg", np.tile(TONE, 8), cut=0.25),
        "reject: audio truncated",
    ),
    Case(
        "nine tenths of an OGG",
        written("bad.ogg", np.tile(TONE, 8), cut=0.9),
        "reject: audio truncated",
    ),
    Case("a whole OGG", written("bad.ogg"), "used"),
    Case(
        "half of an Opus",
        written("bad.opus", np.tile(TONE, 8), cut=0.5, format="OGG", subtype="OPUS"),
        "reject: audio truncated",
    ),
    Case("half of a FLAC", written("bad.flac", cut=0.5), "reject: audio unreadable"),
    Case("a FLAC with a bit turned", flipped, "reject: audio unreadable"),
    Case("half of a CAF", written("bad.caf", cut=0.5), "reject: audio unreadable"),
    Case("a VOC, whose end is not known", written("bad.voc"), "reject: audio unreadable"),
    Case("samples of 1e30", floats(TONE * 1e30), "reject: audio beyond full scale"),
    Case(
        "floats on the scale of whole numbers",
        floats(TONE * 32768),
        "reject: audio beyond full scale",
    ),
    Case("floats a little over full scale", floats(TONE * 5), "used"),
    Case("a NaN", floats(np.append(TONE, np.nan)), "reject: audio not finite"),
    Case("an infinite sample", floats(np.append(TONE, np.inf)), "reject: audio not finite"),
    Case("64 channels", written("bad.wav", np.tile(TONE[:, None], 64)), "used"),
    Case(
        "channels that cancel out",
        written("bad.wav", np.stack([TONE, -TONE], 1)),
        "reject: audio silent",
    ),
    Case("a rate of 0 Hz", header(rate=0), "reject: audio unreadable"),
    Case("a rate of 1 Hz", header(rate=1), "reject: impossible sampling rate"),
    Case("a rate of 4 GHz", header(rate=2**32 - 1), "reject: audio unreadable"),
    Case("no channels", header(channels=0), "reject: audio unreadable"),
    Case("65,535 channels", header(channels=65535), "reject: audio unreadable"),
    Case("samples of 3 bits, a byte each", header(bits=3), "used"),
    Case("a heading that declares 4 GB", header(length=2**32 - 2), "reject: audio truncated"),
    Case("a streamed wav without length", header(length=2**32 - 1), "used"),
    Case("a part of one sample", segment(0.1, 0.1 + 1 / 16000), "used"),
    Case("a part of less than a sample", segment(0.1, 0.10001), "reject: audio empty"),
    Case(
        "a part that begins at the end", segment(0.5, 0.6), "reject: segment outside the recording"
    ),
    Case("a part 40 ms past the end", segment(0.2, 0.54), "used"),
    Case(
        "a part a second past the end", segment(0.2, 1.5), "reject: segment outside the recording"
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_bad_recording(case: Case, user: Did, settle: Callable[[Case, str], None]) -> None:
    root = user.folder / "mine"
    recordings.write(root / "good.wav", seed=9)
    cells = {"start": "", "end": "", **case.make(root)}
    with (root / "manifest.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, ["utterance_id", "emotion", "audio_path", "start", "end"])
        table.writeheader()
        table.writerow({"utterance_id": "good", "emotion": "sad", "audio_path": "good.wav"})
        table.writerow({"utterance_id": "bad", "emotion": "sad", **cells})
    settle(case, user.prepares({"root": str(root)}, used))


def used(place: Path) -> str:
    found = tables.read_utterances(place / folders.UTTERANCES)
    (seconds,) = (item.duration for item in found if item.utterance_id == "bad")
    return f"{seconds:.5g} s"
