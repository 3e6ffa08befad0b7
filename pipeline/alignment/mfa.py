"""Forced alignment by the Montreal Forced Aligner, an external program (conda-forge,
Docker), one run per corpus.

Its results depend on which files are aligned together, since it adapts to speakers, and
are not strictly repeatable: version and the models' hashes are recorded (`provenance`).
It leaves out a file without a word, so that every expected answer is looked for.
Source: M. McAuliffe et al., "Montreal Forced Aligner", Interspeech 2017; read and
measured with 3.4.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from pipeline import audio
from pipeline.alignment import _word_times as word_times
from pipeline.lookup import ConfigurationError
from pipeline.schema import AlignmentError, Utterance, WordSpan

WHOLE_CORPUS = True  # the program takes about 12 s to start and adapts to each speaker: one call for all utterances
SAMPLING_RATE = 16000  # Hz of the files handed over
NAME = "mfa"
INSTALL = "`conda create -n aligner -c conda-forge montreal-forced-aligner`, then command: conda run -n aligner mfa"
RETRY_BEAMS = ("--beam", "100", "--retry_beam", "400")
NOT_WORD = re.compile(r"[^\w']+", re.UNICODE)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
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
    dictionary: str = "english_us_arpa"
    acoustic_model: str = "english_us_arpa"
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
        names, durations, failed = _write_corpus(utterances, work / "corpus")
        if names:
            program = _program(config)
            model, dictionary = _absolute(config.acoustic_model), _absolute(config.dictionary)
            if config.train:
                model, dictionary = _train(program, config, work)
            done = _run_align(
                program, config, work / "corpus", dictionary, model, work / "out", work
            )
            missing = [name for name in names.values() if _answer(work / "out", name) is None]
            if missing and config.retry_failed:
                _keep_only(work / "corpus", set(missing), work / "again")
                done = _run_align(
                    program,
                    config,
                    work / "again",
                    dictionary,
                    model,
                    work / "out2",
                    work,
                    RETRY_BEAMS,
                )
                missing = [name for name in missing if _answer(work / "out2", name) is None]
            if done.returncode != 0 and len(missing) == len(names):
                raise _refusal(done, "align")
        for position, utterance in enumerate(utterances):
            if position in failed:
                yield utterance.utterance_id, failed[position]
                continue
            try:
                spans = _read(work, names[position], utterance, durations[position])
                yield utterance.utterance_id, spans
            except AlignmentError as error:
                yield utterance.utterance_id, error


def provenance(config: Config) -> dict[str, str]:
    """The program's version and the hashes of its models, for the metadata of the
    spans.
    """
    program = _program(config)
    version = (
        _call([*program, "version"], config, Path.cwd(), "version").stdout.strip().splitlines()
    )
    known = {"aligner": NAME, "version": version[-1] if version else "unknown"}
    root = (
        Path(os.environ.get("MFA_ROOT_DIR") or Path.home() / "Documents" / "MFA")
        / "pretrained_models"
    )
    for kind, name in (("acoustic", config.acoustic_model), ("dictionary", config.dictionary)):
        if kind == "acoustic" and config.train:
            known["acoustic_model"] = "trained on the corpus"
            continue
        key = "acoustic_model" if kind == "acoustic" else kind
        known[key] = Path(name).name
        files = [Path(name), *sorted((root / kind).glob(f"{name}.*"))]
        present = next((file for file in files if file.is_file()), None)
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
        raise ConfigurationError(
            f"mfa: no program {' '.join(command)!r} on PATH, expected {INSTALL}"
        )
    return [found, *command[1:]]


def _write_corpus(
    utterances: Sequence[Utterance], corpus: Path
) -> tuple[dict[int, str], dict[int, float], dict[int, AlignmentError]]:
    """One folder per speaker with a 16 kHz wav and a .lab for each usable utterance,
    named by its position.

    One bad file makes the program give up on all: only what decodes is handed over.
    """
    import soundfile

    noise = np.random.default_rng(0)
    names: dict[int, str] = {}
    durations: dict[int, float] = {}
    failed: dict[int, AlignmentError] = {}
    speakers: dict[str | None, str] = {}
    for position, utterance in enumerate(utterances):
        tokens = [token for word in utterance.words for token in NOT_WORD.split(word) if token]
        if not tokens:
            failed[position] = AlignmentError("empty transcript", "expected at least one word")
            continue
        try:
            waveform = audio.load(utterance, SAMPLING_RATE)
        except audio.AudioError as error:
            failed[position] = AlignmentError(error.reason, error.detail)
            continue
        # Own names: identifiers of a corpus may hold separators, or differ only in
        # case.
        folder = corpus / speakers.setdefault(utterance.speaker, f"s{len(speakers):05d}")
        folder.mkdir(parents=True, exist_ok=True)
        names[position] = f"{folder.name}/u{position:07d}"
        durations[position] = len(waveform) / SAMPLING_RATE
        # Exact zeros make the program drop all files of the speaker: noise of one
        # 16-bit step prevents it.
        dithered = waveform + noise.uniform(-1, 1, len(waveform)) / 32768
        soundfile.write(
            corpus / f"{names[position]}.wav", dithered, SAMPLING_RATE, subtype="PCM_16"
        )
        (corpus / f"{names[position]}.lab").write_text(" ".join(tokens) + "\n", encoding="utf-8")
    return names, durations, failed


def _absolute(name: str) -> str:
    """A file's whole path, as the program runs in another folder; a name it knows stays
    as it is.
    """
    return str(Path(name).resolve()) if Path(name).exists() else name


def _train(program: Sequence[str], config: Config, work: Path) -> tuple[str, str]:
    """Trains on the corpus: paths of the model, and of the dictionary with
    probabilities written beside it.
    """
    model = work / "model" / "trained.zip"
    model.parent.mkdir()
    dictionary = _absolute(config.dictionary)
    arguments = ["train", str(work / "corpus"), dictionary, str(model), *_common(config, work)]
    _call([*program, *arguments], config, work, "train")
    if not model.is_file():
        raise ConfigurationError(
            "mfa train ended without a model, expected enough varied speech to train on"
        )
    written = sorted(model.parent.glob("*.dict"))
    return str(model), str(written[0]) if written else dictionary


def _run_align(
    program: Sequence[str],
    config: Config,
    corpus: Path,
    dictionary: str,
    model: str,
    out: Path,
    work: Path,
    beams: Sequence[str] = (),
) -> subprocess.CompletedProcess[str]:
    form = {"textgrid": "long_textgrid", "csv": "csv", "json": "json"}[config.output]
    if not beams and config.beam is not None:
        beams = ("--beam", str(config.beam))
    if "--retry_beam" not in beams and config.retry_beam is not None:
        beams = (*beams, "--retry_beam", str(config.retry_beam))
    arguments = ["align", str(corpus), dictionary, model, str(out), "--output_format", form]
    return _call([*program, *arguments, *beams, *_common(config, work)], config, work, "align")


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
        done = subprocess.run(
            list(command),
            capture_output=True,
            text=True,
            timeout=config.timeout,
            cwd=work,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ConfigurationError(
            f"mfa {what} took over {config.timeout:g} s, expected a larger `timeout`"
        ) from None
    except OSError as error:
        raise ConfigurationError(
            f"mfa {what} does not start: {error}, expected {INSTALL}"
        ) from error
    if done.returncode != 0 and not (what == "align" and done.returncode == 1):
        raise _refusal(done, what)
    return done


def _refusal(done: subprocess.CompletedProcess[str], what: str) -> ConfigurationError:
    words = " ".join((done.stderr.strip() or done.stdout.strip()).split()[-60:])
    return ConfigurationError(
        f"mfa {what} ended with exit code {done.returncode}: {words}; expected a model and dictionary it knows"
    )


def _keep_only(corpus: Path, names: set[str], target: Path) -> None:
    """Moves the files of `names` to a corpus folder of their own."""
    for name in sorted(names):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        for suffix in (".wav", ".lab"):
            (corpus / f"{name}{suffix}").rename(target / f"{name}{suffix}")


def _answer(out: Path, name: str) -> Path | None:
    files = (out / f"{name}{suffix}" for suffix in (".TextGrid", ".csv", ".json"))
    return next((file for file in files if file.is_file()), None)


def _read(work: Path, name: str, utterance: Utterance, duration: float) -> list[WordSpan]:
    path = _answer(work / "out", name) or _answer(work / "out2", name)
    if path is None:
        raise AlignmentError(
            "no alignment", "mfa left it out, as it does when words and audio do not match"
        )
    return read_output(path, utterance, duration)


def read_output(path: Path, utterance: Utterance, duration: float) -> list[WordSpan]:
    """Word spans from one TextGrid (long or short), CSV or JSON of the program, its
    tokens mapped back to our words.

    Raises AlignmentError for an unreadable file, other words, and times outside the
    `duration` in seconds.
    """
    speaker = path.parent.name
    try:
        match path.suffix:
            case ".csv":
                timed = next(iter(word_times.read_csv(path).values()), [])
            case ".json":
                timed = word_times.read_json(path, speaker)
            case _:
                timed = word_times.read_textgrid(path, speaker)
    except (ValueError, KeyError, TypeError) as error:
        raise AlignmentError("word times unreadable", str(error)) from error
    return word_times.spans(utterance, timed, duration, NAME)
