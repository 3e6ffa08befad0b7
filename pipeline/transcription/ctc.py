"""Speech recognition with any CTC model of `transformers`: the most probable token of
each frame, words and their times in one pass.

Nothing but its vocabulary ties it to a language. Source: A. Graves et al.,
"Connectionist temporal classification", ICML 2006; A. Baevski et al., "wav2vec 2.0",
NeurIPS 2020.
"""

from functools import lru_cache
from importlib import metadata
from typing import Any, NamedTuple

import numpy as np

from pipeline import audio, pretrained
from pipeline.lookup import ConfigurationError, checked
from pipeline.schema import TimedWord, Transcript, TranscriptionError, Utterance
from pipeline.transcription import _one_by_one as one_by_one

NAME = "ctc"


@checked
class Config:
    """model: a local folder, or a name in the local cache of Hugging Face models (at a
    `revision`). device: 'cpu', 'cuda', 'cuda:1' …
    """

    model: str = "facebook/wav2vec2-base-960h"
    revision: str | None = None
    device: str = "cpu"


def provenance(config: Config) -> dict[str, str]:
    """The hash of the model's files and the library's version."""
    identity = pretrained.identity(config.model, config.revision)
    return {"model": identity, "transformers": metadata.version("transformers")}


@one_by_one.recogniser
def transcribe(utterance: Utterance, config: Config) -> Transcript:
    """The most probable letters, and the frames in which they stand."""
    import torch

    recogniser = _recogniser(config.model, config.revision, config.device)
    waveform = audio.load(utterance, recogniser.sampling_rate)
    inputs = recogniser.extractor(
        waveform, sampling_rate=recogniser.sampling_rate, return_tensors="pt"
    ).to(config.device)
    try:
        with pretrained.one_thread(), torch.inference_mode():
            logits = recogniser.model(**inputs).logits[0]
    except RuntimeError as error:
        # Convolutions over less than their own width.
        raise TranscriptionError("audio too short", f"{len(waveform)} samples: {error}") from error
    probability, tokens = torch.softmax(logits.float(), dim=-1).max(dim=-1)
    sure = probability.cpu().numpy()
    found = recogniser.tokenizer.decode(
        tokens.cpu(), output_word_offsets=True, skip_special_tokens=True
    )
    duration = len(waveform) / recogniser.sampling_rate
    step = recogniser.step or duration / max(len(sure), 1)
    words = []
    for item in found.word_offsets:
        first, past = int(item["start_offset"]), int(item["end_offset"])
        start, end = first * step, min(past * step, duration)
        if item["word"].strip() and end > start:
            times = round(start, 6), round(end, 6)
            confidence = round(float(sure[first:past].mean()), 4)
            words.append(TimedWord(item["word"].lower(), *times, confidence))
    known = [word.confidence for word in words if word.confidence is not None]
    text = " ".join(word.word for word in words)
    mean = round(float(np.mean(known)), 4) if known else None
    return Transcript(text, NAME, utterance.language, tuple(words), mean)


class _Recogniser(NamedTuple):
    model: Any
    extractor: Any
    tokenizer: Any
    sampling_rate: int
    step: float | None  # seconds between frames, None when the model does not say


@lru_cache(maxsize=1)
def _recogniser(name: str, revision: str | None, device: str) -> _Recogniser:
    from transformers import AutoFeatureExtractor, AutoModelForCTC, AutoTokenizer

    model = pretrained.load_network(AutoModelForCTC, name, revision, device)
    extractor = pretrained.load(AutoFeatureExtractor, name, revision)
    tokenizer = pretrained.load(AutoTokenizer, name, revision)
    if not hasattr(tokenizer, "word_delimiter_token"):
        raise ConfigurationError(
            f"ctc model {name!r} does not say where words end: choose one with a CTC tokenizer"
        )
    ratio = getattr(model.config, "inputs_to_logits_ratio", None)
    rate = int(extractor.sampling_rate)
    return _Recogniser(model, extractor, tokenizer, rate, ratio / rate if ratio else None)
