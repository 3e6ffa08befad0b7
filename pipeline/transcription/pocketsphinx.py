"""English speech recognition with PocketSphinx; its acoustic model, language model and
dictionary come inside the wheel.

Words and their times come from the one pass. Source: D. Huggins-Daines et al.,
"PocketSphinx: a free, real-time continuous speech recognition system for hand-held
devices", ICASSP 2006; the package `pocketsphinx` 5 and its en-us models (BSD licence).
"""

import os
import re
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipeline import audio
from pipeline.lookup import ConfigurationError, checked, seconds
from pipeline.schema import TimedWord, Transcript, TranscriptionError, Utterance
from pipeline.transcription import _one_by_one as one_by_one

SAMPLING_RATE = 16000  # Hz, of the acoustic model
FRAMES_PER_SECOND = 100
VARIANT = re.compile(r"\(\d+\)$")  # of a word with several pronunciations
NAME = "pocketsphinx"


@checked
class Config:
    """Search settings; `beam`, `phone_beam` and `word_beam` are the probability ratio
    below which a path is dropped.

    padding: seconds of noise before and after the clip, without which the decoder finds
    no silence there. noise_level: its standard deviation, full scale 1. language_weight
    raises the language model's probabilities against those of the sound.
    """

    beam: float = Field(default=1e-48, ge=0, lt=1)
    phone_beam: float = Field(default=1e-48, ge=0, lt=1)
    word_beam: float = Field(default=7e-29, ge=0, lt=1)
    language_weight: float = Field(default=6.5, gt=0)
    padding: Annotated[float, Field(ge=0), seconds(5)] = 0.2
    noise_level: float = Field(default=1e-3, ge=0, lt=1)


def provenance(config: Config) -> dict[str, str]:
    """The package's version, which fixes its models and dictionary."""
    return {"version": metadata.version("pocketsphinx")}


@one_by_one.recogniser
def transcribe(utterance: Utterance, config: Config) -> Transcript:
    """The most probable words and where they lie."""
    if not utterance.language.lower().startswith("en"):
        raise TranscriptionError(
            "unsupported language", f"{utterance.language!r}, but the models are of English"
        )
    waveform = audio.load(utterance, SAMPLING_RATE)
    duration = len(waveform) / SAMPLING_RATE
    words = []
    for name, first, last, probability in _decode(waveform, config):
        start = min(max(first / FRAMES_PER_SECOND - config.padding, 0.0), duration)
        end = min(max((last + 1) / FRAMES_PER_SECOND - config.padding, 0.0), duration)
        if end > start:
            times = round(start, 6), round(end, 6)
            words.append(TimedWord(VARIANT.sub("", name), *times, round(probability, 4)))
    known = [word.confidence for word in words if word.confidence is not None]
    confidence = round(float(np.mean(known)), 4) if known else None
    text = " ".join(word.word for word in words)
    return Transcript(text, NAME, utterance.language, tuple(words), confidence)


def _decode(waveform: NDArray[np.float32], config: Config) -> list[tuple[str, int, int, float]]:
    """Words of one pass over (num_samples,): name, first and last frame, posterior."""
    decoder = _decoder(config)
    size = 2, round(config.padding * SAMPLING_RATE)
    noise = np.random.default_rng(0).standard_normal(size) * config.noise_level
    padded = np.clip(np.concatenate([noise[0], waveform, noise[1]]), -1, 1)
    # Without this the front end keeps the state of the last clip, and results would
    # depend on the order of the corpus.
    decoder.reinit_feat()
    decoder.start_utt()
    # full_utt: the mean is taken over this utterance alone.
    decoder.process_raw((padded * 32767).astype("<i2").tobytes(), no_search=False, full_utt=True)
    decoder.end_utt()
    if decoder.hyp() is None:
        return []
    return [
        (item.word, item.start_frame, item.end_frame, min(1.0, float(item.prob)))
        for item in decoder.seg()
        if not item.word.startswith(("<", "[", "++"))
    ]


@lru_cache(maxsize=2)
def _decoder(config: Config) -> Any:
    try:
        import pocketsphinx
    except ImportError as error:
        raise ConfigurationError("pocketsphinx is missing: `pip install pocketsphinx`") from error

    model = Path(pocketsphinx.get_model_path(), "en-us")
    return pocketsphinx.Decoder(
        hmm=str(model / "en-us"),
        dict=str(model / "cmudict-en-us.dict"),
        lm=str(model / "en-us.lm.bin"),
        beam=config.beam,
        pbeam=config.phone_beam,
        wbeam=config.word_beam,
        lw=config.language_weight,
        cmn="batch",
        logfn=os.devnull,
        loglevel="FATAL",
    )
