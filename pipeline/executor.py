"""Work on all cores: single-threaded processes that end with the one they work for."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing.process import BaseProcess
from typing import TypeVar

from pipeline.lookup import ConfigurationError, WorkerKilledError

Item = TypeVar("Item")
Result = TypeVar("Result")

# glibc gives freed memory back at once, to ask for it again in the next step: keeping
# 32 MiB took 10 to 18 % off a training step of attention over frames.
MALLOC = dict.fromkeys(("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"), str(32 * 2**20))
# One thread per process: faster for these sizes, and sums do not change with the
# machine's core count.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def processes(workers: int | None = None) -> Executor:
    """A pool of single-threaded processes: `workers`, or as many as `worker_count`."""
    os.environ.update(dict.fromkeys(THREADS, "1"))
    for name, value in MALLOC.items():
        os.environ.setdefault(name, value)
    os.environ.setdefault("PYTHONHASHSEED", "0")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    return ProcessPoolExecutor(
        workers or worker_count(),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
    )


def worker_count() -> int:
    """Processes to use: SERFLOW_WORKERS, or the cores this process may run on."""
    given = os.environ.get("SERFLOW_WORKERS")
    if given is None:
        return (
            len(os.sched_getaffinity(0))
            if hasattr(os, "sched_getaffinity")
            else os.cpu_count() or 1
        )
    if not given.isdigit() or int(given) < 1:
        raise ConfigurationError(f"SERFLOW_WORKERS={given!r}, expected a whole number above zero")
    return int(given)


def run(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    description: str,
    workers: int | None = None,
) -> Iterator[Result]:
    """Results of `function` over `items` in their order, with a progress bar; a few are
    under way at a time.

    Raises WorkerKilledError when the system or somebody ends a worker.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    work = list(items)
    count = min(workers or worker_count(), max(1, len(work)))
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    others, ours = set(multiprocessing.active_children()), set[BaseProcess]()
    with (
        Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress,
        processes(count) as pool,
    ):
        task = progress.add_task(description, total=len(work))
        pending: dict[Future[Result], int] = {}
        done: dict[int, Result] = {}
        next_item = next_result = 0
        try:
            while next_result < len(work):
                # Bounded ahead of the consumer: results wait in memory only for the
                # slowest item before them.
                while next_item < len(work) and len(pending) + len(done) < 4 * count:
                    # The first call starts the workers.
                    with _sigint_held():
                        pending[pool.submit(function, work[next_item])] = next_item
                    ours |= {*multiprocessing.active_children()} - others
                    next_item += 1
                finished, _ = wait(pending, return_when=FIRST_COMPLETED)
                failed = [future for future in finished if future.exception() is not None]
                for future in finished.difference(failed):
                    done[pending.pop(future)] = future.result()
                    progress.advance(task)
                while next_result in done:
                    yield done.pop(next_result)
                    next_result += 1
                if failed:
                    failed[0].result()  # raises
        except BrokenProcessPool:
            _kill(ours)
            raise WorkerKilledError(
                f"{description}: a worker process was killed, most often for want of memory "
                "(SERFLOW_WORKERS=1 runs one at a time): what was finished is kept, the same "
                "command goes on from there"
            ) from None
        except Exception:
            # What has not begun would only delay the message.
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            _kill(ours | {*multiprocessing.active_children()} - others)
            raise


@contextmanager
def _sigint_held() -> Iterator[None]:
    """Workers begun in here never see Ctrl-C, not even while they import: their parent
    sees it, and ends them.
    """
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


def _begin() -> None:
    """Puts a worker into a process group of its own, with the programs that it will
    call, and ends both when its parent is killed: it would wait for work for ever.
    """
    os.setpgid(0, 0)
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


def _kill(workers: Iterable[BaseProcess]) -> None:
    for worker in workers:
        worker.kill()
        # It has no group while it is still importing.
        if worker.pid is not None:
            with suppress(ProcessLookupError):
                os.killpg(worker.pid, signal.SIGKILL)
