"""A project of its own for faults: the demo cut down, or any other params.yaml."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
PARTS = ("pipeline", "stages", ".dvc", "recipes")
FILES = ("dvc.yaml", "constraints.txt", ".dvcignore", ".gitignore")
MARK = "SERFLOW_FAULTS"
QUICKEST = "cbla-demo"


@dataclass(frozen=True)
class Ended:
    """A command that has ended: exit code, what it wrote, seconds."""

    code: int
    said: str
    seconds: float


def demo(where: Path) -> Path:
    """The demo DAG: every stage and item of it, with three epochs of the quickest
    system and one of the others.
    """
    document = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    for name, experiment in document["experiments"].items():
        epochs = 3 if name == QUICKEST else 1
        experiment["training"] = {**experiment.get("training", {}), "epochs": epochs}
    return make(where, document)


def make(where: Path, document: Mapping[str, Any]) -> Path:
    """A copy of the project with another params.yaml, in a git repository."""
    ignored = shutil.ignore_patterns("__pycache__", "cache", "tmp", "config.local")
    for name in PARTS:
        shutil.copytree(ROOT / name, where / name, ignore=ignored)
    for name in FILES:
        shutil.copy(ROOT / name, where / name)
    (where / "params.yaml").write_text(yaml.safe_dump(dict(document)), encoding="utf-8")
    sync = "from pipeline.cli import app; app(['sync'])"
    commit = ["commit", "--quiet", "--all", "--message", "start"]
    commands = (
        ["init", "--quiet"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@b", *commit],
    )
    must(where, [sys.executable, "-c", sync])
    for command in commands:
        must(where, ["git", *command])
    return where


def environment(where: Path, **more: str) -> dict[str, str]:
    """Variables of a command that belongs to the project, marked with its folder."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    own = {"PATH": path, "PYTHONPATH": str(where), MARK: str(where)}
    own |= {"DVC_SITE_CACHE_DIR": str(where / ".dvc" / "site"), "SHELL": "/bin/sh"}
    return {**os.environ, **own, **more}


def mend_lock(where: Path) -> None:
    """Removes DVC's file of locks where a killed DVC left it empty, as its user has to;
    each time is a letter in the file `.locks`.
    """
    lock = where / ".dvc" / "tmp" / "rwlock"
    if lock.is_file() and not lock.read_bytes().strip():
        lock.unlink()
        with (where / ".locks").open("a", encoding="utf-8") as file:
            file.write("x")


def begin(where: Path, command: Sequence[str], **more: str) -> subprocess.Popen[str]:
    """Starts a command in a process group of its own; it writes to the file `said`."""
    mend_lock(where)
    with (where / ".said").open("w", encoding="utf-8") as said:
        return subprocess.Popen(
            command,
            cwd=where,
            env=environment(where, **more),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            # A shell lets what it begins in the background ignore SIGINT.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )


def end(where: Path, process: subprocess.Popen[str], seconds: float = 900) -> Ended:
    """Waits for a command of `begin`; one that hangs is killed and fails."""
    began = time.monotonic()
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        for pid in family(where):
            os.kill(pid, signal.SIGKILL)
        process.wait()
        raise AssertionError(f"{process.args} hangs for {seconds:g} s") from None
    said = (where / ".said").read_text(encoding="utf-8", errors="replace")
    return Ended(code, said, time.monotonic() - began)


def run(where: Path, command: Sequence[str], **more: str) -> Ended:
    """A command from start to end."""
    return end(where, begin(where, command, **more))


def must(where: Path, command: Sequence[str], **more: str) -> Ended:
    """A command that has to end well."""
    ended = run(where, command, **more)
    assert ended.code == 0, f"{' '.join(command)} ended with {ended.code}\n{ended.said[-3000:]}"
    return ended


def repro(*targets: str) -> list[str]:
    """The command that builds; nothing is taken from the cache of runs."""
    return [sys.executable, "-m", "dvc", "repro", "--no-run-cache", *targets]


def family(where: Path) -> list[int]:
    """Processes that were started for the project and run still, whoever their parent
    is now.
    """
    mark = f"{MARK}={where}".encode()
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            lines = (place / "environ").read_bytes().split(b"\0")
            state = (place / "stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            continue
        if mark in lines and state != "Z":
            found.append(int(place.name))
    return found


def wait_for_end(where: Path, seconds: float) -> float | None:
    """Seconds until no process of the project was left, None if one stays."""
    began = time.monotonic()
    while family(where):
        if time.monotonic() - began > seconds:
            return None
        time.sleep(0.02)
    return time.monotonic() - began


def locked(where: Path) -> dict[str, dict[str, Any]]:
    """The stages of dvc.lock."""
    document = yaml.safe_load((where / "dvc.lock").read_text(encoding="utf-8"))
    return dict(document["stages"])


def outputs(where: Path, stage: str) -> list[str]:
    """Paths of a built stage's outputs."""
    return [out["path"] for out in locked(where)[stage].get("outs", ())]


def forget(where: Path, stage: str) -> list[str]:
    """Removes a stage's outputs, its entry in dvc.lock and what training and prepare
    keep of it, as if it had not been built; returns the outputs' paths.
    """
    if stage not in locked(where):
        must(where, repro("--single-item", stage))
    stages = locked(where)
    gone = [out["path"] for out in stages.pop(stage)["outs"]]
    (where / "dvc.lock").write_text(
        yaml.safe_dump({"schema": "2.0", "stages": stages}, sort_keys=False), encoding="utf-8"
    )
    item = stage.partition("@")[2] or stage
    for path in [*gone, f".scratch/{item}", f".scratch/.prepare/{item}.parquet"]:
        if (where / path).is_dir():
            shutil.rmtree(where / path)
        else:
            (where / path).unlink(missing_ok=True)
    return gone


def hashes(where: Path, stage: str | None = None) -> dict[str, str]:
    """SHA-256 of every output, or of a stage's, by its path, and what dvc.lock says of
    it: of the bytes that lie there, not of what DVC remembers.
    """
    found = {}
    for name, entry in locked(where).items():
        for out in entry.get("outs", ()) if stage in (None, name) else ():
            found[out["path"]] = f"{_contents(where / out['path'])} {out['md5']}"
    return dict(sorted(found.items()))


def unfinished(where: Path, paths: Iterable[str]) -> list[str]:
    """Files beside or in outputs that a killed process had not finished."""
    folders = {(where / path).parent for path in paths} | {where / path for path in paths}
    return sorted(
        str(file.relative_to(where))
        for folder in folders
        if folder.is_dir()
        for file in folder.glob(".*.tmp")
    )


def tell(part: str, lines: Sequence[str]) -> None:
    """Writes a part of docs/RELIABILITY.md between its two marks."""
    document = ROOT / "docs" / "RELIABILITY.md"
    text = document.read_text(encoding="utf-8")
    begin, end = f"<!-- {part} -->", f"<!-- end of {part} -->"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    assert found and closed, f"{document} has no {begin} … {end}"
    body = "\n".join(["", "", *lines, "", ""])
    document.write_text(f"{before}{begin}{body}{end}{after}", encoding="utf-8")


def _contents(path: Path) -> str:
    digest = hashlib.sha256()
    for file in [path] if path.is_file() else sorted(path.rglob("*")):
        if file.is_file():
            digest.update(json.dumps(file.relative_to(path).as_posix()).encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()
