"""Work on all cores or on a cluster: the same calls, the same bytes.

A module of this room is an engine, by the name that users write under `engine` in
params.yaml. Work units carry paths and ids, so workers elsewhere need the same folder
at the same place.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any, TypeVar

from pipeline import lookup
from pipeline.executor import dask, local
from pipeline.executor._engine import KEPT, Engine
from pipeline.executor._origin import spare_pandas
from pipeline.lookup import ConfigurationError, WorkerKilledError

__all__ = [
    "capacity",
    "choose",
    "prepare",
    "run",
    "settings",
    "spare_pandas",
    "together",
    "worker_count",
    "workers",
]
Item = TypeVar("Item")
Result = TypeVar("Result")

# The display and the engine of `together`.
_COMMON: ContextVar[tuple[Any, Engine] | None] = ContextVar("_COMMON", default=None)
LOCAL = "local"
LOOK = 5.0  # s between two looks at an engine that gives no result
_LOADS: list[str] = []  # what the workers of this process need most


def settings(name: str, values: Any) -> Any:
    """The checked entry `name` of the section `engine` of params.yaml."""
    config = lookup.component("executor", name).Config
    return lookup.configure(config, values, f"engine.{name}")


def choose(engines: Mapping[str, Any]) -> None:
    """Makes every later `run` of this process use the engine of these checked settings,
    unless the environment names another: SERFLOW_ENGINE, `local` or a scheduler's
    address.
    """
    if len(engines) > 1:
        raise ConfigurationError(f"engine names {sorted(engines)}, expected one of them")
    for engine in engines.values():
        if isinstance(engine, dask.Config):
            os.environ.setdefault("SERFLOW_ENGINE", engine.scheduler)
            os.environ.setdefault("SERFLOW_PATIENCE", str(engine.patience))


def workers(name: str, values: Any) -> list[dask.Worker]:
    """The workers of an engine of params.yaml, and why any of them cannot be used; none
    for this machine's processes.
    """
    config = settings(name, values)
    if not isinstance(config, dask.Config):
        return []
    with dask.connected(config) as client:
        return dask.inspect(client, devices=True)


def prepare(*loads: str, now: bool = False) -> None:
    """Says what the workers of later `run` need: modules, or `module:name`, of which
    `module.ready(name)` is called. This machine's processes load it once for all.

    `now`: there is work for certain, so that loading begins before it is handed out.
    """
    _LOADS[:] = loads
    if now and _address() == LOCAL:
        local.prepare(loads)


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


def capacity() -> int:
    """Calls that the engine of `together` works on at once; `worker_count` outside of
    it.
    """
    common = _COMMON.get()
    return common[1].count() if common else worker_count()


def run(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    description: str,
    workers: int | None = None,
) -> Iterator[Result]:
    """Results of `function` over `items` in their order, with a progress bar; a few are
    under way at a time.

    Raises WorkerKilledError when the system or somebody ends a worker and no other one
    does its work.
    """
    work, common = list(items), _COMMON.get()
    count = min(workers or worker_count(), max(1, len(work)))
    with (
        nullcontext(common[0]) if common else _display() as display,
        nullcontext(common[1]) if common else _opened(count) as engine,
    ):
        task = display.add_task(description, total=len(work))
        try:
            yield from _results(engine, function, work, lambda: display.advance(task))
        except tuple(engine.broken) as error:
            reason = next(line for kind, line in engine.broken.items() if isinstance(error, kind))
            raise WorkerKilledError(f"{description}: {reason}") from None
        finally:
            if common:
                display.remove_task(task)


@contextmanager
def together() -> Iterator[None]:
    """Every `run` in here, of any thread that has this context, works on one engine and
    shows its progress in one display: those of the outermost `together`.
    """
    if _COMMON.get():
        yield
        return
    with _display() as display, _opened(worker_count()) as engine:
        token = _COMMON.set((display, engine))
        try:
            yield
        finally:
            _COMMON.reset(token)


def _results(
    engine: Engine,
    function: Callable[[Item], Result],
    work: list[Item],
    advance: Callable[[], None],
) -> Iterator[Result]:
    pending: dict[Future[Result], int] = {}
    try:
        yield from _in_order(engine, function, work, advance, pending)
    except Exception as error:
        # What has not begun would only delay the message of what failed. A broken
        # engine fails it itself, and its thread trips over what is cancelled.
        if not isinstance(error, tuple(engine.broken)):
            for future in pending:
                future.cancel()
        raise


def _in_order(
    engine: Engine,
    function: Callable[[Item], Result],
    work: list[Item],
    advance: Callable[[], None],
    pending: dict[Future[Result], int],
) -> Iterator[Result]:
    done: dict[int, Result] = {}
    next_item = next_result = 0
    while next_result < len(work):
        # Bounded ahead of the consumer: results wait in memory only for the slowest
        # item before them.
        while next_item < len(work) and len(pending) + len(done) < 4 * engine.count():
            pending[engine.executor.submit(function, work[next_item])] = next_item
            next_item += 1
        finished, _ = wait(pending, LOOK, return_when=FIRST_COMPLETED)
        if not finished and engine.lost():
            raise WorkerKilledError(f"there has been no worker for too long: {KEPT}")
        failed = [future for future in finished if future.exception() is not None]
        for future in finished.difference(failed):
            done[pending.pop(future)] = future.result()
            advance()
        while next_result in done:
            yield done.pop(next_result)
            next_result += 1
        if failed:
            failed[0].result()  # raises


def _display() -> Any:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


def _opened(workers: int) -> AbstractContextManager[Engine]:
    address = _address()
    if address == LOCAL:
        return local.opened(workers, _LOADS)
    given = {"scheduler": address, "patience": float(os.environ.get("SERFLOW_PATIENCE", "120"))}
    config: dask.Config = lookup.configure(dask.Config, given, "SERFLOW_ENGINE")
    return dask.opened(config)


def _address() -> str:
    return os.environ.get("SERFLOW_ENGINE", LOCAL)
