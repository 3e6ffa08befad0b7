"""A trained model that left its project: which files it is made of, with their hashes,
and what it was made with.
"""

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline import __version__, lookup, tables
from pipeline.lookup import ConfigurationError

SEAL = "export.json"
FORMAT = 1  # of SEAL; a later one is refused
SECTIONS = ("acoustic", "text")  # of a description, with a component's name


def seal(folder: Path, description: Mapping[str, Any]) -> None:
    """Writes the hashes of a finished folder's files and the versions that made it."""
    found = {
        path.relative_to(folder).as_posix(): _sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    stated = {"format": FORMAT, "serflow": __version__, "code": code(description)}
    made_by = {"environment": lookup.environment(), "files": found}
    tables.write_json(folder / SEAL, {**stated, **made_by})


def check(folder: Path, description: Mapping[str, Any]) -> None:
    """Compares an exported folder with its seal; nothing where there is no seal.

    Raises ConfigurationError for a file that is missing, changed or not part of the
    export, and for a version that this one does not read. Code that computes otherwise
    than the export's is a warning: the answers may differ.
    """
    path = folder / SEAL
    if not path.is_file():
        return
    stated = tables.read_json(path)
    if stated.get("format") != FORMAT or not isinstance(stated.get("files"), dict):
        raise ConfigurationError(
            f"{path} cannot be used: format {stated.get('format')!r}, expected {FORMAT}: export "
            "the model again, or install the version of SERflow that wrote it"
        )
    theirs = str(stated.get("serflow"))
    if theirs.split(".")[:2] != __version__.split(".")[:2]:
        raise ConfigurationError(
            f"{folder} was exported by SERflow {theirs}, this is {__version__}: export it again, "
            f"or install that version"
        )
    there = {item.relative_to(folder).as_posix() for item in folder.rglob("*") if item.is_file()}
    files = stated["files"]
    for problem, names in (
        ("is missing", set(files) - there),
        ("is not part of the export", there - set(files) - {SEAL}),
    ):
        if names:
            raise ConfigurationError(f"{folder / min(names)} {problem}: copy the folder again")
    for name, expected in files.items():
        if _sha256(folder / name) != expected:
            raise ConfigurationError(
                f"{folder / name} does not have the hash that {SEAL} states: copy the folder again"
            )
    if stated.get("code") != code(description):
        logging.getLogger(__name__).warning(
            "%s was exported by other code than this, both call themselves %s: answers may differ",
            folder,
            theirs,
        )


def code(description: Mapping[str, Any]) -> str:
    """Hash of the code between a recording and its probabilities."""
    modules = [lookup.system(description["experiment"]["network"]).__module__]
    for section in SECTIONS:
        if section in description:
            modules.append(lookup.component(section, description[section]["name"]).__name__)
    for name in description.get("alignment", {}).get("chain", {}):
        modules.append(lookup.component("alignment", name).__name__)
    return lookup.fingerprint("pipeline.training.dataset", *modules)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
