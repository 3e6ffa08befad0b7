"""Damaged and unreadable files, a full disk, two builds at once, remotes that fail."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults import project

Damage = Callable[[Path], None]


def flip(path: Path) -> None:
    """Inverts sixteen bytes in the middle."""
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 16] = bytes(255 - value for value in content[middle : middle + 16])
    _put(path, bytes(content))


def truncate(path: Path) -> None:
    """Leaves two thirds."""
    _put(path, path.read_bytes()[: path.stat().st_size * 2 // 3])


def delete(path: Path) -> None:
    """Leaves nothing."""
    path.unlink()


@dataclass(frozen=True)
class Case:
    """A file that is damaged, and the item whose `dvc repro` has to mend it."""

    kind: str
    pattern: str
    damage: Damage
    item: str


def cases(acoustic: str, text: str, spans: str, trained: str) -> list[Case]:
    """The damages of a project, given an item of each stage, e.g. `demo-fbank`."""
    shards = f"data/acoustic/{acoustic.replace('-', '/', 1)}"
    words = f"data/text/{text.replace('-', '/', 1)}"
    aligned = f"data/spans/{spans.replace('-', '/', 1)}"
    folds = f"models/{trained}/folds"
    return [
        Case("bytes flipped in a shard", f"{shards}/shard-*.h5", flip, f"acoustic@{acoustic}"),
        Case("a shard truncated", f"{shards}/shard-*.h5", truncate, f"acoustic@{acoustic}"),
        Case("a shard deleted", f"{shards}/shard-*.h5", delete, f"acoustic@{acoustic}"),
        Case("bytes flipped in an index", f"{shards}/index.parquet", flip, f"acoustic@{acoustic}"),
        Case("an index truncated", f"{shards}/index.parquet", truncate, f"acoustic@{acoustic}"),
        Case("an index deleted", f"{shards}/index.parquet", delete, f"acoustic@{acoustic}"),
        Case("attributes truncated", f"{shards}/attributes.json", truncate, f"acoustic@{acoustic}"),
        Case("bytes flipped in word vectors", f"{words}/*", flip, f"text@{text}"),
        Case("bytes flipped in spans", f"{aligned}/spans.parquet", flip, f"align@{spans}"),
        Case("spans truncated", f"{aligned}/spans.parquet", truncate, f"align@{spans}"),
        Case("spans deleted", f"{aligned}/spans.parquet", delete, f"align@{spans}"),
        Case(
            "bytes flipped in a checkpoint",
            f"{folds}/*/checkpoint.safetensors",
            flip,
            f"train@{trained}",
        ),
        Case(
            "a checkpoint truncated",
            f"{folds}/*/checkpoint.safetensors",
            truncate,
            f"train@{trained}",
        ),
        Case(
            "probabilities truncated",
            f"{folds}/*/probabilities.parquet",
            truncate,
            f"train@{trained}",
        ),
    ]


def mend(where: Path, case: Case, chosen: int, reference: Mapping[str, str]) -> list[str]:
    """Damages a file and builds its item; returns what was not as it should be."""
    found = sorted(where.glob(case.pattern))
    path = found[chosen % len(found)]
    case.damage(path)
    return built(where, case.item, reference)


@contextmanager
def mounted(place: str, *calls: list[str]) -> Iterator[None]:
    """Something mounted at a folder, by these calls of `mount`."""
    mount, umount = (shutil.which(name) or name for name in ("mount", "umount"))
    for call in calls:
        subprocess.run([mount, *call, place], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run([umount, place], check=True)


def tmpfs(folder: Path, size: str) -> AbstractContextManager[None]:
    """A small file system at a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    return mounted(str(folder), ["-t", "tmpfs", "-o", f"size={size}", "none"])


def built(where: Path, item: str, reference: Mapping[str, str]) -> list[str]:
    """What is wrong after `dvc repro` of an item."""
    ended = project.run(where, project.repro("--single-item", item))
    if ended.code != 0 or "Traceback" in ended.said:
        return [f"dvc repro {item} ended with {ended.code}: {ended.said[-1500:]}"]
    found = project.hashes(where, item)
    return [f"{path} has another hash" for path in found if found[path] != reference[path]]


def full_disk(
    where: Path, item: str, folder: str, size: str, reference: Mapping[str, str]
) -> list[str]:
    """Builds an item anew while the folder that it writes to is a small tmpfs."""
    project.forget(where, item)
    with tmpfs(where / folder, size):
        ended = project.run(where, project.repro("--single-item", item))
    return _refused(ended, "No space left on device") + built(where, item, reference)


