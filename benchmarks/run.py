"""Every benchmark, one after the other, into RESULTS.json and RESULTS.md: `python -m
benchmarks.run`, or `make bench`.

Each part runs in a process of its own with one thread. Audio: real recordings below the
folder SERFLOW_RAVDESS if that is set, else the demo corpus in data/raw/demo if it was
built, else synthetic speech made on the spot. `--quick` shows within minutes that
everything runs; its figures mean nothing.
"""

import argparse
import importlib
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks import page
from pipeline.executor import local

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
DEMO = ROOT / "data" / "raw" / "demo"
PARTS = (
    "acoustic", "datasets", "storage", "alignment", "text", "training_step", "recurrent", "epoch",
)  # fmt: skip
OF_FILES = ("datasets", "storage", "epoch")  # parts that write files
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)
PACKAGES = (
    "numpy", "scipy", "torch", "transformers", "pyAudioAnalysis", "librosa", "lhotse",
    "kaldi-native-fbank", "opensmile", "pocketsphinx", "gensim", "h5py", "hdf5plugin", "numba",
)  # fmt: skip


def recordings(count: int | None = 16) -> list[Path]:
    """Recordings, spread over all speakers, all of them for None; [] where there are
    none.
    """
    folder = os.environ.get("SERFLOW_RAVDESS")
    if folder is not None:
        # 03: speech without picture. `._` files are no recordings.
        found = sorted(
            path for ending in ("wav", "flac") for path in Path(folder).rglob(f"03-*.{ending}")
        )
        if not found:
            raise SystemExit(
                f"SERFLOW_RAVDESS={folder} holds no 03-*.wav or .flac, expected its folder of "
                "Actor_01 …"
            )
    else:
        found = sorted((DEMO / "wav").glob("*.wav"))
    return found if count is None else found[:: max(1, len(found) // count)]


def measure(part: str, quick: bool) -> list[dict[str, Any]]:
    """The rows of one part, in this process."""
    if part == "acoustic":
        from benchmarks import acoustic

        paths = [str(path) for path in recordings()]
        waveform = acoustic.recordings(paths) if paths else acoustic.synthetic()
        return acoustic.measure(
            waveform[: 16000 * 4] if quick else waveform, 16000, 1 if quick else acoustic.TURNS
        )
    if part == "alignment":
        from benchmarks import alignment

        if quick:
            alignment.SUBJECTS = alignment.SUBJECTS[:1]
            return alignment.measure()
        # Word times are known of synthetic speech only, whatever the acoustic part
        # measures.
        return alignment.measure(DEMO if (DEMO / "words.csv").is_file() else None)
    if part == "text":
        from benchmarks import text

        return text.measure()
    if part in OF_FILES:
        module = importlib.import_module(f"benchmarks.{part}")
        with tempfile.TemporaryDirectory() as folder:
            rows: list[dict[str, Any]] = module.measure(Path(folder), recordings(None), quick)
            return rows
    if part == "recurrent":
        from benchmarks import recurrent

        return recurrent.measure(1 if quick else recurrent.TURNS)
    from benchmarks import training_step

    if quick:
        training_step.REPETITIONS = 1
        training_step.CASES = dict(list(training_step.CASES.items())[:1])
    return [uniform(row) for row in training_step.measure()]


def measure_apart(part: str, quick: bool) -> list[dict[str, Any]]:
    """The rows of one part, in a process of its own with one thread."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "rows.json"
        command = [
            sys.executable,
            "-m",
            "benchmarks.run",
            "--child",
            part,
            str(made),
            *(["--quick"] * quick),
        ]
        # The workers of a stage have both, and so has everything that is compared.
        environment = os.environ | ONE_THREAD | local.MALLOC | {"PYTHONPATH": str(ROOT)}
        if subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode != 0:
            raise SystemExit(f"the benchmark {part} failed: its message stands above")
        rows: list[dict[str, Any]] = json.loads(made.read_text(encoding="utf-8"))
        return rows


def uniform(row: dict[str, Any]) -> dict[str, Any]:
    """A row of training_step with the names that the other parts use beside its own."""
    difference = row.get("largest_difference")
    named: dict[str, Any] = {
        "component": f"FG_CME {row['what']}, words {row['case']}",
        "reference": "plain layers",
        "difference_in": "absolute, float32"
        if isinstance(difference, dict)
        else "share of the largest gradient",
    }
    if "ours_bytes" in row:
        named["peak_memory_mib"] = row["ours_bytes"] / 2**20
        named["reference_peak_memory_mib"] = row["plain_bytes"] / 2**20
    else:
        named["seconds"], named["reference_seconds"] = (
            row["ours_cpu_s"],
            row["plain_cpu_s"],
        )
    return {**row, **named}


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    cpu = platform.machine()
    information = Path("/proc/cpuinfo")
    if information.is_file():
        names = [
            line.partition(":")[2].strip()
            for line in information.read_text().splitlines()
            if "model name" in line
        ]
        cpu = names[0] if names else cpu
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        # Neighbours at work before the first part: the reader's measure of how quiet
        # the machine was.
        "load_average": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in PACKAGES},
    }


def run(parts: Sequence[str], quick: bool, out: Path) -> None:
    """Runs the parts and writes both files; the rows of parts that are not run again
    stay.
    """
    out.mkdir(parents=True, exist_ok=True)
    target = out / "RESULTS.json"
    kept = (
        json.loads(target.read_text(encoding="utf-8"))["rows"]
        if target.is_file() and set(parts) != set(PARTS)
        else []
    )
    host = machine()
    paths = recordings()
    audio = "synthetic sound"
    if paths:
        audio = (
            "RAVDESS recordings" if "SERFLOW_RAVDESS" in os.environ else "the synthetic demo corpus"
        )
    rows = {part: [row for row in kept if row["part"] == part] for part in PARTS}
    for part in parts:
        print(f"{part} …", flush=True)
        rows[part] = [{"part": part, **row} for row in measure_apart(part, quick)]
    results = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": host,
        "audio": audio,
        "quick": quick,
        "rows": [row for part in PARTS for row in rows[part]],
    }
    target.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (out / "RESULTS.md").write_text(page.markdown(results), encoding="utf-8")
    print(f"written: {target} and RESULTS.md")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.run", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"only these of {', '.join(PARTS)}"
    )
    parser.add_argument(
        "--out", type=Path, default=HERE, help="folder of RESULTS.json and RESULTS.md"
    )
    parser.add_argument("--quick", action="store_true", help="one turn, little audio: does it run?")
    parser.add_argument("--child", nargs=2, metavar=("PART", "FILE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        part, file = given.child
        Path(file).write_text(json.dumps(measure(part, given.quick)), encoding="utf-8")
        return
    unknown = sorted(set(given.parts) - set(PARTS))
    if unknown:
        parser.error(f"unknown part {', '.join(unknown)}, expected some of {', '.join(PARTS)}")
    run(given.parts or PARTS, given.quick, given.out)


if __name__ == "__main__":
    main()
