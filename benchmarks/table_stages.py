"""The stages that work on tables, prepare and split, over many utterances: `python
-m benchmarks.table_stages --rows 200000` prints what each took as JSON.

A manifest of turns (ten to a dialogue, one of 500 speakers each) is prepared as text
alone, and with `--cuts` as stretches of one recording; then every protocol divides the
text. Each stage runs as DVC runs it, in a process of its own with one worker. Peak
memory is that of its largest process, processor time that of all of them.
"""

import argparse
import csv
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import wave
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
SPEAKERS, PER_DIALOGUE, CUT = 500, 10, 0.5
EMOTIONS = {
    "angry": "angry",
    "happy": "happy",
    "excited": "happy",
    "sad": "sad",
    "neutral": "neutral",
}
WORDS = """
i you we they was were is am are feel felt think know want happy sad angry calm wonderful terrible
yesterday today tomorrow morning nobody everybody really never always maybe unbelievable
disappointed grateful door window letter
""".split()  # noqa: SIM905
# Nobody scores these folds.
SHARED = ["speaker", "session", "dialogue", "sentence"]
SPLITS: dict[str, dict[str, Any]] = {
    "session": {},
    "speaker": {},
    "speaker-five": {"folds": 5},
    "random": {},
    "ratio": {},
    "grouped": {},
    "grouped-five": {"folds": 5},
    "official": {},
    "fold_file": {},
}


def write_corpora(folder: Path, rows: int, cuts: int) -> None:
    """Below `folder`: the corpora `manifest-text` and `manifest-cuts`, a fold list of
    the first, and params.yaml.
    """
    drawn = random.Random(0)
    fields = ["utterance_id", "emotion", "speaker", "session", "dialogue", "style", "subset"]
    folds = {}
    for corpus, number in (("text", rows), ("cuts", cuts)):
        place = folder / corpus
        place.mkdir()
        with (place / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            own = ["transcript"] if corpus == "text" else ["audio_path", "start", "end"]
            table.writerow([*fields, *own])
            for index in range(number):
                dialogue = index // PER_DIALOGUE
                speaker = (2 * dialogue + drawn.randrange(2)) % SPEAKERS
                name = f"dialogue{dialogue:06d}_turn{index % PER_DIALOGUE:02d}_speaker{speaker:03d}"
                folds[name] = dialogue % 5
                row = [name, drawn.choice(list(EMOTIONS)), f"speaker{speaker:03d}"]
                row += [f"session{speaker % 5}", f"dialogue{dialogue:06d}", "improvised"]
                row += [("train", "train", "train", "valid", "test")[dialogue % 5]]
                if corpus == "text":
                    text = " ".join(drawn.choices(WORDS, k=drawn.randint(1, 20)))
                    row += [text.capitalize() + "."]
                else:
                    row += ["long.wav", f"{CUT * index:.1f}", f"{CUT * (index + 1):.1f}"]
                table.writerow(row)
        if corpus == "text":
            (folder / "folds.json").write_text(json.dumps(folds), encoding="utf-8")
    if cuts:
        with wave.open(str(folder / "cuts" / "long.wav"), "wb") as recording:
            recording.setparams((1, 2, 16000, 0, "NONE", ""))
            for _ in range(cuts):
                recording.writeframes(drawn.randbytes(int(CUT * 16000) * 2))
    common = {"labels": EMOTIONS, "allow": SHARED}
    splits = {name: {**common, **values} for name, values in SPLITS.items()}
    splits["fold_file"]["fold_file"] = str(folder / "folds.json")
    document = {
        "corpora": {f"manifest-{name}": {"root": str(folder / name)} for name in ("text", "cuts")},
        "splits": splits,
    }
    (folder / "params.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")


def taken(folder: Path, *command: str, limit_s: float) -> dict[str, Any]:
    """Seconds, processor seconds and MiB of one stage."""
    before = time.perf_counter()
    options = ["--params", str(folder / "params.yaml"), "--data", str(folder / "data")]
    environment = os.environ | {"SERFLOW_WORKERS": "1", "PYTHONPATH": str(ROOT)}
    stage = [sys.executable, "-m", f"stages.{command[0]}", *command[1:], *options]
    process = subprocess.Popen(stage, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    limit = threading.Timer(limit_s, process.kill)
    limit.start()
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    limit.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, -signal.SIGKILL):
        raise SystemExit(f"{' '.join(command)} failed: {said}")
    return {
        "stage": " ".join(command),
        "seconds": round(time.perf_counter() - before, 2),
        "processor_seconds": round(used.ru_utime + used.ru_stime, 2),
        "peak_memory_mib": round(used.ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)),
        "stopped": process.returncode != 0,
    }


def measure(rows: int, cuts: int, limit_s: float, only: list[str]) -> list[dict[str, Any]]:
    """prepare of both corpora and each protocol on the first; the fold list's file is
    the same for all sizes.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_corpora(folder, rows, cuts)
        commands = [["prepare", "manifest-text"]] + [["prepare", "manifest-cuts"]] * bool(cuts)
        commands += [["split", "manifest-text", split] for split in only]
        return [taken(folder, *command, limit_s=limit_s) for command in commands]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--cuts", type=int, default=0)
    parser.add_argument("--limit", type=float, default=900.0, help="seconds for one stage")
    parser.add_argument("--splits", nargs="*", default=list(SPLITS), choices=list(SPLITS))
    given = parser.parse_args()
    print(json.dumps(measure(given.rows, given.cuts, given.limit, given.splits), indent=1))
