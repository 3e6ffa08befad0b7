"""Kills and signals at a moment of a stage, and what has to be true after them."""

import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.faults import project

LIMIT = 3.0  # s in which everything that was begun has ended
LINES = {
    "SIGINT": "stopped by SIGINT: ",
    "SIGTERM": "stopped by SIGTERM: ",
    "worker": "a worker process was killed",
    "stage": "failed to run: python -m stages",
}
# The last line of every stage.
RESULT = re.compile(
    r"utterances( = |, .* minutes, )|chosen epochs|  UA 0|^(check|demo_vectors|report): ", re.M
)
MODES = ("group", "dvc", "worker", "stage", "SIGINT", "SIGTERM")
NAMES = {
    "group": "SIGKILL of the process group",
    "dvc": "SIGKILL of DVC alone",
    "worker": "SIGKILL of one worker",
    "stage": "SIGKILL of the stage alone",
    "SIGINT": "SIGINT (Ctrl-C) to the process group",
    "SIGTERM": "SIGTERM to the process group",
}
# Stages that work in processes of their own: copies of one that is killed like them.
WITH_WORKERS = ("prepare", "acoustic", "align", "text", "train")


def commands(where: Path) -> dict[int, str]:
    """Command lines of the project's processes, by process id."""
    found = {}
    for pid in project.family(where):
        try:
            line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
        except OSError:
            continue
        found[pid] = line.decode(errors="replace")
    return found


def wait_for_stage(where: Path, command: subprocess.Popen[str], stage: str) -> None:
    """Returns when the stage's process is there, or the command has ended."""
    while command.poll() is None and not _at_work(where, stage):
        time.sleep(0.05)


def strike(where: Path, dvc: int, mode: str, stage: str, chance: random.Random) -> str | None:
    """Kills what `mode` says; returns what was killed, a mode too: without a worker it
    is the stage. None where there was nothing to kill any more.
    """
    if mode in ("SIGINT", "SIGTERM"):
        os.killpg(dvc, getattr(signal, mode))
        return mode
    if mode == "group":
        os.killpg(dvc, signal.SIGKILL)
        return mode
    if mode == "dvc":
        os.kill(dvc, signal.SIGKILL)
        return mode
    lines = commands(where)
    workers = sorted(pid for pid, line in lines.items() if "multiprocessing.forkserver" in line)
    if mode == "worker" and workers:
        os.kill(chance.choice(workers), signal.SIGKILL)
        return mode
    for pid in _at_work(where, stage):
        os.kill(pid, signal.SIGKILL)
        return "stage"
    return None


def kill(
    where: Path,
    item: str,
    strikes: Sequence[tuple[str, float]],
    reference: Mapping[str, str],
    chance: random.Random,
) -> list[tuple[str, float | None, list[str]]]:
    """Builds a stage's item anew and strikes, `strikes` being modes and seconds after
    the stage's process began, one build after the other; then lets it build to its end.
    A strike that comes when the build has ended is tried again in half the time.

    Returns for each the mode, the seconds until nothing of it ran, and what was not as
    it should be, what is wrong in the end with the last one.
    """
    stage = item.partition("@")[0]
    command = project.repro("--single-item", item)
    paths = project.forget(where, item)
    done: list[tuple[str, float | None, list[str]]] = []
    for mode, moment in strikes:
        struck = None
        while struck is None:
            process = project.begin(where, command)
            wait_for_stage(where, process, stage)
            time.sleep(moment)
            at_work = bool(_at_work(where, stage))
            if process.poll() is None:
                struck = strike(where, process.pid, mode, stage, chance)
            if struck is None:
                project.end(where, process)
                project.forget(where, item)
                moment /= 2
        seconds = _until_only(where, process.pid if struck != "group" else None)
        wrong = []
        if seconds is None:
            wrong.append(f"still running after {LIMIT:g} s: {sorted(commands(where).values())}")
        wrong += _told(struck, project.end(where, process), at_work)
        done.append((struck, seconds, wrong))
    again = project.run(where, command)
    if again.code != 0 or "Traceback" in again.said:
        wrong.append(f"the next dvc repro ended with {again.code}: {again.said[-1500:]}")
        return done
    found = project.hashes(where, item)
    wrong += [f"{path} has another hash" for path in paths if found[path] != reference[path]]
    wrong += [f"{path} was left" for path in project.unfinished(where, paths)]
    return done


def _at_work(where: Path, stage: str) -> list[int]:
    """The stage's process, while it is there."""
    begun = f"-m stages.{stage} "
    lines = commands(where).items()
    return [pid for pid, line in lines if begun in line and not line.startswith("/bin/sh")]


def _until_only(where: Path, dvc: int | None) -> float | None:
    """Seconds until no process but DVC's was left, None if that took over the limit."""
    began = time.monotonic()
    while [pid for pid in project.family(where) if pid != dvc]:
        if time.monotonic() - began > LIMIT:
            return None
        time.sleep(0.02)
    return time.monotonic() - began


def _told(mode: str, ended: project.Ended, at_work: bool) -> list[str]:
    if "Traceback" in ended.said:
        return [f"a traceback: {ended.said[-1500:]}"]
    # What DVC says while it files what a stage has made is DVC's own, and Python is
    # deaf while it leaves, its work done.
    at_work = at_work and not RESULT.search(ended.said)
    if at_work and mode in LINES and ended.code != 0 and LINES[mode] not in ended.said:
        return [f"{LINES[mode]!r} was not said: {ended.said[-500:]}"]
    return []
