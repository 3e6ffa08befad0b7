"""Conditions under which a build has to give the same bytes."""

from pathlib import Path

# `sitecustomize` is imported by every Python process of the build, DVC's too.
SHUFFLED = """
import os
import random

listdir, scandir = os.listdir, os.scandir


class Shuffled:
    def __init__(self, path="."):
        with scandir(path) as found:
            self.entries = list(found)
        random.shuffle(self.entries)

    def __iter__(self):
        return iter(self.entries)

    def __next__(self):
        if not self.entries:
            raise StopIteration
        return self.entries.pop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def close(self):
        pass


def shuffled(path="."):
    found = listdir(path)
    random.shuffle(found)
    return found


os.listdir, os.scandir = shuffled, Shuffled
"""


def shuffled_listings(folder: Path) -> str:
    """A folder for PYTHONPATH that makes every listing of a folder come in disorder."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(SHUFFLED, encoding="utf-8")
    return str(folder)


def elsewhere(folder: Path, workers: int) -> dict[str, str]:
    """Variables of another machine: workers, locale, time zone, hashes of strings,
    listings; "locale" is the system's word for what sorts and formats.
    """
    return {
        "SERFLOW_WORKERS": str(workers),
        "PYTHONPATH": shuffled_listings(folder),
        "PYTHONHASHSEED": "random",
        "LC_ALL": "C",
        "LANG": "tr_TR.UTF-8",
        "TZ": "Asia/Kathmandu",
    }
