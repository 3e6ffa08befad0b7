"""Forced alignment by the Montreal Forced Aligner, an external program (conda-forge,
Docker), one run per corpus.

Its results depend on which files are aligned together, since it adapts to speakers, and
are not strictly repeatable: its version and the hashes of its models are recorded. It
leaves out files without reporting it, so an answer is looked for for every utterance.
Source: M. McAuliffe et al., "Montreal Forced Aligner", Interspeech 2017; read and
measured with 3.4.
"""

import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from pipeline.alignment import _mfa_files as files
from pipeline.lookup import ConfigurationError, checked
from pipeline.schema import AlignmentError, Utterance, WordSpan

# The program takes about 12 s to start and adapts to each speaker: one call for all.
WHOLE_CORPUS = True
# What runs, and where it writes: taken from this machine, never from a model's
# description, which may name the program's models only by names it knows.
LOCAL = ("command", "arguments", "work_folder")
NAMES = ("dictionary", "acoustic_model")
INSTALL = (
    "install it with `conda create -n aligner -c conda-forge montreal-forced-aligner` "
    "and set command: conda run -n aligner mfa"
)
RETRY_BEAMS = ("--beam", "100", "--retry_beam", "400")
# The program would take a name that begins with a hyphen for an option.
Name = Annotated[str, Field(pattern="^[^-]")]


@checked
class Config:
    """Which program and models; `dictionary` and `acoustic_model` are names the program
    knows or paths of files.

    command: the program and its first arguments, as one shell-like string or a list
    ('conda run -n aligner mfa'). train: train an acoustic model on this corpus first (a
    varied corpus only: trained on few different sentences the program ends well and is
    wrong everywhere). arguments: further ones for every run. work_folder: where the
    corpus folder is written, for a program that sees only part of the disk (Docker).
    timeout: seconds for one run.
    """

    command: str | tuple[str, ...] = "mfa"
    dictionary: Name = "english_us_arpa"
    acoustic_model: Name = "english_us_arpa"
    train: bool = False
    output: Literal["textgrid", "csv", "json"] = "textgrid"
    jobs: int = Field(default=2, ge=1)
    beam: int | None = Field(default=None, ge=1)
    retry_beam: int | None = Field(default=None, ge=1)
    retry_failed: bool = True
    arguments: tuple[str, ...] = ()
    work_folder: str | None = None
    timeout: float = Field(default=24 * 3600.0, gt=0)


def align(
    utterances: Sequence[Utterance], config: Config
) -> Iterator[tuple[str, list[WordSpan] | AlignmentError]]:
    """Word spans or the AlignmentError of each utterance, in order; times in seconds
    from the utterance's start.

    Raises ConfigurationError when the program is missing or refuses its models.
    """
    with tempfile.TemporaryDirectory(prefix="mfa-", dir=config.work_folder) as folder:
        work = Path(folder)
        names, failed = files.write_corpus(utterances, work / "corpus")
        found = _run(config, work, list(names.values())) if names else {}
        for position, utterance in enumerate(utterances):
            try:
                if position in failed:
                    raise failed[position]
                path = found.get(names[position])
                if path is None:
                    detail = "mfa left it out, as it does when words and audio do not match"
                    raise AlignmentError("no alignment", detail)
                yield utterance.utterance_id, files.read(path, utterance)
            except AlignmentError as error:
                yield utterance.utterance_id, error


def provenance(config: Config) -> dict[str, str]:
    """The program's version and the hashes of its models, for the metadata of the
    spans.
    """
    said = _call([*_program(config), "version"], config, Path.cwd(), "version").stdout.split()
    known = {"aligner": "mfa", "version": said[-1] if said else "unknown"}
    root = Path(os.environ.get("MFA_ROOT_DIR") or Path.home() / "Documents" / "MFA")
    models = {"dictionary": config.dictionary, "acoustic_model": config.acoustic_model}
    if config.train:
        known["acoustic_model"] = "trained on the corpus"
        del models["acoustic_model"]
    for key, name in models.items():
        folder = root / "pretrained_models" / key.removesuffix("_model")
        candidates = [Path(name), *sorted(folder.glob(f"{name}.*"))]
        present = next((file for file in candidates if file.is_file()), None)
        known[key] = Path(name).name
        known[f"{key}_sha256"] = (
            "unknown" if present is None else hashlib.sha256(present.read_bytes()).hexdigest()
        )
    return known


