"""Components by name: module = params key = stage item = folder name."""

import ast
import hashlib
import importlib
import io
import json
import pkgutil
import platform
import re
import tokenize
from collections.abc import Callable, Mapping
from dataclasses import field
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar, dataclass_transform

from pydantic import AfterValidator, ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass

ROOT = Path(__file__).resolve().parent
# No point: DVC takes it in a parameter's name for a step into a section.
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,99}")
# What the numbers of features, vectors, word times and networks are computed with.
COMPUTING = (
    "ctc-segmentation",
    "gensim",
    "jieba",
    "librosa",
    "numba",
    "numpy",
    "opensmile",
    "pocketsphinx",
    "scipy",
    "soundfile",
    "soxr",
    "torch",
    "transformers",
)
LONGEST_VALUE = 80  # characters of a wrong value that a message shows
Section = TypeVar("Section")


class ConfigurationError(ValueError):
    """A mistake in params.yaml or on the command line; the message fits one line and
    says what was expected.
    """


class WorkerKilledError(RuntimeError):
    """A worker process was killed before it had a result; the message fits one line."""


class StorageError(RuntimeError):
    """A file cannot be written, as the disk is full or the folder read-only, or a store
    cannot be read; the message fits one line and names the file.
    """


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field, Field))
def checked(section: type[Section]) -> type[Section]:
    """Makes a frozen dataclass whose fields pydantic checks; a key that it does not
    have is refused, and so are infinite numbers and NaN.
    """
    rules = ConfigDict(extra="forbid", allow_inf_nan=False)
    make: Any = dataclass(frozen=True, kw_only=True, config=rules)
    return make(section)  # type: ignore[no-any-return]


def seconds(most: float) -> AfterValidator:
    """Refuses more than `most` seconds: milliseconds were meant."""

    def check(value: float) -> float:
        if value > most:
            raise ValueError(
                f"expected seconds, at most {most:g}: {value:g} milliseconds are {value / 1000:g}"
            )
        return value

    return AfterValidator(check)


def shown(value: Any) -> str:
    """A wrong value as a message shows it, cut where it is long."""
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]} …"


def names(kind: str) -> list[str]:
    """The components of a kind ('corpora', 'acoustic', 'text' …), sorted."""
    found = pkgutil.iter_modules([str(ROOT / kind)])
    return sorted(module.name for module in found if not module.name.startswith("_"))


@cache
def component(kind: str, name: str) -> ModuleType:
    """The module behind a params key; `fbank-tsin` is a variant of `fbank`: the part
    before the first hyphen counts.
    """
    module = name.split("-", 1)[0]
    if module not in names(kind):
        raise ConfigurationError(
            f"unknown {kind} component {name!r}, expected one of {names(kind)}"
        )
    return importlib.import_module(f"pipeline.{kind}.{module}")


def systems() -> dict[str, Any]:
    """Every system of networks/ (`pipeline.networks.System`), by name."""
    found: dict[str, Any] = {}
    for name in names("networks"):
        module = component("networks", name)
        for system in module.__all__:
            if system in found:
                raise ConfigurationError(
                    f"system {system!r} stands in two modules of networks/: rename one"
                )
            found[system] = getattr(module, system)
    return found


def system(name: str) -> Any:
    """A system by name, e.g. 'FG_CME'."""
    found = systems()
    if name not in found:
        raise ConfigurationError(f"unknown network {name!r}, expected one of {sorted(found)}")
    return found[name]


def check_name(name: str, where: str) -> str:
    """The name if it is a plain word; names become folders and parts of commands."""
    if not NAME.fullmatch(name):
        raise ConfigurationError(
            f"{where}: {shown(name)} is no name, use letters, digits, '_' and '-', at most 100"
        )
    return name


def room(name: str) -> Any:
    """A room, for what asks it without depending on its files."""
    return importlib.import_module(f"pipeline.{name}")


def settings(owner: str, name: str, values: Any) -> Any:
    """An entry of the section of params.yaml that a room owns, checked by the room."""
    return room(owner).settings(name, values)


