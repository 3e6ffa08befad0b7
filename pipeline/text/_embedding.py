"""Word or token vectors of a corpus: vocabulary, word ids, and a table or shards unless
each fold fits its own vectors.
"""

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
from numpy.typing import NDArray

from pipeline import lookup, shards, tables
from pipeline.lookup import ConfigurationError
from pipeline.schema import Rejection, Utterance
from pipeline.shards import Rows

Table = NDArray[np.float32]


def embed_corpus(
    utterances: Sequence[Utterance],
    embedding: str,
    config: Any,
    folder: Path,
    memory: Path | None = None,
) -> tuple[dict[str, Any], list[Rejection]]:
    """Writes words.parquet, vocabulary.parquet, info.json and, by the embedding's kind,
    table.npy or shards; `config` is the Config of the embedding's module, `memory` that
    of `shards.build`.

    Returns counts for the stage's metrics and a rejection for each utterance without
    words.
    """
    module = lookup.component("text", embedding)
    kind, corpus_wide = module.kind(config), _fitted_on_corpus(module, config)
    folder.mkdir(parents=True, exist_ok=True)
    for left_by_a_killed_run in folder.glob("*.tmp"):
        left_by_a_killed_run.unlink()
    spoken = [item for item in utterances if item.words]
    rejections = [
        Rejection(item.utterance_id, "text", "no words", "empty transcript")
        for item in utterances
        if not item.words
    ]
    counts = Counter(word for item in spoken for word in item.words)
    vocabulary = sorted(counts)
    info: dict[str, Any] = {
        "name": embedding,
        "kind": "static" if corpus_wide else kind,
        "config": asdict(config),
        "unit": "word",
        "language": _language(spoken),
        "transductive": corpus_wide,
    }
    table, known = word_table(spoken, vocabulary, embedding, config)
    if kind == "static":
        _stop_when_too_many_are_unknown(embedding, config, counts, vocabulary, known)
    if kind == "contextual":
        built, unit = _contextual(spoken, embedding, config, folder, memory)
        rejections += built.rejections
        failed = {item.utterance_id for item in built.rejections}
        spoken = [item for item in spoken if item.utterance_id not in failed]
        info |= {"word_dim": shards.Shards(folder).feature_dim, "unit": unit}
    _write_table(folder / "table.npy", table)
    if table is not None:
        info["word_dim"] = int(table.shape[1])
    _write_words(folder, spoken, vocabulary, counts, known)
    num_words = sum(counts.values())
    unknown = sum(
        counts[word] for word, found in zip(vocabulary, known, strict=True) if found is False
    )
    summary = {
        "used": len(spoken),
        "rejected": len(rejections),
        "vocabulary": len(vocabulary),
        "words": num_words,
        "unknown_words": unknown,
        "unknown_share": unknown / num_words if num_words else 0.0,
    }
    # Training compares them; shards have an index that states their own.
    made = (folder / name for name in ("table.npy", "vocabulary.parquet", "words.parquet"))
    info["files"] = {path.name: shards.sha256(path) for path in made if path.is_file()}
    text = json.dumps(info | summary, indent=2, sort_keys=True, default=str)
    tables.write_text(folder / "info.json", text + "\n")
    return summary, rejections


def word_table(
    spoken: Sequence[Utterance], vocabulary: Sequence[str], embedding: str, config: Any
) -> tuple[Table | None, Sequence[bool | None]]:
    """Vectors of a vocabulary and which words have one, for an embedding whose vectors
    depend on neither the fold nor the utterance; None for the others.
    """
    module = lookup.component("text", embedding)
    if _fitted_on_corpus(module, config):
        return _fit([item.words for item in spoken], vocabulary, module, config)
    if module.kind(config) == "static":
        table, found = module.look_up(vocabulary, config)
        return table, found.tolist()
    return None, [None] * len(vocabulary)


def vectors(utterance: Utterance, embedding: str, config: Any) -> Table | None:
    """Vectors of one utterance, (num_words or num_tokens, word_dim) float32, or None
    where each fold fits its own vectors.

    Raises ConfigurationError for vectors that were fitted on a whole corpus: they know
    no other words.
    """
    module = lookup.component("text", embedding)
    if _fitted_on_corpus(module, config):
        raise ConfigurationError(
            f"the vectors of {embedding} were fitted on the whole corpus and know no new words: "
            "set `fit: fold` and train again"
        )
    kind = module.kind(config)
    if kind == "contextual":
        ((_, rows),) = module.embed([utterance], config)
        return np.asarray(rows)
    if kind == "static":
        vocabulary = sorted(set(utterance.words))
        table, _ = module.look_up(vocabulary, config)
        return np.asarray(table)[[vocabulary.index(word) for word in utterance.words]]
    return None