def _program(config: Config) -> list[str]:
    command = (
        shlex.split(config.command) if isinstance(config.command, str) else list(config.command)
    )
    found = shutil.which(command[0]) if command else None
    if found is None:
        raise ConfigurationError(f"mfa: no program {' '.join(command)!r} on PATH: {INSTALL}")
    return [found, *command[1:]]


def _run(config: Config, work: Path, names: Sequence[str]) -> dict[str, Path]:
    """The program's answers by the names of the corpus files; those it leaves out are
    tried again with wide beams.
    """
    program = _program(config)
    models = _absolute(config.dictionary), _absolute(config.acoustic_model)
    if config.train:
        models = _train(program, config, work)
    runs = [("corpus", "out", _beams(config))]
    if config.retry_failed:
        runs.append(("again", "out2", RETRY_BEAMS))
    found: dict[str, Path] = {}
    for corpus, out, beams in runs:
        missing = set(names) - set(found)
        if not missing:
            break
        if corpus == "again":
            files.keep_only(work / "corpus", missing, work / corpus)
        done = _align(program, config, work, corpus, models, out, beams)
        answers = {name: files.answer(work / out, name) for name in missing}
        found |= {name: path for name, path in answers.items() if path is not None}
    if done.returncode != 0 and not found:
        raise _refusal(done, "align")
    return found


def _beams(config: Config) -> tuple[str, ...]:
    given = {"--beam": config.beam, "--retry_beam": config.retry_beam}
    return tuple(
        part for name, value in given.items() if value is not None for part in (name, str(value))
    )


def _align(
    program: Sequence[str],
    config: Config,
    work: Path,
    corpus: str,
    models: tuple[str, str],
    out: str,
    beams: Sequence[str],
) -> subprocess.CompletedProcess[str]:
    form = {"textgrid": "long_textgrid", "csv": "csv", "json": "json"}[config.output]
    arguments = ["align", str(work / corpus), *models, str(work / out), "--output_format", form]
    return _call([*program, *arguments, *beams, *_common(config, work)], config, work, "align")


def _absolute(name: str) -> str:
    """A file's whole path, as the program runs in another folder; a name it knows stays
    as it is.
    """
    return str(Path(name).resolve()) if Path(name).exists() else name


def _train(program: Sequence[str], config: Config, work: Path) -> tuple[str, str]:
    """Trains on the corpus: paths of the dictionary with probabilities, which the
    program writes beside the model, and of the model.
    """
    model = work / "model" / "trained.zip"
    model.parent.mkdir()
    dictionary = _absolute(config.dictionary)
    arguments = ["train", str(work / "corpus"), dictionary, str(model), *_common(config, work)]
    _call([*program, *arguments], config, work, "train")
    if not model.is_file():
        raise ConfigurationError(
            "mfa train ended without a model: it needs more speech, and varied sentences"
        )
    written = sorted(model.parent.glob("*.dict"))
    return str(written[0]) if written else dictionary, str(model)


def _common(config: Config, work: Path) -> list[str]:
    fixed = ["--clean", "--no_use_threading", "--num_jobs", str(config.jobs)]
    return [*fixed, "--temporary_directory", str(work / "temporary"), *config.arguments]


def _call(
    command: Sequence[str], config: Config, work: Path, what: str
) -> subprocess.CompletedProcess[str]:
    """Runs the program; exit code 2 (a wrong model or dictionary) and the like stop the
    build with its last words.

    Exit code 1 of `align` is left to the search for answers: one speaker's files can
    fail alone.
    """
    try:
        # Words, no shell; the program and its files are this machine's own settings.
        done = subprocess.run(  # noqa: S603
            list(command),
            capture_output=True,
            text=True,
            timeout=config.timeout,
            cwd=work,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ConfigurationError(
            f"mfa {what} took over {config.timeout:g} s: set a larger `timeout`"
        ) from None
    except OSError as error:
        raise ConfigurationError(f"mfa {what} does not start: {error}; {INSTALL}") from error
    if done.returncode != 0 and not (what == "align" and done.returncode == 1):
        raise _refusal(done, what)
    return done


def _refusal(done: subprocess.CompletedProcess[str], what: str) -> ConfigurationError:
    words = " ".join((done.stderr.strip() or done.stdout.strip()).split()[-60:])
    return ConfigurationError(
        f"mfa {what} ended with exit code {done.returncode}: {words}; `mfa model list acoustic` "
        "and `mfa model list dictionary` say which models it knows"
    )
