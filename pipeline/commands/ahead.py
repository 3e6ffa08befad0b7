"""`serflow ahead`: the stages of dvc.yaml, many at a time.

DVC runs one stage after the other, and a stage that cannot be divided leaves cores
idle. Here each stage begins when its inputs are there, the work of all of them shares
the cores or the cluster, and what is finished is recorded as `dvc repro` records it:
that has nothing left to do then.
"""

import importlib
import logging
import os
import shlex
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from contextvars import copy_context
from pathlib import Path
from typing import Any

import typer

from pipeline import executor, lookup
from pipeline.lookup import ConfigurationError, StorageError, WorkerKilledError

# What stops a stage and those that need it; another error is a fault of the code.
EXPECTED = (ConfigurationError, StorageError, WorkerKilledError, FloatingPointError, OSError)


def work(targets: Sequence[str], engines: dict[str, Any]) -> list[str]:
    """Brings `targets` (`evaluate@NAME` …; none: all of dvc.yaml) and what they need up
    to date; returns the names of the stages that had to be run.

    A stage that fails stops those that need it and no others; ConfigurationError says
    at the end which, and why.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    executor.choose(engines)
    executor.prepare("pipeline.cli", "pipeline.training.fold", "pipeline.acoustic:fbank")
    logging.getLogger("dvc").setLevel(logging.WARNING)  # it tells of every line it writes
    try:
        with Repo() as repo:
            _require_own(Path(repo.root_dir))
            return _work(repo, targets)
    except DvcException as error:
        raise ConfigurationError(f"DVC: {' '.join(str(error).split())}") from None


def _require_own(root: Path) -> None:
    if root.resolve() != lookup.ROOT.parent:
        raise ConfigurationError(
            f"this serflow computes with the code in {lookup.ROOT.parent}, DVC here would with "
            f"that in {root}: install it, `pip install -e {root}`"
        )
    if root.resolve() != Path.cwd().resolve():
        raise ConfigurationError(f"run the command in {root}, where dvc.yaml lies")


def _work(repo: Any, targets: Sequence[str]) -> list[str]:
    with repo.lock:
        needs = _needs(repo, targets)
    waiting, unfinished = list(needs), set(needs)
    running: dict[Future[None], tuple[Any, ExitStack]] = {}
    failed: dict[Any, BaseException | None] = {}
    done: list[str] = []
    with ThreadPoolExecutor(max(1, len(needs))) as threads, executor.together():
        while unfinished:
            for stage in [item for item in waiting if not needs[item] & unfinished]:
                waiting.remove(stage)
                locks = ExitStack()
                if needs[stage] & failed.keys():
                    failed[stage] = None
                elif _is_to_run(repo, stage, locks):
                    future = threads.submit(copy_context().run, _run, stage)
                    running[future] = stage, locks
                    continue
                unfinished.remove(stage)
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                stage, locks = running.pop(future)
                unfinished.remove(stage)
                error = future.exception()
                with repo.lock:
                    locks.close()
                    if error is None:
                        _record(stage)
                if error is None:
                    done.append(stage.addressing)
                elif isinstance(error, EXPECTED):
                    failed[stage] = error
                else:
                    raise error
    if failed:
        raise ConfigurationError(_account(failed))
    return done


def _needs(repo: Any, targets: Sequence[str]) -> dict[Any, set[Any]]:
    """The stages behind the targets, each with those that make its inputs."""
    graph = repo.index.graph
    wanted: set[Any] = set()
    pending = [stage for name in targets for stage in repo.stage.collect(name)]
    for stage in pending or list(repo.index.stages):
        beyond = [stage]
        while beyond:
            found = beyond.pop()
            if found not in wanted:
                wanted.add(found)
                beyond += graph.successors(found)
    # In the order of dvc.yaml, so that two runs begin alike.
    return {stage: set(graph.successors(stage)) for stage in repo.index.stages if stage in wanted}


def _is_to_run(repo: Any, stage: Any, locks: ExitStack) -> bool:
    """Whether the stage's command is to be run: its inputs or outputs changed, and DVC
    has not seen it run on the same inputs before.

    What the command writes is removed and locked.
    """
    from dvc.rwlock import rwlock
    from dvc.stage.cache import RunCacheNotFoundError

    with repo.lock:
        if stage.cmd is None or stage.frozen:
            if stage.reproduce() is not None:
                stage.dump(update_pipeline=False)
            return False
        if not stage.changed():
            return False
        stage.remove_outs(ignore_remove=False, force=False)
        try:
            repo.stage_cache.restore(stage)
        except RunCacheNotFoundError:
            stage.save_deps()
        else:
            _record(stage)
            return False
        # Another `dvc repro` would write the same files.
        reads, writes = ([item.fs_path for item in items] for items in (stage.deps, stage.outs))
        hard = repo.config["core"].get("hardlink_lock", False)
        command = f"serflow ahead ({stage.addressing})"
        locks.enter_context(rwlock(repo.tmp_dir, repo.fs, command, reads, writes, hard))
    return True


def _record(stage: Any) -> None:
    """What DVC does when a stage's command has ended well."""
    kept = all(out.use_cache or out.is_metric or out.is_plot for out in stage.outs)
    stage.save(run_cache=kept)
    stage.commit()
    stage.dump(update_pipeline=False)


def _run(stage: Any) -> None:
    """Runs a stage's command, those of stages/ without a new interpreter."""
    from dvc.stage.run import cmd_run

    lines = stage.cmd if isinstance(stage.cmd, list) else stage.cmd.splitlines()
    commands = [shlex.split(line) for line in lines]
    if any(words[:2] != ["python", "-m"] for words in commands) or stage.wdir != str(Path.cwd()):
        cmd_run(stage)
        return
    for words in commands:
        module = importlib.import_module(words[2])
        if hasattr(module, "executor"):
            # It hands its work to the common engine itself.
            _main(words[2:])
        else:
            list(executor.run(_main, [words[2:]], stage.addressing))


def _main(words: Sequence[str]) -> None:
    name, *given = words
    app = typer.Typer()
    app.command()(importlib.import_module(name).main)
    typer.main.get_command(app)(given, standalone_mode=False)


def _account(failed: dict[Any, BaseException | None]) -> str:
    reasons = [f"{stage.addressing}: {_reason(error)}" for stage, error in failed.items() if error]
    left = [stage.addressing for stage, error in failed.items() if error is None]
    return "; ".join([*reasons, *_left_out(left)])


def _left_out(names: Iterable[str]) -> list[str]:
    listed = ", ".join(names)
    return [f"left out, as they need what failed: {listed}"] if listed else []


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    return str(error)