def configure(config: Callable[..., Any], values: Mapping[str, Any] | None, where: str) -> Any:
    """Builds a frozen pydantic dataclass from a params section; one line per mistake,
    with what was expected.
    """
    if values is not None and not isinstance(values, Mapping):
        raise ConfigurationError(
            f"{where}: {shown(values)} is not a section, expected `key: value` lines"
        )
    given = dict(values or {})
    fields = sorted(getattr(config, "__dataclass_fields__", {}))
    unknown = sorted(str(key) for key in given if key not in fields)
    if unknown:
        raise ConfigurationError(
            f"{where}: unknown key {', '.join(unknown)}, expected one of {fields}"
        )
    try:
        return config(**given)
    except ValidationError as error:
        mistakes = "; ".join(
            f"{name} is missing"
            if item["type"] == "missing"
            else f"{name} = {shown(item['input'])}: {item['msg'].removeprefix('Value error, ')}"
            if name
            else item["msg"].removeprefix("Value error, ")
            for item in error.errors()
            for name in [".".join(map(str, item["loc"]))]
        )
        raise ConfigurationError(f"{where}: {mistakes}") from None


def component_config(kind: str, name: str, values: Mapping[str, Any] | None) -> Any:
    """The Config of an acoustic or text component from its params section."""
    return configure(component(kind, name).Config, values, f"{kind}.{name}")


@cache
def reachable(module: str) -> frozenset[Path]:
    """Source files of this project that importing `module` reaches, itself included.

    A package's `__init__` counts where a name is imported from it, not where it only
    holds the module: what it exports for other rooms changes nothing in its modules.
    """
    pending, found = [module], set()
    while pending:
        name = pending.pop()
        path = _source(name)
        if path is None or path in found:
            continue
        found.add(path)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                pending += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                inner = [f"{node.module}.{alias.name}" for alias in node.names]
                pending += [item if _source(item) else node.module for item in inner]
    return frozenset(found)


def key_of(*parts: object) -> str:
    """Hash of everything that a result depends on: audio, words, settings, code."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]


def keys_with(*made_by: object) -> Callable[..., str]:
    """`key_of(*parts, *made_by)` as a function of the first parts, quick for many."""
    encode = json.JSONEncoder(sort_keys=True, default=str).encode
    rest = encode(made_by).removeprefix("[")

    def key(*parts: object) -> str:
        return hashlib.sha256(f"{encode(parts)[:-1]}, {rest}".encode()).hexdigest()[:32]

    return key


def fingerprint(*modules: str) -> str:
    """Hash of the code that the given modules can reach: results of changed code are
    never taken for current, and a changed comment or docstring makes none old.
    """
    digest = hashlib.sha256()
    for path in sorted(set().union(*(reachable(module) for module in modules))):
        digest.update(path.relative_to(ROOT.parent).as_posix().encode() + b"\0")
        digest.update(code(path.read_text(encoding="utf-8")).encode() + b"\0")
    return digest.hexdigest()


@cache
def environment() -> dict[str, str]:
    """The machine's kind and the versions of what computes here: where they are the
    same, results are the same bytes. No names of machines, no paths, no times.
    """
    from importlib import metadata

    found = {"python": platform.python_version(), "system": platform.system()}
    found["processor"] = f"{platform.machine()} {_vector_instructions()}".strip()
    for name in COMPUTING:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _vector_instructions() -> str:
    """The widest vector instructions of the processor, by which libraries choose their
    code; empty where the system does not tell.
    """
    path = Path("/proc/cpuinfo")
    flags = set(path.read_text(encoding="utf-8").split()) if path.is_file() else set()
    return next((name for name in ("avx512f", "avx2", "avx") if name in flags), "")


@cache
def code(source: str) -> str:
    """Python source without its comments, docstrings and empty lines.

    Taken from the text, as a dump of the syntax tree differs between versions of
    Python.
    """
    lines = io.StringIO(source).readlines()
    kept = dict(enumerate(lines, start=1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body and ast.get_docstring(node, clean=False) else None
            if first is None or first.end_lineno is None or first.end_col_offset is None:
                continue
            around = (
                lines[first.lineno - 1].encode()[: first.col_offset]
                + lines[first.end_lineno - 1].encode()[first.end_col_offset :].partition(b"#")[0]
            )
            # Code on the docstring's own lines stays, and the docstring with it.
            if not around.strip():
                for number in range(first.lineno, first.end_lineno + 1):
                    kept.pop(number, None)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        number, column = token.start
        before = lines[number - 1][:column].rstrip() if number in kept else ""
        if token.type == tokenize.COMMENT and before:
            kept[number] = before + "\n"
        elif token.type in (tokenize.COMMENT, tokenize.NL) and not before:
            kept.pop(number, None)
    return "".join(kept.values())


def _source(module: str) -> Path | None:
    if module.partition(".")[0] not in ("pipeline", "stages"):
        return None
    base = ROOT.parent.joinpath(*module.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None
