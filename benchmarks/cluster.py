"""One, two, … workers of a Dask scheduler extract the same features: `python -m
benchmarks.cluster [--workers 1,2] [--utterances 4000] [--turns 5]`.

Wall time by turns, so that every number of workers meets the same machine; the ratio is
of the quickest turns. Beside it stands what processor time says, which a busy machine
changes little: the time of the busiest worker, or the time of all processes on as many
cores as there are workers, whichever is longer. Recordings: the demo corpus in
data/raw/demo, or the folder SERFLOW_RAVDESS, each named many times. The bytes of all
outputs are compared, and those of this machine's own processes with them.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.run import ROOT, recordings
from pipeline import lookup, tables
from pipeline.acoustic import extract_corpus
from pipeline.executor import local
from pipeline.schema import Utterance

QUIET = ("--no-dashboard", "--no-nanny", "--nthreads", "1")


@dataclass
class Cluster:
    """A scheduler's address, its process and those of its workers."""

    address: str
    processes: list[psutil.Process]

    def seconds(self) -> list[float]:
        """Processor time so far: this process, the scheduler, each worker."""
        times = [process.cpu_times() for process in [psutil.Process(), *self.processes]]
        return [taken.user + taken.system for taken in times]


@contextmanager
def cluster(workers: int, folder: Path) -> Iterator[Cluster]:
    """A scheduler with so many workers on this machine."""
    folder.mkdir()
    file = folder / "scheduler.json"
    environment = {**os.environ, **local.THREADS, **local.SEED, **local.MALLOC}
    environment["PYTHONPATH"] = str(ROOT)
    commands = [["scheduler", "--port", "0", "--host", "127.0.0.1", "--no-dashboard"]]
    commands += [["worker", *QUIET] for _ in range(workers)]
    processes = [
        psutil.Popen(
            [sys.executable, "-m", "dask", *command, "--scheduler-file", str(file)],
            cwd=folder,
            env=environment,
            stderr=subprocess.DEVNULL,
        )
        for command in commands
    ]
    try:
        import distributed

        while not file.exists():
            time.sleep(0.1)
        address = str(json.loads(file.read_text())["address"])
        with distributed.Client(address, set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=60)
        yield Cluster(address, processes)
    finally:
        for process in processes:
            process.kill()
            process.wait()


def corpus(count: int) -> list[Utterance]:
    """So many utterances of the recordings that there are."""
    found = recordings() or sorted((ROOT / "data/raw/demo").rglob("*.wav"))
    if not found:
        raise SystemExit("no recordings: build the demo or set SERFLOW_RAVDESS")
    hashes = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in found}
    made = []
    for number in range(count):
        path = found[number % len(found)]
        made.append(
            Utterance(f"u{number:06d}", "bench", "none", str(path), audio_sha256=hashes[path])
        )
    return made


def measure(counts: list[int], utterances: list[Utterance], feature: str, turns: int) -> None:
    """Prints seconds and ratios."""
    config = lookup.component_config("acoustic", feature, {})
    folder = Path("out")

    def extract(address: str, listed: list[Utterance]) -> tuple[float, str]:
        os.environ["SERFLOW_ENGINE"] = address
        began = time.perf_counter()
        extract_corpus(tables.utterance_table(listed), feature, config, folder)
        taken = time.perf_counter() - began
        digest = hashlib.sha256()
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                digest.update(path.name.encode() + path.read_bytes())
        shutil.rmtree(folder)
        return taken, digest.hexdigest()

    spent: dict[int, list[float]] = {}
    walls: dict[int, list[float]] = {number: [] for number in counts}
    bounds: dict[int, list[float]] = {number: [] for number in counts}
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        os.chdir(place)
        made = {extract("local", utterances)[1]}
        clusters = {
            number: stack.enter_context(cluster(number, place / str(number))) for number in counts
        }
        for there in clusters.values():
            # Their first work imports.
            extract(there.address, utterances)
        for _ in range(turns):
            for number, there in clusters.items():
                before = there.seconds()
                taken, digest = extract(there.address, utterances)
                own = [now - then for now, then in zip(there.seconds(), before, strict=True)]
                spent[number] = own
                walls[number].append(taken)
                bounds[number].append(max(*own[2:], sum(own) / max(2, number)))
                made.add(digest)
    print(f"{feature}, {len(utterances)} utterances, {turns} turns, load {os.getloadavg()[0]:.1f}")
    for name, found in (("wall time", walls), ("by processor time", bounds)):
        for number, taken in found.items():
            shown = " ".join(f"{value:.2f}" for value in taken)
            ratio = min(found[counts[0]]) / min(taken)
            print(f"{name}, {number} workers: {shown} s, {ratio:.2f} of the first")
    for number, parts in spent.items():
        names = ("this process", "scheduler", *(["worker"] * number))
        shown = ", ".join(f"{name} {value:.2f}" for name, value in zip(names, parts, strict=True))
        print(f"processor time of the last turn, {number} workers: {shown} s")
    print("the same bytes, also on this machine's processes" if len(made) == 1 else "OTHER BYTES")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", default="1,2")
    parser.add_argument("--utterances", type=int, default=4000)
    parser.add_argument("--feature", default="short_term")
    parser.add_argument("--turns", type=int, default=5)
    given = parser.parse_args()
    numbers = [int(number) for number in given.workers.split(",")]
    measure(numbers, corpus(given.utterances), given.feature, given.turns)
