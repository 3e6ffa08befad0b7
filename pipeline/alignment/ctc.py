"""Forced alignment with any character-level CTC speech recogniser of `transformers` and
the `ctc-segmentation` package.

The words' letters are placed on the recogniser's frame-wise probabilities; nothing but
its vocabulary ties it to a language. Source: L. Kürzinger et al., "CTC-segmentation of
large corpora for German end-to-end speech recognition", SPECOM 2020.
"""

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipeline import pretrained
from pipeline.alignment import _one_by_one as one_by_one
from pipeline.alignment import _voice as voice
from pipeline.lookup import ConfigurationError, checked
from pipeline.schema import AlignmentError, Utterance, WordSpan

NAME = "ctc"


@checked
class Config:
    """model: a local folder, or a name in the local cache of Hugging Face models (at a
    `revision`). device: 'cpu', 'cuda', 'cuda:1' ...

    min_confidence: an utterance with a word below it is rejected.
    """

    model: str = "facebook/wav2vec2-base-960h"
    revision: str | None = None
    min_confidence: float = Field(default=0.0, ge=0, le=1)
    device: str = "cpu"


class Letter(NamedTuple):
    """Where one letter was placed: its frame, and the mean probability from there to
    the next letter's frame.
    """

    frame: int
    probability: float


