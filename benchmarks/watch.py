"""Runs a command and writes down what it took: `watch.py FILE COMMAND …` appends a line
of JSON to FILE.

Processor time and peak memory of the process itself and of the processes that it
started stand apart, as a corpus grows in the one and work in the others. It is run as a
file, in another environment than the project's, and imports the standard library alone.
"""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

EVERY = 0.05  # s, between two looks at the memory of workers
TICKS = os.sysconf("SC_CLK_TCK")
PEAK = re.compile(r"VmHWM:\s+(\d+) kB")


def watch(command: list[str], **options: Any) -> dict[str, Any]:
    """What a command took: seconds, processor seconds and peak MiB of itself and of its
    descendants (memory: of the largest one).
    """
    began = time.perf_counter()
    process = subprocess.Popen(command, **options)
    own = others = 0.0
    ended = None
    while ended is None:
        own = max(own, _peak(process.pid))
        others = max([others, *map(_peak, _children(process.pid))])
        time.sleep(EVERY)
        ended = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    seconds = time.perf_counter() - began
    # A process that has ended and that nobody has waited for still has its account.
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    user, system, waited_user, waited_system = (int(field) / TICKS for field in fields[11:15])
    return {
        "command": command[1:],
        "code": process.wait(),
        "seconds": round(seconds, 2),
        "processor_s": round(user + system, 2),
        "workers_processor_s": round(waited_user + waited_system, 2),
        "memory_mib": round(own),
        "workers_memory_mib": round(others),
    }


def _peak(pid: int) -> float:
    """MiB; 0 for a process that has just ended."""
    try:
        found = PEAK.search(Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0.0
    return int(found[1]) / 1024 if found else 0.0


def _children(pid: int) -> list[int]:
    """Without those that are still a copy of their parent, and have its memory."""
    found: list[int] = []
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += map(int, thread.read_text().split())
        except OSError:
            continue
    return [child for child in found if _command(child) != _command(pid)]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


if __name__ == "__main__":
    target, *own_command = sys.argv[1:]
    took = watch(own_command)
    with Path(target).open("a", encoding="utf-8") as file:
        file.write(json.dumps(took) + "\n")
    sys.exit(took["code"] if took["code"] >= 0 else 128 - took["code"])
