"""What `dvc repro` costs over many utterances, and after one per cent more: `python -m
benchmarks.scale --rows 20000` writes JSON and prints tables.

A manifest cuts a few recordings into utterances of one to three seconds, `--own-files`
one recording each, and a copy of the project builds what `--features` and the other
options name of it. Then nothing changes; then one speaker is added who says one per
cent of all; then every one-hundredth utterance gets a neighbour. Each stage runs as DVC
runs it, under `watch.py`. What `dvc push` would upload are the files that are new in
DVC's cache.
"""

import argparse
import csv
import json
import random
import sys
import tempfile
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import watch
from tests.faults import project

RECORDINGS, LONG = 50, 60  # recordings, and seconds of each
RATE, STEP = 16000, 0.013  # Hz; seconds between the starts of two cuts of a recording
PER_SPEAKER = 100
CORPUS = "manifest-scale"
EMOTIONS = ("angry", "happy", "neutral", "sad")
WORDS = """
i you we they was were is am are feel felt think know want happy sad angry calm wonderful terrible
yesterday today tomorrow morning nobody everybody really never always maybe unbelievable
disappointed grateful door window letter
""".split()  # noqa: SIM905
COMPILE = """
import sys, numpy
from pipeline import lookup
module = lookup.component("acoustic", sys.argv[1])
module.extract(numpy.sin(numpy.arange(16000, dtype="f4")), 16000, module.Config())
"""
FIELDS = ("utterance_id", "emotion", "speaker", "session", "audio_path", "start", "end")
HEADING = (
    "stage", "wall s", "main s", "workers s", "share of full", "main MiB", "worker MiB",
    "files", "MB", "new files", "new MB",
)  # fmt: skip


