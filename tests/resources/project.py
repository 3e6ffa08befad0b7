"""A copy of the project as a user has it, and commands run in it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
SETTINGS = ("dvc.yaml", "build.yaml", "constraints.txt", ".dvcignore", ".gitignore")
NAMES = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b.c", "GIT_COMMITTER_NAME": "a"}


def copy(where: Path, document: dict[str, Any]) -> Path:
    """The code and settings under `where`, with this params.yaml and what follows from
    it; a git repository with one commit.
    """
    ignored = shutil.ignore_patterns("__pycache__", "cache", "tmp", "config.local")
    for name in ("pipeline", "stages", ".dvc", "recipes"):
        shutil.copytree(ROOT / name, where / name, ignore=ignored)
    for name in SETTINGS:
        shutil.copy(ROOT / name, where / name)
    write_params(where, document)
    must(where, "git", "init", "--quiet", "--initial-branch", "main")
    commit(where, "start")
    return where


def write_params(where: Path, document: dict[str, Any]) -> None:
    (where / "params.yaml").write_text(yaml.safe_dump(document))
    must(where, "serflow", "sync")


def commit(where: Path, message: str) -> None:
    """Commits everything that git does not ignore."""
    must(where, "git", "add", ".")
    must(where, "git", "commit", "--quiet", "--message", message)


def run(where: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A command of this environment; `variables` are its own environment variables."""
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | NAMES | {"GIT_COMMITTER_EMAIL": "a@b.c"}
    environment |= {"PATH": programs, "PYTHONWARNINGS": "default"} | variables
    return subprocess.run(
        command, cwd=where, env=environment, capture_output=True, text=True, check=False
    )


def must(where: Path, *command: str, **variables: str) -> str:
    """What a command that ends well writes to its standard output."""
    finished = run(where, *command, **variables)
    assert finished.returncode == 0, (
        f"{command}\n{finished.stdout[-3000:]}\n{finished.stderr[-3000:]}"
    )
    return finished.stdout


def executed(said: str) -> list[str]:
    """The stages that `dvc repro` ran, in their order, from what it said."""
    return re.findall(r"^Running stage '([^']+)'", said, flags=re.MULTILINE)
