"""The engine local: single-threaded processes of this machine, which end with the one
that they work for.
"""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing.process import BaseProcess
from typing import Any

from pipeline.executor._engine import KEPT, Engine
from pipeline.lookup import WorkerKilledError, checked

# glibc gives freed memory back at once, to ask for it again in the next step: keeping
# 32 MiB took 10 to 18 % off a training step of attention over frames.
MALLOC = dict.fromkeys(("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"), str(32 * 2**20))
# One thread per process: faster for these sizes, and sums do not change with the
# machine's core count.
THREADS = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)
SEED = {"PYTHONHASHSEED": "0"}  # the order of sets, in which words are numbered
CUBLAS = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
KILLED = (
    "a worker process was killed, most often for want of memory (SERFLOW_WORKERS=1 runs one at a "
    f"time): {KEPT}"
)


@checked
class Config:
    """SERFLOW_WORKERS says how many processes, else there are as many as cores."""


@contextmanager
def opened(workers: int) -> Iterator[Engine]:
    """So many processes. A signal ends them at once, with the programs that they have
    called; after an error nothing new begins.
    """
    with Pool(workers) as pool:
        try:
            yield Engine(pool, lambda: workers, {BrokenProcessPool: KILLED})
        except BaseException as error:
            # What has not begun would only delay the message.
            pool.shutdown(wait=False, cancel_futures=True)
            if not isinstance(error, Exception) or isinstance(error, WorkerKilledError):
                pool.kill()
            raise


class Pool(ProcessPoolExecutor):
    """A pool of single-threaded processes, each in a process group of its own."""

    def __init__(self, workers: int) -> None:
        os.environ.update(THREADS)
        for name, value in (MALLOC | SEED | CUBLAS).items():
            os.environ.setdefault(name, value)
        super().__init__(
            workers, mp_context=multiprocessing.get_context("spawn"), initializer=_begin
        )
        self._others, self._begun = {*multiprocessing.active_children()}, set[BaseProcess]()

    def submit(self, function: Any, /, *given: Any, **named: Any) -> Future[Any]:
        # A call starts workers. They never see Ctrl-C, not even while they import:
        # their parent sees it, and ends them.
        held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            future = super().submit(function, *given, **named)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, held)
        self._begun |= {*multiprocessing.active_children()} - self._others
        return future

    def kill(self) -> None:
        """Ends the workers and what they have called."""
        for worker in self._begun:
            worker.kill()
            # It has no group while it is still importing.
            if worker.pid is not None:
                with suppress(ProcessLookupError):
                    os.killpg(worker.pid, signal.SIGKILL)


def spare_pandas() -> None:
    """Keeps pyarrow from importing pandas with its first array, which takes a quarter
    of a second and serves those that make frames of tables: this process cannot any
    more.
    """
    import pyarrow

    class Hidden:
        def find_spec(self, name: str, *_: Any) -> None:
            if name == "pandas":
                raise ModuleNotFoundError("pandas is not wanted here")

    sys.meta_path.insert(0, hidden := Hidden())
    try:
        pyarrow.array([])
    finally:
        sys.meta_path.remove(hidden)


def _begin() -> None:
    """Puts a worker into a process group of its own, with the programs that it will
    call, and ends both when its parent is killed: it would wait for work for ever.
    """
    os.setpgid(0, 0)
    if "pyarrow" in sys.modules:
        spare_pandas()
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()