def sound(seed: int, seconds: float) -> np.ndarray:
    """Bursts of a buzz in noise, as loud and as long as syllables: int16."""
    drawn = np.random.default_rng(seed)
    count = round(seconds * RATE)
    time = np.arange(count) / RATE
    pitch = 2 * np.pi * (100 + 100 * drawn.random()) * time
    buzz = sum(np.sin(number * pitch) / number for number in range(1, 20))
    loud = np.repeat(drawn.random(-(-count // 2400)) > 0.35, 2400)[:count]
    sounded = buzz * loud * 0.2 + drawn.normal(0, 0.002, count)
    return np.asarray(np.clip(sounded, -1, 1) * 32767, dtype="<i2")


def write_sound(path: Path, samples: np.ndarray) -> None:
    """One channel of 16 bits."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(samples.tobytes())


class Corpus:
    """A manifest that grows; utterance n is the same cut however many there are."""

    def __init__(self, folder: Path, rows: int, own_files: bool) -> None:
        self.folder, self.own_files = folder, own_files
        folder.mkdir()
        self.recordings = [sound(number, LONG) for number in range(RECORDINGS)]
        if not own_files:
            for number, samples in enumerate(self.recordings):
                write_sound(folder / f"{number:02d}.wav", samples)
        self.rows: dict[str, list[str]] = {}
        for number in range(rows):
            self.add(f"speaker{number // PER_SPEAKER:05d}", f"{number % PER_SPEAKER:03d}")
        self.write()

    def add(self, speaker: str, place: str) -> None:
        """One utterance more, the next cut of the next recording."""
        number = len(self.rows)
        drawn = random.Random(number)
        start = number // RECORDINGS * STEP
        end = start + 1 + 2 * drawn.random()
        if end > LONG:
            raise SystemExit(f"{RECORDINGS} recordings are cut {number} times, no more")
        name = f"{speaker}_{place}"
        text = " ".join(drawn.choices(WORDS, k=drawn.randint(2, 8)))
        path, times = f"{number % RECORDINGS:02d}.wav", [f"{start:.3f}", f"{end:.3f}"]
        if self.own_files:
            samples = self.recordings[number % RECORDINGS]
            path, times = f"{speaker}/{name}.wav", ["", ""]
            (self.folder / speaker).mkdir(exist_ok=True)
            cut = samples[round(start * RATE) : round(end * RATE)]
            write_sound(self.folder / path, cut)
        session = speaker.replace("speaker", "session")
        self.rows[name] = [name, drawn.choice(EMOTIONS), speaker, session, path, *times, text]

    def write(self) -> None:
        """The manifest as it is now."""
        with (self.folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow([*FIELDS, "transcript"])
            table.writerows(self.rows.values())

    def grow(self, kind: str) -> None:
        """One per cent more: one speaker in the middle, or one utterance here and
        there.
        """
        more = len(self.rows) // 100
        speakers = sorted({row[2] for row in self.rows.values()})
        if kind == "speaker":
            for number in range(more):
                self.add(f"{speakers[len(speakers) // 2]}b", f"{number:05d}")
        else:
            for number, name in enumerate(random.Random(more).sample(sorted(self.rows), more)):
                self.add(self.rows[name][2], f"{name.rpartition('_')[2]}x{number:05d}")
        self.write()


def document(folder: Path, given: argparse.Namespace) -> dict[str, Any]:
    """params.yaml of what is built."""
    vectors = folder / "vectors.txt"
    drawn = np.random.default_rng(0)
    lines = (f"{word} {' '.join(f'{x:.4f}' for x in drawn.normal(size=50))}" for word in WORDS)
    vectors.write_text("\n".join(lines) + "\n", encoding="utf-8")
    labels = {name: name for name in EMOTIONS}
    return {
        "corpora": {CORPUS: {"root": str(folder / "corpus")}},
        "acoustic": {name: {} for name in given.features},
        "alignment": {name: {"chain": {name: {}}} for name in given.aligners},
        "text": {"glove": {"path": str(vectors)}, "one_hot": {}},
        "splits": {"speaker": {"labels": labels, "folds": 5, "allow": ["audio", "sentence"]}},
        "inputs": {
            CORPUS: {
                "acoustic": given.features,
                "alignment": given.aligners,
                "text": given.texts,
                "splits": ["speaker"],
            }
        },
    }


def cached(where: Path) -> dict[str, int]:
    """Files of DVC's cache by hash, with their bytes."""
    folder = where / ".dvc" / "cache" / "files" / "md5"
    return {
        path.parent.name + path.name: path.stat().st_size
        for path in folder.glob("*/*")
        if path.is_file()
    }


def files(where: Path, outs: list[dict[str, Any]], cache: dict[str, int]) -> Iterator[str]:
    """The hashes of a stage's output files, those of a folder one by one."""
    for out in outs:
        if out["md5"] not in cache:
            continue  # in git
        yield out["md5"]
        if out["md5"].endswith(".dir"):
            listing = where / ".dvc/cache/files/md5" / out["md5"][:2] / out["md5"][2:]
            yield from (item["md5"] for item in json.loads(listing.read_text(encoding="utf-8")))


def repro(where: Path, shim: Path) -> list[dict[str, Any]]:
    """One `dvc repro`: a row for each stage that ran, and one for DVC itself."""
    before, log = cached(where), where / ".watched"
    log.unlink(missing_ok=True)
    environment = project.environment(where)
    environment["PATH"] = f"{shim}:{environment['PATH']}"
    with (where / ".said").open("w", encoding="utf-8") as said:
        took = watch.watch(
            project.repro(), cwd=where, env=environment, stdout=said, stderr=said, text=True
        )
    if took["code"]:
        raise SystemExit((where / ".said").read_text(encoding="utf-8")[-3000:])
    after, rows = cached(where), []
    ran = {}
    for line in log.read_text(encoding="utf-8").splitlines() if log.is_file() else ():
        row = json.loads(line)
        stage, *item = row["command"][1:]
        ran["@".join([stage.removeprefix("stages."), *(["-".join(item)] * (CORPUS in item))])] = row
    for name, row in ran.items():
        entry = project.locked(where).get(name, {})
        made = set(files(where, entry.get("outs", []), after))
        new = made - set(before)
        row |= {
            "files": len(made),
            "mb": sum(after[item] for item in made) / 1e6,
            "new_files": len(new),
            "new_mb": sum(after[item] for item in new) / 1e6,
        }
        rows.append({"stage": name, **row})
    stages_s = sum(row["seconds"] for row in rows)
    rows.append({"stage": "dvc itself", **took, "seconds": round(took["seconds"] - stages_s, 2)})
    rows[-1]["workers_processor_s"] = 0.0
    rows.append({"stage": "dvc repro", "seconds": took["seconds"]})
    return rows


def table(step: str, rows: list[dict[str, Any]], full: dict[str, dict[str, Any]]) -> str:
    """The rows in Markdown."""
    lines = ["", f"**{step}**", "", f"| {' | '.join(HEADING)} |", "|---|" + "---:|" * 10]
    for row in rows:
        cells = [row["stage"]]
        for name in ("seconds", "processor_s", "workers_processor_s"):
            cells.append(f"{row[name]:.1f}" if name in row else "")
        whole = _processor(full.get(row["stage"], {}))
        cells.append(f"{_processor(row) / whole:.1%}" if whole and "processor_s" in row else "")
        for name in ("memory_mib", "workers_memory_mib", "files", "mb", "new_files", "new_mb"):
            cells.append(f"{row[name]:.1f}".removesuffix(".0") if name in row else "")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _processor(row: dict[str, Any]) -> float:
    return float(row.get("processor_s", 0) + row.get("workers_processor_s", 0))


def measure(folder: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Every step, printed as it ends."""
    corpus = Corpus(folder / "corpus", given.rows, given.own_files)
    where = project.make(folder / "project", document(folder, given))
    (where / "models").mkdir()  # which the report reads
    shim = folder / "bin"
    shim.mkdir()
    log = f"{watch.__file__} {where}/.watched"
    script = f'exec {sys.executable} {log} {sys.executable} "$@"'
    (shim / "python").write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    (shim / "python").chmod(0o755)
    # Machine code is compiled once and kept: not a part of what is measured.
    for feature in given.features:
        project.must(where, [sys.executable, "-c", COMPILE, feature])
    if given.links:
        _dvc(where, "config", "cache.type", "hardlink")
    if given.push:
        _dvc(where, "remote", "add", "private", str(folder / "remote"))
        _dvc(where, "remote", "add", "--default", "public", str(folder / "public"))
    steps: dict[str, Any] = {}
    full: dict[str, dict[str, Any]] = {}
    for step in ("full", "again", "speaker", "scattered"):
        if step in ("speaker", "scattered"):
            corpus.grow(step)
        steps[step] = repro(where, shim)
        full = full or {row["stage"]: row for row in steps[step]}
        print(table(f"{step}, {len(corpus.rows)} utterances", steps[step], full), flush=True)
        if given.push:
            print(f"\n`dvc push`: {_dvc(where, 'push').splitlines()[-1]}", flush=True)
    return {"rows": given.rows, "own_files": given.own_files, "steps": steps}


def _dvc(where: Path, *arguments: str) -> str:
    return project.must(where, [sys.executable, "-m", "dvc", *arguments]).said.strip()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--own-files", action="store_true", help="a recording for each utterance")
    parser.add_argument("--links", action="store_true", help="DVC's cache holds hard links")
    parser.add_argument("--push", action="store_true", help="after each step, to a folder")
    parser.add_argument("--features", nargs="*", default=["fbank", "short_term"])
    parser.add_argument("--aligners", nargs="*", default=["uniform"])
    parser.add_argument("--texts", nargs="*", default=["glove", "one_hot"])
    parser.add_argument("--folder", type=Path, help="made and kept; else a temporary one")
    parser.add_argument("--out", type=Path, help="file of JSON")
    arguments = parser.parse_args()
    if arguments.folder is not None:
        arguments.folder.mkdir(parents=True)
        found = measure(arguments.folder, arguments)
    else:
        with tempfile.TemporaryDirectory() as name:
            found = measure(Path(name), arguments)
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
