"""Emotion of a new recording: the same features, alignment and embedding as in
training, then the network of every fold.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline import acoustic, alignment, lookup, text, tokens
from pipeline.batch import collate
from pipeline.lookup import ConfigurationError
from pipeline.schema import FrameTiming, Utterance
from pipeline.training import checkpoint, dataset

OLD_LANGUAGE = "en"  # of models that do not state theirs


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
    frames: NDArray[np.float32] | None = None
    timing: FrameTiming | None = None
    vectors: NDArray[np.float32] | None = None
    spans: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
    aligner: str | None = None


def predict(
    recording: Path | None, said: str | None, model: Path, language: str | None = None
) -> Prediction:
    """Class probabilities for a recording and its words, by the networks under `model`
    (models/<experiment>).

    `language` is that of the words; None is the model's own. Raises ConfigurationError
    when the network needs an input that was not given or a checkpoint cannot be used,
    AudioError or AlignmentError when the recording cannot be used.
    """
    loaded = checkpoint.load_all(model)
    first, _, _, description = loaded[0]
    try:
        settings = _settings(description, model)
    except (KeyError, TypeError, ValueError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        path = first / checkpoint.DESCRIPTION
        raise ConfigurationError(f"{path} cannot be used: {reason}") from None
    utterance = _utterance(recording, said, language, description, settings)
    inputs = _prepare(utterance, settings)
    max_words = description["experiment"].get("max_words")
    outputs = []
    for place, network, fitted, own in loaded:
        _check_widths(place / checkpoint.DESCRIPTION, own["sizes"], inputs)
        one_hot = "text" in settings and inputs.vectors is None and fitted.table is None
        lost = one_hot and own["sizes"]["word_dim"] != len(fitted.vocabulary)
        if lost or (own.get("train_embedding") and fitted.table is None):
            raise ConfigurationError(
                f"{place / checkpoint.WEIGHTS} cannot be used: the vectors of its words are missing"
            )
        example = dataset.make_example(
            utterance.utterance_id,
            None,
            fitted,
            inputs.frames,
            inputs.timing,
            utterance.words if "text" in settings else None,
            inputs.vectors,
            inputs.spans,
            max_words,
        )
        with torch.inference_mode():
            logits = network(collate([example]))
        shares = torch.softmax(logits.double(), dim=-1)[0].numpy()
        if not np.isfinite(shares).all():
            raise ConfigurationError(
                f"{place / checkpoint.WEIGHTS} cannot be used: its network gives no probabilities "
                "for this recording, but numbers that are not finite"
            )
        outputs.append(shares)
    mean = np.mean(outputs, axis=0)
    values = {name: float(value) for name, value in zip(description["classes"], mean, strict=True)}
    return Prediction(values, len(loaded), utterance.words, inputs.aligner)


def show(found: Prediction, as_json: bool) -> None:
    """Prints a prediction."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    if as_json:
        names = ("probabilities", "networks", "aligner")
        print(json.dumps({name: getattr(found, name) for name in names}))
        return
    title = f"mean of {found.networks} networks" if found.networks > 1 else "one network"
    table = Table("emotion", "probability", title=title)
    for name, value in sorted(found.probabilities.items(), key=lambda item: -item[1]):
        table.add_row(escape(name), f"{value:.3f}")
    Console().print(table)


def _settings(description: Mapping[str, Any], model: Path) -> dict[str, tuple[str, Any]]:
    """Name and checked settings of each input that the system reads, by section, and
    those of the tokens.
    """
    reads = lookup.system(description["experiment"]["network"]).needs
    found: dict[str, tuple[str, Any]] = {}
    if reads & {"text", "alignment"}:
        config = lookup.configure(tokens.Config, description["tokens"], "tokens")
        found["tokens"] = "tokens", config
        found["text"] = _entry(description, "text", model)
    if reads & {"audio", "alignment"}:
        found["acoustic"] = _entry(description, "acoustic", model)
    if "alignment" in reads:
        described = dict(description["alignment"])
        name = lookup.check_name(str(described.pop("name")), "alignment")
        found["alignment"] = name, alignment.settings(name, described)
    return found


def _entry(description: Mapping[str, Any], section: str, model: Path) -> tuple[str, Any]:
    described = description[section]
    name = lookup.check_name(str(described["name"]), section)
    config = lookup.settings(section, name, described["config"])
    return name, _found(config, model)


def _found(config: Any, model: Path) -> Any:
    """Settings whose relative files are those of the project that the model lies in,
    wherever the command is called.
    """
    changed = {}
    for field in fields(config):
        path = getattr(config, field.name)
        if isinstance(path, Path) and not path.is_absolute():
            above = model.resolve().parents
            place = next((folder for folder in above if (folder / path).exists()), None)
            if place is None:
                raise ConfigurationError(
                    f"{path} is in none of the folders above {model.resolve()}: put it where it "
                    "lay in training, in the project that the model belongs to"
                )
            changed[field.name] = place / path
    return replace(config, **changed) if changed else config


def _utterance(
    recording: Path | None,
    said: str | None,
    language: str | None,
    description: Mapping[str, Any],
    settings: Mapping[str, tuple[str, Any]],
) -> Utterance:
    network = description["experiment"]["network"]
    if "acoustic" in settings and recording is None:
        raise ConfigurationError(f"{network} reads speech: name a recording")
    words: tuple[str, ...] = ()
    if "text" in settings:
        if not said:
            raise ConfigurationError(f"{network} reads words: state them with --text")
        language = language or description.get("language")
        if language is None:
            language = OLD_LANGUAGE
            logging.getLogger(__name__).warning(
                "the model does not state the language of its words: taken for %s, --language "
                "states another",
                language,
            )
        words = tokens.words(said, language, settings["tokens"][1])
        if not words:
            raise ConfigurationError(f"no words in {said!r}: state what is said with --text")
    path = None if recording is None else str(recording)
    return Utterance(
        "recording",
        "",
        "",
        audio_path=path,
        transcript=said,
        words=words,
        language=language or OLD_LANGUAGE,
    )


def _prepare(utterance: Utterance, settings: Mapping[str, tuple[str, Any]]) -> _Inputs:
    made: dict[str, Any] = {}
    if "acoustic" in settings:
        name, config = settings["acoustic"]
        made["frames"], _ = acoustic.features(utterance, name, config)
        made["timing"] = lookup.component("acoustic", name).timing(config)
    if "alignment" in settings:
        _, config = settings["alignment"]
        placed = alignment.place_one(utterance, config.chain, config.check)
        made["spans"] = (
            np.array([span.start for span in placed]),
            np.array([span.end for span in placed]),
        )
        made["aligner"] = placed[0].aligner
    if "text" in settings:
        made["vectors"] = text.vectors(utterance, *settings["text"])
    return _Inputs(**made)


def _check_widths(path: Path, sizes: Mapping[str, int], inputs: _Inputs) -> None:
    for what, values, trained in (
        ("features", inputs.frames, sizes["feature_dim"]),
        ("numbers of a word", inputs.vectors, sizes["word_dim"]),
    ):
        if values is not None and values.shape[1] != trained:
            raise ConfigurationError(
                f"{path} cannot be used: it was trained on {trained} {what}, its settings give "
                f"{values.shape[1]}"
            )
