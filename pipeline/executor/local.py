"""The engine local: single-threaded processes of this machine, which end with the one
that they work for.
"""

import atexit
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext, suppress
from multiprocessing import forkserver, resource_tracker
from multiprocessing.process import BaseProcess
from typing import Any

from pipeline.executor import _origin
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
# Copies of one process have their imports from it; elsewhere than on Linux, libraries
# of the system do not survive being copied.
START = "forkserver" if sys.platform == "linux" else "spawn"
# Arrow's thread that gives memory back would not be in a copy.
THREADLESS = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}
KILLED = (
    "a worker process was killed, most often for want of memory (SERFLOW_WORKERS=1 runs one at a "
    f"time): {KEPT}"
)


@checked
class Config:
    """SERFLOW_WORKERS says how many processes, else there are as many as cores."""


@contextmanager
def opened(workers: int, loads: Sequence[str] = ()) -> Iterator[Engine]:
    """So many processes that have imported `loads` (see `prepare`). A signal ends them
    at once, with the programs that they have called; after an error nothing new begins.
    """
    with Pool(workers, loads) as pool:
        try:
            yield Engine(pool, lambda: workers, {BrokenProcessPool: KILLED})
        except BaseException as error:
            # What has not begun would only delay the message.
            pool.shutdown(wait=False, cancel_futures=True)
            if not isinstance(error, Exception) or isinstance(error, WorkerKilledError):
                pool.kill()
            if not isinstance(error, Exception):
                # It may import for seconds more, for workers that nobody wants now.
                _end_origin()
            raise


def prepare(loads: Sequence[str]) -> None:
    """Starts what the workers of this process will be copies of, unless that runs: it
    imports the modules `loads`, and calls `module.ready(name)` of `module:name`.
    """
    os.environ.update(THREADS)
    for name, value in (MALLOC | SEED | CUBLAS).items():
        os.environ.setdefault(name, value)
    if START == "spawn":
        return
    program = getattr(getattr(sys.modules["__main__"], "__spec__", None), "name", "")
    told = {_origin.LOADS: " ".join(loads), _origin.PROGRAM: program}
    # Where it is not there yet, its start lets what is begun after it hear Ctrl-C.
    resource_tracker.ensure_running()
    with _deaf(), _variables(told | THREADLESS):
        multiprocessing.set_forkserver_preload([_origin.__name__])
        forkserver.ensure_running()
    atexit.unregister(_stop)
    atexit.register(_stop)


def _end_origin() -> None:
    """Ends what workers are copies of, unless it has ended; the next pool begins it
    anew.
    """
    origin = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    if origin is not None:
        with suppress(ProcessLookupError):
            os.kill(origin, signal.SIGKILL)


def _stop() -> None:
    """Ends what workers were copies of, and waits for it: their processor time counts
    as this process's then, as that of any program that it called.
    """
    _end_origin()
    # Its socket may have been tidied away; a copy of this process has no such child.
    with suppress(FileNotFoundError, ChildProcessError):
        forkserver._forkserver._stop()  # type: ignore[attr-defined]


class Pool(ProcessPoolExecutor):
    """A pool of single-threaded processes, each in a process group of its own."""

    def __init__(self, workers: int, loads: Sequence[str] = ()) -> None:
        prepare(loads)
        super().__init__(
            workers,
            mp_context=multiprocessing.get_context(START),
            initializer=_begin,
            initargs=(dict(os.environ),),
        )
        self._others, self._begun = {*multiprocessing.active_children()}, set[BaseProcess]()

    def submit(self, function: Any, /, *given: Any, **named: Any) -> Future[Any]:
        # A call starts workers; a copy is as deaf as what it is copied from, which may
        # still be importing, and would be waited for.
        with _deaf() if START == "spawn" else nullcontext():
            future = super().submit(function, *given, **named)
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


@contextmanager
def _deaf() -> Iterator[None]:
    """What is started in here never sees Ctrl-C, not even while it imports: its parent
    sees it, and ends it.
    """
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


@contextmanager
def _variables(given: Mapping[str, str]) -> Iterator[None]:
    """What is started in here has these variables beside those of the environment."""
    before = {name: os.environ.get(name) for name in given}
    os.environ.update(given)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _begin(environment: Mapping[str, str]) -> None:
    """Puts a worker into a process group of its own, with the programs that it will
    call, and ends both when its parent is killed: it would wait for work for ever.

    What it is copied from may be older than the variables of its parent.
    """
    os.setpgid(0, 0)
    os.environ.clear()
    os.environ.update(environment)
    if "pyarrow" in sys.modules:
        _origin.spare_pandas()
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()
