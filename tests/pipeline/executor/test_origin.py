"""The workers of this machine are copies of one process, which has imported for all."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.commands import ending
from pipeline.executor import local

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.skipif(
    local.START != "forkserver", reason="processes are copied on Linux only"
)


def run(code: str, **variables: str) -> str:
    """What a program says whose workers load what a feature needs."""
    begin = "import os, sys, time\nfrom pipeline import executor\n"
    finished = subprocess.run(
        [sys.executable, "-c", begin + code],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


ASK = """
def ask(modules, workers):
    asked = f"({{*{modules!r}}} <= {{*__import__('sys').modules}}, __import__('os').getppid())"
    return list(executor.run(eval, [asked] * 4, "", workers))
"""


def test_what_workers_need_is_loaded_once_for_all_of_them() -> None:
    said = run(
        ASK
        + """
executor.prepare("pipeline.acoustic:fbank", now=True)
loaded, parents = zip(*ask(["pipeline.acoustic._spectrum_loops", "soundfile", "soxr"], 2))
(origin,) = set(parents)
print(all(loaded), origin != os.getpid(), len(os.listdir(f"/proc/{origin}/task")))
print("numba" in sys.modules, "pandas" in sys.modules)
"""
    )
    # A process with threads must not be copied.
    assert said == "True True 1\nFalse False\n"


def test_a_module_that_is_the_program_has_its_imports_there_too(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        """
import sys
seen = "soundfile" in sys.modules
import soundfile
from pipeline import executor

def ask(_):
    return seen

if __name__ == "__main__":
    print(list(executor.run(ask, [1], "")))
"""
    )
    finished = subprocess.run(
        [sys.executable, "-m", "program"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert finished.stdout == "[True]\n" and "Warning" not in finished.stderr


def test_what_cannot_be_loaded_is_told_by_the_worker_that_needs_it() -> None:
    said = run(
        """
executor.prepare("pipeline.acoustic:nothing", "no.such.module", now=True)
print(list(executor.run(abs, [-1, 2], "", 1)))
"""
    )
    assert said == "[1, 2]\n"


def test_workers_have_the_variables_of_their_moment() -> None:
    said = run(
        """
calls = ["__import__('os').environ.get('SAID'), __import__('os').environ.get('SERFLOW_LOADS')"]
print(list(executor.run(eval, calls, "")))
os.environ["SAID"] = "later"
print(list(executor.run(eval, calls, "")))
"""
    )
    assert said == "[(None, None)]\n[('later', None)]\n"


def test_the_time_of_workers_counts_as_the_time_of_their_parent() -> None:
    busy = "__import__('hashlib').pbkdf2_hmac('sha256', b'', b'', 2_000_000)"
    before = sum(os.times()[2:4])
    run(f"list(executor.run(eval, [{busy!r}] * 2, '', 2))")
    alone = time.process_time()
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2_000_000)
    alone = time.process_time() - alone
    assert sum(os.times()[2:4]) - before > 1.5 * alone


def test_killed_where_workers_are_copied_from() -> None:
    """Its copies end, and the parent says so in the line that a killed worker has."""
    said = run(
        f"""
from pipeline.lookup import WorkerKilledError
calls = ["__import__('os').getppid()"] + ["__import__('time').sleep(60)"] * 3
work = executor.run(eval, calls, "work", 2)
os.kill(next(work), {signal.SIGKILL:d})
began = time.monotonic()
try:
    next(work)
except WorkerKilledError as error:
    print(str(error).split(",")[0], time.monotonic() - began < 30)
print(list(executor.run(abs, [-1], "")))
"""
    )
    assert said == "work: a worker process was killed True\n[1]\n"


@pytest.mark.parametrize("seconds", [0.0, 0.3, 0.6])
def test_ctrl_c_while_it_loads_ends_both_at_once_with_one_line(
    tmp_path: Path, seconds: float
) -> None:
    (tmp_path / "slow.py").write_text(
        "import time\nfrom pathlib import Path\n\n"
        "def ready(name):\n    Path(name).touch()\n    time.sleep(60)\n"
    )
    (tmp_path / "program.py").write_text(
        """
from pipeline.commands import ending
ending.install()
from pipeline import executor

if __name__ == "__main__":
    with ending.one_line():
        executor.prepare("slow:loading", now=True)
        list(executor.run(abs, [-1], "", 1))
"""
    )
    program = subprocess.Popen(
        [sys.executable, "-m", "program"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": f"{tmp_path}:{ROOT}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        # A shell lets what it begins in the background ignore SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while program.poll() is None and not (tmp_path / "loading").exists():
        time.sleep(0.01)
    time.sleep(seconds)
    began = time.monotonic()
    os.killpg(program.pid, signal.SIGINT)
    said, _ = program.communicate(timeout=30)
    assert said.strip().endswith(ending.KEPT) and said.count("\n") <= 2
    assert program.returncode == 130 and time.monotonic() - began < 3