def vector_keys(utterances: Sequence[Utterance], embedding: str, config: Any) -> dict[str, str]:
    """Hash of what the vectors of each utterance follow from in a contextual embedding:
    words, settings, model and code.
    """
    module = lookup.component("text", embedding)
    code = lookup.fingerprint(module.__name__)
    key = lookup.keys_with(embedding, asdict(config), module.identity(config), code)
    return {item.utterance_id: key(item.words, item.transcript) for item in utterances}


def row_names(utterance: Utterance, embedding: str, config: Any) -> list[str]:
    """What each row of `vectors` stands for: the words, or the sub-tokens of an
    embedding that has a row for each.
    """
    if getattr(config, "pooling", "word") != "token":
        return list(utterance.words)
    return list(lookup.component("text", embedding).sub_tokens(utterance, config))


def _stop_when_too_many_are_unknown(
    embedding: str,
    config: Any,
    counts: Mapping[str, int],
    vocabulary: Sequence[str],
    known: Sequence[bool | None],
) -> None:
    unknown = [word for word, found in zip(vocabulary, known, strict=True) if not found]
    missed, total = sum(counts[word] for word in unknown), sum(counts.values())
    if missed > config.max_unknown_share * total:
        often = sorted(unknown, key=lambda word: (-counts[word], word))[:5]
        raise ConfigurationError(
            f"text.{embedding}: {config.path} has no vector for {missed} of {total} words, such as "
            f"{', '.join(often)}: take vectors of this language and spelling, or raise "
            f"max_unknown_share = {config.max_unknown_share:g}"
        )


def _language(spoken: Sequence[Utterance]) -> str | None:
    """The language of most utterances; of equally many, the first by name."""
    counts = Counter(item.language for item in spoken)
    return min(counts, key=lambda name: (-counts[name], name), default=None)


def _fitted_on_corpus(module: Any, config: Any) -> bool:
    return module.kind(config) == "fitted" and getattr(config, "fit", "fold") == "corpus"


def _fit(
    sentences: Sequence[Sequence[str]], vocabulary: Sequence[str], module: Any, config: Any
) -> tuple[Table, list[bool]]:
    """Vectors fitted on all sentences, in the vocabulary's order, and which words have
    one.
    """
    fitted, made = module.fit(sentences, config)
    if made is None:
        # The words are one-hot. Here their ids are places in the whole vocabulary, so a
        # table has to say which of them have no vector.
        made = np.eye(len(fitted), dtype=np.float32)
    place = {word: row for row, word in enumerate(fitted)}
    known = [word in place for word in vocabulary]
    table = np.zeros((len(vocabulary), made.shape[1]), np.float32)
    table[known] = made[[place[word] for word in vocabulary if word in place]]
    return table, known


def _contextual(
    spoken: Sequence[Utterance], embedding: str, config: Any, folder: Path, memory: Path | None
) -> tuple[shards.Built, str]:
    """Vectors of every utterance into shards, and what a row of them stands for."""
    module = lookup.component("text", embedding)
    unit = getattr(config, "pooling", "word")
    attributes = {
        "embedding": embedding,
        "config": asdict(config),
        "feature_dim": module.word_dim(config),
        "unit": unit,
    }
    by_id = {item.utterance_id: item for item in spoken}
    produce = partial(_produce, embedding, config)
    keys = vector_keys(spoken, embedding, config)

    def items(utterance_ids: Sequence[str]) -> list[Utterance]:
        return [by_id[item] for item in utterance_ids]

    title = f"text {embedding}"
    return shards.build(folder, keys, items, produce, attributes, title, memory), unit


def _produce(
    embedding: str, config: Any, utterances: Sequence[Utterance]
) -> Iterator[Rows | Rejection]:
    module = lookup.component("text", embedding)
    if utterances:
        for utterance_id, rows in module.embed(utterances, config):
            yield Rows(utterance_id, rows)


def _write_table(path: Path, table: Table | None) -> None:
    """Writes the table, or takes away one that other settings had made."""
    if table is None:
        path.unlink(missing_ok=True)
        return
    with tables.replacing(path) as temporary, temporary.open("wb") as file:
        np.save(file, table.astype(np.float32))


def _write_words(
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
    for name, columns in (("words.parquet", words), ("vocabulary.parquet", listing)):
        with tables.replacing(folder / name) as temporary:
            pq.write_table(pa.table(columns), temporary)
