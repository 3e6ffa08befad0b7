"""Fabricated miniature trees of published corpora: their layouts and their traps, none of their recordings or words.

Every function writes a tree below a folder and returns the corpus root.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from resources import recordings


def ravdess(folder: Path) -> Path:
    """Speech of actors 7 and 12, with a copy, a stereo file, files that cannot be heard, and files that do not belong."""
    root = folder / "ravdess"

    def path(name: str, suffix: str = "wav") -> Path:
        return root / f"Actor_{name[-2:]}" / f"{name}.{suffix}"

    for seed, name in enumerate(("03-01-01-01-01-01-07", "03-01-03-01-02-01-07", "03-01-04-02-01-02-07")):
        recordings.write(path(name), seed=seed, sampling_rate=48000)
    shutil.copy(path("03-01-03-01-02-01-07"), path("03-01-03-01-02-02-07"))
    recordings.write(path("03-01-02-01-01-02-12"), seed=10, sampling_rate=48000, channels=2)
    recordings.write(path("03-01-05-02-02-01-12", "flac"), seed=11)
    recordings.write_corrupt(path("03-01-06-01-01-01-12"))
    recordings.write_empty(path("03-01-06-01-01-02-12"))
    recordings.write_truncated(path("03-01-06-01-02-01-12"))
    recordings.write_silent(path("03-01-06-01-02-02-12"))
    recordings.write_without_samples(path("03-01-06-02-02-02-12"))
    recordings.write(path("03-02-05-02-02-01-12"), seed=12)
    recordings.write(root / "Actor_12" / "take two.wav", seed=13)
    recordings.write(path("03-01-01-02-01-01-12"), seed=14)
    recordings.write(root / "Actor_07" / "03-01-08-01-01-01-12.wav", seed=15)
    recordings.write(root / "speech" / "Actor_07" / "03-01-01-01-01-01-07.wav", seed=16)
    recordings.write_corrupt(root / "Actor_07" / "._03-01-01-01-01-01-07.wav")
    return root
