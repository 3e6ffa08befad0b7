"""Speech recognition in many languages with Whisper, by `transformers`.

Words and their times come from one pass: the times from the attention of the heads that
the model names for it. Source: A. Radford et al., "Robust speech recognition via
large-scale weak supervision", ICML 2023.
"""

import warnings
from functools import lru_cache
from importlib import metadata
from typing import Any, Literal

from pydantic import Field

from pipeline import audio, pretrained
from pipeline.lookup import ConfigurationError, checked
from pipeline.schema import TimedWord, Transcript, TranscriptionError, Utterance
from pipeline.transcription import _one_by_one as one_by_one

SAMPLING_RATE = 16000  # Hz, of the models
NAME = "whisper"


@checked
class Config:
    """model: a local folder, or a name in the local cache of Hugging Face models (at a
    `revision`). language: 'given' takes that of the utterance, 'detect' the one that
    the model hears. max_tokens: of a transcript; a model that repeats itself stops
    there. device: 'cpu', 'cuda', 'cuda:1' …
    """

    model: str = "openai/whisper-base"
    revision: str | None = None
    language: Literal["given", "detect"] = "given"
    max_tokens: int = Field(default=200, ge=1, le=440)
    device: str = "cpu"


def provenance(config: Config) -> dict[str, str]:
    """The hash of the model's files and the library's version."""
    identity = pretrained.identity(config.model, config.revision)
    return {"model": identity, "transformers": metadata.version("transformers")}


@one_by_one.recogniser
def transcribe(utterance: Utterance, config: Config) -> Transcript:
    """What the model writes down, and when it heard each word."""
    import torch

    recogniser = _recogniser(config.model, config.revision, config.device)
    waveform = audio.load(utterance, SAMPLING_RATE)
    duration = len(waveform) / SAMPLING_RATE
    settings: dict[str, Any] = {"max_new_tokens": config.max_tokens}
    multilingual = bool(getattr(recogniser.model.generation_config, "is_multilingual", True))
    if multilingual:
        settings["task"] = "transcribe"
        if config.language == "given":
            settings["language"] = _code(utterance.language, recogniser)
    elif config.language == "given" and not utterance.language.lower().startswith("en"):
        raise TranscriptionError(
            "unsupported language", f"{utterance.language!r}, but {config.model} is of English"
        )
    with (
        pretrained.one_thread(),
        pretrained.quiet(),
        warnings.catch_warnings(),
        torch.inference_mode(),
    ):
        # The times of a transcript of one token, whose weights have no spread.
        warnings.filterwarnings("ignore", r"std\(\)", UserWarning)
        found = recogniser(
            {"raw": waveform, "sampling_rate": SAMPLING_RATE},
            return_timestamps="word",
            return_language=multilingual,
            generate_kwargs=settings,
        )
    words = []
    for item in found["chunks"]:
        start, end = item["timestamp"]
        end = duration if end is None else min(float(end), duration)
        if start is not None and item["text"].strip() and end > start:
            words.append(TimedWord(item["text"].strip(), round(float(start), 6), round(end, 6)))
    language = utterance.language
    heard = next((item.get("language") for item in found["chunks"]), None)
    if config.language == "detect" and heard:
        language = _codes().get(str(heard).lower(), str(heard))
    return Transcript(" ".join(found["text"].split()), NAME, language, tuple(words))


def _code(language: str, recogniser: Any) -> str:
    """The model's code of a language."""
    code = language.lower().replace("_", "-").partition("-")[0]
    code = {"cmn": "zh"}.get(code, code)
    known = getattr(recogniser.model.generation_config, "lang_to_id", None) or {}
    if f"<|{code}|>" not in known:
        raise TranscriptionError("unsupported language", f"the model does not know {language!r}")
    return code


def _codes() -> dict[str, str]:
    from transformers.models.whisper.tokenization_whisper import TO_LANGUAGE_CODE

    return dict(TO_LANGUAGE_CODE)


@lru_cache(maxsize=1)
def _recogniser(name: str, revision: str | None, device: str) -> Any:
    import torch
    from transformers import (
        AutomaticSpeechRecognitionPipeline,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperTokenizer,
    )

    model = pretrained.load_network(WhisperForConditionalGeneration, name, revision, device)
    if not getattr(model.generation_config, "alignment_heads", None):
        raise ConfigurationError(
            f"whisper model {name!r} names no alignment_heads in generation_config.json, from "
            "which the words' times come: choose a published model"
        )
    return AutomaticSpeechRecognitionPipeline(
        model=model,
        tokenizer=pretrained.load(WhisperTokenizer, name, revision),
        feature_extractor=pretrained.load(WhisperFeatureExtractor, name, revision),
        device=torch.device(device),
    )
