"""A Dask scheduler and two workers on this machine, as processes of their own."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pipeline import executor, shards
from pipeline.commands import doctor
from pipeline.executor import dask, local
from pipeline.lookup import ConfigurationError, WorkerKilledError
from pipeline.schema import Rejection
from pipeline.shards import Rows
from tests.resources import fabricated, small_corpus
from tests.resources.numbered_rows import ATTRIBUTES, names, small_shards, values

ROOT = Path(__file__).parents[3]
distributed = pytest.importorskip("distributed", reason="the engine dask needs distributed")
WORKER = ("worker", "--nthreads", "1", "--no-nanny", "--no-dashboard", "--death-timeout", "60")
PATIENCE = 60  # s for anything to happen on a busy machine


def wait_until(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline, "waited for a minute"
        time.sleep(0.05)


@dataclass
class Cluster:
    folder: Path
    processes: list[subprocess.Popen] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.start("scheduler", "--port", "0", "--no-dashboard", "--host", "127.0.0.1")
        wait_until(lambda: (self.folder / "scheduler.json").exists())
        self.address = str(json.loads((self.folder / "scheduler.json").read_text())["address"])

    def start(self, *command: str, source: Path = ROOT, **changed: str) -> subprocess.Popen:
        environment = {**os.environ, **local.THREADS, **local.SEED, "PYTHONPATH": str(source)}
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *command, "--scheduler-file", "scheduler.json"],
            cwd=self.folder,
            env=environment | changed,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.processes.append(process)
        return process

    def workers(self, count: int) -> None:
        """Waits until so many are there."""
        with distributed.Client(self.address, timeout=PATIENCE, set_as_default=False) as client:
            wait_until(lambda: len(client.nthreads()) == count)

    def end(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        for _ in range(2):
            made.start(*WORKER)
        made.workers(2)
        yield made
    finally:
        made.end()


@pytest.fixture
def there(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """A project's folder whose work goes to the cluster."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SERFLOW_ENGINE", cluster.address)
    return cluster


def slowly(wanted: Sequence[str]) -> Iterator[Rows | Rejection]:
    Path(f"works-{os.getpid()}").touch()
    for item in wanted:
        time.sleep(0.02)
        yield (
            Rejection(item, "acoustic", "audio silent", "")
            if item.endswith("7")
            else Rows(item, values(item))
        )


def build(folder: Path) -> None:
    keys = names(60)
    shards.build(folder, keys, list, slowly, ATTRIBUTES, "test")


