"""A trained model as it is used: the same features, alignment and embedding as in
training, then the network of every fold.
"""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline import acoustic, alignment, lookup, text, tokens
from pipeline.batch import Example, collate
from pipeline.commands._described import settings_of
from pipeline.lookup import ConfigurationError
from pipeline.report.experiments import synthetic_speech
from pipeline.schema import FrameTiming, Utterance, WordSpan
from pipeline.training import checkpoint, dataset

OLD_LANGUAGE = "en"  # of models that do not state theirs


class NoWordsError(ConfigurationError):
    """A transcript that holds no word, for networks that read words."""


@dataclass(frozen=True)
class Prediction:
    """Mean class probabilities over `networks` checkpoints, and what was heard: the
    words, who wrote them down and who placed them.

    unknown: the words that no utterance had which the networks were trained on.
    seconds: of the processor, that each step took.
    """

    probabilities: dict[str, float]
    networks: int
    words: tuple[str, ...]
    aligner: str | None
    transcript: str | None = None
    words_from: str | None = None
    unknown: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict, compare=False)

    @property
    def emotion(self) -> str:
        """The most probable class; of equally probable ones the first by name."""
        return min(self.probabilities, key=lambda name: (-self.probabilities[name], name))

    @property
    def confidence(self) -> float:
        """The probability of `emotion`."""
        return self.probabilities[self.emotion]


@dataclass(frozen=True)
class Model:
    """The networks of an experiment, and how a recording becomes their inputs.

    folds: folder, network, fitted values and description of each. settings: name and
    checked settings of each input that the system reads, by section.
    """

    folder: Path
    folds: list[tuple[Path, torch.nn.Module, Any, dict[str, Any]]]
    settings: dict[str, tuple[str, Any]]
    device: torch.device

    @property
    def description(self) -> dict[str, Any]:
        """What training wrote of the experiment: classes, language, inputs."""
        return self.folds[0][3]

    @property
    def reads_words(self) -> bool:
        """Whether its networks read words."""
        return "text" in self.settings

    @property
    def reads_speech(self) -> bool:
        """Whether its networks read a recording."""
        return "acoustic" in self.settings

    @property
    def language(self) -> str:
        """The language of the words that it was trained on; with a warning that of old
        models, which do not state it.
        """
        language = self.description.get("language")
        if language is None:
            logging.getLogger(__name__).warning(
                "the model does not state the language of its words: taken for %s, --language "
                "states another",
                OLD_LANGUAGE,
            )
        return language or OLD_LANGUAGE

    @property
    def synthetic(self) -> str:
        """What its corpus has of synthetic speech, which says nothing of people, in
        words; '' for none.
        """
        corpus = str(self.description["experiment"]["corpus"])
        return synthetic_speech(corpus, self.description.get("joins", ()))

    def unknown(self, words: tuple[str, ...]) -> tuple[str, ...]:
        """The words that none of its folds was trained on, in their order."""
        known = {word for _, _, fitted, _ in self.folds for word in fitted.vocabulary}
        return tuple(dict.fromkeys(word for word in words if word not in known))


