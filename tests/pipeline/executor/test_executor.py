import math
import os
import subprocess
import sys
import time
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import nullcontext
from pathlib import Path

import pytest

from pipeline import executor
from pipeline.executor._engine import Engine
from pipeline.lookup import ConfigurationError, WorkerKilledError


def test_results_come_in_the_order_of_the_items(capsys: pytest.CaptureFixture[str]) -> None:
    # The first item is the slowest: its result must still come first.
    assert list(executor.run(time.sleep, [0.3, 0.0, 0.0], "sleep", workers=2)) == [None, None, None]
    assert "sleep" in capsys.readouterr().err


def test_work_is_done_in_single_threaded_processes_and_failures_reach_the_caller(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SERFLOW_WORKERS", "1")
    results = executor.run(
        eval,
        ["__import__('os').getpid()", "__import__('os').environ['OMP_NUM_THREADS']", "1 / 0"],
        "",
    )
    assert next(results) != os.getpid()
    assert next(results) == "1"
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_after_a_failure_nothing_new_begins(tmp_path: Path) -> None:
    calls = [
        f"(__import__('time').sleep(0.1), open({str(tmp_path / name)!r}, 'w'))" for name in "abc"
    ]
    with pytest.raises(ZeroDivisionError):
        list(executor.run(eval, ["1 / 0", *calls], "", workers=1))
    # The process may have taken the next ones before the failure was seen, never the
    # last.
    assert not (tmp_path / "c").exists()


def test_nothing_to_do_is_done_at_once() -> None:
    assert list(executor.run(math.sqrt, [], "nothing")) == []


@pytest.mark.parametrize("given", ["0", "-1", "two", "1.5", ""])
def test_a_number_of_workers_that_is_none(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("SERFLOW_WORKERS", given)
    with pytest.raises(
        ConfigurationError, match=f"SERFLOW_WORKERS='{given}', expected a whole number above zero"
    ):
        executor.worker_count()


def test_workers_are_as_many_as_told_or_as_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERFLOW_WORKERS", "3")
    assert executor.worker_count() == 3
    monkeypatch.delenv("SERFLOW_WORKERS")
    assert 1 <= executor.worker_count() <= (os.cpu_count() or 1)


# A worker calls a program, as the aligner mfa is called.
PARENT = r"""
import os, subprocess, sys
from pipeline import executor

def sleep(_):
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as program:
        # In one piece: two workers share the pipe.
        os.write(1, b"%d %d\n" % (os.getpid(), program.pid))

if __name__ == "__main__":
    list(executor.run(sleep, [1, 2], "sleep", workers=2))
"""


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are read from /proc")
def test_workers_and_their_programs_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    with subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, text=True, env=environment
    ) as parent:
        assert parent.stdout is not None
        lines = [parent.stdout.readline() for _ in range(2)]
        workers = [int(pid) for line in lines for pid in line.split()]
        assert all(alive(worker) for worker in workers)
        parent.kill()
    deadline = time.monotonic() + 30
    while any(alive(worker) for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(alive(worker) for worker in workers)


def test_a_killed_worker_is_one_line_that_says_how_to_go_on() -> None:
    suicide = "__import__('os').kill(__import__('os').getpid(), 9)"
    with pytest.raises(WorkerKilledError) as raised:
        list(executor.run(eval, ["1", suicide, "2"], "train x", workers=1))
    said = str(raised.value)
    assert said.startswith("train x: a worker process was killed") and "\n" not in said
    assert "the same command goes on from there" in said


def test_freed_memory_is_kept_by_glibc_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", "1")
    names = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_")
    calls = [f"__import__('os').environ[{name!r}]" for name in names]
    assert list(executor.run(eval, calls, "", workers=1)) == ["33554432", "1"]


@pytest.mark.parametrize("broken", [True, False])
def test_only_an_engine_that_goes_on_has_its_waiting_calls_cancelled(
    monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    """The thread of a broken pool fails them itself, and would trip over cancelled
    ones.
    """
    calls: list[Future[int]] = []

    class Pool(Executor):
        def submit(self, *_: object, **__: object) -> Future[int]:
            calls.append(Future())
            if len(calls) == 1:
                calls[0].set_exception(BrokenProcessPool() if broken else ValueError("wrong"))
            return calls[-1]

    engine = Engine(Pool(), lambda: 1, {BrokenProcessPool: "killed"})
    monkeypatch.setattr(executor, "_opened", lambda _: nullcontext(engine))
    with pytest.raises(WorkerKilledError if broken else ValueError):
        list(executor.run(abs, [1, 2, 3], "count"))
    assert [call.cancelled() for call in calls] == [False, not broken, not broken]


def test_pyarrow_makes_tables_without_pandas_which_others_can_import() -> None:
    program = (
        "import sys; from pipeline import executor; executor.spare_pandas(); import pyarrow;"
        "pyarrow.table({'a': ['b']}); assert 'pandas' not in sys.modules; import pandas;"
        "assert pandas.DataFrame({'a': [1]}).shape == (1, 1)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