def test_two_workers_make_the_bytes_of_this_machine_one_of_them_killed_on_the_way(
    there: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_shards(monkeypatch)

    def kill() -> None:
        wait_until(lambda: len(list(tmp_path.glob("works-*"))) == 2)
        os.kill(int(sorted(tmp_path.glob("works-*"))[0].name.split("-")[1]), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    # Relative, as the stages' folders are: the workers live elsewhere.
    build(Path("there"))
    killer.join()
    there.workers(1)
    there.start(*WORKER)
    there.workers(2)
    monkeypatch.setenv("SERFLOW_ENGINE", "local")
    fabricated.run_serially(monkeypatch)
    build(Path("here"))
    assert fabricated.files(tmp_path / "there") == fabricated.files(tmp_path / "here")


def test_extraction_alignment_embedding_and_training_give_the_bytes_of_this_machine(
    there: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params_file = small_corpus.write_params(tmp_path, small_corpus.write(tmp_path / "corpus"))
    small_corpus.build(tmp_path, params_file)
    folders = [tmp_path / name for name in ("data", "models")]
    made = [fabricated.files(folder) for folder in folders]
    for folder in (*folders, tmp_path / "scratch"):
        shutil.rmtree(folder)
    monkeypatch.setenv("SERFLOW_ENGINE", "local")
    fabricated.run_serially(monkeypatch)
    small_corpus.build(tmp_path, params_file)
    assert all(made) and made == [fabricated.files(folder) for folder in folders]


def test_failures_reach_the_caller(there: Cluster) -> None:
    with pytest.raises(ZeroDivisionError):
        list(executor.run(eval, ["1", "1 / 0"], "test"))


def test_a_worker_of_another_version_is_refused(there: Cluster, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "pipeline", tmp_path / "other" / "pipeline")
    with (tmp_path / "other/pipeline/audio.py").open("a") as file:
        file.write("\nOTHER = 1\n")
    other = there.start(*WORKER, source=tmp_path / "other", PYTHONHASHSEED="1")
    try:
        there.workers(3)
        with pytest.raises(ConfigurationError, match="has another serflow: install") as raised:
            list(executor.run(abs, [1], "test"))
        assert "has PYTHONHASHSEED 1, expected 0: start it with `env OMP" in str(raised.value)
        (tmp_path / "params.yaml").touch()
        found = list(doctor.examine(tmp_path / "params.yaml", there.address))
        refused = [item for item in found if "has another serflow" in item.detail]
        assert [item.state for item in refused] == ["missing"]
    finally:
        other.kill()
        other.wait()
        there.workers(2)
    found = list(doctor.examine(tmp_path / "params.yaml", there.address))
    workers = [item for item in found if item.subject.startswith("tcp://")]
    assert [item.state for item in workers] == ["ok", "ok"]
    assert all(item.detail.startswith("Python 3.") for item in workers)


def test_a_worker_of_another_version_that_comes_later_is_refused_at_its_first_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    theirs = dask._identity() | local.THREADS | local.SEED
    monkeypatch.setattr(dask, "_identity", lambda: theirs | {"code": "changed", "numpy": "9"})
    with pytest.raises(ConfigurationError, match="a worker came that has another code, numpy"):
        dask._call(str(tmp_path), theirs, abs, -1)
    monkeypatch.setattr(dask, "_identity", lambda: theirs | {"processor": "another"})
    assert dask._call(str(tmp_path), theirs, abs, -1) == 1


def test_a_worker_that_does_not_see_the_folder_is_refused(
    there: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # What is written here is nowhere else.
    monkeypatch.setattr(dask.Path, "cwd", lambda: tmp_path)
    monkeypatch.setattr(dask, "_answer", unseen)
    with pytest.raises(ConfigurationError, match=r"does not see .*: work needs a shared folder"):
        list(executor.run(abs, [1], "test"))


def unseen(mark: Path, devices: bool) -> dict:
    return ANSWER(mark.with_name("elsewhere"), devices)


ANSWER = dask._answer


def test_a_worker_without_serflow_or_with_threads_is_told_so_and_one_that_left_is_none() -> None:
    (fault,) = dask._judged("tcp://w", ModuleNotFoundError("No module named 'pipeline'"), 1).faults
    assert fault.startswith("worker tcp://w has no serflow (No module named 'pipeline')")
    answer = {"identity": dask._identity() | local.THREADS | local.SEED, "sees": True}
    (fault,) = dask._judged("tcp://w", answer | {"devices": ""}, 4).faults
    assert "has 4 threads: start it with" in fault

    class Client:
        def nthreads(self) -> dict:
            return {"tcp://w": 1}

        async def run(self, *_: object, **__: object) -> dict:
            return {"tcp://w": distributed.comm.CommClosedError("gone")}

        def sync(self, ask: Callable, callback_timeout: float) -> dict:
            return asyncio.run(ask())

    assert dask.inspect(Client()) == []


def test_a_worker_that_hangs_is_waited_for_a_while_only(
    there: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging = next(item for item in reversed(there.processes) if item.poll() is None)
    os.kill(hanging.pid, signal.SIGSTOP)
    try:
        monkeypatch.setattr(dask, "ANSWERS", 0.5)
        with pytest.raises(ConfigurationError, match=r"have answered in 0.5 s: end those that"):
            list(executor.run(abs, [1], "test"))
    finally:
        os.kill(hanging.pid, signal.SIGCONT)


def test_work_that_ends_every_worker_ends_with_one_line(
    there: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise distributed.KilledWorker("task", None, 3)

    monkeypatch.setattr(executor, "wait", fails)
    with pytest.raises(WorkerKilledError, match="test: one piece of work ended several workers"):
        list(executor.run(abs, [1], "test"))


def test_lost_workers_and_a_lost_scheduler_end_a_run_with_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(executor, "LOOK", 0.2)
    monkeypatch.setattr(dask, "LOOK", 0.1)
    made = Cluster(tmp_path)
    try:
        monkeypatch.setenv("SERFLOW_ENGINE", made.address)
        monkeypatch.setenv("SERFLOW_PATIENCE", "0.5")
        with pytest.raises(ConfigurationError, match=r"has no worker after 0.5 s: start it with"):
            list(executor.run(abs, [1], "test"))
        worker = made.start(*WORKER)
        made.workers(1)
        results = executor.run(time.sleep, [0, 600], "test")
        next(results)
        worker.kill()
        with pytest.raises(WorkerKilledError, match="there has been no worker for too long"):
            next(results)
        made.start(*WORKER)
        made.workers(1)
        monkeypatch.setenv("SERFLOW_PATIENCE", "60")
        results = executor.run(time.sleep, [0, 600], "test")
        next(results)
        made.processes[0].kill()
        with pytest.raises(WorkerKilledError, match=r"the scheduler tcp://.* is gone"):
            next(results)
    finally:
        made.end()


def test_no_scheduler_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask, "ANSWER", 0.5)
    monkeypatch.setenv("SERFLOW_ENGINE", "tcp://127.0.0.1:9")
    with pytest.raises(ConfigurationError, match=r"no Dask scheduler answers at tcp://127.0.0.1:9"):
        list(executor.run(abs, [1], "test"))
    monkeypatch.setenv("SERFLOW_ENGINE", "nowhere")
    with pytest.raises(ConfigurationError, match="SERFLOW_ENGINE: scheduler = 'nowhere'"):
        list(executor.run(abs, [1], "test"))