@dataclass(frozen=True)
class Inputs:
    """What the networks of a model read of an utterance, None what they do not read;
    `placed`: its words in time.
    """

    frames: NDArray[np.float32] | None = None
    timing: FrameTiming | None = None
    vectors: NDArray[np.float32] | None = None
    placed: Sequence[WordSpan] = ()

    @property
    def spans(self) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Starts and ends (num_words,) of the words in seconds."""
        if not self.placed:
            return None
        starts, ends = zip(*((span.start, span.end) for span in self.placed), strict=True)
        return np.array(starts), np.array(ends)


def load(folder: Path, device: str = "cpu") -> Model:
    """The networks below `folder` (models/<experiment>) on a device: 'cpu', 'cuda' or
    'auto', which takes CUDA where it is there.

    Raises ConfigurationError where a checkpoint cannot be used.
    """
    loaded = checkpoint.load_all(folder)
    first, _, _, description = loaded[0]
    try:
        settings = settings_of(description, folder)
    except (KeyError, TypeError, ValueError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        path = first / checkpoint.DESCRIPTION
        raise ConfigurationError(f"{path} cannot be used: {reason}") from None
    chosen = choose_device(device)
    return Model(
        folder,
        [(place, network.to(chosen), fitted, own) for place, network, fitted, own in loaded],
        settings,
        chosen,
    )


def answer(model: Model, utterance: Utterance) -> Prediction:
    """Class probabilities of an utterance whose transcript, where the networks read
    words, is there; its words are cut as in training.

    Raises ConfigurationError when an input is missing or a checkpoint cannot be used,
    AudioError or AlignmentError when the recording cannot be used.
    """
    seconds: dict[str, float] = {}
    utterance, inputs = read(model, utterance, seconds)
    words = utterance.words
    with _timed(seconds, "network"):
        shares = [_shares(model, fold, utterance, inputs) for fold in model.folds]
    mean = np.mean(shares, axis=0)
    classes = model.description["classes"]
    return Prediction(
        {name: float(value) for name, value in zip(classes, mean, strict=True)},
        len(shares),
        words,
        inputs.placed[0].aligner if inputs.placed else None,
        utterance.transcript,
        utterance.words_from,
        model.unknown(words),
        seconds,
    )


def read(model: Model, utterance: Utterance, seconds: dict[str, float]) -> tuple[Utterance, Inputs]:
    """An utterance with its words, and what the networks read of it; errors as of
    `answer`. What each step took of the processor is added to `seconds`.
    """
    network = model.description["experiment"]["network"]
    if model.reads_speech and utterance.audio_path is None:
        raise ConfigurationError(f"{network} reads speech: name a recording")
    words: tuple[str, ...] = ()
    if model.reads_words:
        said = utterance.transcript
        if not said:
            raise ConfigurationError(f"{network} reads words: state them with --text")
        words = tokens.words(said, utterance.language, model.settings["tokens"][1])
        if not words:
            raise NoWordsError(f"no words in {lookup.shown(said)}: state what is said with --text")
    utterance = replace(utterance, words=words)
    return utterance, _prepare(utterance, model.settings, seconds)


def choose_device(name: str) -> torch.device:
    """The device of a name; ConfigurationError for CUDA where there is none."""
    from pipeline.training.fold import choose_device as choose

    if name not in ("auto", "cpu", "cuda"):
        raise ConfigurationError(f"device {lookup.shown(name)}, expected auto, cpu or cuda")
    return choose(name)


def example(
    model: Model, fold: tuple[Path, Any, Any, dict[str, Any]], utterance: Utterance, inputs: Inputs
) -> Example:
    """An utterance as the network of a fold reads it; ConfigurationError where the
    checkpoint does not fit to what is read.
    """
    place, _, fitted, own = fold
    _check_widths(place / checkpoint.DESCRIPTION, own["sizes"], inputs)
    one_hot = model.reads_words and inputs.vectors is None and fitted.table is None
    lost = one_hot and own["sizes"]["word_dim"] != len(fitted.vocabulary)
    if lost or (own.get("train_embedding") and fitted.table is None):
        raise ConfigurationError(
            f"{place / checkpoint.WEIGHTS} cannot be used: the vectors of its words are missing"
        )
    return dataset.make_example(
        utterance.utterance_id,
        None,
        fitted,
        inputs.frames,
        inputs.timing,
        utterance.words if model.reads_words else None,
        inputs.vectors,
        inputs.spans,
        model.description["experiment"].get("max_words"),
    )


def _shares(
    model: Model, fold: tuple[Path, Any, Any, dict[str, Any]], utterance: Utterance, inputs: Inputs
) -> NDArray[np.float64]:
    place, network, _, _ = fold
    batch = collate([example(model, fold, utterance, inputs)])
    with torch.inference_mode():
        logits = network(batch.to(model.device))
    shares = torch.softmax(logits.double(), dim=-1)[0].cpu().numpy()
    if not np.isfinite(shares).all():
        raise ConfigurationError(
            f"{place / checkpoint.WEIGHTS} cannot be used: its network gives no probabilities "
            "for this recording, but numbers that are not finite"
        )
    return np.asarray(shares, dtype=np.float64)


def _prepare(
    utterance: Utterance, settings: Mapping[str, tuple[str, Any]], seconds: dict[str, float]
) -> Inputs:
    made: dict[str, Any] = {}
    if "acoustic" in settings:
        name, config = settings["acoustic"]
        with _timed(seconds, "features"):
            made["frames"], _ = acoustic.features(utterance, name, config)
        made["timing"] = lookup.component("acoustic", name).timing(config)
    if "alignment" in settings:
        _, config = settings["alignment"]
        with _timed(seconds, "alignment"):
            # A recogniser tells when it heard its words: they need not be looked for.
            told: dict[str, Any] = {"given": {}} if utterance.word_times else {}
            chain = {**told, **config.chain}
            made["placed"] = alignment.place_one(utterance, chain, config.check)
    if "text" in settings:
        with _timed(seconds, "text"):
            made["vectors"] = text.vectors(utterance, *settings["text"])
    return Inputs(**made)


def _check_widths(path: Path, sizes: Mapping[str, int], inputs: Inputs) -> None:
    for what, values, trained in (
        ("features", inputs.frames, sizes["feature_dim"]),
        ("numbers of a word", inputs.vectors, sizes["word_dim"]),
    ):
        if values is not None and values.shape[1] != trained:
            raise ConfigurationError(
                f"{path} cannot be used: it was trained on {trained} {what}, its settings give "
                f"{values.shape[1]}"
            )


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    start = time.process_time()
    yield
    seconds[step] = seconds.get(step, 0.0) + time.process_time() - start