def read_only(where: Path, item: str, folder: str, reference: Mapping[str, str]) -> list[str]:
    """Runs an item's stage while the folder that it writes to is read-only."""
    command = _stage(where, item)
    place = str(where / folder)
    with mounted(place, ["--bind", place], ["-o", "remount,ro,bind"]):
        ended = project.run(where, command)
    return _refused(ended, "Read-only file system") + built(where, item, reference)


def unreadable(where: Path, item: str, path: str, reference: Mapping[str, str]) -> list[str]:
    """Runs an item's stage while a file that it reads has no permissions."""
    mode = (where / path).stat().st_mode
    (where / path).chmod(0)
    try:
        # Root reads everything unless that capability is taken from it.
        lesser = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
        ended = project.run(where, [*(lesser if os.geteuid() == 0 else []), *_stage(where, item)])
    finally:
        (where / path).chmod(mode)
    return _refused(ended, "Permission denied") + built(where, item, reference)


def two_at_once(where: Path, item: str, reference: Mapping[str, str]) -> list[str]:
    """Two `dvc repro` of one item; the second may be told to wait by DVC's lock."""
    project.forget(where, item)
    command = project.repro("--single-item", item)
    first = project.begin(where, command)
    second = subprocess.Popen(
        command,
        cwd=where,
        env=project.environment(where),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said, _ = second.communicate(timeout=900)
    ended = project.end(where, first)
    problems = []
    for code, words in ((ended.code, ended.said), (second.returncode, said)):
        if "Traceback" in words or (code != 0 and "lock" not in words and "busy" not in words):
            problems.append(f"ended with {code}: {words[-800:]}")
    if ended.code != 0 and second.returncode != 0:
        problems.append("none of the two built it")
    return problems + built(where, item, reference)


def failing_remote(where: Path, beside: Path, reference: Mapping[str, str]) -> list[str]:
    """A push killed half-way, a push to a remote that is full, a pull killed half-way;
    then both whole, into a clone.
    """
    remote, clone = beside / "remote", beside / "clone"
    dvc = [*project.repro()[:3]]
    remote.mkdir()
    project.must(where, [*dvc, "remote", "add", "--force", "--default", "team", str(remote)])
    project.must(where, ["git", "add", "--all"])
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--all"]
    project.run(where, [*git, "--message", "built"])
    with tmpfs(remote, "20m"):
        full = project.run(where, [*dvc, "push"])
    problems = [] if full.code != 0 else ["a push to a full remote ended with 0"]
    _killed(where, [*dvc, "push"], lambda: len(list(remote.rglob("*"))) > 50)
    project.must(where, [*dvc, "push"])
    project.must(where, ["git", "clone", "--quiet", str(where), str(clone)])
    _killed(clone, [*dvc, "pull"], lambda: (clone / "data/acoustic").is_dir())
    project.must(clone, [*dvc, "pull", "--force"])
    # Small metrics are in git, all else comes from the remote.
    cached = {path for path in reference if (clone / path).exists()}
    found = {path: value for path, value in project.hashes(clone).items() if path in cached}
    problems += [f"{path} came otherwise" for path in cached if found[path] != reference[path]]
    if len(cached) < len(reference) / 2:
        problems.append(f"only {len(cached)} of {len(reference)} outputs came")
    shutil.rmtree(clone)
    shutil.rmtree(remote)
    return problems


def _killed(where: Path, command: list[str], half_way: Callable[[], bool]) -> None:
    process = project.begin(where, command)
    while process.poll() is None and not half_way():
        time.sleep(0.01)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _refused(ended: project.Ended, reason: str) -> list[str]:
    lines = [line for line in ended.said.splitlines() if reason in line]
    if ended.code == 0:
        return ["ended with 0"]
    if "Traceback" in ended.said or not any("error: " in line for line in lines):
        return [f"no line says {reason!r}: {ended.said[-1500:]}"]
    return []


def _stage(where: Path, item: str) -> list[str]:
    """The command of a stage, without DVC, which would meet the fault first."""
    return str(project.locked(where)[item]["cmd"]).split()


def _put(path: Path, content: bytes) -> None:
    """Another content under the name: an output can be a link into DVC's cache."""
    path.unlink()
    path.write_bytes(content)
