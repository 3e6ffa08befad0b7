"""What this machine has for the pipeline, and the command that brings what it lacks."""

import importlib.metadata
import json
import platform
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pipeline import executor, lookup
from pipeline import params as parameters
from pipeline.commands import _sharing as sharing
from pipeline.commands import build
from pipeline.corpora import Corpus
from pipeline.lookup import ConfigurationError
from pipeline.params import Params

MFA = "conda create -n aligner -c conda-forge montreal-forced-aligner"


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report; `remedy` is a command, empty where nothing is to
    be done.
    """

    subject: str
    state: Literal["ok", "absent", "missing"]
    detail: str
    remedy: str = ""


def examine(params_file: Path, engine: str = "") -> Iterator[Finding]:
    """Looks at versions, devices, optional tools, params.yaml and its corpora, and the
    workers of a Dask scheduler; 'missing' means something needed is.
    """
    yield Finding("python", "ok", platform.python_version())
    for name, extra in packages().items():
        if extra is None:
            yield _package(name, "missing", "make demo")
        elif extra != "dev":
            yield _package(name, "absent", f"pip install 'serflow[{extra}]'")
    yield _devices()
    if place := shutil.which("mfa"):
        yield Finding("mfa", "ok", place)
    else:
        yield Finding("mfa", "absent", "only needed for the alignment `mfa`", MFA)
    locks = params_file.parent / ".dvc" / "tmp" / "rwlock"
    if locks.is_file() and not locks.stat().st_size:
        said = "a kill left DVC's file of locks empty, and DVC refuses every command"
        yield Finding(str(locks), "missing", said, f"rm {locks}")
    try:
        params = parameters.load(params_file)
    except ConfigurationError as error:
        yield Finding("params.yaml", "missing", str(error), "mend that line")
        return
    named = {"dask": {"scheduler": engine}} if engine else params.document.get("engine") or {}
    for name, values in named.items():
        yield from _workers(name, values)
    yield Finding("params.yaml", "ok", f"{len(params.experiments)} experiments")
    yield _lock(params_file.parent)
    for name, corpus in params.corpora.items():
        yield _corpus(name, corpus)
    yield from _shares(params, params_file.parent)


def _workers(name: str, values: Any) -> Iterator[Finding]:
    where = f"engine {name}"
    try:
        for worker in executor.workers(name, values):
            versions = f"Python {worker.environment.get('python')}, {worker.devices}"
            state: Literal["ok", "missing"] = "missing" if worker.faults else "ok"
            yield Finding(worker.address, state, "; ".join(worker.faults) or versions)
    except ConfigurationError as error:
        yield Finding(where, "missing", str(error), "docs/CLUSTER.md says how to start a cluster")


def show(findings: Sequence[Finding], as_json: bool) -> bool:
    """Prints the findings; whether nothing that is needed is missing."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    sound = all(item.state != "missing" for item in findings)
    if as_json:
        document = {
            "environment": lookup.environment(),
            "findings": [asdict(item) for item in findings],
        }
        print(json.dumps(document, indent=1, ensure_ascii=False))
        return sound
    table = Table("", "state", "found", "to get it")
    colours = {"ok": "green", "absent": "yellow", "missing": "red"}
    for item in findings:
        state = f"[{colours[item.state]}]{item.state}[/]"
        table.add_row(item.subject, state, escape(item.detail), escape(item.remedy))
    Console().print(table)
    return sound


def packages() -> dict[str, str | None]:
    """The packages that the project declares, with the extra that each belongs to."""
    found: dict[str, str | None] = {}
    for line in importlib.metadata.requires("serflow") or ():
        name = re.split(r"[^\w.-]", line, maxsplit=1)[0]
        extra = re.search(r"extra == ['\"](\w+)['\"]", line)
        if name != "serflow":
            found.setdefault(name, extra[1] if extra else None)
    return found


def _package(name: str, otherwise: Literal["absent", "missing"], command: str) -> Finding:
    try:
        return Finding(name, "ok", importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, otherwise, "not installed", command)


def _devices() -> Finding:
    import torch

    cores = executor.worker_count()
    if torch.cuda.is_available():
        return Finding("devices", "ok", f"{cores} cores, {torch.cuda.get_device_name()}")
    return Finding("devices", "ok", f"{cores} cores, no CUDA device: training runs on the CPU")


def _lock(root: Path) -> Finding:
    """What a clone has of a build depends on it."""
    if (root / "dvc.lock").is_file():
        return Finding("dvc.lock", "ok", "what was built, and of what")
    said = "no build stands in git: `dvc pull` has nothing to bring, and nothing to compare with"
    return Finding("dvc.lock", "absent", said, "dvc repro")


def _corpus(name: str, corpus: Corpus) -> Finding:
    for setting, place in corpus.places.items():
        if not Path(place).exists():
            remedy = f"set corpora.{name}.{setting} in params.yaml to its folder"
            made = name in ("demo", "demo_zh")
            return Finding(
                f"corpus {name}",
                "missing",
                f"{place} does not exist",
                "dvc repro" if made else remedy,
            )
    return Finding(f"corpus {name}", "ok", corpus.root)


def _shares(params: Params, root: Path) -> Iterator[Finding]:
    try:
        found = list(sharing.shares(params, root))
    except ConfigurationError as error:
        yield Finding("dvc push", "missing", str(error), "dvc status")
        return
    for share in found:
        yield _share(share)


def _share(share: sharing.Share) -> Finding:
    subject = f"dvc push: {share.corpus}"
    what = f"{share.files} files, {share.size / 1e6:.1f} MB"
    terms = f"; licence: {share.licence}" if share.licence else ""
    if share.restricted and share.remote != build.PRIVATE:
        detail = f"{what} are restricted and would go to {share.remote}{terms}"
        remedy = f"dvc remove {share.declared}" if share.declared else "serflow sync"
        return Finding(subject, "missing", detail, remedy)
    kind = "private, " if share.restricted else ""
    if share.address is not None:
        detail = f"{what} to {share.remote} ({kind}{share.address}){terms}"
        if share.verified:
            return Finding(subject, "ok", detail)
        detail += "; what it sends back is not checked"
        return Finding(subject, "absent", detail, f"dvc remote modify {share.remote} verify true")
    if share.restricted:
        detail = f"{what} stay here, for they are restricted{terms}"
        return Finding(subject, "absent", detail, f"dvc remote add {build.PRIVATE} URL")
    detail = f"{what} stay here, for there is no remote{terms}"
    return Finding(subject, "absent", detail, "dvc remote add --default team URL")
