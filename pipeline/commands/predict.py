"""Emotion of one new recording."""

import json
from pathlib import Path
from typing import Any

from pipeline import transcription
from pipeline.commands import trained
from pipeline.commands.trained import Model, Prediction
from pipeline.lookup import ConfigurationError
from pipeline.schema import TranscriptionError, Utterance

Chain = dict[str, dict[str, Any] | None]


def predict(
    recording: Path | None,
    said: str | None,
    model: Path | Model,
    language: str | None = None,
    chain: Chain | None = None,
) -> Prediction:
    """Class probabilities for a recording, by the networks under `model`
    (models/<experiment>) or by a loaded model.

    said: the words, None where a recogniser shall write them down: those of `chain`, as
    under `transcription` in params.yaml, or the one that the model was trained with.
    language: that of the words; None is the model's own.
    Raises ConfigurationError when the network needs an input that was not given or a
    checkpoint cannot be used, AudioError, TranscriptionError or AlignmentError when the
    recording cannot be used.
    """
    known = model if isinstance(model, Model) else trained.load(model)
    return trained.answer(known, utterance_of(recording, said, known, language, chain))


def utterance_of(
    recording: Path | None,
    said: str | None,
    known: Model,
    language: str | None,
    chain: Chain | None,
) -> Utterance:
    """A recording and what is said in it, by a recogniser where nobody states it;
    arguments and errors as of `predict`.
    """
    network = known.description["experiment"]["network"]
    if known.reads_speech and recording is None:
        raise ConfigurationError(f"{network} reads speech: name a recording")
    if known.reads_words and not said and (recording is None or said is not None):
        raise ConfigurationError(f"{network} reads words: state them with --text")
    spoken_in = (language or known.language) if known.reads_words else trained.OLD_LANGUAGE
    path = None if recording is None else str(recording)
    utterance = Utterance("recording", "", "", audio_path=path, transcript=said, language=spoken_in)
    if known.reads_words and said is None:
        chain = recognisers(known, spoken_in) if chain is None else chain
        heard = transcription.transcribe([utterance], chain)[utterance.utterance_id]
        if isinstance(heard, TranscriptionError):
            raise heard
        utterance = transcription.spoken(utterance, heard)
    return utterance


def recognisers(model: Model, language: str) -> Chain:
    """The chain that writes words down for a model: the one it was trained with, else
    the recogniser that comes with its package.

    Raises ConfigurationError for a language that needs a model to be named.
    """
    described = model.description.get("transcription")
    if described is not None:
        settings = transcription.settings("checkpoint", described)
        # Nothing was given with a new recording.
        chain = {name: own for name, own in settings.chain.items() if name.split("-")[0] != "given"}
        if chain:
            return chain
    if language.lower().startswith("en"):
        return {"pocketsphinx": {}}
    raise ConfigurationError(
        f"{model.description['experiment']['network']} reads words, and no recogniser for "
        f"{language!r} comes with SERflow: state the words with --text, or name one with "
        "--transcription, e.g. whisper=openai/whisper-base"
    )


def chain_of(stated: str) -> Chain:
    """The chain that NAME or NAME=MODEL on the command line stands for."""
    name, _, model = stated.partition("=")
    chain: Chain = {name: {"model": model} if model else {}}
    return dict(transcription.settings("command line", {"chain": chain}).chain)


def notes(model: Model) -> list[str]:
    """What has to be known beside every answer of a model."""
    corpus = model.description["experiment"]["corpus"]
    if model.synthetic:
        return [
            f"the model was trained on {corpus}, {model.synthetic}: its answers show that the "
            "machinery works, and say nothing about people"
        ]
    return []


def show(found: Prediction, as_json: bool, remarks: list[str]) -> None:
    """Prints a prediction."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    if as_json:
        names = ("probabilities", "emotion", "confidence", "networks", "aligner", "transcript")
        values = {name: getattr(found, name) for name in (*names, "words_from")}
        values |= {"unknown_words": list(found.unknown), "notes": remarks}
        print(json.dumps(values, ensure_ascii=False))
        return
    title = f"mean of {found.networks} networks" if found.networks > 1 else "one network"
    table = Table("emotion", "probability", title=title)
    for name, value in sorted(found.probabilities.items(), key=lambda item: -item[1]):
        table.add_row(escape(name), f"{value:.3f}")
    Console().print(table)
    said = Console(stderr=True, soft_wrap=True)
    if found.words_from not in (None, "given"):
        remarks = [f"{found.words_from} heard: {found.transcript}", *remarks]
    if found.unknown:
        remarks = [*remarks, f"not in the model's training: {', '.join(found.unknown)}"]
    for line in remarks:
        said.print(line, highlight=False, markup=False)
