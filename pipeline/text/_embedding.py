"""Word or token vectors of a corpus: vocabulary, word ids, and a table or shards unless
folds fit their own.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import lookup, shards
from pipeline.schema import Rejection, Utterance
from pipeline.shards import Rows, key_of


def embed_corpus(
    utterances: Sequence[Utterance], name: str, config: Any, folder: Path
) -> tuple[dict[str, Any], list[Rejection]]:
    """Writes words.parquet, vocabulary.parquet, info.json and, by the embedding's kind,
    table.npy or shards.

    Returns counts for the stage's metrics and a rejection for each utterance without
    words.
    """
    module = lookup.component("text", name)
    kind = module.kind(config)
    folder.mkdir(parents=True, exist_ok=True)
    # Files of an earlier kind must not outlive it, and those there may be links into a
    # cache: never write through them.
    for name_of_file in ("words.parquet", "vocabulary.parquet", "info.json", "table.npy"):
        (folder / name_of_file).unlink(missing_ok=True)
    spoken = [item for item in utterances if item.words]
    rejections = [
        Rejection(item.utterance_id, "text", "no words", "empty transcript")
        for item in utterances
        if not item.words
    ]
    counts = Counter(word for item in spoken for word in item.words)
    vocabulary = sorted(counts)
    known: list[bool | None] = [None] * len(vocabulary)
    info: dict[str, Any] = {
        "name": name,
        "kind": kind,
        "config": asdict(config),
        "unit": "word",
        "transductive": False,
    }
    table = None
    if kind == "fitted" and getattr(config, "fit", "fold") == "corpus":
        fitted, vectors = module.fit([item.words for item in spoken], config)
        place = {word: row for row, word in enumerate(fitted)}
        known = [word in place for word in vocabulary]
        table = np.zeros((len(vocabulary), vectors.shape[1]), np.float32)
        for row, word in enumerate(vocabulary):
            if word in place:
                table[row] = vectors[place[word]]
        info |= {"kind": "static", "transductive": True}
    elif kind == "static":
        table, found = module.look_up(vocabulary, config)
        known = [bool(item) for item in found]
    if table is not None:
        np.save(folder / "table.npy", table.astype(np.float32))
        info["word_dim"] = int(table.shape[1])
    if kind == "contextual":
        built, unit = _contextual(spoken, name, config, folder)
        rejections += built.rejections
        failed = {item.utterance_id for item in built.rejections}
        spoken = [item for item in spoken if item.utterance_id not in failed]
        info |= {"word_dim": int(shards.Shards(folder).feature_dim), "unit": unit}
    _write(folder, spoken, vocabulary, counts, known)
    tokens = sum(counts.values())
    unknown = sum(
        counts[word] for word, found in zip(vocabulary, known, strict=True) if found is False
    )
    summary = {
        "used": len(spoken),
        "rejected": len(rejections),
        "vocabulary": len(vocabulary),
        "words": tokens,
        "unknown_words": unknown,
        "unknown_share": unknown / tokens if tokens else 0.0,
    }
    (folder / "info.json").write_text(
        json.dumps(info | summary, indent=2, sort_keys=True, default=str) + "\n"
    )
    return summary, rejections


def _contextual(
    spoken: Sequence[Utterance], name: str, config: Any, folder: Path
) -> tuple[shards.Built, str]:
    module = lookup.component("text", name)
    code = lookup.fingerprint(module.__name__)
    model = module.identity(config)
    keys = {
        item.utterance_id: key_of(item.words, item.transcript, name, asdict(config), model, code)
        for item in spoken
    }
    unit = getattr(config, "pooling", "word")
    attributes = {
        "embedding": name,
        "config": asdict(config),
        "feature_dim": module.word_dim(config),
        "unit": unit,
    }
    by_id = {item.utterance_id: item for item in spoken}
    produce = partial(_produce, name, config)
    return shards.build(folder, keys, by_id, produce, attributes, f"text {name}"), unit


def _produce(name: str, config: Any, utterances: Sequence[Utterance]) -> Iterator[Rows | Rejection]:
    module = lookup.component("text", name)
    if utterances:
        for utterance_id, vectors in module.embed(utterances, config):
            yield Rows(utterance_id, vectors)


def _write(
    folder: Path,
    spoken: Sequence[Utterance],
    vocabulary: Sequence[str],
    counts: Mapping[str, int],
    known: Sequence[bool | None],
) -> None:
    ids = {word: number for number, word in enumerate(vocabulary)}
    words = {
        "utterance_id": pa.array([item.utterance_id for item in spoken], pa.string()),
        "word_ids": pa.array(
            [[ids[word] for word in item.words] for item in spoken], pa.list_(pa.int32())
        ),
    }
    listing = {
        "word": pa.array(list(vocabulary), pa.string()),
        "count": pa.array([counts[word] for word in vocabulary], pa.int64()),
        "known": pa.array(list(known), pa.bool_()),
    }
    pq.write_table(pa.table(words), folder / "words.parquet")
    pq.write_table(pa.table(listing), folder / "vocabulary.parquet")
