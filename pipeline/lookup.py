"""Components by name: module = params key = stage item = folder name."""

from __future__ import annotations

import ast
import hashlib
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parent


class ConfigurationError(ValueError):
    """A mistake in params.yaml or on the command line; the message fits one line and says what was expected."""


def names(kind: str) -> list[str]:
    """The components of a kind ('corpora', 'acoustic', 'alignment', 'text', 'networks'), sorted."""
    return sorted(module.name for module in pkgutil.iter_modules([str(ROOT / kind)]))


def component(kind: str, name: str) -> ModuleType:
    """The module behind a params key; `fbank-tsin` is a variant of `fbank`: the part before the first hyphen counts."""
    module = name.split("-", 1)[0]
    if module not in names(kind):
        raise ConfigurationError(f"unknown {kind} component {name!r}, expected one of {names(kind)}")
    return importlib.import_module(f"pipeline.{kind}.{module}")


def rows() -> dict[str, Callable[..., Any]]:
    """Every network row of every paper, by name."""
    found: dict[str, Callable[..., Any]] = {}
    for name in names("networks"):
        module = component("networks", name)
        for row in module.__all__:
            if row in found:
                raise ConfigurationError(f"network row {row!r} stands in two modules, expected distinct names")
            found[row] = getattr(module, row)
    return found


def row(name: str) -> Callable[..., Any]:
    """A network row by name, e.g. 'FG_CME'."""
    found = rows()
    if name not in found:
        raise ConfigurationError(f"unknown network row {name!r}, expected one of {sorted(found)}")
    return found[name]


def configure(config: Callable[..., Any], values: Mapping[str, Any] | None, where: str) -> Any:
    """Builds a frozen pydantic dataclass from a params section; one line per mistake, with what was expected."""
    from pydantic import ValidationError

    if values is not None and not isinstance(values, Mapping):
        raise ConfigurationError(f"{where}: {values!r} is not a section, expected `key: value` lines")
    given = dict(values or {})
    fields = sorted(getattr(config, "__dataclass_fields__", {}))
    unknown = sorted(str(key) for key in given if key not in fields)
    if unknown:
        raise ConfigurationError(f"{where}: unknown key {', '.join(unknown)}, expected one of {fields}")
    try:
        return config(**given)
    except ValidationError as error:
        mistakes = "; ".join(
            f"{'.'.join(map(str, item['loc'])) or 'section'} = {item['input']!r}: {item['msg']}"
            for item in error.errors()
        )
        raise ConfigurationError(f"{where}: {mistakes}") from None


def component_config(kind: str, name: str, values: Mapping[str, Any] | None) -> Any:
    """The Config of an acoustic or text component from its params section."""
    return configure(component(kind, name).Config, values, f"{kind}.{name}")


@cache
def reachable(module: str) -> frozenset[Path]:
    """Source files of this project that importing `module` reaches, itself included, read from import statements."""
    pending, found = [module], set()
    while pending:
        name = pending.pop()
        path = _source(name)
        if path is None or path in found:
            continue
        found.add(path)
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        pending += [name.rpartition(".")[0]] if "." in name else []
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                pending += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ""
                if node.level:
                    parent = package.rsplit(".", node.level - 1)[0] if node.level > 1 else package
                    base = f"{parent}.{base}".rstrip(".")
                pending += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return frozenset(found)


def fingerprint(*modules: str) -> str:
    """Hash of the source text that the given modules can reach: results of changed code are never taken for current."""
    digest = hashlib.sha256()
    for path in sorted(set().union(*(reachable(module) for module in modules))):
        digest.update(path.relative_to(ROOT.parent).as_posix().encode() + b"\0")
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()


def _source(module: str) -> Path | None:
    if module.partition(".")[0] not in ("pipeline", "stages"):
        return None
    base = ROOT.parent.joinpath(*module.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None
