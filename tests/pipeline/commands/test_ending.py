import errno
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.commands import ending
from pipeline.lookup import ConfigurationError

ROOT = Path(__file__).parents[3]
SERFLOW = str(Path(sys.executable).with_name("serflow"))
needs_proc = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="processes are read from /proc"
)

# A stage with two workers; they sleep for a minute, or while they import.
STAGE = r"""
import os, sys, time
from pipeline.commands import ending
if __name__ == "__main__":
    ending.install()
elif sys.argv[1] == "importing":
    open(f"{sys.argv[2]}/{os.getpid()}", "w").close()
    time.sleep(60)
from pipeline import executor

def sleep(_):
    open(f"{sys.argv[2]}/{os.getpid()}", "w").close()
    time.sleep(60)

if __name__ == "__main__":
    with ending.one_line():
        list(executor.run(sleep, [1, 2], "sleep", workers=2))
"""
# What catches everything, as libraries do.
DEAF = r"""
import time
from pipeline.commands import ending
ending.install()
with ending.one_line():
    print("working", flush=True)
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass
"""
# What makes another error of it, as soundfile does.
OTHER = r"""
import time
from pipeline.commands import ending
ending.install()
with ending.one_line():
    print("working", flush=True)
    try:
        time.sleep(60)
    except BaseException:
        raise AssertionError("not all was written")
"""
# What takes long to leave.
SLOW = r"""
import atexit, time
from pipeline.commands import ending
ending.install()
atexit.register(time.sleep, 60)
with ending.one_line():
    print("working", flush=True)
    time.sleep(60)
"""


def begin(*command: str | Path, **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(word) for word in command],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell lets what it begins in the background ignore SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def catches(pid: int, number: int) -> bool:
    """Whether the process has a handler for the signal."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (mask,) = [line.split()[1] for line in lines if line.startswith("SigCgt")]
    return bool(int(mask, 16) >> (number - 1) & 1)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def ends_with_one_line(process: subprocess.Popen[str], number: int) -> None:
    began = time.monotonic()
    _, said = process.communicate(timeout=30)
    assert time.monotonic() - began < 3
    assert process.returncode == 128 + number, said
    line = said.splitlines()[-1]
    assert line.startswith(f"stopped by {signal.Signals(number).name}: what was finished is kept")
    assert said.count("stopped by") == 1
    assert "Traceback" not in said and "ignored" not in said


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "command", [(sys.executable, "-m", "stages.train", "x"), (SERFLOW, "doctor")], ids=str
)
def test_a_signal_during_imports_is_one_line(command: tuple[str, ...], number: int) -> None:
    process = begin(*command)
    # Python itself catches SIGINT from its start on, SIGTERM is ours.
    wait_until(lambda: catches(process.pid, signal.SIGTERM))
    process.send_signal(number)
    ends_with_one_line(process, number)


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["working", "importing"])
def test_a_signal_to_the_whole_group_ends_workers_without_a_word(
    tmp_path: Path, moment: str, number: int
) -> None:
    script, pids = tmp_path / "stage.py", tmp_path / "pids"
    script.write_text(STAGE)
    pids.mkdir()
    process = begin(sys.executable, script, moment, pids)
    wait_until(lambda: len(list(pids.iterdir())) == 2)
    os.killpg(process.pid, number)
    ends_with_one_line(process, number)
    assert not any(alive(int(path.name)) for path in pids.iterdir())


@pytest.mark.parametrize(
    "script", [DEAF, OTHER, SLOW], ids=["swallowed", "another error", "slow to leave"]
)
def test_a_process_that_does_not_leave_ends_all_the_same(script: str) -> None:
    process = begin(sys.executable, "-c", script)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    ends_with_one_line(process, signal.SIGTERM)


@needs_proc
@pytest.mark.parametrize("shell", ["", "; true"], ids=["no shell stays", "a shell stays"])
def test_a_stage_ends_with_the_dvc_that_began_it(tmp_path: Path, shell: str) -> None:
    script, pids = tmp_path / "stage.py", tmp_path / "pids"
    script.write_text(STAGE)
    pids.mkdir()
    stage = shlex.join([sys.executable, str(script), "-", str(pids)])
    words = ["/bin/sh", "-c", stage + shell if shell else f"exec {stage}"]
    call = f"import subprocess; subprocess.run({words})"
    dvc = begin(sys.executable, "-c", call, DVC_STAGE="train@x", SHELL="/bin/sh")
    wait_until(lambda: len(list(pids.iterdir())) == 2)
    dvc.kill()
    _, said = dvc.communicate(timeout=30)  # the stage holds the pipe until it ends
    assert said.splitlines()[-1].startswith("stopped by SIGTERM: ")
    wait_until(lambda: not any(alive(int(path.name)) for path in pids.iterdir()), 3)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConfigurationError("a [mistake]"), "error: a [mistake]"),
        (ArithmeticError("named"), "error: named"),
        (
            PermissionError(errno.EACCES, "Permission denied", "data/x"),
            "error: data/x: Permission denied",
        ),
        (OSError(errno.ENOSPC, "No space left"), f"error: {Path.cwd()}: No space left"),
        (shutil.Error([("a", "b", "[Errno 28] full")]), "error: b: [Errno 28] full"),
    ],
)
def test_known_errors_are_one_line(
    error: Exception, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as raised, ending.one_line(ArithmeticError):
        raise error
    assert raised.value.code == 2
    assert capsys.readouterr().err == said + "\n"


@pytest.mark.parametrize("error", [KeyError("x"), OSError("no file has been named")])
def test_faults_of_the_code_keep_their_traceback(error: Exception) -> None:
    with pytest.raises(type(error)), ending.one_line():
        raise error