def provenance(config: Config) -> dict[str, str]:
    """Model, revision and library versions, and the hash of a local model's weights,
    for the metadata of the spans.
    """
    known = {"model": Path(config.model).name if Path(config.model).is_dir() else config.model}
    known["revision"] = config.revision or "main"
    known |= {name: metadata.version(name) for name in ("transformers", "ctc-segmentation")}
    weights = Path(config.model, "model.safetensors")
    if weights.is_file():
        with weights.open("rb") as file:
            known["model_sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
    return known


@one_by_one.aligner
def align(utterance: Utterance, config: Config) -> list[WordSpan]:
    """The words where their letters are most probable."""
    recogniser = _recogniser(config.model, config.revision, config.device)
    waveform = voice.load(utterance, recogniser.sampling_rate)
    tokens = [_tokens(word, recogniser.vocabulary) for word in utterance.words]
    log_probs = recogniser.log_probs(waveform)
    duration = voice.duration(utterance)
    step = recogniser.step or duration / max(len(log_probs), 1)
    spans = []
    placed = place(log_probs, tokens, recogniser.blank)
    starts = [word[0].frame * step for word in placed]
    for index, (word, letters) in enumerate(zip(utterance.words, placed, strict=True)):
        # CTC marks where letters begin: the last one lasts as long as the word's
        # letters do on average.
        pace = max(step, (letters[-1].frame - letters[0].frame) * step / max(len(letters) - 1, 1))
        limit = starts[index + 1] if index + 1 < len(starts) else duration
        end = min(letters[-1].frame * step + pace, limit, duration)
        confidence = float(
            np.exp(np.mean(np.log([max(letter.probability, 1e-10) for letter in letters])))
        )
        if confidence < config.min_confidence:
            raise AlignmentError("low confidence", f"word {index} {word!r}: {confidence:.3f}")
        if end <= starts[index]:
            raise AlignmentError(
                "word outside the recording", f"word {index} {word!r} at {starts[index]:.3f} s"
            )
        place_of = round(starts[index], 6), round(end, 6)
        spans.append(
            WordSpan(utterance.utterance_id, index, word, *place_of, round(confidence, 4), NAME)
        )
    return spans


def place(
    log_probs: NDArray[np.float32], tokens: Sequence[Sequence[int]], blank: int
) -> list[list[Letter]]:
    """The letters of each word on frame-wise log probabilities (num_frames,
    num_tokens): one list per word.

    Raises AlignmentError when there are fewer frames than letters, or the path cannot
    be found.
    """
    try:
        import ctc_segmentation
    except ImportError as error:
        raise ConfigurationError(
            "ctc-segmentation is missing: `pip install 'serflow[ctc]'`"
        ) from error

    settings = ctc_segmentation.CtcSegmentationParameters(
        blank=blank, index_duration=1.0, char_list=[str(i) for i in range(log_probs.shape[1])]
    )
    truth, begins = ctc_segmentation.prepare_token_list(
        settings, [np.array(word) for word in tokens]
    )
    if len(truth) > len(log_probs):
        raise AlignmentError(
            "audio too short", f"{len(log_probs)} frames for {len(truth)} letters and gaps"
        )
    try:
        timings, probabilities, _ = ctc_segmentation.ctc_segmentation(settings, log_probs, truth)
    except (AssertionError, IndexError) as error:
        raise AlignmentError("partial alignment", f"no path through the clip: {error}") from error
    frames = np.rint(timings).astype(int)
    placed = []
    for word, begin in zip(tokens, begins, strict=False):
        first = begin + 1
        edges = [*frames[first : first + len(word)], frames[first + len(word)]]
        # A blank that follows at once leaves its letter the one frame it stands on.
        means = [probabilities[a : max(b, a + 1)].mean() for a, b in pairwise(edges)]
        placed.append(
            [Letter(int(a), float(np.exp(p))) for a, p in zip(edges, means, strict=False)]
        )
    return placed


def _tokens(word: str, vocabulary: Mapping[str, int]) -> list[int]:
    for form in (word, word.upper(), word.lower()):
        found = [vocabulary[letter] for letter in form if letter in vocabulary]
        if found and len(found) >= sum(map(str.isalnum, word)):
            return found
    raise AlignmentError(
        "unknown word", f"{word!r} has letters outside the model's {len(vocabulary)} tokens"
    )


class _Recogniser(NamedTuple):
    model: Any
    extractor: Any
    vocabulary: Mapping[str, int]  # single characters only
    blank: int
    delimiter: int | None
    sampling_rate: int
    step: float | None  # seconds between frames, None when the model does not say
    device: str

    def log_probs(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        """Natural log probabilities (num_frames, num_tokens), the word delimiter
        counted as blank.
        """
        import torch

        inputs = self.extractor(waveform, sampling_rate=self.sampling_rate, return_tensors="pt").to(
            self.device
        )
        try:
            with torch.inference_mode():
                logits = self.model(**inputs).logits[0]
        except RuntimeError as error:
            # Convolutions over less than their own width.
            raise AlignmentError("audio too short", f"{len(waveform)} samples: {error}") from error
        result = torch.log_softmax(logits.float(), dim=-1)
        if self.delimiter is not None:
            result[:, self.blank] = torch.logaddexp(
                result[:, self.blank], result[:, self.delimiter]
            )
        return np.asarray(result.cpu().numpy(), dtype=np.float32)


@lru_cache(maxsize=2)
def _recogniser(name: str, revision: str | None, device: str) -> _Recogniser:
    from transformers import AutoFeatureExtractor, AutoModelForCTC, AutoTokenizer

    model = pretrained.load_network(AutoModelForCTC, name, revision, device)
    extractor = pretrained.load(AutoFeatureExtractor, name, revision)
    tokenizer = pretrained.load(AutoTokenizer, name, revision)
    vocabulary = tokenizer.get_vocab()
    blank = model.config.pad_token_id
    if blank is None or not any(len(token) == 1 and token.isalpha() for token in vocabulary):
        raise ConfigurationError(
            f"ctc model {name!r} has no single letters or no blank: choose a letter-level CTC model"
        )
    ratio = getattr(model.config, "inputs_to_logits_ratio", None)
    rate = int(extractor.sampling_rate)
    delimiter = vocabulary.get(getattr(tokenizer, "word_delimiter_token", None) or "|")
    letters = {
        token: index
        for token, index in vocabulary.items()
        if len(token) == 1 and index not in (blank, delimiter)
    }
    return _Recogniser(
        model, extractor, letters, blank, delimiter, rate, ratio / rate if ratio else None, device
    )
