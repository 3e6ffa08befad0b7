"""What `dvc push` would send where, by corpus and licence."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline import lookup
from pipeline.commands import build
from pipeline.lookup import ConfigurationError
from pipeline.params import Params, used_corpora

# What no corpus is to be named for: the stage check's mark, the demo's word vectors.
NO_CORPUS = "no corpus"
ALL_CORPORA = "report"


@dataclass(frozen=True)
class Share:
    """What was built of one corpus and goes to one remote: `files`, `size` in bytes;
    what the remote has already is not sent again.

    `remote` is None where there is none, and `address` where DVC knows none of that
    name. `verified` says whether DVC hashes what that remote sends back. `declared` is
    the file of DVC where recordings were added by hand, None where a stage made it all.
    """

    corpus: str
    licence: str
    restricted: bool
    files: int
    size: int
    remote: str | None
    address: str | None
    verified: bool
    declared: str | None = None


def shares(params: Params, root: Path) -> Iterator[Share]:
    """What was built in the repository `root`, by corpus and remote; nothing where
    `root` is no repository of DVC.

    Raises ConfigurationError where DVC cannot read it.
    """
    from dvc.exceptions import DvcException, NotDvcRepoError
    from dvc.repo import Repo

    found: dict[tuple[str, str | None, str | None], tuple[int, int]] = {}
    try:
        with Repo(str(root)) as repository:
            default, known = repository.config["core"].get("remote"), repository.config["remote"]
            for out in repository.index.outs:
                if out.use_cache and out.can_push and out.hash_info:
                    path = Path(out.fs_path).relative_to(repository.root_dir)
                    declared = out.stage.relpath if out.stage.is_data_source else None
                    key = _corpus(params, path), out.remote or default, declared
                    files, size = found.get(key, (0, 0))
                    found[key] = files + (out.meta.nfiles or 1), size + (out.meta.size or 0)
    except NotDvcRepoError:
        return
    except DvcException as error:
        reason = " ".join(str(error).split())
        raise ConfigurationError(
            f"DVC cannot read what was built ({reason}): `dvc status` says where"
        ) from error
    for (corpus, remote, declared), (files, size) in sorted(found.items(), key=str):
        address = _without_password(known[remote]["url"]) if remote in known else None
        restricted = build.remote(params, *_held(params, corpus)) == build.PRIVATE
        licence = ""
        if corpus in params.corpora:
            licence = lookup.component("corpora", corpus).LICENCE.name
        verified = remote in known and bool(known[remote].get("verify"))
        yield Share(corpus, licence, restricted, files, size, remote, address, verified, declared)


def _corpus(params: Params, path: Path) -> str:
    """The corpus that an output was made of, by where it lies."""
    parts = path.parts
    if parts[0] == "report":
        return ALL_CORPORA
    if parts[0] == "models" and parts[1] in params.experiments:
        return str(params.experiments[parts[1]].corpus)
    return next((part for part in parts[1:3] if part in params.corpora), NO_CORPUS)


def _held(params: Params, corpus: str) -> list[str]:
    """The corpora whose recordings stand behind the outputs called `corpus`."""
    if corpus == ALL_CORPORA:
        return used_corpora(params)
    return [corpus] if corpus in params.corpora else []


def _without_password(address: str) -> str:
    return re.sub(r"(?<=://)([^@/:]*):[^@/]*@", r"\1@", address)
