"""Kills and signals at a moment of a stage, and what has to be true after them."""

import os
import random
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.faults import project

LIMIT = 3.0  # s in which everything that was begun has ended
LINES = {
    "SIGINT": "stopped by SIGINT: ",
    "SIGTERM": "stopped by SIGTERM: ",
    "worker": "a worker process was killed",
    "stage": "failed to run: python -m stages",
}
MODES = ("group", "dvc", "worker", "stage", "SIGINT", "SIGTERM")
NAMES = {
    "group": "SIGKILL of the process group",
    "dvc": "SIGKILL of DVC alone",
    "worker": "SIGKILL of one worker",
    "stage": "SIGKILL of the stage alone",
    "SIGINT": "SIGINT (Ctrl-C) to the process group",
    "SIGTERM": "SIGTERM to the process group",
}
# Stages that work in processes of their own.
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


def wait_for_stage(where: Path, running: Callable[[], bool], word: str) -> None:
    """Returns when the stage's process is there, or the command has ended."""
    while running():
        if any(word in line and "dvc" not in line for line in commands(where).values()):
            return
        time.sleep(0.05)


def strike(where: Path, dvc: int, mode: str, stage: str, chance: random.Random) -> str:
    """Kills what `mode` says; returns what was killed, a mode too: without a worker it
    is the stage.
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
    workers = sorted(pid for pid, line in lines.items() if "spawn_main" in line)
    stages = [pid for pid, line in lines.items() if f"stages.{stage}" in line]
    if mode == "worker" and workers:
        os.kill(chance.choice(workers), signal.SIGKILL)
        return mode
    if stages:
        os.kill(stages[0], signal.SIGKILL)
    return "stage"


def kill(
    where: Path,
    item: str,
    mode: str,
    moment: float,
    reference: Mapping[str, str],
    chance: random.Random,
) -> tuple[str, float | None, list[str]]:
    """Builds a stage's item anew, strikes `moment` seconds after its process began, and
    builds it again.

    Returns the mode, the seconds until nothing of it ran (None where it had ended
    before), and what was not as it should be.
    """
    stage = item.partition("@")[0]
    paths = project.forget(where, item)
    command = project.repro("--single-item", item)
    process = project.begin(where, command)
    wait_for_stage(where, lambda: process.poll() is None, f"stages.{stage}")
    time.sleep(moment)
    late = process.poll() is not None
    seconds, problems = None, []
    if not late:
        mode = strike(where, process.pid, mode, stage, chance)
        seconds = _until_only(where, process.pid if mode != "group" else None)
        if seconds is None:
            problems.append(f"still running after {LIMIT:g} s: {sorted(commands(where).values())}")
    ended = project.end(where, process)
    if not late:
        problems += _told(mode, ended)
    again = project.run(where, command)
    if again.code != 0 or "Traceback" in again.said:
        problems.append(f"the next dvc repro ended with {again.code}: {again.said[-1500:]}")
        return mode, seconds, problems
    found = project.hashes(where, item)
    problems += [f"{path} has another hash" for path in paths if found[path] != reference[path]]
    problems += [f"{path} was left" for path in project.unfinished(where, paths)]
    return mode, seconds, problems


def _until_only(where: Path, dvc: int | None) -> float | None:
    """Seconds until no process but DVC's was left, None if that took over the limit."""
    began = time.monotonic()
    while [pid for pid in project.family(where) if pid != dvc]:
        if time.monotonic() - began > LIMIT:
            return None
        time.sleep(0.02)
    return time.monotonic() - began


def _told(mode: str, ended: project.Ended) -> list[str]:
    if "Traceback" in ended.said:
        return [f"a traceback: {ended.said[-1500:]}"]
    if mode in LINES and ended.code != 0 and LINES[mode] not in ended.said:
        return [f"{LINES[mode]!r} was not said: {ended.said[-500:]}"]
    return []
