"""The engine dask: the workers of a Dask scheduler.

They work in the folder of the project, which they have to see, and compute the bytes
that this machine would: with the same code and versions, in one thread.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field

from pipeline import lookup
from pipeline.executor._engine import KEPT, Engine
from pipeline.executor.local import CUBLAS, SEED, THREADS
from pipeline.lookup import ConfigurationError, checked

Result = TypeVar("Result")
COMPONENTS = ("acoustic", "alignment", "corpora", "networks", "text")
LOOK = 5.0  # s between two questions to the scheduler
ANSWER = 10.0  # s until it has to answer the first one
ANSWERS = 60.0  # s until all workers have to, each of which reads the project's code
START = (
    "start it with `env "
    + " ".join(f"{name}={value}" for name, value in (THREADS | SEED).items())
    + " dask worker ADDRESS --nthreads 1`"
)


@checked
class Config:
    """The workers of a Dask scheduler.

    scheduler: its address, such as tcp://host:8786. patience: seconds without a worker
    after which a run ends.
    """

    scheduler: str = Field(pattern=r"^(tcp|tls|ucx|ws|wss)://[\w.\[\]:-]+$")
    patience: float = Field(default=120.0, gt=0)


@dataclass(frozen=True)
class Worker:
    """A worker of a cluster: its address, versions and devices, and why it cannot be
    used.
    """

    address: str
    environment: dict[str, str]
    devices: str
    faults: tuple[str, ...]


@contextmanager
def opened(config: Config) -> Iterator[Engine]:
    """The workers that the scheduler has at any time, all of which have passed
    `inspect`; those that come later are looked at before their first call.
    """
    with connected(config) as client:
        faults = [line for worker in inspect(client) for line in worker.faults]
        if faults:
            raise ConfigurationError("; ".join(faults))
        from distributed import CancelledError, KilledWorker
        from distributed.comm.core import CommClosedError

        gone = f"the scheduler {config.scheduler} is gone: {KEPT}"
        broken = {
            KilledWorker: "one piece of work ended several workers, most often for want of "
            f"memory: {KEPT}",
            CancelledError: gone,
            CommClosedError: gone,
        }
        crowd = _Crowd(client, config.patience)
        pool = client.get_executor(pure=False)
        try:
            yield Engine(InFolder(pool), crowd.count, broken, crowd.lost)
        finally:
            # What nobody waits for any more is not begun.
            pool.shutdown(wait=False)


@contextmanager
def connected(config: Config) -> Iterator[Any]:
    """A client of the scheduler; ConfigurationError where there is none, or no
    worker.
    """
    try:
        import distributed
    except ImportError:
        raise ConfigurationError(
            "the engine dask needs the package distributed: pip install 'serflow[dask]'"
        ) from None
    try:
        client: Any = distributed.Client(  # type: ignore[no-untyped-call]
            config.scheduler, timeout=ANSWER, set_as_default=False
        )
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ConfigurationError(
            f"no Dask scheduler answers at {config.scheduler} ({reason})"
        ) from None
    with client:
        try:
            # An adaptive cluster starts workers for work, of which it has none yet.
            if not client.nthreads():
                client.wait_for_workers(1, timeout=config.patience)
        except TimeoutError:
            raise ConfigurationError(
                f"the scheduler at {config.scheduler} has no worker after {config.patience:g} s: "
                + START.replace("ADDRESS", config.scheduler)
            ) from None
        yield client


def inspect(client: Any, devices: bool = False) -> list[Worker]:
    """The workers of a scheduler, by address; their `devices` take seconds to find."""
    threads = client.nthreads()
    with tempfile.NamedTemporaryFile(prefix=".serflow-seen-", dir=Path.cwd()) as mark:
        asked = partial(_answer, Path(mark.name), devices)

        async def ask() -> Any:
            return await client.run(asked, on_error="return")

        try:
            answers = client.sync(ask, callback_timeout=ANSWERS)
        except TimeoutError:
            raise ConfigurationError(
                f"not all of {', '.join(sorted(threads))} have answered in {ANSWERS:g} s: end "
                "those that hang"
            ) from None
    return [
        _judged(address, answer, threads.get(address, 1))
        for address, answer in sorted(answers.items())
        # One that left meanwhile is no worker any more.
        if not isinstance(answer, OSError)
    ]


def _judged(address: str, answer: Any, threads: int) -> Worker:
    if isinstance(answer, ImportError):
        missing = f"worker {address} has no serflow ({answer}): install this version there"
        return Worker(address, {}, "", (missing,))
    if isinstance(answer, Exception):
        raise answer
    faults = []
    if threads != 1:
        faults.append(f"worker {address} has {threads} threads: {START}")
    if not answer["sees"]:
        faults.append(f"worker {address} does not see {Path.cwd()}: work needs a shared folder")
    faults += [f"worker {address} {line}" for line in _differences(answer["identity"])]
    return Worker(address, answer["identity"], answer["devices"], tuple(faults))


def _answer(mark: Path, devices: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"identity": _identity(), "sees": mark.is_file(), "devices": ""}
    if devices:
        import torch

        names = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
        found["devices"] = ", ".join(names) or "CPU"
    return found


@cache
def _identity() -> dict[str, str]:
    """What the bytes of results follow from, as it was when this process first worked:
    a worker keeps the code that it has imported.
    """
    modules = (f"pipeline.{kind}.{name}" for kind in COMPONENTS for name in lookup.names(kind))
    told = {name: os.environ.get(name, "unset") for name in THREADS | SEED}
    return {
        "code": lookup.fingerprint("pipeline.training.fold", *modules),
        **told,
        **lookup.environment(),
    }


def _differences(theirs: dict[str, str]) -> list[str]:
    """Why a worker with another identity than ours cannot be used."""
    ours, lines = _identity() | THREADS | SEED, []
    # Other vector instructions give other last bits: the results name theirs.
    for name in sorted({*ours, *theirs} - {"processor"}):
        here, there = ours.get(name, "missing"), theirs.get(name, "missing")
        if here == there:
            continue
        if name == "code":
            lines.append("has another serflow: install this version there, start the worker again")
        elif name in THREADS | SEED:
            lines.append(f"has {name} {there}, expected {here}: {START}")
        else:
            versions = "install the versions of constraints.txt on both"
            lines.append(f"has {name} {there}, here it is {here}: {versions}")
    return lines


class InFolder(Executor):
    """Another executor, whose workers are those of our code and work in our folder."""

    def __init__(self, executor: Executor) -> None:
        self._executor, self._folder = executor, str(Path.cwd())
        self._identity = _identity() | THREADS | SEED

    def submit(self, function: Any, /, *given: Any, **named: Any) -> Future[Any]:
        call = partial(_call, self._folder, self._identity, function)
        return self._executor.submit(call, *given, **named)


def _call(
    folder: str,
    identity: dict[str, str],
    function: Callable[..., Result],
    *given: Any,
    **named: Any,
) -> Result:
    os.chdir(folder)
    os.environ.update(CUBLAS)
    own = _identity()
    different = sorted(
        name for name in {*own, *identity} - {"processor"} if own.get(name) != identity.get(name)
    )
    if different:
        raise ConfigurationError(
            f"a worker came that has another {', '.join(different)}: `serflow doctor --engine` "
            "says what each worker has"
        )
    return function(*given, **named)


class _Crowd:
    """How many workers there are, asked every `LOOK` seconds."""

    def __init__(self, client: Any, patience: float) -> None:
        self._client, self._patience = client, patience
        self._threads, self._asked = 1, float("-inf")
        self._last_seen = time.monotonic()

    def count(self) -> int:
        """Calls that all workers together can do at once, at least one."""
        now = time.monotonic()
        if now - self._asked > LOOK and self._client.status == "running":
            self._threads, self._asked = sum(self._client.nthreads().values()), now
            if self._threads:
                self._last_seen = now
        return max(1, self._threads)

    def lost(self) -> bool:
        """Whether there has been no worker for too long."""
        self.count()
        return time.monotonic() - self._last_seen > self._patience
