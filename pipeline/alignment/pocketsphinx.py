"""English forced alignment with PocketSphinx; its acoustic model and dictionary come
inside the wheel.

Exact search settings matter more than retries: PocketSphinx's own second pass over the
word lattice (`bestpath`) drops words at the end of about 2 % of real clips, so it is
off; a narrow beam that places all words is enough for most clips, the others get one
that is wide enough to keep the true path. Source: D. Huggins-Daines et
al., "PocketSphinx: a free, real-time continuous speech recognition system for hand-held
devices", ICASSP 2006; the package `pocketsphinx` 5 and its en-us model (BSD licence).
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipeline.alignment import _one_by_one as one_by_one
from pipeline.alignment import _pronunciation as pronunciation
from pipeline.alignment import _voice as voice
from pipeline.lookup import ConfigurationError, checked, seconds
from pipeline.schema import AlignmentError, Utterance, WordSpan

SAMPLING_RATE = 16000  # Hz, of the acoustic model
FRAMES_PER_SECOND = 100
NAME = "pocketsphinx"


@checked
class Config:
    """Search settings; `beam`, `phone_beam` and `word_beam` are the probability ratio
    below which a path is dropped.

    first_beam: the three of them in a first, faster attempt; 0 for none. padding:
    seconds of noise before and after the clip, without which the decoder finds
    no silence there. noise_level: its standard deviation, full scale 1. retries: how
    many further settings are tried on a clip whose words were not all placed.
    unknown_words: 'g2p' pronounces words outside the dictionary by espeak-ng's rules,
    'reject' rejects the utterance. dictionary: a file of further pronunciations
    (CMUdict or MFA format), which come before those of the wheel.
    """

    beam: float = Field(default=1e-120, ge=0, lt=1)
    phone_beam: float = Field(default=1e-120, ge=0, lt=1)
    word_beam: float = Field(default=1e-120, ge=0, lt=1)
    first_beam: float = Field(default=1e-40, ge=0, lt=1)
    padding: Annotated[float, Field(ge=0), seconds(5)] = 0.2
    noise_level: float = Field(default=1e-3, ge=0, lt=1)
    retries: int = Field(default=3, ge=0, le=3)
    unknown_words: Literal["g2p", "reject"] = "g2p"
    dictionary: str | None = None


def provenance(config: Config) -> dict[str, str]:
    """The package's version, which fixes its model and dictionary, for the metadata of
    the spans.
    """
    return {"version": metadata.version("pocketsphinx")}


@one_by_one.aligner
def align(utterance: Utterance, config: Config) -> list[WordSpan]:
    """The words as the decoder places them."""
    if not utterance.language.lower().startswith("en"):
        detail = f"{utterance.language!r}, but the acoustic model is of English"
        raise AlignmentError("unsupported language", detail)
    waveform = voice.load(utterance, SAMPLING_RATE)
    placed = 0
    for setting, loudness in _settings(config):
        decoder = _decoder(setting)
        names = [_name(decoder, word, setting) for word in utterance.words]
        segments = _decode(decoder, names, _prepare(waveform, setting, loudness))
        heard = [segment for segment in segments if not _is_filler(segment[0])]
        if [pronunciation.VARIANT.sub("", segment[0]) for segment in heard] == names:
            return _spans(utterance, heard, setting.padding)
        placed = max(placed, len(heard))
    raise AlignmentError(
        "partial alignment", f"placed {min(placed, len(names))} of {len(names)} words"
    )


def _settings(config: Config) -> Iterator[tuple[Config, float | None]]:
    """A narrower one, the configured setting, then others, each for clips whose words
    were not all placed; the number is the peak to scale the clip to.
    """
    first = config.first_beam
    if first > max(config.beam, config.phone_beam, config.word_beam):
        yield replace(config, beam=first, phone_beam=first, word_beam=first), None
    yield config, None
    widest = replace(config, beam=0.0, phone_beam=0.0, word_beam=0.0)
    quieter = config.noise_level / 10
    others: list[tuple[Config, float | None]] = [
        (widest, None),
        (replace(widest, noise_level=quieter), 0.5),
        (replace(config, padding=2 * config.padding, noise_level=quieter), 0.5),
    ]
    yield from others[: config.retries]


def _prepare(waveform: NDArray[np.float32], config: Config, peak: float | None) -> bytes:
    """16-bit samples of the clip between seeded noise, which is the same for every
    clip.
    """
    gain = 1.0 if peak is None else peak / float(np.abs(waveform).max())
    before, after = _noise(config.padding, config.noise_level)
    padded = np.concatenate([before, waveform * gain, after])
    return bytes((np.clip(padded, -1, 1) * 32767).astype("<i2").tobytes())


@lru_cache(maxsize=8)
def _noise(padding: float, level: float) -> NDArray[np.float64]:
    drawn = np.random.default_rng(0).standard_normal((2, round(padding * SAMPLING_RATE)))
    return np.asarray(drawn * level)


def _decode(
    decoder: Any, names: Sequence[str], samples: bytes
) -> list[tuple[str, int, int, float]]:
    """Segments (name, first frame, last frame, acoustic score) of one pass over the
    utterance; empty when it fails.
    """
    # Without this the front end keeps the state of the last clip, and results would
    # depend on the order of the corpus.
    decoder.reinit_feat()
    decoder.set_align_text(" ".join(names))
    decoder.start_utt()
    # full_utt: the mean is taken over this utterance alone.
    decoder.process_raw(samples, no_search=False, full_utt=True)
    decoder.end_utt()
    if decoder.hyp() is None:
        return []
    return [(item.word, item.start_frame, item.end_frame, item.ascore) for item in decoder.seg()]


def _spans(
    utterance: Utterance,
    segments: Sequence[tuple[str, int, int, float]],
    padding: float,
) -> list[WordSpan]:
    duration, spans = voice.duration(utterance), []
    for index, (word, (_, first, last, score)) in enumerate(
        zip(utterance.words, segments, strict=True)
    ):
        start = min(max(first / FRAMES_PER_SECOND - padding, 0.0), duration)
        end = min(max((last + 1) / FRAMES_PER_SECOND - padding, 0.0), duration)
        if end <= start:
            raise AlignmentError(
                "word outside the recording", f"word {index} {word!r} lies in the padding"
            )
        # The score is a product over frames, 1 when each frame is in its best state:
        # taken per second, so that long words compare with short ones.
        confidence = round(float(score) ** (FRAMES_PER_SECOND / (last - first + 1)), 4)
        times = round(start, 6), round(end, 6)
        spans.append(WordSpan(utterance.utterance_id, index, word, *times, confidence, NAME))
    return spans


def _is_filler(name: str) -> bool:
    return name.startswith(("<", "[", "++"))


@lru_cache(maxsize=8)
def _decoder(config: Config) -> Any:
    try:
        import pocketsphinx
    except ImportError as error:
        raise ConfigurationError("pocketsphinx is missing: `pip install pocketsphinx`") from error

    model = Path(pocketsphinx.get_model_path(), "en-us")
    return pocketsphinx.Decoder(
        hmm=str(model / "en-us"),
        dict=str(model / "cmudict-en-us.dict"),
        lm=None,
        beam=config.beam,
        pbeam=config.phone_beam,
        wbeam=config.word_beam,
        bestpath=False,
        cmn="batch",
        logfn=os.devnull,
        loglevel="FATAL",
    )


def _name(decoder: Any, word: str, config: Config) -> str:
    """The decoder's name of a word; its pronunciations are added where the dictionary
    has none.
    """
    extra = _extra(config.dictionary).get(word, ()) if config.dictionary else ()
    plain = not _is_filler(word) and "(" not in word
    if plain and not extra and decoder.lookup_word(word) is not None:
        return word
    # In hexadecimal a word cannot be taken for a filler, a variant or two words.
    name = f"{'given' if extra else 'guessed'}.{word.encode().hex()}"
    if decoder.lookup_word(name) is not None:
        return name
    if not extra and config.unknown_words == "reject":
        raise AlignmentError("unknown word", f"{word!r} is not in the dictionary")
    try:
        variants = extra or (pronunciation.from_spelling(word),)
    except ValueError as error:
        raise AlignmentError("unknown word", str(error)) from error
    for index, variant in enumerate(variants):
        decoder.add_word(name if index == 0 else f"{name}({index + 1})", " ".join(variant), False)
    return name


@lru_cache(maxsize=4)
def _extra(path: str) -> dict[str, tuple[pronunciation.Pronunciation, ...]]:
    if not Path(path).is_file():
        raise ConfigurationError(
            f"pocketsphinx: no dictionary at {path}, name a CMUdict or MFA dictionary file"
        )
    entries = pronunciation.read_dictionary(path)
    return {
        word: tuple(map(pronunciation.without_stress, variants))
        for word, variants in entries.items()
    }
