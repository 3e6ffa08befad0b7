"""Emotion of a new recording: the same features, alignment and embedding as in
training, then every fold's network.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline import audio, lookup, tokens
from pipeline.alignment import _placement as placement
from pipeline.batch import collate
from pipeline.frames import FrameTiming
from pipeline.lookup import ConfigurationError, configure
from pipeline.schema import Utterance
from pipeline.training import checkpoint, dataset
from pipeline.training.dataset import Fitted


@dataclass(frozen=True)
class Prediction:
    """Mean class probabilities over `networks` checkpoints, and what was heard: the
    words and who placed them.
    """

    probabilities: dict[str, float]
    networks: int
    words: tuple[str, ...]
    aligner: str | None


@dataclass(frozen=True)
class _Inputs:
    frames: NDArray[np.float32] | None
    timing: FrameTiming | None
    vectors: NDArray[np.float32] | None
    spans: tuple[NDArray[np.float64], NDArray[np.float64]] | None
    aligner: str | None


def predict(
    recording: Path | None, text: str | None, model: Path, language: str = "en"
) -> Prediction:
    """Class probabilities for a recording and its words, by the networks under `model`
    (models/<experiment>).

    Raises ConfigurationError when the network needs an input that was not given,
    AudioError or AlignmentError when the recording cannot be used.
    """
    folders = sorted(path.parent for path in model.glob("folds/*/" + checkpoint.DESCRIPTION))
    if not folders:
        raise ConfigurationError(
            f"{model} holds no trained network, expected models/<experiment> after `dvc repro`"
        )
    loaded = [checkpoint.load(folder) for folder in folders]
    description = loaded[0][2]
    needs: frozenset[str] = lookup.system(description["experiment"]["network"]).needs
    utterance = _utterance(recording, text, language, needs, description)
    inputs = _prepare(utterance, needs, description)
    outputs = []
    for network, fitted, own in loaded:
        outputs.append(
            _probabilities(
                network, fitted, utterance, inputs, needs, own["experiment"]["max_words"]
            )
        )
    mean = np.mean(outputs, axis=0)
    classes = description["classes"]
    values = {name: float(value) for name, value in zip(classes, mean, strict=True)}
    return Prediction(values, len(loaded), utterance.words, inputs.aligner)


def _utterance(
    recording: Path | None,
    text: str | None,
    language: str,
    needs: frozenset[str],
    description: dict[str, Any],
) -> Utterance:
    network = description["experiment"]["network"]
    if needs & {"audio", "alignment"} and recording is None:
        raise ConfigurationError(f"{network} reads speech, expected a recording")
    words: tuple[str, ...] = ()
    if needs & {"text", "alignment"}:
        if not text:
            raise ConfigurationError(f"{network} reads words, expected --text with what is said")
        words = tokens.words(
            text, language, configure(tokens.Config, description["tokens"], "tokens")
        )
        if not words:
            raise ConfigurationError(f"no words in {text!r}, expected --text with what is said")
    path = None if recording is None else str(recording)
    return Utterance(
        "recording", "", "", audio_path=path, transcript=text, words=words, language=language
    )


def _prepare(utterance: Utterance, needs: frozenset[str], description: dict[str, Any]) -> _Inputs:
    frames = timing = vectors = spans = aligner = None
    if needs & {"audio", "alignment"}:
        name, values = description["acoustic"]["name"], description["acoustic"]["config"]
        module, config = (
            lookup.component("acoustic", name),
            lookup.component_config("acoustic", name, values),
        )
        waveform = audio.load(utterance, config.sampling_rate)
        frames = module.extract(waveform, config.sampling_rate, config)[: config.max_frames]
        timing = module.timing(config)
    if "alignment" in needs:
        placed = placement.place_one(
            utterance, description["alignment"]["chain"], description["alignment"]["check"]
        )
        spans = np.array([span.start for span in placed]), np.array([span.end for span in placed])
        aligner = placed[0].aligner
    if needs & {"text", "alignment"}:
        vectors = _vectors(utterance, description["text"]["name"], description["text"]["config"])
    return _Inputs(frames, timing, vectors, spans, aligner)


def _vectors(utterance: Utterance, name: str, values: dict[str, Any]) -> NDArray[np.float32] | None:
    module, config = lookup.component("text", name), lookup.component_config("text", name, values)
    kind = module.kind(config)
    if kind == "contextual":
        return np.asarray(next(iter(module.embed([utterance], config)))[1])
    if kind == "static":
        vocabulary = sorted(set(utterance.words))
        table, _ = module.look_up(vocabulary, config)
        return np.asarray(table)[[vocabulary.index(word) for word in utterance.words]]
    if config.fit == "corpus":
        raise ConfigurationError(
            f"{name} was fitted on the whole corpus and knows no new words, expected `fit: fold`"
        )
    return None


def _probabilities(
    network: torch.nn.Module,
    fitted: Fitted,
    utterance: Utterance,
    inputs: _Inputs,
    needs: frozenset[str],
    max_words: int | None,
) -> NDArray[np.float64]:
    example = dataset.make_example(
        utterance.utterance_id,
        None,
        fitted,
        inputs.frames,
        inputs.timing,
        utterance.words if needs & {"text", "alignment"} else None,
        inputs.vectors,
        inputs.spans,
        max_words,
    )
    with torch.inference_mode():
        logits = network(collate([example]))
    return np.asarray(torch.softmax(logits.double(), dim=-1)[0].numpy())
