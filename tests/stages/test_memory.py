import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import folders
from tests.resources import stage_memory

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="a process's peak is read from Linux's /proc"
)
@pytest.mark.parametrize("stage", sorted(stage_memory.STAGES))
def test_memory_does_not_grow_with_the_corpus(stage: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.resources.stage_memory", stage, str(tmp_path)]
    # glibc then gives every large block back when it is freed: what is measured is what
    # is held.
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_ARENA_MAX": "1"}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    peaks = json.loads(ended.stdout.splitlines()[-1])
    for variant, (few, many) in peaks.items():
        # 100 more utterances are 22 MiB of samples or 50 of vectors; the larger file of
        # vectors, 40 MiB: none may stay.
        assert many - few < 16, f"{stage} {variant}: {few:.0f} MiB, then {many:.0f} MiB"
        assert many < 1024, f"{stage} {variant}: {many:.0f} MiB, expected less than 1 GiB"
    for folder in (path for name in peaks for path in tmp_path.glob(f"data/*/*/{name}")):
        counts = json.loads(folders.metrics(folder).read_text())
        assert counts["rejected"] == 0 and counts["used"] in stage_memory.COUNTS.values(), folder
